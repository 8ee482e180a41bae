"""`read_simulation`: choice of the YAML file, status, and reasons for invalid folders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import mdfactory
from mdfactory import Results
from mdfactory.campaign.discover import discover
from mdfactory.campaign.scan_index import Reading, ScanIndex
from mdfactory.campaign.simulation import Simulation, Skipped, read_simulation, status_of
from mdfactory.errors import OutputError, SourceError, UnknownSimulationError
from mdfactory.files import list_folder
from mdfactory.records.vocabulary import SimulationStatus

WATER = """\
simulation_type: mixedbox
system: {species: [{smiles: O, resname: SOL, count: 450}], target_density: 1}
"""
METHANOL = WATER.replace("smiles: O,", "smiles: CO,")
FIRST = "9696455838C189BE031418DE5280D6042B243D8D"
WITH_ARTIFACTS = "FD017140D9BF9DC3E566983C44C59E634D032C4D"
WATER_HASH = "EB3965712A911E7FF313BCB826F03EC699E236E2"
SUMMARY = "system_directory: [./a]\nhash: [A]\nsimulation_type: [mixedbox]\n"


def _make_folder(root: Path, name: str = "folder", **files: str) -> Path:
    """Make a folder with YAML files; ``own`` is the one that is named after the folder."""
    folder = root / name
    folder.mkdir()
    for file, text in files.items():
        (folder / f"{name if file == 'own' else file}.yaml").write_text(text, encoding="utf-8")
    return folder


def _read(folder: Path, *, required: bool = False) -> Simulation | Skipped | None:
    return read_simulation(str(folder), list_folder(folder), required=required)


def _read_valid(folder: Path) -> Simulation:
    simulation = _read(folder)
    assert isinstance(simulation, Simulation), simulation
    return simulation


def _reason_of(folder: Path, *, required: bool = False) -> str:
    skipped = _read(folder, required=required)
    assert isinstance(skipped, Skipped), skipped
    assert skipped.path == str(folder)
    assert "\n" not in skipped.reason
    return skipped.reason


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (set(), SimulationStatus.build),
        ({"system.pdb", "topology.top", "min.gro", "nvt.gro"}, SimulationStatus.build),
        ({"min.gro", "nvt.gro", "npt.gro"}, SimulationStatus.equilibrated),
        ({"prod.xtc"}, SimulationStatus.production),
        ({"min.gro", "nvt.gro", "npt.gro", "prod.xtc"}, SimulationStatus.production),
        ({"prod.gro"}, SimulationStatus.completed),
        ({"prod.xtc", "prod.gro"}, SimulationStatus.completed),
    ],
)
def test_status_of_derives_the_status_from_the_files(
    files: set[str], status: SimulationStatus
) -> None:
    assert status_of(files) is status


@pytest.mark.parametrize("name", ["own", "build", "input"])
def test_read_simulation_accepts_any_file_name(tmp_path: Path, name: str) -> None:
    assert _read_valid(_make_folder(tmp_path, **{name: WATER})).hash == WATER_HASH


def test_read_simulation_accepts_the_yml_ending(tmp_path: Path) -> None:
    folder = _make_folder(tmp_path)
    (folder / "input.yml").write_text(WATER, encoding="utf-8")
    assert _read_valid(folder).hash == WATER_HASH


@pytest.mark.parametrize(
    "files",
    [
        {"own": WATER, "build": METHANOL, "a": METHANOL},
        {"build": WATER, "a": METHANOL},
        {"a": WATER, "b": METHANOL},
        {"a": SUMMARY, "b": WATER, "c": METHANOL},
    ],
)
def test_read_simulation_takes_the_first_build_input(tmp_path: Path, files: dict[str, str]) -> None:
    assert _read_valid(_make_folder(tmp_path, **files)).hash == WATER_HASH


def test_read_simulation_prefers_a_valid_yaml_to_an_invalid_one(tmp_path: Path) -> None:
    assert _read_valid(_make_folder(tmp_path, own="{", other=WATER)).hash == WATER_HASH


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config": "jobs: 3\n"},
        {"config": "- 1\n"},
        {"broken": "{"},
        {"empty": ""},
        {"a": SUMMARY},
        {"own": SUMMARY},
        {"half": "simulation_type: mixedbox\n"},
    ],
)
def test_read_simulation_ignores_folders_that_do_not_claim_to_be_simulations(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert _read(_make_folder(tmp_path, **files)) is None


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"own": ""}, "folder.yaml: not a mapping"),
        ({"own": "- 1"}, "folder.yaml: not a mapping"),
        ({"own": "{}"}, "folder.yaml: simulation_type: is missing"),
        ({"build": "jobs: 3"}, "build.yaml: simulation_type: is missing"),
        ({"own": "a: [1"}, "folder.yaml: line 2: "),
        ({"own": WATER + "\tx: 1"}, "folder.yaml: line 3: "),
        ({"x": WATER.replace("450", "-1")}, "x.yaml: system.species.0.count: "),
        ({"x": WATER + "[broken"}, "x.yaml: line 4: "),
        ({"own": WATER + "engine: gromacs\nengine: gromacs\n"}, "duplicate key 'engine'"),
        ({"own": "a: " + "[" * 50_000}, "nests more than 64 levels"),
        ({"own": "- " * 50_000}, "nests more than 64 levels"),
        ({"own": "x:\n  " + "-  " * 50_000}, "nests more than 64 levels"),
        ({"own": "?  " * 50_000}, "nests more than 64 levels"),
        ({"own": "- " * 3_000 + "x"}, "folder.yaml: "),
        ({"own": "[" * 3_000 + "]" * 3_000}, "folder.yaml: "),
        ({"own": "? " * 3_000 + "x"}, "folder.yaml: "),
        ({"own": WATER + "x: 1" + ":1" * 100_000}, "more than 10,000 characters"),
        ({"own": WATER + "x: [" + "1," * 250_000 + "]"}, "more than 200,000 values"),
        ({"own": WATER + "x: &x [*x]"}, "aliases expand to more"),
        ({"own": WATER + 'x: !!int ""'}, "folder.yaml: a value does not fit its tag: "),
        ({"own": WATER + "x: !!bool foo"}, "folder.yaml: a value does not fit its tag: "),
        ({"own": WATER + "x: !!timestamp foo"}, "folder.yaml: "),
        ({"own": WATER + "<<: {}\nsystem: {}"}, "duplicate key 'system'"),
        ({"own": WATER.replace("450", "-0x" + "F" * 6_000)}, "system.species.0.count: "),
        ({"own": WATER.replace("mixedbox", "0x" + "F" * 6_000)}, "simulation_type: "),
        ({"own": WATER.replace("smiles: O", f"smiles: {'C' * 5_001}")}, "has 5,001 characters"),
        ({"own": "a: 2026-13-45\n"}, "folder.yaml: "),
        ({"own": "? [a, b]\n: c\n"}, "folder.yaml: "),
        ({"own": "!!python/object/apply:os.system [id]"}, "folder.yaml: line 1: "),
        ({"own": "x" * (4 * 2**20 + 1)}, "folder.yaml: is larger than 4 MiB"),
    ],
)
def test_read_simulation_gives_the_reason_for_an_invalid_build_input(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    assert reason in _reason_of(_make_folder(tmp_path, **files))


@pytest.mark.parametrize(
    "count", ["0450", "-010", "+450", "0x1C2", "0o702", "0b1", "1_000", "1:30", "1e3", "1.0e+3"]
)
def test_read_simulation_rejects_a_count_that_other_programs_read_differently(
    tmp_path: Path, count: str
) -> None:
    folder = _make_folder(tmp_path, own=WATER.replace("450", count))
    reason = f"folder.yaml: system.species.0.count: expected a whole number .* \\(got '{count}'\\)"
    assert re.fullmatch(reason.replace("+", "\\+", count.count("+")), _reason_of(folder))


@pytest.mark.parametrize("density", [".inf", "-.inf", ".NaN", "1_0.5", "1:30.5", "010", "+1.5"])
def test_read_simulation_rejects_a_real_that_is_no_plain_decimal(
    tmp_path: Path, density: str
) -> None:
    folder = _make_folder(tmp_path, own=WATER.replace("density: 1", f"density: {density}"))
    reason = "folder.yaml: system.target_density: expected a finite decimal number"
    assert _reason_of(folder).startswith(reason)
    assert _reason_of(folder).endswith(f"(got {density!r})")


@pytest.mark.parametrize("density", ["1.0", "1.", "01.0", "1.0e+00", "1e0", "'1'"])
def test_read_simulation_accepts_decimal_numbers(tmp_path: Path, density: str) -> None:
    text = WATER.replace("density: 1", f"density: {density}")
    assert _read_valid(_make_folder(tmp_path, own=text)).hash == WATER_HASH


def test_values_that_are_not_numbers_of_a_field_may_be_written_in_any_form(tmp_path: Path) -> None:
    text = WATER + "version: 0450\ntime: 1:30\ndate: 2026-01-31\n"
    assert _read_valid(_make_folder(tmp_path, own=text)).hash == WATER_HASH


@pytest.mark.parametrize(
    ("smiles", "character"),
    [
        ("CCO CC", "' '"),
        ('"CCO\\nCC"', r"'\n'"),
        ('"C/C=C\\N"', r"'\x85'"),  # an escape: NEL
        ('"C/C=C\\_N"', r"'\xa0'"),
        ('"C/C=C\\P"', r"'\u2029'"),
        ("CCl₂", r"'\u2082'"),
        (">-\n    CCOCC\n    OCC\n", "' '"),
        ("|\n    CCOCC\n    OCC\n", r"'\n'"),
        ("CCOCC\n    OCC\n", "' '"),
    ],
)
def test_read_simulation_rejects_a_smiles_that_rdkit_would_read_in_part(
    tmp_path: Path, smiles: str, character: str
) -> None:
    text = "simulation_type: mixedbox\nsystem:\n species:\n - count: 1\n   resname: A\n   smiles: "
    folder = _make_folder(tmp_path, own=text + smiles)
    reason = _reason_of(folder)
    assert reason.startswith("folder.yaml: system.species.0.smiles: ")
    assert f" contains {character}, where RDKit would stop; write the SMILES with " in reason


@pytest.mark.parametrize("style", ["|", "|-", ">", ">-"])
def test_read_simulation_accepts_a_block_with_a_smiles_on_one_line(
    tmp_path: Path, style: str
) -> None:
    text = (
        "simulation_type: mixedbox\nsystem:\n species:\n - count: 450\n   resname: SOL\n   smiles: "
    )
    folder = _make_folder(tmp_path, own=f"{text}{style}\n    O\n")
    assert _read_valid(folder).hash == WATER_HASH


def test_read_simulation_gives_the_reason_for_an_unknown_encoding(tmp_path: Path) -> None:
    folder = _make_folder(tmp_path)
    (folder / "folder.yaml").write_bytes("größe: 1".encode("latin-1"))
    assert "folder.yaml: " in _reason_of(folder)


def test_read_simulation_refuses_exponential_aliases_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    bomb = "\n".join([*lines, "simulation_type: mixedbox", "system: {species: *a8}"])
    assert "aliases expand to more than" in _reason_of(_make_folder(tmp_path, own=bomb))


def test_read_simulation_refuses_exponential_merge_keys_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    assert "aliases expand to more" in _reason_of(
        _make_folder(tmp_path, own="\n".join(lines) + "\n" + WATER)
    )


def test_read_simulation_accepts_a_few_aliases(tmp_path: Path) -> None:
    text = WATER + "x: &x [1, 2]\ny: [*x, *x]\n"
    assert _read_valid(_make_folder(tmp_path, own=text)).hash == WATER_HASH


@pytest.mark.parametrize("name", ["own", "input"])
def test_read_simulation_accepts_utf_16(tmp_path: Path, name: str) -> None:
    folder = _make_folder(tmp_path, **{name: WATER})
    (file,) = folder.iterdir()
    file.write_text(WATER, encoding="utf-16")
    assert _read_valid(folder).hash == WATER_HASH


def test_read_simulation_ignores_a_large_yaml_with_another_name(tmp_path: Path) -> None:
    assert _read(_make_folder(tmp_path, notes="x" * (4 * 2**20 + 1))) is None


def test_reasons_and_warnings_are_one_line_of_bounded_length(tmp_path: Path) -> None:
    text = WATER.replace("resname: SOL", f'resname: "A\\n{"B" * 9_000}"')
    assert len(_reason_of(_make_folder(tmp_path, own=text))) <= 401
    many = "".join(f"key_{number}: 1\n" for number in range(9_000))
    (warning,) = _read_valid(_make_folder(tmp_path, "other", own=WATER + many)).warnings
    assert len(warning) <= 401


def test_read_simulation_accepts_a_key_that_overrides_a_merged_one(tmp_path: Path) -> None:
    text = WATER + "x: &x {engine: gromacs}\ny: {<<: *x, engine: gromacs}\n"
    assert _read_valid(_make_folder(tmp_path, own=text)).hash == WATER_HASH


def test_read_simulation_gives_a_reason_for_a_required_folder_without_yaml(tmp_path: Path) -> None:
    assert "no BuildInput YAML" in _reason_of(_make_folder(tmp_path), required=True)


def test_read_simulation_warns_of_unknown_keys(tmp_path: Path) -> None:
    text = "parametrisation: smirnoff\nflavour: up\n5: x\ncolour.of: red\n"
    folder = _make_folder(tmp_path, own=WATER + text)
    ignored = "5, colour.of, flavour, parametrisation"
    meant = "(did you mean 'parametrization'? It is 'cgenff' now)"
    (warning,) = _read_valid(folder).warnings
    assert warning == f"{folder / 'folder.yaml'}: ignored unknown keys: {ignored} {meant}"


MIXTURE = """\
simulation_type: mixedbox
system:
  species:
  - {{smiles: O, resname: sol, count: {0}, fraction: {1}}}
  - {{smiles: CO, resname: MEO, count: 300, fraction: {2}}}
  total_count: {3}
