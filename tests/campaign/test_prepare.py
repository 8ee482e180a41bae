"""Folders from a campaign CSV: made once, left alone after that, all or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mdfactory.campaign.discover import CsvSource, discover
from mdfactory.campaign.prepare import Prepared, _write_summary, prepare
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import InvalidRowsError, OutputError, SourceError

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


def test_the_example_can_be_prepared_again_as_it_is(campaign: Path, tmp_path: Path) -> None:
    done = prepare(campaign / "campaign.csv", tmp_path / "again")
    assert len(done.made) == 8
    for folder in done.made:
        ours = folder / f"{folder.name}.yaml"
        theirs = campaign / folder.name / ours.name
        assert ours.read_bytes() == theirs.read_bytes()


def test_each_row_has_its_folder_and_the_summary_lists_them(tmp_path: Path) -> None:
    done = prepare(_csv(tmp_path, MIXED, BILAYER, LNP), tmp_path / "out")
    assert (done.kept, done.backup) == ((), None)
    summary = yaml.safe_load(done.summary.read_text(encoding="utf-8"))
    assert done.summary == tmp_path / "out" / "compositions.yaml"
    assert summary.pop("date")
    assert summary == {
        "n_systems": 3,
        "input": str(tmp_path / "compositions.csv"),
        "output": str(tmp_path / "out"),
        "hash": [folder.name for folder in done.made],
        "simulation_type": ["mixedbox", "bilayer", "lnp"],
        "system_directory": [str(folder) for folder in done.made],
    }
    found = list(discover(str(done.summary)))
    assert all(isinstance(item, Simulation) and not item.warnings for item in found)
    assert [item.directory for item in found if isinstance(item, Simulation)] == list(done.made)


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    first = prepare(_csv(tmp_path, MIXED, LNP), tmp_path / "out")
    (first.made[0] / "prod.gro").touch()
    before = _snapshot(tmp_path / "out")
    again = prepare(_csv(tmp_path, MIXED, LNP), tmp_path / "out")
    assert again == Prepared(first.summary, (), first.made, None, ())
    assert _snapshot(tmp_path / "out") == before


def test_an_earlier_summary_is_kept(tmp_path: Path) -> None:
    earlier = prepare(_csv(tmp_path, MIXED), tmp_path / "out").summary.read_bytes()
    for rows, backup in ([MIXED, LNP], ".bak"), ([BILAYER], ".bak1"):
        done = prepare(_csv(tmp_path, *rows), tmp_path / "out")
        assert done.backup == tmp_path / "out" / f"compositions.yaml{backup}"
        assert done.backup.read_bytes() == earlier
        earlier = done.summary.read_bytes()


def test_a_summary_that_cannot_be_read_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "compositions.yaml").write_text("{", encoding="utf-8")
    done = prepare(_csv(tmp_path, MIXED), tmp_path / "out")
    assert done.backup
    assert done.backup.read_text(encoding="utf-8") == "{"


def test_nothing_is_written_if_a_row_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        prepare(_csv(tmp_path, MIXED, "plasma,,,,,,,", LNP, MIXED), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [number for number, _, _ in caught.value.problems] == [2, 4]
    assert "row 2 (line 3): simulation_type" in str(caught.value)
    assert "row 4 (line 5): the same simulation as row 1" in str(caught.value)


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    folder = prepare(_csv(tmp_path, MIXED), tmp_path / "out").made[0]
    (folder / f"{folder.name}.yaml").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=folder.name):
        prepare(_csv(tmp_path, BILAYER, MIXED), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == [folder.name]


def test_an_empty_folder_gets_its_file(tmp_path: Path) -> None:
    folder = prepare(_csv(tmp_path, MIXED), tmp_path / "out").made[0]
    (folder / f"{folder.name}.yaml").unlink()
    assert prepare(_csv(tmp_path, MIXED), tmp_path / "out").made == (folder,)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        prepare(_csv(tmp_path, MIXED), tmp_path / "file" / "out")


# The folders of a CSV are found again.


def _found(file: Path, root: Path) -> tuple[list[Path], list[Skipped]]:
    items = list(discover(CsvSource(file, root)))
    simulations = [item.directory for item in items if isinstance(item, Simulation)]
    return simulations, [item for item in items if isinstance(item, Skipped)]


def test_rows_find_their_folders_wherever_they_are_and_no_others(tmp_path: Path) -> None:
    mixed, bilayer, lnp = prepare(_csv(tmp_path, MIXED, BILAYER, LNP), tmp_path / "out").made
    deep = tmp_path / "out" / "a" / "b"
    deep.mkdir(parents=True)
    renamed = lnp.rename(deep / "production_7")
    assert _found(_csv(tmp_path, LNP, BILAYER), tmp_path / "out") == ([bilayer, renamed], [])
    assert mixed.exists()


def test_rows_without_a_folder_and_bad_rows_are_skipped(tmp_path: Path) -> None:
    mixed, bilayer = prepare(_csv(tmp_path, MIXED, BILAYER), tmp_path / "out").made
    (bilayer / f"{bilayer.name}.yaml").write_text("{}", encoding="utf-8")
    file = _csv(tmp_path, MIXED, "plasma,,,,,,,", BILAYER, LNP)
    simulations, skipped = _found(file, tmp_path / "out")
    assert simulations == [mixed]
    assert [item.path for item in skipped] == [
        f"{file}: row {number} (line {number + 1})" for number in (2, 3, 4)
    ]
    bad, invalid, missing = (item.reason for item in skipped)
    assert bad.startswith("simulation_type: ")
    assert f"{bilayer}: {bilayer.name}.yaml: simulation_type: is missing" in invalid
    assert missing.startswith("no simulation with hash ")
    assert missing.endswith(f"below {tmp_path / 'out'}")


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        discover(CsvSource(_csv(tmp_path, MIXED), tmp_path / "missing"))


@pytest.mark.long
def test_a_summary_of_a_hundred_thousand_that_says_the_same_is_left_alone(tmp_path: Path) -> None:
    """It is longer than a BuildInput may be; to prepare so many takes minutes."""
    hashes = [f"{number:040X}" for number in range(100_000)]
    values = {"date": "2026-01-01", "hash": hashes, "system_directory": hashes}
    path = tmp_path / "compositions.yaml"
    assert _write_summary(path, values) is None
    assert _write_summary(path, values | {"date": "2026-01-02"}) is None
    assert _write_summary(path, values | {"hash": hashes[1:]}) is not None
