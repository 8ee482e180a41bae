"""One folder: which YAML counts, which status holds, and what makes it invalid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mdfactory
from mdfactory.campaign.simulation import Simulation, Skipped, read_simulation, status_of
from mdfactory.errors import SourceError
from mdfactory.records.vocabulary import SimulationStatus

WATER = """\
simulation_type: mixedbox
system: {species: [{smiles: O, resname: SOL, count: 450}], target_density: 1}
"""
METHANOL = WATER.replace("smiles: O,", "smiles: CO,")
WATER_HASH = "EB3965712A911E7FF313BCB826F03EC699E236E2"
SUMMARY = "system_directory: [./a]\nhash: [A]\nsimulation_type: [mixedbox]\n"


def _folder(root: Path, name: str = "folder", **files: str) -> Path:
    """Make a folder; ``own`` stands for the file that is named after it."""
    folder = root / name
    folder.mkdir()
    for file, text in files.items():
        (folder / f"{name if file == 'own' else file}.yaml").write_text(text, encoding="utf-8")
    return folder


def _read(folder: Path, *, claimed: bool = False) -> Simulation | Skipped | None:
    return read_simulation(str(folder), {path.name for path in folder.iterdir()}, claimed=claimed)


def _simulation(folder: Path) -> Simulation:
    found = _read(folder)
    assert isinstance(found, Simulation), found
    return found


def _reason(folder: Path, *, claimed: bool = False) -> str:
    found = _read(folder, claimed=claimed)
    assert isinstance(found, Skipped), found
    assert found.path == str(folder)
    assert "\n" not in found.reason
    return found.reason


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
def test_the_files_that_are_there_tell_the_status(
    files: set[str], status: SimulationStatus
) -> None:
    assert status_of(files) is status


@pytest.mark.parametrize("name", ["own", "build", "input"])
def test_a_build_input_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert _simulation(_folder(tmp_path, **{name: WATER})).hash == WATER_HASH


def test_the_yml_ending_counts_too(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "input.yml").write_text(WATER, encoding="utf-8")
    assert _simulation(folder).hash == WATER_HASH


@pytest.mark.parametrize(
    "files",
    [
        {"own": WATER, "build": METHANOL, "a": METHANOL},
        {"build": WATER, "a": METHANOL},
        {"a": WATER, "b": METHANOL},
        {"a": SUMMARY, "b": WATER, "c": METHANOL},
    ],
)
def test_the_first_yaml_that_is_a_build_input_is_taken(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert _simulation(_folder(tmp_path, **files)).hash == WATER_HASH


def test_an_invalid_yaml_gives_way_to_a_valid_one(tmp_path: Path) -> None:
    assert _simulation(_folder(tmp_path, own="{", other=WATER)).hash == WATER_HASH


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
def test_what_does_not_claim_to_be_a_simulation_is_passed_over(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert _read(_folder(tmp_path, **files)) is None


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
        ({"own": WATER + "engine: gromacs\nengine: gromacs\n"}, "the key 'engine' stands twice"),
        ({"own": "a: " + "[" * 50_000}, "nests more than 64 levels"),
        ({"own": "- " * 50_000}, "nests more than 64 levels"),
        ({"own": "x:\n  " + "-  " * 50_000}, "nests more than 64 levels"),
        ({"own": "?  " * 50_000}, "nests more than 64 levels"),
        ({"own": "- " * 3_000 + "x"}, "folder.yaml: "),
        ({"own": "[" * 3_000 + "]" * 3_000}, "folder.yaml: "),
        ({"own": "? " * 3_000 + "x"}, "folder.yaml: "),
        ({"own": WATER + "x: 1" + ":1" * 100_000}, "more than 10,000 characters"),
        ({"own": WATER + "x: [" + "1," * 250_000 + "]"}, "more than 200,000 values"),
        ({"own": WATER + "x: &x [*x]"}, "aliases stand for more"),
        ({"own": WATER + 'x: !!int ""'}, "folder.yaml: a value does not fit its tag: "),
        ({"own": WATER + "x: !!bool foo"}, "folder.yaml: a value does not fit its tag: "),
        ({"own": WATER + "x: !!timestamp foo"}, "folder.yaml: "),
        ({"own": WATER + "<<: {}\nsystem: {}"}, "the key 'system' stands twice"),
        ({"own": WATER.replace("450", "-0x" + "F" * 6_000)}, "system.species.0.count: "),
        ({"own": WATER.replace("mixedbox", "0x" + "F" * 6_000)}, "simulation_type: "),
        ({"own": WATER.replace("smiles: O", f"smiles: {'C' * 5_001}")}, "has 5,001 characters"),
        ({"own": "a: 2026-13-45\n"}, "folder.yaml: "),
        ({"own": "? [a, b]\n: c\n"}, "folder.yaml: "),
        ({"own": "!!python/object/apply:os.system [id]"}, "folder.yaml: line 1: "),
        ({"own": "x" * (4 * 2**20 + 1)}, "folder.yaml: is larger than 4 MiB"),
    ],
)
def test_what_claims_to_be_a_simulation_but_is_none_has_a_reason(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    assert reason in _reason(_folder(tmp_path, **files))


def test_a_yaml_in_another_encoding_has_a_reason(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "folder.yaml").write_bytes("größe: 1".encode("latin-1"))
    assert "folder.yaml: " in _reason(folder)


def test_a_bomb_of_aliases_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    bomb = "\n".join([*lines, "simulation_type: mixedbox", "system: {species: *a8}"])
    assert "aliases stand for more than" in _reason(_folder(tmp_path, own=bomb))


def test_a_bomb_of_merged_keys_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    assert "aliases stand for more" in _reason(
        _folder(tmp_path, own="\n".join(lines) + "\n" + WATER)
    )


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    text = WATER + "x: &x [1, 2]\ny: [*x, *x]\n"
    assert _simulation(_folder(tmp_path, own=text)).hash == WATER_HASH


@pytest.mark.parametrize("name", ["own", "input"])
def test_a_build_input_may_be_in_utf_16(tmp_path: Path, name: str) -> None:
    folder = _folder(tmp_path, **{name: WATER})
    (file,) = folder.iterdir()
    file.write_text(WATER, encoding="utf-16")
    assert _simulation(folder).hash == WATER_HASH


def test_a_large_yaml_of_another_kind_is_passed_over(tmp_path: Path) -> None:
    assert _read(_folder(tmp_path, notes="x" * (4 * 2**20 + 1))) is None


def test_a_reason_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    text = WATER.replace("resname: SOL", f'resname: "A\\n{"B" * 9_000}"')
    assert len(_reason(_folder(tmp_path, own=text))) <= 401
    many = "".join(f"key_{number}: 1\n" for number in range(9_000))
    (warning,) = _simulation(_folder(tmp_path, "other", own=WATER + many)).warnings
    assert len(warning) <= 401


def test_merged_keys_are_not_given_twice(tmp_path: Path) -> None:
    text = WATER + "x: &x {engine: gromacs}\ny: {<<: *x, engine: gromacs}\n"
    assert _simulation(_folder(tmp_path, own=text)).hash == WATER_HASH


def test_a_folder_that_is_listed_must_be_a_simulation(tmp_path: Path) -> None:
    assert "no BuildInput YAML" in _reason(_folder(tmp_path), claimed=True)


def test_unknown_keys_are_warned_of(tmp_path: Path) -> None:
    folder = _folder(tmp_path, own=WATER + "colour: red\nflavour: up\n")
    assert _simulation(folder).warnings == (
        f"{folder / 'folder.yaml'}: ignored unknown keys: colour, flavour",
    )


def test_the_build_input_decides_the_hash_not_the_folder(tmp_path: Path) -> None:
    folder = _folder(tmp_path, name="A" * 40, own=WATER)
    simulation = _simulation(folder)
    assert simulation.hash == WATER_HASH
    (warning,) = simulation.warnings
    assert str(folder) in warning
    assert WATER_HASH in warning


@pytest.mark.parametrize("name", [WATER_HASH, WATER_HASH.lower(), "run_17"])
def test_a_folder_with_the_right_hash_or_another_kind_of_name_is_fine(
    tmp_path: Path, name: str
) -> None:
    assert _simulation(_folder(tmp_path, name=name, own=WATER)).warnings == ()


def test_a_folder_is_opened_with_its_status_and_results(campaign: Path) -> None:
    (folder,) = campaign.glob("CC4D*")
    simulation = Simulation.open(str(folder))
    assert simulation.hash == folder.name
    assert simulation.status is SimulationStatus.completed
    assert simulation.results.load_analysis("rdf_oxygen").num_rows == 105


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: None, "No such file"),
        (lambda folder: folder.mkdir(), "it holds no BuildInput YAML"),
        (lambda folder: folder.touch(), "Not a directory"),
    ],
)
def test_what_is_not_a_simulation_cannot_be_opened(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(SourceError, match=reason) as caught:
        Simulation.open(tmp_path / "x")
    assert str(tmp_path / "x") in str(caught.value)


def test_public_names_are_loaded_when_they_are_used() -> None:
    assert mdfactory.Simulation is Simulation
    assert all(getattr(mdfactory, name) for name in mdfactory.__all__)
    with pytest.raises(AttributeError, match="Simulacrum"):
        _ = mdfactory.Simulacrum
