"""`adopt`: which folders get a BuildInput, what is written, and what is left alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from mdfactory.campaign.adopt import SUMMARY_FILE, adopt
from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.discover import PlainRun, discover
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import BuildInputError, SourceError
from members import ANN, NEEDS_MEMBERS, group_folder, run_as

TOPOLOGY = '#include "oplsaa.ff/forcefield.itp"\n[ molecules ]\nSOL 10\n'
BUILD = {
    "simulation_type": "adopted",
    "parametrization": "external",
    "system": {"name": "T298/rep2", "molecules": [{"name": "SOL", "count": 10}]},
}
BUILT = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: 450}]}\n"


ADOPT_UNWRITABLE = """
import sys
from pathlib import Path
from mdfactory.campaign.adopt import adopt

root = Path(sys.argv[1], "root")
(root / "run").mkdir(parents=True)
(root / "run" / "topol.top").write_text("[ molecules ]\\nSOL 10\\n")
(root / "run" / "md.mdp").touch()
(root / sys.argv[2]).chmod(0o555)
for write in (False, True):
    for skipped in adopt(root, write=write).skipped:
        print(f"{Path(skipped.path).name}: {skipped.reason}")
"""


def _make_run(folder: Path, topology: str = TOPOLOGY) -> Path:
    folder.mkdir(parents=True)
    (folder / "topol.top").write_text(topology)
    (folder / "md.mdp").write_text("tcoupl = v-rescale\nref_t = 298\n")
    return folder


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs, one of them below the other, a simulation, and folders of other kinds."""
    _make_run(tmp_path / "lab" / "b")
    _make_run(tmp_path / "lab" / "a" / "T298")
    _make_run(tmp_path / "lab" / "b" / "longer")
    _make_run(tmp_path / "lab" / ".hidden")
    built = _make_run(tmp_path / "lab" / "built")
    (built / "build.yaml").write_text(BUILT)
    (tmp_path / "lab" / "toppar").mkdir()
    (tmp_path / "lab" / "toppar" / "x.top").write_text(TOPOLOGY)
    return tmp_path / "lab"


def test_without_write_nothing_is_written(root: Path) -> None:
    before = _contents(root)
    adoption = adopt(root)
    assert [Path(run.path).relative_to(root).as_posix() for run in adoption.runs] == [
        "a/T298",
        "b",
        "b/longer",
    ]
    assert (adoption.existing, adoption.skipped) == (1, [])
    assert _contents(root) == before


def test_a_build_yaml_that_is_a_build_summary_is_left_as_it_is(root: Path) -> None:
    (root / "b" / "build.yaml").write_text("system_directory: [longer]\n")
    before = _contents(root)
    for write in (False, True):
        adoption = adopt(root, write=write)
        assert [(Path(item.path).name, item.reason) for item in adoption.skipped] == [
            ("b", "build.yaml is no BuildInput, and is left as it is")
        ]
    assert before.items() <= _contents(root).items()


def test_production_stems_may_have_digits_of_any_kind(root: Path) -> None:
    for name in ("md_1\N{SUPERSCRIPT TWO}2.mdp", "md_\N{ARABIC-INDIC DIGIT THREE}.mdp"):
        shutil.copy(root / "b" / "md.mdp", root / "b" / name)
    assert not adopt(root).skipped


@pytest.mark.parametrize(
    "topology", [b"[ molecules ]\nA\xe9 1\n", b'#include "\xe9.ff/a.itp"\n[ molecules ]\nA 1\n']
)
def test_names_in_a_topology_that_are_no_utf8_are_refused(root: Path, topology: bytes) -> None:
    (root / "b" / "topol.top").write_bytes(topology)
    assert [Path(item.path).name for item in adopt(root, write=True).skipped] == ["b"]
    assert not (root / "b" / "build.yaml").exists()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_topology_that_is_no_file_is_named(root: Path, kind: str) -> None:
    topology = root / "b" / "topol.top"
    topology.unlink()
    if kind == "link":
        topology.symlink_to("moved_away.top")
    else:
        os.mkfifo(topology)
    assert [(Path(item.path).name, item.reason) for item in adopt(root).skipped] == [
        ("b", "its .top is not a file that can be read")
    ]


