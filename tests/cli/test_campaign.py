"""The commands that work on a campaign CSV."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import on

Program = Callable[..., Any]
BAD = "simulation_type,system.total_count\nplasma,1\nmixedbox,many\n"


def test_check_counts_the_valid_rows(mdfactory: Program, campaign: Path, hashes: list[str]) -> None:
    file = campaign / "campaign.csv"
    result = mdfactory("check-csv", file)
    assert (result.code, result.out) == (0, f"{file}: 8 valid rows (8 mixedbox)\n")
    rows = mdfactory("check-csv", file, "--json").json["rows"]
    assert sorted(row["hash"] for row in rows) == hashes
    assert rows[0].items() >= {"row": 1, "line": 2, "simulation_type": "mixedbox"}.items()


@pytest.mark.parametrize(
    ("command", "outcome"), [("check-csv", ""), ("prepare-build", "; nothing was written")]
)
def test_all_invalid_rows_are_listed_and_nothing_is_written(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, outcome: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(BAD, encoding="utf-8")
    result = mdfactory(command, "bad.csv")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: bad.csv: 2 invalid rows{outcome}:\n  row 1 (line 2): ")
    assert "\n  row 2 (line 3): system.species: is missing" in result.err
    problems = mdfactory(command, "bad.csv", "--json").json["problems"]
    assert [(problem["row"], problem["line"]) for problem in problems] == [(1, 2), (2, 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize("command", ["check-csv", "prepare-build"])
def test_a_missing_file_is_named(mdfactory: Program, command: str) -> None:
    result = mdfactory(command, "/no/such.csv")
    assert (result.code, result.out) == (1, "")
    assert "/no/such.csv" in result.err


def test_unknown_columns_cause_a_warning(mdfactory: Program, campaign: Path) -> None:
    file = campaign / "campaign.csv"
    lines = [f"{line},x" for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    for arguments in (["check-csv", file], ["check-csv", file, "-q"]):
        result = mdfactory(*arguments)
        assert result.code == 0
        assert result.err == f"warning: {file}: ignored unknown columns: x\n"


@pytest.mark.parametrize("command", ["check-csv", "prepare-build"])
def test_equal_rows_get_the_way_to_make_replicas_and_the_columns_that_were_ignored(
    mdfactory: Program, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "replicas.csv"
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count,seed,quality"
    file.write_text(f"{header}\nmixedbox,O,90,1,\nmixedbox,O,90,2,\n", encoding="utf-8")
    result = mdfactory(command, file, tmp_path) if command == "prepare-build" else None
    result = result or mdfactory(command, file)
    assert result.code == 1
    assert result.err.splitlines()[1:] == [
        "  row 2 (line 3): the same simulation as row 1",
        "ignored unknown columns: quality, seed (did you mean 'system.ionization.seed'?)",
        (
            "Replicas are rows whose BuildInputs differ: give each row its own number in a column "
            "system.ionization.seed."
        ),
    ]
    assert not list(tmp_path.glob("*.yaml"))


def test_replicas_of_a_system_without_ions_need_the_ionization_without_salt(
    mdfactory: Program, tmp_path: Path
) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count,system.ionization"
    file = tmp_path / "dry.csv"
    file.write_text(f"{header}\nmixedbox,O,90,null\nmixedbox,O,90,null\n", encoding="utf-8")
    hint = mdfactory("check-csv", file).err.splitlines()[-1]
    assert "system.ionization of null has no seed" in hint
    header = f"{header}.neutralize,system.ionization.concentration,system.ionization.seed"
    file.write_text(
        f"{header}\nmixedbox,O,90,false,0,1\nmixedbox,O,90,false,0,2\n", encoding="utf-8"
    )
    assert (mdfactory("check-csv", file).code, mdfactory("check-csv", file).err) == (0, "")


@pytest.mark.parametrize("command", ["check-csv", "prepare-build"])
def test_a_row_whose_counts_are_not_those_of_other_cells_is_noted(
    mdfactory: Program, tmp_path: Path, command: str
) -> None:
    species = "system.species.SOL.{0},system.species.ETH.{0}"
    header = f"simulation_type,system.total_count,{species.format('smiles')}"
    file = tmp_path / "rounded.csv"
    rows = ["mixedbox,100,O,CCO,0.333,0.667,,", "mixedbox,100,O,CCO,0.4,0.6,,"]
    rows += ["mixedbox,100,O,CCO,,,40,50", "mixedbox,400,O,CCO,0.29,0.71,,"]
    rows.append("mixedbox,,O,CCO,0.6,0.5,100,300")
    header = f"{header},{species.format('fraction')},{species.format('count')}"
    file.write_text("\n".join([header, *rows]), encoding="utf-8")
    result = mdfactory(command, file, *([tmp_path] if command == "prepare-build" else ()))
    assert result.code == 0
    assert result.err.splitlines() == [
        (
            "row 1: 99 molecules, not the total_count of 100; a count is the fraction times the "
            "total, without the digits after the point"
        ),
        (
            "row 3: a total_count of 100 does not agree with the sum of the counts, which counts: "
            "90; to change the composition, change the counts, or remove them"
        ),
        (
            "row 4: 399 molecules, not the total_count of 400; 0.29 x 400 is 115.99999999999999 in "
            "floating-point numbers, of which 115 molecules stay; give counts instead"
        ),
        (
            "row 5: fractions of SOL, ETH (0.6, 0.5) do not agree with their counts, which count: "
            "0.25, 0.75; to change the composition, change the counts, or remove them"
        ),
    ]


def test_an_unknown_field_and_percents_are_told_with_what_was_meant_and_all_errors_are_shown(
    mdfactory: Program, tmp_path: Path
) -> None:
    file = tmp_path / "slips.csv"
    fractions = "system.total_count,system.species.SOL.smiles,system.species.SOL.fraction"
    more = "system.targetdensity,system.padding,parametrization_config.force,engine"
    file.write_text(
        f"simulation_type,{fractions},system.species.ETH.smiles,system.species.ETH.fraction,{more}\n"
        "mixedbox,100,O,70,CCO,30,,,,\nmixedbox,100,O,0.7,CCO,0.3,2,3,4,vasp\n",
        encoding="utf-8",
    )
    _, percent, slips = mdfactory("check-csv", file).err.splitlines()
    assert percent.endswith("the fractions sum to 100, not to 1; write 30 % as 0.3")
    assert "system.targetdensity: is not a field of the model (got '2')" in slips
    assert "(did you mean 'system.target_density'?)" in slips
    assert "engine: " in slips
    assert "more" not in slips


def test_a_campaign_from_table_to_store(
    store: Program,
    campaign: Path,
    tmp_path: Path,
    hashes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = campaign / "campaign.csv"
    result = store("prepare-build", file, tmp_path / "new")
    assert result.code == 0
    assert result.out == (
        f"8 folders created, 0 already existed; build summary: {tmp_path}/new/campaign.yaml\n"
    )
    again = store("prepare-build", file, tmp_path / "new", "--json").json
    assert (again["made"], len(again["kept"]), again["backup"]) == ([], 8, None)
    assert again["rows"][0] == {
        "row": 1,
        "hash": "CC4D89E0997487E23A5CA417BC302361B5440904",
        "composition": "SOL 432 + MEO 18",
    }
    monkeypatch.chdir(tmp_path / "new")
    pushed = store("sync", "push", "systems", "--csv", file, "--json")
    assert (pushed.code, pushed.json["counts"]["inserted"]) == (0, 8)
    rows = store("sync", "pull", "systems", "--json", "--sort", "hash").json["rows"]
    assert [row["directory"] for row in rows] == [str(tmp_path / "new" / name) for name in hashes]


EVERY_TYPE = """\
simulation_type,parametrization,system.species.SOL.smiles,system.species.SOL.count,\
system.species.SOL.concentration,system.species.DEC.smiles,system.species.DEC.count,\
system.radius,system.core.species.DEC.smiles,system.core.species.DEC.fraction,\
system.shell.species.DEC.smiles,system.shell.species.DEC.fraction,system.protein.resname,\
system.protein.pdb_path,system.protein.disulfide_bonds,system.protein.protonation_states.HIS15,\
system.sizing.type,system.sizing.box_size,system.ionization,tags.project,tags.lab
mixedbox,smirnoff,O,90,,,,,,,,,,,,,,,null,solvents,
bilayer,,,,,CCCCCCCCCCO,64,,,,,,,,,,,,,,B 2
lnp,,,,,,,75,CCCCCCCCCCO,1,CCCCCCCCCCO,1,,,,,,,false,,
proteinbox,pdb2gmx,,,,,,,,,,,LYZ,1aki.pdb,CYS6-CYS127;CYS30-CYS115,HIE,,,,lysozyme,B 2
protein_mixedbox,charmm,O,,55,,,,,,,,LYZ,1aki.pdb,,,fixed_box,70,null,lysozyme,
protein_mixedbox,charmm,O,900,,,,,,,,,LYZ,/data/1aki.pdb,,,count_density,,,,
"""


@on("sqlite", "csv")
@pytest.mark.usefixtures("kind")
def test_a_campaign_of_every_type_from_table_to_store(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("all.csv").write_text(EVERY_TYPE, encoding="utf-8")
    checked = mdfactory("check-csv", "all.csv", "--json").json["rows"]
    types = [row["simulation_type"] for row in checked]
    assert mdfactory("prepare-build", "all.csv", "out").code == 0
    assert mdfactory("prepare-build", "all.csv", "out").err == ""
    assert mdfactory("sync", "init", "all").code == 0
    pushed = mdfactory("sync", "push", "all", "--csv", "all.csv", "--json")
    assert (pushed.err, pushed.code, pushed.json["counts"]["inserted"]) == ("", 0, 6)
    for source in ("out", "out/all.yaml"):
        again = mdfactory("sync", "push", "all", source, "--update")
        counts, *_ = again.out.splitlines()
        assert (again.code, counts) == (0, "0 inserted, 0 updated, 6 unchanged, 0 skipped")
        assert mdfactory("sync", "status", source, "--exit-code").code == 0
    assert mdfactory("sync", "verify").code == 0
    records = mdfactory("sync", "pull", "systems", "--json", "--full").json["rows"]
    stored = {record["hash"]: record for record in records}
    assert [stored[row["hash"]]["simulation_type"] for row in checked] == types
    tags = [json.loads(stored[row["hash"]]["input_data"]).get("tags") for row in checked]
    assert tags == [
        {"project": "solvents"},
        {"lab": "B 2"},
        None,
        {"lab": "B 2", "project": "lysozyme"},
        {"project": "lysozyme"},
        None,
    ]
    for option, value, number in (
        ("--simulation-type", "proteinbox", 1),
        ("--simulation-type", "protein_mixedbox", 2),
        ("--parametrization", "pdb2gmx", 1),
        ("--parametrization", "charmm", 2),
    ):
        assert (
            len(mdfactory("sync", "pull", "systems", option, value, "--json").json["rows"])
            == number
        )
    missing = mdfactory("sync", "pull", "analysis", "--json").json["rows"]
    names = {row["item_name"] for row in missing if row["simulation_type"] == "proteinbox"}
    assert names == {"system_chemistry"}


def test_a_row_whose_hash_depends_on_the_place_of_the_file_says_so(
    store: Program, tmp_path: Path
) -> None:
    file = tmp_path / "all.csv"
    file.write_text(EVERY_TYPE, encoding="utf-8")
    assert store("prepare-build", file, tmp_path / "out").code == 0
    moved = tmp_path / "elsewhere" / "all.csv"
    moved.parent.mkdir()
    file.rename(moved)
    result = store("sync", "push", "systems", "--csv", moved, "--csv-root", tmp_path / "out")
    assert (result.code, result.err.count("skipped: ")) == (3, 2)
    hint = (
        "; the hash depends on the folder of the file, because system.protein.pdb_path is "
        f"relative to it: 1aki.pdb in {moved.parent}"
    )
    assert result.err.count(hint) == 2


def test_the_tags_of_an_existing_folder_are_left_with_a_warning(
    mdfactory: Program, tmp_path: Path
) -> None:
    file = tmp_path / "all.csv"
    file.write_text(EVERY_TYPE, encoding="utf-8")
    assert mdfactory("prepare-build", file, tmp_path / "out").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*/*.yaml")}
    file.write_text(EVERY_TYPE.replace("B 2", "B 3"), encoding="utf-8")
    result = mdfactory("prepare-build", file, tmp_path / "out")
    assert result.code == 0
    assert result.err.startswith(f"warning: {file}: 2 folders left with other tags than the row ")
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("*/*.yaml")} == before


def test_rows_without_a_folder_are_named_with_exit_code_3(store: Program, campaign: Path) -> None:
    file = campaign / "campaign.csv"
    result = store(
        "sync",
        "push",
        "systems",
        "--csv",
        file,
        "--csv-root",
        campaign / "CC4D89E0997487E23A5CA417BC302361B5440904",
    )
    assert result.code == 3
    skipped = "7 skipped (7 invalid, not found or duplicate, named above)"
    assert result.out.startswith(f"1 inserted, 0 updated, 0 unchanged, {skipped}\n")
    assert result.err.count("skipped: ") == 7
    assert (
        f"{file}: row 2 (line 3): no simulation with hash 0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
        in result.err
    )


def test_a_folder_without_any_of_the_rows_leads_to_the_one_to_search(
    store: Program, campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong").mkdir()
    monkeypatch.chdir(tmp_path / "wrong")
    for command in ("push systems", "status"):
        result = store("sync", *command.split(), "--csv", campaign / "campaign.csv")
        assert (result.code, result.err.count("skipped: ")) == (3, 8)
        assert result.err.startswith(
            f"warning: no row has a folder below {tmp_path / 'wrong'}; give the folder to search "
            "with --csv-root\n"
        )
    source = ("--csv", campaign / "campaign.csv", "--csv-root", campaign)
    assert store("sync", "push", "systems", *source).err == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["a", "--csv", "b"], ["a", "--csv-root", "b"], ["--csv-root", "b"]],
)
def test_exactly_one_source_is_taken(store: Program, arguments: list[str]) -> None:
    result = store("sync", "push", "systems", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "--csv" in result.err


def test_prepare_build_shows_the_hash_and_composition_of_each_row_on_a_terminal(
    terminal: Callable[..., Any], campaign: Path, tmp_path: Path
) -> None:
    shown = terminal("prepare-build", campaign / "campaign.csv", tmp_path / "new")
    lines = shown.text.splitlines()
    assert lines[0].split() == ["row", "hash", "composition"]
    assert [line.split()[0] for line in lines[1:9]] == list("12345678")
    assert lines[1].split(maxsplit=2)[1:] == ["CC4D89E09974", "SOL 432 + MEO 18"]
    assert lines[9].startswith("8 folders created, 0 already existed")


def test_prepare_build_shows_by_what_rows_of_one_composition_differ(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"
    header = f"{header},system.ionization,system.ionization.concentration,parametrization"
    rows = ["mixedbox,O,90,,0.15,", "mixedbox,O,90,,0.5,smirnoff", "mixedbox,O,91,,,"]
    rows += ["mixedbox,O,92,null,,", "mixedbox,O,92,,0.15,"]
    (tmp_path / "salt.csv").write_text("\n".join([header, *rows]))
    wide = {"COLUMNS": "160"}
    shown = terminal("prepare-build", tmp_path / "salt.csv", tmp_path / "new", env=wide)
    lines = shown.text.splitlines()
    assert lines[0].split() == ["row", "hash", "composition", "differs"]
    assert [" ".join(line.split()[2:]) for line in lines[1:6]] == [
        'SOL 90 ionization.concentration 0.15, parametrization "cgenff"',
        'SOL 90 ionization.concentration 0.5, parametrization "smirnoff"',
        "SOL 91",
        "SOL 92 ionization null",
        (
            "SOL 92 ionization.neutralize true, ionization.concentration 0.15, "
            "ionization.min_distance 5.0, and 1 more"
        ),
    ]


def test_prepare_build_shows_forty_rows_on_a_terminal(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count\n"
    rows = "".join(f"mixedbox,O,{count}\n" for count in range(1, 43))
    (tmp_path / "water.csv").write_text(header + rows, encoding="utf-8")
    shown = terminal("prepare-build", tmp_path / "water.csv", tmp_path / "new")
    assert "\n40   " in shown.text
    assert "\n41   " not in shown.text
    assert "... and 2 more (--json lists all)" in shown.text
