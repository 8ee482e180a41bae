"""Folders from a campaign CSV: created once, then not changed, all or none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from mdfactory import BuildInput
from mdfactory.campaign.discover import CsvSource, discover
from mdfactory.campaign.prepare import PreparedFolders, _back_up, _write_summary, prepare
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import InvalidRowsError, OutputError, SourceError, UsageError

FIRST = "9696455838C189BE031418DE5280D6042B243D8D"
LIPID = "CCCCCCCCCCO"
HEADER = (
    "simulation_type,system.radius,system.species.DEC.smiles,system.species.DEC.count,"
    "system.core.species.DEC.smiles,system.core.species.DEC.fraction,"
    "system.shell.species.DEC.smiles,system.shell.species.DEC.fraction"
)
MIXED, BILAYER = f"mixedbox,,{LIPID},10,,,,", f"bilayer,,{LIPID},10,,,,"
LNP = f"lnp,75,,,{LIPID},1,{LIPID},1"


def _csv(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "compositions.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def _snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_prepare_reproduces_the_example(campaign: Path, tmp_path: Path) -> None:
    prepared = prepare(campaign / "campaign.csv", tmp_path / "again")
    assert len(prepared.created) == 8
    for folder in prepared.created:
        written = folder / f"{folder.name}.yaml"
        expected = campaign / folder.name / written.name
        assert written.read_bytes() == expected.read_bytes()


def test_prepare_creates_a_folder_for_each_row_and_a_summary(tmp_path: Path) -> None:
    prepared = prepare(_csv(tmp_path, MIXED, BILAYER, LNP), tmp_path / "out")
    assert (prepared.existing, prepared.backup) == ((), None)
    summary = yaml.safe_load(prepared.summary.read_text(encoding="utf-8"))
    assert prepared.summary == tmp_path / "out" / "compositions.yaml"
    assert summary.pop("date")
    assert summary == {
        "n_systems": 3,
        "input": str(tmp_path / "compositions.csv"),
        "output": str(tmp_path / "out"),
        "hash": [folder.name for folder in prepared.created],
        "simulation_type": ["mixedbox", "bilayer", "lnp"],
        "system_directory": [str(folder) for folder in prepared.created],
    }
    outcomes = list(discover(str(prepared.summary)))
    assert all(isinstance(outcome, Simulation) and not outcome.warnings for outcome in outcomes)
    assert [outcome.directory for outcome in outcomes if isinstance(outcome, Simulation)] == list(
        prepared.created
    )


def test_prepare_again_changes_nothing(tmp_path: Path) -> None:
    first = prepare(_csv(tmp_path, MIXED, LNP), tmp_path / "out")
    (first.created[0] / "prod.gro").touch()
    before = _snapshot(tmp_path / "out")
    again = prepare(_csv(tmp_path, MIXED, LNP), tmp_path / "out")
    assert again == PreparedFolders(first.summary, (), first.created, None, (), first.rows, ())
    assert _snapshot(tmp_path / "out") == before


def test_an_earlier_summary_is_backed_up(tmp_path: Path) -> None:
    earlier = prepare(_csv(tmp_path, MIXED), tmp_path / "out").summary.read_bytes()
    for rows, backup in ([MIXED, LNP], ".bak"), ([BILAYER], ".bak1"):
        prepared = prepare(_csv(tmp_path, *rows), tmp_path / "out")
        assert prepared.backup == tmp_path / "out" / f"compositions.yaml{backup}"
        assert prepared.backup.read_bytes() == earlier
        earlier = prepared.summary.read_bytes()


def test_backups_at_once_take_different_names(tmp_path: Path) -> None:
    summary = _csv(tmp_path, MIXED)
    with ThreadPoolExecutor(8) as threads:
        backups = list(threads.map(_back_up, [summary] * 64))
    assert len(set(backups)) == 64
    assert {backup.read_bytes() for backup in backups} == {summary.read_bytes()}


def test_a_summary_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    """Nobody writes into it, so to read it would never end."""
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "compositions.yaml")
    with pytest.raises(OutputError, match="compositions.yaml is not a file; remove it"):
        prepare(_csv(tmp_path, MIXED), tmp_path / "out")


def test_an_invalid_summary_is_backed_up(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "compositions.yaml").write_text("{", encoding="utf-8")
    prepared = prepare(_csv(tmp_path, MIXED), tmp_path / "out")
    assert prepared.backup
    assert prepared.backup.read_text(encoding="utf-8") == "{"


@pytest.mark.parametrize("content", ["export A=1", None])
def test_a_summary_that_is_a_link_is_refused(tmp_path: Path, content: str | None) -> None:
    """Somebody else may have put it there."""
    file, target = _csv(tmp_path, MIXED), tmp_path / "profile"
    out = tmp_path / "out"
    out.mkdir()
    if content:
        target.write_text(content, encoding="utf-8")
    (out / f"{file.stem}.yaml").symlink_to(target)
    with pytest.raises(OutputError, match="symbolic link; remove it"):
        prepare(file, out)
    assert target.exists() == bool(content)
    assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize("target", ["folder", "nowhere"])
def test_a_folder_that_is_a_link_is_not_written_to(tmp_path: Path, target: str) -> None:
    """Somebody else may have put it there."""
    file, out = _csv(tmp_path, MIXED), tmp_path / "out"
    (folder,) = prepare(file, tmp_path / "first").created
    out.mkdir()
    (tmp_path / "folder").mkdir()
    (out / folder.name).symlink_to(tmp_path / target)
    with pytest.raises(OutputError, match=f"{folder.name} is a symbolic link; remove it"):
        prepare(file, out)
    assert not list((tmp_path / "folder").iterdir())
    assert not (tmp_path / "nowhere").exists()
    assert len(list(out.iterdir())) == 1


def test_nothing_is_written_if_a_row_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        prepare(_csv(tmp_path, MIXED, "plasma,,,,,,,", LNP, MIXED), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [number for number, _, _ in caught.value.problems] == [2, 4]
    assert "row 2 (line 3): simulation_type" in str(caught.value)
    assert "row 4 (line 5): the same simulation as row 1" in str(caught.value)


def test_a_folder_with_other_content_is_not_changed(tmp_path: Path) -> None:
    folder = prepare(_csv(tmp_path, MIXED), tmp_path / "out").created[0]
    (folder / f"{folder.name}.yaml").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=folder.name):
        prepare(_csv(tmp_path, BILAYER, MIXED), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == [folder.name]


def test_an_empty_folder_gets_its_build_input(tmp_path: Path) -> None:
    folder = prepare(_csv(tmp_path, MIXED), tmp_path / "out").created[0]
    (folder / f"{folder.name}.yaml").unlink()
    assert prepare(_csv(tmp_path, MIXED), tmp_path / "out").created == (folder,)


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        prepare(_csv(tmp_path, MIXED), tmp_path / "file" / "out")


# Finding the folders of a campaign CSV


def _discover_rows(file: Path, root: Path) -> tuple[list[Path], list[Skipped]]:
    outcomes = list(discover(CsvSource(file, root)))
    simulations = [outcome.directory for outcome in outcomes if isinstance(outcome, Simulation)]
    return simulations, [outcome for outcome in outcomes if isinstance(outcome, Skipped)]


def test_discover_finds_the_folders_of_rows_at_any_depth_and_no_others(tmp_path: Path) -> None:
    mixed, bilayer, lnp = prepare(_csv(tmp_path, MIXED, BILAYER, LNP), tmp_path / "out").created
    deep = tmp_path / "out" / "a" / "b"
    deep.mkdir(parents=True)
    renamed = lnp.rename(deep / "production_7")
    assert _discover_rows(_csv(tmp_path, LNP, BILAYER), tmp_path / "out") == (
        [bilayer, renamed],
        [],
    )
    assert mixed.exists()


def test_discover_skips_invalid_rows_and_rows_without_a_folder(tmp_path: Path) -> None:
    mixed, bilayer = prepare(_csv(tmp_path, MIXED, BILAYER), tmp_path / "out").created
    (bilayer / f"{bilayer.name}.yaml").write_text("{}", encoding="utf-8")
    file = _csv(tmp_path, MIXED, "plasma,,,,,,,", BILAYER, LNP)
    simulations, skipped = _discover_rows(file, tmp_path / "out")
    assert simulations == [mixed]
    assert [outcome.path for outcome in skipped] == [
        f"{file}: row {number} (line {number + 1})" for number in (2, 3, 4)
    ]
    invalid_row, invalid_folder, missing = (outcome.reason for outcome in skipped)
    assert invalid_row.startswith("simulation_type: ")
    assert f"{bilayer}: {bilayer.name}.yaml: simulation_type: is missing" in invalid_folder
    assert missing.startswith("no simulation with hash ")
    assert missing.endswith(f"below {tmp_path / 'out'}")


def test_discover_needs_the_root_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        discover(CsvSource(_csv(tmp_path, MIXED), tmp_path / "missing"))


@pytest.mark.long
def test_an_unchanged_summary_of_a_hundred_thousand_folders_is_not_written(tmp_path: Path) -> None:
    """The summary is larger than a BuildInput may be. To prepare so many takes minutes."""
    hashes = [f"{number:040X}" for number in range(100_000)]
    values = {"date": "2026-01-01", "hash": hashes, "system_directory": hashes}
    path = tmp_path / "compositions.yaml"
    assert _write_summary(path, values) is None
    assert _write_summary(path, values | {"date": "2026-01-02"}) is None
    assert _write_summary(path, values | {"hash": hashes[1:]}) is not None


def test_prepare_resolves_a_path_as_the_operating_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _csv(tmp_path, MIXED)
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    monkeypatch.chdir(tmp_path)
    prepared = prepare(Path("link/../../compositions.csv"), Path("link/../out"))
    assert prepared.summary == tmp_path / "real" / "out" / "compositions.yaml"
    values = yaml.safe_load(prepared.summary.read_text(encoding="utf-8"))
    assert values["input"] == str(tmp_path / "compositions.csv")
    assert values["system_directory"] == [str(folder) for folder in prepared.created]


# One folder, from Python


@pytest.fixture
def build_input(campaign: Path) -> BuildInput:
    return Simulation.open(campaign / FIRST).build_input


def test_create_writes_what_prepare_writes(
    campaign: Path, tmp_path: Path, build_input: BuildInput
) -> None:
    simulation = Simulation.create(tmp_path / "deep" / "new", build_input)
    assert simulation.directory == tmp_path / "deep" / "new" / FIRST
    assert (simulation.hash, simulation.status) == (FIRST, "build")
    prepared = prepare(campaign / "campaign.csv", tmp_path / "prepared")
    assert _snapshot_bytes(simulation.directory) == _snapshot_bytes(prepared.summary.parent / FIRST)


def test_create_leaves_a_folder_with_the_same_content_as_it_is(
    campaign: Path, build_input: BuildInput
) -> None:
    before = _snapshot(campaign)
    assert Simulation.create(campaign, build_input) == Simulation.open(campaign / FIRST)
    assert _snapshot(campaign) == before


@pytest.mark.parametrize("name", [f"{FIRST}.yaml", "notes.txt"])
def test_create_refuses_a_folder_with_other_content(
    tmp_path: Path, build_input: BuildInput, name: str
) -> None:
    other = tmp_path / FIRST / name
    other.parent.mkdir()
    other.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=f"{FIRST} exists, but does not contain its BuildInput"):
        Simulation.create(tmp_path, build_input)
    assert list(other.parent.iterdir()) == [other]


@pytest.mark.parametrize("given", [{"simulation_type": "mixedbox"}, "build.yaml", None])
def test_create_refuses_what_is_no_build_input(tmp_path: Path, given: Any) -> None:
    message = rf"is a {type(given).__name__}. Type: BuildInput\.parse\(\.\.\.\)"
    with pytest.raises(UsageError, match=message):
        Simulation.create(tmp_path, given)
    assert not [*tmp_path.iterdir()]


def test_create_refuses_a_link_and_names_what_cannot_be_written(
    tmp_path: Path, build_input: BuildInput
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / FIRST).symlink_to("elsewhere")
    with pytest.raises(OutputError, match="is a symbolic link"):
        Simulation.create(tmp_path, build_input)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file.* cannot be written"):
        Simulation.create(tmp_path / "file", build_input)


def _snapshot_bytes(folder: Path) -> dict[str, bytes]:
    return {path: content for path, (content, _) in _snapshot(folder).items()}