def test_write_adds_a_build_input_to_each_run_and_a_list_of_all(root: Path) -> None:
    before = _contents(root)
    adoption = adopt(root, write=True)
    added = _contents(root).keys() - before.keys()
    assert added == {
        "a/T298/build.yaml",
        "b/build.yaml",
        "b/longer/build.yaml",
        SUMMARY_FILE,
    }
    assert before.items() <= _contents(root).items()
    assert (root / "a" / "T298" / "build.yaml").read_text().startswith("simulation_type: adopted\n")
    summary = yaml.safe_load((root / SUMMARY_FILE).read_text())
    assert summary["system_directory"] == ["a/T298", "b", "b/longer"]
    assert summary["hash"] == [run.build_input.hash for run in adoption.runs]
    found = list(discover(str(root / SUMMARY_FILE)))
    assert [item.hash for item in found if isinstance(item, Simulation)] == summary["hash"]


def test_a_second_write_changes_no_byte(root: Path) -> None:
    adopt(root, write=True)
    before = _contents(root)
    changed = {path: (root / path).stat().st_mtime_ns for path in before}
    adoption = adopt(root, write=True)
    assert (adoption.runs, adoption.existing) == ([], 4)
    assert _contents(root) == before
    assert {path: (root / path).stat().st_mtime_ns for path in before} == changed


def test_the_summary_follows_the_folders(root: Path) -> None:
    adopt(root, write=True)
    shutil.rmtree(root / "b")
    _make_run(root / "c")
    adopt(root, write=True)
    summary = yaml.safe_load((root / SUMMARY_FILE).read_text())
    assert summary["system_directory"] == ["a/T298", "c"]
    assert not (root / f"{SUMMARY_FILE}.bak").exists()


def test_a_moved_folder_keeps_its_name(root: Path) -> None:
    adopt(root, write=True)
    hash_ = Simulation.open(root / "b" / "longer").hash
    (root / "b" / "longer").rename(root / "elsewhere")
    assert adopt(root, write=True).runs == []
    assert Simulation.open(root / "elsewhere").hash == hash_


def test_names_are_relative_to_the_root_behind_the_prefix(root: Path) -> None:
    names = [run.build_input.system.name for run in adopt(root, prefix="lab 1").runs]  # type: ignore[attr-defined]
    assert names == ["lab 1/a/T298", "lab 1/b", "lab 1/b/longer"]
    own = _make_run(root.parent / "own")
    assert [run.build_input.system.name for run in adopt(own).runs] == ["own"]  # type: ignore[attr-defined]


@NEEDS_MEMBERS
@pytest.mark.parametrize(
    ("unwritable", "named"), [("run", "run"), (".", SUMMARY_FILE)], ids=["run", "root"]
)
def test_a_folder_that_cannot_be_written_is_named_without_write_too(
    unwritable: str, named: str
) -> None:
    with group_folder(0o777) as folder:
        done = run_as(ANN, 0o022, ADOPT_UNWRITABLE, folder, unwritable)
    assert done.stdout.splitlines() == [f"{named}: the folder cannot be written"] * 2, done.stderr


def test_two_adoptions_at_once_complete_each_other(root: Path) -> None:
    def adopt_meanwhile(step: str, number: int) -> None:
        if number == 1:
            adopt(root, write=True)

    adoption = adopt(root, write=True, watch=adopt_meanwhile)
    assert adoption.skipped == []
    summary = yaml.safe_load((root / SUMMARY_FILE).read_text())
    assert summary["system_directory"] == ["a/T298", "b", "b/longer"]


@pytest.mark.parametrize("content", ["a: 1\n", "system_directory: [x]\ninput: x.csv\n", "{", ""])
def test_another_file_in_the_place_of_the_summary_is_left(root: Path, content: str) -> None:
    (root / SUMMARY_FILE).write_text(content)
    adoption = adopt(root, write=True)
    assert len(adoption.runs) == 3
    (skipped,) = adoption.skipped
    assert skipped.path == str(root / SUMMARY_FILE)
    assert (root / SUMMARY_FILE).read_text() == content


