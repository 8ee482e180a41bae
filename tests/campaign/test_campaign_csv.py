"""Campaign CSV: rows become BuildInputs, and every invalid row is reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.campaign_csv import Rows, read_rows
from mdfactory.errors import SourceError
from mdfactory.records.vocabulary import SimulationType

LIPID = "CCCCCCCCCCO"
MIXED = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"


def _file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "campaign.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _rows(tmp_path: Path, *lines: str) -> Rows:
    return read_rows(_file(tmp_path, *lines))


def _problems(rows: Rows) -> list[tuple[int, int, str]]:
    return [(problem.number, problem.line, problem.reason) for problem in rows.problems]


def _build_input(tmp_path: Path, header: str, line: str) -> BuildInput:
    (row,) = _rows(tmp_path, header, line).rows
    return row.build_input


def test_read_rows_gives_the_hashes_of_the_example(campaign: Path, hashes: Sequence[str]) -> None:
    rows = read_rows(campaign / "campaign.csv")
    assert sorted(row.build_input.hash for row in rows.rows) == hashes
    assert [(row.number, row.line) for row in rows.rows][:2] == [(1, 2), (2, 3)]
    assert rows.problems == rows.warnings == ()


def test_read_rows_reads_every_type_of_simulation(tmp_path: Path) -> None:
    header = (
        "simulation_type,parametrization,system.radius,system.total_count,system.monolayer,"
        "system.species.DEC.smiles,system.species.DEC.fraction,"
        "system.core.species.DEC.smiles,system.core.species.DEC.fraction,"
        "system.shell.species.DEC.smiles,system.shell.species.DEC.fraction,"
        "system.shell.area_per_lipid,parametrization_config.charge_method"
    )
    rows = _rows(
        tmp_path,
        header,
        f"mixedbox,smirnoff,,10,,{LIPID},1,,,,,,nagl",
        f"bilayer,,,7,True,{LIPID},1,,,,,,",
        f"lnp,,75,,,,,{LIPID},1,{LIPID},1,70,",
    )
    assert rows.problems == ()
    species = {"smiles": LIPID, "resname": "DEC", "fraction": 1}
    assert [row.build_input.hash for row in rows.rows] == [
        BuildInput.parse(values).hash
        for values in (
            {
                "simulation_type": "mixedbox",
                "system": {"species": [species], "total_count": 10},
                "parametrization": "smirnoff",
                "parametrization_config": {"charge_method": "nagl"},
            },
            {
                "simulation_type": "bilayer",
                "system": {"species": [species], "total_count": 7, "monolayer": True},
            },
            {
                "simulation_type": "lnp",
                "system": {
                    "radius": 75,
                    "core": {"species": [species]},
                    "shell": {"species": [species], "area_per_lipid": 70},
                },
            },
        )
    ]


def test_species_keep_the_order_of_their_first_column_in_upper_case(tmp_path: Path) -> None:
    header = (
        "simulation_type,system.species.meo.count,system.species.SOL.smiles,"
        "system.species.SOL.count,system.species.meo.smiles"
    )
    build = _build_input(tmp_path, header, "mixedbox,1,O,2,CO")
    assert [species.resname for species in build.system.species] == ["MEO", "SOL"]  # type: ignore[attr-defined]


def test_blank_cells_set_nothing_and_a_blank_species_is_absent(tmp_path: Path) -> None:
    header = MIXED + ",system.species.MEO.smiles,system.species.MEO.count,system.target_density"
    build = _build_input(tmp_path, header, "mixedbox,O,5, ,,")
    values = json.loads(build.canonical_json)["system"]
    assert [species["resname"] for species in values["species"]] == ["SOL"]
    assert values["target_density"] == 1.0


def test_a_slip_in_a_column_or_cell_is_told(tmp_path: Path) -> None:
    slip = MIXED.replace("SOL.count", "SOL.cuont")
    with pytest.raises(SourceError, match=r"SOL\.cuont' \(did you mean 'count'\?\); the columns"):
        _rows(tmp_path, slip, "mixedbox,O,5")
    ((_, _, reason),) = _problems(
        _rows(tmp_path, f"{MIXED},system.ionization", "mixedbox,O,5,None")
    )
    assert reason == "system.ionization: write null if there are no ions (got 'None')"


def test_columns_that_a_spreadsheet_adds_are_ignored(tmp_path: Path) -> None:
    rows = _rows(tmp_path, f"Unnamed: 0,{MIXED},Unnamed: 3", "0,mixedbox,O,5,x")
    assert len(rows.rows) == 1
    assert rows.warnings == ()


def test_the_index_that_pandas_writes_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "campaign.csv"
    pd.DataFrame([["mixedbox", "O", 5]], columns=MIXED.split(",")).to_csv(path)
    rows = read_rows(path)
    assert (len(rows.rows), rows.problems, rows.warnings) == (1, (), ())


@pytest.mark.parametrize("count", ["1_000", "1e3", "+5", "0x10", "0b1", "1:30", "٤٥", "5,"])
def test_a_count_is_a_plain_whole_number(tmp_path: Path, count: str) -> None:
    ((_, _, reason),) = _problems(_rows(tmp_path, MIXED, f'mixedbox,O,"{count}"'))
    assert reason.startswith("system.species.SOL.count: expected a whole number")
    assert reason.endswith(f"(got {count!r})")


@pytest.mark.parametrize("smiles", ["CCO CC", "CCO\tCC", "CCl₂", "CCO\u200b", "CC\u00a0O"])
def test_a_smiles_that_rdkit_would_read_in_part_is_a_problem(tmp_path: Path, smiles: str) -> None:
    ((_, _, reason),) = _problems(_rows(tmp_path, MIXED, f"mixedbox,{smiles},5"))
    assert reason.startswith(f"system.species.SOL.smiles: {smiles!r} contains ")


def test_unknown_columns_at_the_top_are_ignored_with_a_warning(tmp_path: Path) -> None:
    rows = _rows(tmp_path, f"{MIXED},comment,owner.name", "mixedbox,O,5,x,me")
    assert rows.warnings == ("ignored unknown columns: comment, owner.name",)
    assert rows.rows[0].build_input.hash == _build_input(tmp_path, MIXED, "mixedbox,O,5").hash


def test_a_missing_smiles_names_that_of_a_species_with_nothing_else(tmp_path: Path) -> None:
    header = f"{MIXED},system.species.TLO.smiles,system.species.TOL.count"
    lines = ["mixedbox,O,5,Cc1ccccc1,2", "mixedbox,O,5,,2"]
    (_, _, misspelt), (_, _, missing) = _problems(_rows(tmp_path, header, *lines))
    assert missing == "system.species.TOL.smiles: is missing"
    assert misspelt == f"{missing} (did you mean 'system.species.TLO.smiles'? TLO has nothing else)"


@pytest.mark.parametrize(
    ("columns", "cells", "ignored"),
    [
        (
            "parametrisation",
            "smirnoff",
            "parametrisation (did you mean 'parametrization'? It is 'cgenff' now)",
        ),
        (
            "parametrisation,parametrization",
            "cgenff,smirnoff",
            "parametrisation (did you mean 'parametrization'?)",
        ),
        (
            "parametrization,parametrisation_config.water_model",
            "smirnoff,x",
            (
                "parametrisation_config.water_model (did you mean "
                "'parametrization_config.water_model'? It is 'opc3.offxml' now)"
            ),
        ),
        (
            "target_density",
            "0.9",
            "target_density (did you mean 'system.target_density'? It is 1.0 now)",
        ),
        ("seed", "7", "seed (did you mean 'system.ionization.seed'?)"),
        ("species.X.count", "7", "species.X.count (did you mean 'system.species.X.count'?)"),
    ],
)
def test_a_misspelt_column_names_the_value_that_is_used_instead(
    tmp_path: Path, columns: str, cells: str, ignored: str
) -> None:
    rows = _rows(tmp_path, f"{MIXED},{columns}", f"mixedbox,O,5,{cells}")
    assert rows.warnings == (f"ignored unknown columns: {ignored}",)


def test_read_rows_accepts_the_output_of_spreadsheets(tmp_path: Path) -> None:
    path = tmp_path / "campaign.csv"
    text = f'\ufeff{MIXED},system.ionization.neutralize\r\nmixedbox,"O",5.0,FALSE\r\n\r\n,,,\r\n'
    path.write_bytes(text.encode())
    (row,) = read_rows(path).rows
    assert row.build_input.system.total_count == 5  # type: ignore[attr-defined]
    assert row.build_input.system.ionization.neutralize is False  # type: ignore[attr-defined]


def test_a_problem_has_the_number_line_and_field_of_its_row(tmp_path: Path) -> None:
    rows = _rows(
        tmp_path,
        MIXED,
        "mixedbox,O,5",
        "",
        "plasma,O,5",
        "mixedbox,O,many",
        'mixedbox,"O\n",6',
        "mixedbox,O",
        "mixedbox,XX,0,9",
        "mixedbox,OO,-1",
        "mixedbox,O,5.0",
    )
    assert [row.number for row in rows.rows] == [1, 4]
    number = "expected a whole number in digits without leading zeros, such as 450 (got 'many')"
    types = ", ".join(SimulationType)
    assert _problems(rows) == [
        (2, 4, f"simulation_type: 'plasma' is not one of {types}"),
        (3, 5, f"system.species.SOL.count: {number}"),
        (5, 8, "2 values, but the header has 3 columns"),
        (6, 9, "4 values, but the header has 3 columns"),
        (
            7,
            10,
            "system.species.SOL.count: must be at least 0 (got '-1')",
        ),
        (8, 11, "the same simulation as row 1"),
    ]


def test_a_species_of_a_part_is_named_by_its_resname(tmp_path: Path) -> None:
    header = (
        "simulation_type,system.radius,system.core.species.DEC.smiles,"
        "system.core.species.DEC.fraction,system.shell.species.ABC.smiles,"
        "system.shell.species.ABC.fraction"
    )
    rows = _rows(tmp_path, header, f"lnp,75,{LIPID},1,{LIPID},-1")
    ((_, _, reason),) = _problems(rows)
    assert reason.startswith("system.shell.species.ABC.fraction: ")


def test_a_field_of_another_simulation_type_is_a_problem(tmp_path: Path) -> None:
    rows = _rows(tmp_path, f"{MIXED},system.z_padding", "mixedbox,O,5,20")
    reason = "is not a field of the model (got '20') (a field of other simulation types)"
    assert _problems(rows) == [(1, 2, f"system.z_padding: {reason}")]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no column 'simulation_type'"),
        ("a,b", "no column 'simulation_type'"),
        (MIXED.replace(",", ";"), "separated by semicolons, not commas"),
        (f"{MIXED},,x", "without a name"),
        (f"{MIXED},{MIXED}", "duplicate column 'simulation_type'"),
        (f"{MIXED},system.species.sol.count", "duplicate column 'system.species.SOL.count'"),
        (
            f"{MIXED},system.species.SOL.head_atoms",
            "a species are system.species.<RESNAME>",
        ),
        (f"{MIXED},system.species.SOL.species.X.count", "a species are system.species.<RESNAME>"),
        (f"{MIXED},system.species.SOL", "a species are system.species.<RESNAME>"),
        (f"{MIXED},system", "'system' and 'system.species.SOL.smiles': one contains the other"),
    ],
)
def test_an_invalid_header_is_an_error(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason.replace("<", ".")) as caught:
        _rows(tmp_path, header, "mixedbox,O,5")
    assert str(tmp_path / "campaign.csv") in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "No such file"),
        (b"simulation_type\nl\xf6sung\n", "it is not UTF-8; save it as UTF-8, .* 'CSV UTF-8'"),
        (b'simulation_type\n"open\n', "end of data"),
    ],
)
def test_a_file_that_is_no_csv_is_an_error(tmp_path: Path, raw: bytes | None, reason: str) -> None:
    path = tmp_path / "campaign.csv"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(SourceError, match=reason) as caught:
        read_rows(path)
    assert str(path) in str(caught.value)


def test_a_campaign_without_rows_is_an_error(tmp_path: Path) -> None:
    for lines in ((), ("", "")):
        with pytest.raises(SourceError, match="has no rows below its header"):
            _rows(tmp_path, MIXED, *lines)


def test_read_rows_reads_ten_thousand_rows(tmp_path: Path) -> None:
    rows = _rows(tmp_path, MIXED, *(f"mixedbox,O,{count}" for count in range(1, 10_001)))
    assert len({row.build_input.hash for row in rows.rows}) == 10_000


PROTEIN = "simulation_type,parametrization,system.protein.resname,system.protein.pdb_path"
BOX = "proteinbox,pdb2gmx,LYZ"


def _system(tmp_path: Path, columns: str, cells: str) -> Any:
    """Return the system of a proteinbox with these columns and cells."""
    build = _build_input(tmp_path, f"{PROTEIN},{columns}", f"{BOX},/1aki.pdb,{cells}")
    return json.loads(build.canonical_json)["system"]


def test_every_field_of_a_protein_in_water_is_a_column(tmp_path: Path) -> None:
    columns = (
        "system.protein.chains,system.protein.disulfide_bonds,"
        "system.protein.protonation_states.HIS15,system.protein.protonation_states.A:GLU.7,"
        "system.padding,system.relax_steps,system.ionization.concentration,"
        "system.protein.count,system.protein.fraction"
    )
    cells = "B; A,CYS6-CYS127;A:CYS-5 - B:CYS30,HIE,GLH,12,5,0.1,1,1"
    assert _system(tmp_path, columns, cells) == {
        "protein": {
            "fraction": 1.0,
            "count": 1,
            "resname": "LYZ",
            "pdb_path": "/1aki.pdb",
            "chains": ["B", "A"],
            "disulfide_bonds": [["CYS6", "CYS127"], ["A:CYS-5", "B:CYS30"]],
            "protonation_states": {"A:GLU.7": "GLH", "HIS15": "HIE"},
        },
        "padding": 12.0,
        "relax_steps": 5,
        "ionization": {
            "neutralize": True,
            "concentration": 0.1,
            "min_distance": 5.0,
            "seed": None,
        },
    }


def test_every_field_of_a_protein_in_a_mixture_is_a_column(tmp_path: Path) -> None:
    header = (
        f"{PROTEIN},system.species.sol.smiles,system.species.sol.concentration,"
        "system.species.ETH.smiles,system.species.ETH.count,system.sizing.type,"
        "system.sizing.box_size,system.concentration_volume_basis,"
        "system.partial_specific_volume,parametrization_config.merge_all"
    )
    line = "protein_mixedbox,charmm,LYZ,/a.pdb,O,55.5,OCC,3,fixed_box,70,box,0.8,TRUE"
    expected = BuildInput.parse(
        {
            "simulation_type": "protein_mixedbox",
            "parametrization": "charmm",
            "parametrization_config": {"merge_all": True},
            "system": {
                "protein": {"resname": "LYZ", "pdb_path": "/a.pdb"},
                "species": [
                    {"smiles": "O", "resname": "SOL", "concentration": 55.5},
                    {"smiles": "CCO", "resname": "ETH", "count": 3},
                ],
                "sizing": {"type": "fixed_box", "box_size": 70},
                "concentration_volume_basis": "box",
                "partial_specific_volume": 0.8,
            },
        }
    )
    assert _build_input(tmp_path, header, line).canonical_json == expected.canonical_json


@pytest.mark.parametrize("cell", ["null", "false", "FALSE", "False", " null "])
def test_a_row_may_have_no_ions(tmp_path: Path, cell: str) -> None:
    build = _build_input(tmp_path, f"{MIXED},system.ionization", f"mixedbox,O,5,{cell}")
    assert build.system.ionization is None  # type: ignore[attr-defined]


def test_some_rows_have_no_ions_and_others_some(tmp_path: Path) -> None:
    header = f"{MIXED},system.ionization.concentration,system.ionization"
    rows = _rows(tmp_path, header, "mixedbox,O,5,0.2,", "mixedbox,O,5,,null", "mixedbox,O,5,,")
    ions = [row.build_input.system.ionization for row in rows.rows]  # type: ignore[attr-defined]
    assert [ion and ion.concentration for ion in ions] == [0.2, None, 0.15]


@pytest.mark.parametrize("names", ["ionization,ionization.seed", "ionization.seed,ionization"])
@pytest.mark.parametrize("cells", ["null,null", "1,1"])
def test_ions_are_not_given_in_two_ways(tmp_path: Path, names: str, cells: str) -> None:
    columns = ",".join(f"system.{name}" for name in names.split(","))
    ((_, _, reason),) = _problems(_rows(tmp_path, f"{MIXED},{columns}", f"mixedbox,O,5,{cells}"))
    assert reason.startswith("system.ionization: is given as a whole and by its fields")


@pytest.mark.parametrize("cell", ["true", "0"])
def test_ions_are_null_or_false_or_have_columns(tmp_path: Path, cell: str) -> None:
    rows = _rows(tmp_path, f"{MIXED},system.ionization", f"mixedbox,O,5,{cell}")
    ((_, _, reason),) = _problems(rows)
    assert reason == f"system.ionization: is not a mapping of keys to values (got {cell!r})"


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        (
            "disulfide_bonds",
            "CYS6",
            "disulfide_bonds.0: is not a pair of residues, such as CYS6 and CYS127",
        ),
        ("disulfide_bonds", "CYS6-127", "disulfide_bonds.0: is not a pair of residues"),
        ("disulfide_bonds", "CYS6-CYS7-CYS8", "disulfide_bonds.0: is not a pair of residues"),
        ("disulfide_bonds", "CYS6-CYS7;", "disulfide_bonds: has an empty entry"),
        ("chains", "A;;B", "chains: has an empty entry"),
        ("protonation_states", "HIE", "protonation_states: is not a mapping"),
        ("count", "2", "count: "),
    ],
)
def test_an_invalid_cell_of_a_protein_is_a_problem(
    tmp_path: Path, column: str, cell: str, problem: str
) -> None:
    rows = _rows(tmp_path, f"{PROTEIN},system.protein.{column}", f"{BOX},/1aki.pdb,{cell}")
    ((_, _, reason),) = _problems(rows)
    assert reason.startswith(f"system.protein.{problem}")


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("1aki.pdb", "{real}/1aki.pdb"),
        ("./x/../1aki.pdb", "{real}/1aki.pdb"),
        ("~/1aki.pdb", "{real}/~/1aki.pdb"),
        ("other/../1aki.pdb", "{above}/1aki.pdb"),  # beside what the link points to
        ("/data//./1aki.pdb", "/data/1aki.pdb"),
        ("/data/../1aki.pdb", "/data/../1aki.pdb"),
    ],
)
def test_a_relative_structure_is_beside_the_file(tmp_path: Path, cell: str, path: str) -> None:
    real = tmp_path / "real" / "folder"
    real.mkdir(parents=True)
    elsewhere = tmp_path / "above" / "below"
    elsewhere.mkdir(parents=True)
    (real / "other").symlink_to(elsewhere)
    (tmp_path / "link").symlink_to(real)
    build = _build_input(tmp_path / "link", PROTEIN, f"{BOX},{cell}")
    expected = path.format(real=real.resolve(), above=elsewhere.parent.resolve())
    assert build.system.protein.pdb_path == expected  # type: ignore[attr-defined]


def test_a_relative_structure_is_resolved_from_any_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table").mkdir()
    file = _file(tmp_path / "table", PROTEIN, f"{BOX},1aki.pdb")
    monkeypatch.chdir(tmp_path)
    (row,) = read_rows(Path("table") / file.name).rows
    assert row.build_input.system.protein.pdb_path == str(tmp_path.resolve() / "table/1aki.pdb")  # type: ignore[attr-defined]


def test_a_structure_with_nul_is_a_problem(tmp_path: Path) -> None:
    ((_, _, reason),) = _problems(_rows(tmp_path, PROTEIN, f"{BOX},a\0.pdb"))
    assert "null" in reason
    assert reason.startswith("system.protein.pdb_path: ")


def test_tags_are_columns_whose_keys_may_have_dots(tmp_path: Path) -> None:
    header = f"{MIXED},tags.b,tags.a.b,tags.a,tags.species,tags.species.x, tags.c "
    rows = _rows(tmp_path, header, "mixedbox,O,5, x ,5,2024-01-01,true,,")
    assert rows.warnings == ()
    assert rows.rows[0].build_input.tags == {
        "a": "2024-01-01",
        "a.b": "5",
        "b": "x",
        "species": "true",
    }


def test_rows_that_differ_in_tags_only_are_the_same_simulation(tmp_path: Path) -> None:
    rows = _rows(tmp_path, f"{MIXED},tags.a", "mixedbox,O,5,1", "mixedbox,O,5,2")
    assert _problems(rows) == [(2, 3, "the same simulation as row 1")]


def test_tags_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the column 'tags\.' ends with a dot"):
        _rows(tmp_path, f"{MIXED},tags.", "mixedbox,O,5,1")
    ((_, _, reason),) = _problems(_rows(tmp_path, f"{MIXED},tags", "mixedbox,O,5,1"))
    assert reason == "tags: is not a mapping of keys to values (got '1')"