"""
REMEDY = "; to change the composition, change the counts, or remove them"


@pytest.mark.parametrize(
    ("amounts", "warning"),
    [
        ((100, 0.25, 0.75, 400), ""),
        ((100, 0.2504, 0.7496, "null"), ""),  # rounded
        ((100, "null", "null", 0), ""),
        ((0, 0, 1, 300), ""),
        (
            (100, 0.6, 0.5, 400),
            (
                "fractions of SOL, MEO (0.6, 0.5) do not agree with their counts, which count: "
                "0.25, 0.75"
            ),
        ),
        (
            (0, 0.2, 1, 300),
            "fractions of SOL (0.2) do not agree with their counts, which count: 0",
        ),
        (
            (100, 0.25, 0.75, 4000),
            "a total_count of 4,000 does not agree with the sum of the counts, which counts: 400",
        ),
    ],
)
def test_amounts_that_counts_overrule_cause_a_warning_also_from_the_index(
    tmp_path: Path, amounts: tuple[object, ...], warning: str
) -> None:
    folder = _make_folder(tmp_path, own=MIXTURE.format(*amounts))
    expected = (f"{folder / 'folder.yaml'}: {warning}{REMEDY}",) if warning else ()
    assert _read_valid(folder).warnings == expected
    for _ in range(2):
        with ScanIndex(tmp_path / "index.db", settled_after=0) as index:
            reading = Reading(index=index, digests_only=True)
            found = read_simulation(str(folder), list_folder(folder), reading=reading)
        assert isinstance(found, Simulation)
        assert found.warnings == expected


@pytest.mark.parametrize(
    ("name", "named_hash"),
    [("a" * 40, "A" * 40), (WATER_HASH, ""), (WATER_HASH.lower(), ""), ("run_17", "")],
)
def test_the_hash_is_that_of_the_build_input_whatever_the_folder_is_named(
    tmp_path: Path, name: str, named_hash: str
) -> None:
    simulation = _read_valid(_make_folder(tmp_path, name=name, own=WATER))
    assert (simulation.hash, simulation.named_hash) == (WATER_HASH, named_hash)


def test_open_reads_status_and_results(campaign: Path) -> None:
    (folder,) = campaign.glob("CC4D*")
    simulation = Simulation.open(str(folder))
    assert simulation.hash == folder.name
    assert simulation.status is SimulationStatus.completed
    assert simulation.results.load_analysis("rdf_oxygen").num_rows == 105


def test_open_reads_what_a_walk_reads(campaign: Path) -> None:
    simulations = [Simulation.open(folder.parent) for folder in sorted(campaign.glob("*/*.yaml"))]
    assert simulations == list(discover(str(campaign)))
    assert {simulation.bare for simulation in simulations} == {False, True}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: None, "No such file"),
        (lambda folder: folder.mkdir(), "it holds no BuildInput YAML"),
        (lambda folder: folder.touch(), "Not a directory"),
    ],
)
def test_open_rejects_a_path_that_is_not_a_simulation(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(SourceError, match=reason) as caught:
        Simulation.open(tmp_path / "x")
    assert str(tmp_path / "x") in str(caught.value)


def test_public_names_are_imported_on_first_use() -> None:
    assert mdfactory.Simulation is Simulation
    assert all(getattr(mdfactory, name) for name in mdfactory.__all__)
    assert dir(mdfactory) == sorted(mdfactory.__all__)
    with pytest.raises(AttributeError, match="Simulacrum"):
        _ = mdfactory.Simulacrum


def test_open_resolves_a_path_as_the_operating_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    folder = _make_folder(tmp_path / "real", own=WATER)
    _make_folder(tmp_path, own=METHANOL)
    monkeypatch.chdir(tmp_path)
    simulation = Simulation.open("link/../folder")
    assert (simulation.directory, simulation.hash) == (folder, WATER_HASH)


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("simulation_type", "membrane_protein", "; a newer version of mdfactory may know it"),
        ("simulation_type", "Bilayr", "; did you mean bilayer? Else a newer version of mdfactory"),
        ("parametrization", "amber", "; a newer version of mdfactory may know it"),
        ("engine", "gromaks", "; did you mean gromacs? Else a newer version of mdfactory"),
    ],
)
def test_open_says_that_a_newer_version_may_know_a_value(
    tmp_path: Path, field: str, value: str, hint: str
) -> None:
    water = {"smiles": "O", "resname": "SOL", "count": 450}
    values = {"simulation_type": "mixedbox", "system": {"species": [water]}} | {field: value}
    (tmp_path / "build.yaml").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(UnknownSimulationError) as error:
        Simulation.open(tmp_path)
    assert f"build.yaml: {field}: " in str(error.value)
    assert repr(value) in str(error.value)
    assert hint in str(error.value)


def test_a_misspelt_field_is_no_unknown_simulation(tmp_path: Path) -> None:
    values = {"simulation_type": "mixedbox", "system": {"species": [], "densty": 1}}
    (tmp_path / "build.yaml").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(SourceError, match="densty") as error:
        Simulation.open(tmp_path)
    assert not isinstance(error.value, UnknownSimulationError)


# What a person sees of it


def test_a_simulation_shows_what_it_is_and_how_far(campaign: Path) -> None:
    simulation = Simulation.open(campaign / FIRST)
    assert repr(simulation) == (
        f"<Simulation {FIRST[:12]}: mixedbox, production, in {campaign / FIRST}>"
    )
    rows = _html_rows(simulation._repr_html_())
    assert rows["hash"] == [FIRST]
    assert rows["status"] == ["production"]
    assert rows["composition"] == ["SOL 315 + MEO 135"]
    assert rows["results"] == ["5 analyses, 0 artifacts"]


def test_results_show_their_names_and_sizes(campaign: Path) -> None:
    folder = campaign / WITH_ARTIFACTS
    results = Simulation.open(folder).results
    assert repr(results) == f"<Results: 5 analyses, 2 artifacts in {folder}>"
    rows = _html_rows(results._repr_html_())
    assert rows["rdf_oxygen"] == ["analysis", "105", None]
    assert rows["density_plot"] == ["artifact", None, "1"]


def test_folders_without_valid_results_are_shown(campaign: Path, tmp_path: Path) -> None:
    bare = Results(tmp_path)
    assert repr(bare) == f"<Results: 0 analyses, 0 artifacts in {tmp_path}>"
    assert "0 analyses" in bare._repr_html_()
    registry = campaign / FIRST / ".analysis" / "metadata.json"
    registry.write_text('{"analyses": {"<b>": 1}}', encoding="utf-8")
    results = Simulation.open(campaign / FIRST).results
    assert "1 invalid" in repr(results)
    assert "<b>&lt;b&gt;" not in results._repr_html_()
    assert "&lt;b&gt;" in results._repr_html_()
    registry.write_text("?", encoding="utf-8")
    assert "metadata.json" in repr(results)
    assert "metadata.json" in results._repr_html_()
    assert "metadata.json" in Simulation.open(campaign / FIRST)._repr_html_()


def _html_rows(html: str) -> dict[str | None, list[str | None]]:
    """Return first cell -> the others, of each row."""
    page = ET.fromstring(f"<div>{html}</div>")  # noqa: S314  # our own
    cells = ([cell.text for cell in row] for row in page.iter("tr"))
    return {first: others for first, *others in cells}


def test_a_path_that_is_no_utf8_can_be_shown(campaign: Path) -> None:
    folder = (campaign / FIRST).rename(campaign / "f\udcfcnf")
    simulation = Simulation.open(folder)
    for text in (
        repr(simulation),
        repr(simulation.results),
        simulation._repr_html_(),
        simulation.results._repr_html_(),
    ):
        assert r"f\xfcnf" in text or r"f\udcfcnf" in text
        assert text.encode()


def test_create_refuses_a_path_that_is_no_utf8(campaign: Path, tmp_path: Path) -> None:
    build_input = Simulation.open(campaign / FIRST).build_input
    with pytest.raises(OutputError, match="not valid UTF-8"):
        Simulation.create(tmp_path / "f\udcfcnf", build_input)