def test_folders_that_cannot_be_understood_are_named_and_the_others_go_on(root: Path) -> None:
    _make_run(root / "empty", "")
    _make_run(root / "tpr", "")
    (root / "tpr" / "topol.top").rename(root / "tpr" / "topol.tpr")
    _make_run(root / "broken")
    (root / "broken" / "build.yaml").write_text("{")
    _make_run(root / ("long" * 55))
    _make_run(root / "line\nbreak")
    for write in (False, True):
        adoption = adopt(root, write=write)
        reasons = {Path(item.path).name: item.reason for item in adoption.skipped}
        assert len(adoption.runs) == 3
        assert reasons.keys() == {"empty", "tpr", "broken", "long" * 55, "line\nbreak"}
        assert "topol.top: no [ molecules ]" in reasons["empty"]
        assert "has a .tpr and no .top file" in reasons["tpr"]
        assert "build.yaml" in reasons["broken"]
        assert "200 characters" in reasons["long" * 55]
        assert "cannot be printed" in reasons["line\nbreak"]


def test_a_link_is_not_followed_out_of_a_folder_that_is_written(root: Path) -> None:
    outside = root.parent / "outside.yaml"
    (root / "b" / "build.yaml").symlink_to(outside)
    adoption = adopt(root, write=True)
    assert [Path(item.path).name for item in adoption.skipped] == ["b"]
    assert not outside.exists()


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_root_without_runs_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=name):
        adopt(tmp_path / name)


def test_a_walk_tells_runs_without_a_build_input(root: Path) -> None:
    items = list(discover(str(root)))
    runs = [item.path for item in items if isinstance(item, PlainRun)]
    assert runs == [str(root / "a" / "T298"), str(root / "b"), str(root / "b" / "longer")]
    assert not [item for item in items if isinstance(item, Skipped)]


def test_a_walk_goes_on_below_adopted_simulations_only(root: Path) -> None:
    adopt(root, write=True)
    _make_run(root / "built" / "below")
    items = [item for item in discover(str(root)) if isinstance(item, Simulation | PlainRun)]
    paths = [os.path.relpath(item.path, root) for item in items]
    assert paths == ["a/T298", "b", "b/longer", "built"]


def test_the_canonical_json_has_all_fields_in_order() -> None:
    assert BuildInput.parse(BUILD).canonical_json == (
        '{"simulation_type":"adopted","system":{"name":"T298/rep2",'
        '"molecules":[{"name":"SOL","count":10}],"temperature":null,"pressure":null},'
        '"parametrization":"external","parametrization_config":'
        '{"type":"external","forcefield":null,"water_model":null},"engine":"gromacs"}'
    )


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        ({"name": ""}, "system.name"),
        ({"name": "x" * 201}, "system.name"),
        ({"name": "a\nb"}, "cannot be printed"),
        ({"name": 5}, "system.name"),
        ({"molecules": []}, "no molecules"),
        ({"molecules": [{"name": "A", "count": 0}]}, "no molecules"),
        ({"molecules": [{"name": "A", "count": -1}]}, "system.molecules.0.count"),
        ({"molecules": [{"name": "A", "count": 1}] * 2}, "given more than once: A"),
        ({"molecules": [{"name": "A", "count": 1, "smiles": "O"}]}, "smiles"),
        ({"temperature": -1}, "system.temperature"),
        ({"temperature": float("inf")}, "system.temperature"),
        ({"species": []}, "system.species"),
    ],
)
def test_invalid_systems_are_refused(system: dict[str, object], reason: str) -> None:
    with pytest.raises(BuildInputError, match=reason):
        BuildInput.parse({**BUILD, "system": {**BUILD["system"], **system}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "change", [{"parametrization": "cgenff"}, {"simulation_type": "mixedbox"}, {"engine": "x"}]
)
def test_adopted_goes_with_external_only(change: dict[str, str]) -> None:
    with pytest.raises(BuildInputError):
        BuildInput.parse({**BUILD, **change})


def test_molecules_without_a_count_are_dropped_and_names_kept_as_written() -> None:
    molecules = [
        {"name": "NA+", "count": 2},
        {"name": "na+", "count": 1},
        {"name": "X", "count": 0},
    ]
    system = {"name": "x", "molecules": molecules, "temperature": 298}
    build = BuildInput.parse({**BUILD, "system": system})
    assert '"molecules":[{"name":"NA+","count":2},{"name":"na+","count":1}]' in build.canonical_json
    assert '"temperature":298.0' in build.canonical_json
