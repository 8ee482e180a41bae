"""Push: a campaign is written to a store completely, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import (
    MAX_LISTED,
    ConflictError,
    DuplicateSimulationError,
    NotInitialisedError,
    SourceError,
)
from mdfactory.records.merge import Counts
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.sync.push import push
from mdfactory.testing import MemoryStore

STOPPED = "96964558"
FIRST = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"


@pytest.fixture
def store() -> Store:
    store = MemoryStore()
    store.create(SIMULATIONS)
    return store


def _stored(store: Store) -> dict[str, dict[str, Any]]:
    return {row["hash"]: row for rows in store.read(SIMULATIONS) for row in rows.to_pylist()}


def test_a_push_records_each_simulation(store: Store, campaign: Path) -> None:
    begun = datetime.now(UTC)
    pushed = push(store, str(campaign))
    assert pushed.counts == Counts(inserted=8)
    assert pushed.skipped == pushed.warnings == ()
    record = _stored(store)[FIRST]
    assert begun <= datetime.fromisoformat(record.pop("timestamp_utc")) <= datetime.now(UTC)
    assert record.pop("input_data").startswith('{"simulation_type":"mixedbox","system":{"species"')
    assert record == {
        "hash": FIRST,
        "engine": "gromacs",
        "parametrization": "smirnoff",
        "simulation_type": "mixedbox",
        "input_data_type": "BuildInput",
        "directory": str(campaign / FIRST),
        "status": "completed",
    }


def test_all_records_of_a_push_have_one_time_with_its_offset(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    (time,) = {record["timestamp_utc"] for record in _stored(store).values()}
    assert time.endswith("+00:00")


@pytest.mark.parametrize(
    "source",
    [
        lambda campaign: campaign,
        lambda campaign: campaign.parent,
        lambda campaign: campaign / "campaign.yaml",
        lambda campaign: campaign / "*",
        lambda campaign: campaign.parent / "camp*",
    ],
    ids=["folder", "parent", "summary", "pattern of simulations", "pattern of folders"],
)
def test_every_kind_of_source_gives_the_same_records(
    store: Store, campaign: Path, source: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert push(store, str(source(campaign))).counts == Counts(inserted=8)
    monkeypatch.chdir(campaign.parent)
    relative = source(Path("campaign"))
    assert push(store, str(relative), ConflictMode.update).counts == Counts(unchanged=8)


def test_an_invalid_folder_is_skipped_with_a_reason(store: Store, campaign: Path) -> None:
    broken = campaign / FIRST / f"{FIRST}.yaml"
    broken.write_text("simulation_type: mixedbox\nsystem: {species: []}\n", encoding="utf-8")
    pushed = push(store, str(campaign))
    assert pushed.counts == Counts(inserted=7, skipped=1)
    (skipped,) = pushed.skipped
    assert skipped.path == str(broken.parent)
    assert skipped.reason == f"{FIRST}.yaml: system: species: the system has no molecules"


def test_every_invalid_folder_is_skipped_with_a_reason(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "build.yaml").write_text("{}", encoding="utf-8")
    pushed = push(store, str(tmp_path))
    assert pushed.counts == Counts(skipped=2)
    assert [Path(item.path).name for item in pushed.skipped] == ["a", "b"]


def test_update_writes_what_has_changed_on_disk(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    before = _stored(store)
    (stopped,) = campaign.glob(f"{STOPPED}*")
    (stopped / "prod.gro").touch()
    assert push(store, str(campaign), ConflictMode.update).counts == Counts(updated=1, unchanged=7)
    after = _stored(store)
    changed = [hash_ for hash_ in before if before[hash_] != after[hash_]]
    assert changed == [stopped.name]
    assert after[stopped.name]["status"] == "completed"


def test_a_campaign_that_moved_is_updated(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    moved = shutil.move(campaign, campaign.parent / "moved")
    command = f"mdfactory sync relocate {campaign} {moved}"
    with pytest.raises(ConflictError, match=f"If .* were moved, run: {command}\n") as failed:
        push(store, str(moved))
    assert "have not changed" in str(failed.value)
    old = "the old folders do not exist any more"
    change = f"8 simulations recorded in another folder, and {old}: {campaign} -> {moved}"
    planned = push(store, str(moved), ConflictMode.update, dry_run=True)
    pushed = push(store, f"{moved}/campaign.yaml", ConflictMode.update)
    for outcome in (planned, pushed):
        assert outcome.warnings == (change,)
    assert pushed.counts == Counts(updated=8)
    assert _stored(store)[FIRST]["directory"] == f"{moved}/{FIRST}"


@pytest.mark.parametrize("number", [1, 2, 5])
def test_only_folders_that_were_moved_are_to_be_relocated(
    store: Store, campaign: Path, number: int
) -> None:
    """They may have kept their names: the folder above them, which others are in, was not moved."""
    push(store, str(campaign))
    folders = sorted(campaign.glob("[0-9A-F]*"))[:number]
    done = campaign / "done"
    done.mkdir()
    commands = [f"mdfactory sync relocate {old} {old.rename(done / old.name)}" for old in folders]
    if number > MAX_LISTED:
        commands = [f"mdfactory sync push all {done} --update"]
    with pytest.raises(ConflictError) as failed:
        push(store, str(done))
    for command in commands:
        assert f" {command}\n" in str(failed.value)
    assert str(failed.value).count("mdfactory ") == len(commands)


def test_a_copy_of_a_campaign_is_named(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    copied = Path(shutil.copytree(campaign, campaign.parent / "copied"))
    (stopped,) = copied.glob(f"{STOPPED}*")
    (stopped / "prod.gro").touch()
    with pytest.raises(ConflictError, match="the old folders still exist") as failed:
        push(store, str(copied))
    assert "have not changed" not in str(failed.value)
    (warning,) = push(store, str(copied), ConflictMode.force).warnings
    assert warning.endswith(f" the old folders still exist: {campaign} -> {copied}")
    assert push(store, str(copied), ConflictMode.update).warnings == ()


@pytest.mark.parametrize(
    ("mode", "counts"),
    [
        (ConflictMode.skip, Counts(skipped=8)),
        (ConflictMode.force, Counts(updated=8)),
        (ConflictMode.update, Counts(unchanged=8)),
    ],
)
def test_the_conflict_mode_decides_what_happens_to_stored_records(
    store: Store, campaign: Path, mode: ConflictMode, counts: Counts
) -> None:
    push(store, str(campaign))
    before = _stored(store)
    assert push(store, str(campaign), mode, dry_run=True).counts == counts
    assert _stored(store) == before
    assert push(store, str(campaign), mode).counts == counts
    assert (_stored(store) == before) is (mode is not ConflictMode.force)


def test_by_default_one_conflict_refuses_the_whole_push(store: Store, campaign: Path) -> None:
    push(store, str(campaign / FIRST))
    for dry_run in (True, False):
        with pytest.raises(ConflictError, match=FIRST[:12]):
            push(store, str(campaign), dry_run=dry_run)
    assert list(_stored(store)) == [FIRST]


def test_one_simulation_in_two_folders_is_refused_by_default(store: Store, campaign: Path) -> None:
    copy = shutil.copytree(campaign / FIRST, campaign / "copy")
    with pytest.raises(DuplicateSimulationError) as caught:
        push(store, str(campaign))
    assert caught.value.folders == {FIRST: (str(campaign / FIRST), str(copy))}
    assert str(copy) in str(caught.value)
    assert "system.ionization.seed" in str(caught.value)
    assert "emove" not in str(caught.value)
    assert _stored(store) == {}


@pytest.mark.parametrize("mode", [ConflictMode.skip, ConflictMode.force, ConflictMode.update])
def test_the_most_advanced_of_several_folders_is_used_with_a_warning(
    store: Store, campaign: Path, mode: ConflictMode
) -> None:
    older = Path(shutil.copytree(campaign / FIRST, campaign / "000_older"))
    (older / "prod.gro").unlink()
    twin = Path(shutil.copytree(campaign / FIRST, campaign / "zzz_twin"))
    pushed = push(store, str(campaign), mode)
    assert pushed.counts == Counts(inserted=8, skipped=2)
    record = _stored(store)[FIRST]
    assert (record["directory"], record["status"]) == (str(campaign / FIRST), "completed")
    reason = f"simulation {FIRST} is also in {campaign / FIRST}, which is used"
    assert pushed.skipped == (Skipped(str(twin), reason), Skipped(str(older), reason))
    assert "system.ionization.seed" in pushed.warnings[-1]
    again = push(store, str(campaign), mode)
    assert again.skipped == pushed.skipped


def test_simulations_below_a_source_that_is_a_simulation_are_pushed(
    store: Store, campaign: Path
) -> None:
    other = next(path.name for path in campaign.iterdir() if path.is_dir() and path.name != FIRST)
    shutil.copytree(campaign / other, campaign / FIRST / "longer" / other)
    pushed = push(store, str(campaign / FIRST))
    assert pushed.counts == Counts(inserted=2)
    assert set(_stored(store)) == {FIRST, other}
    assert pushed.warnings == (
        f"{campaign / FIRST} is a simulation itself; 1 simulation below it included, too",
    )
    (warning,) = push(store, str(campaign / other), ConflictMode.update).warnings
    assert "is a simulation itself" not in warning


@pytest.mark.parametrize("name", ["missing", "nothing_*"])
def test_a_missing_source_is_an_error(store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="no "):
        push(store, str(tmp_path / name))


def test_a_source_without_simulations_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no simulations found") as caught:
        push(store, str(tmp_path))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message", "command"),
    [
        (
            ["a/b/notes.txt"],
            "3 folders searched, none has a BuildInput YAML or a file of GROMACS",
            "",
        ),
        (["a/md.xtc", "b/x.gro"], "2 folders with GROMACS files, but without the topology", ""),
        (
            ["run/topol.top", "run/md.mdp"],
            "2 folders searched, none has a BuildInput YAML, but 1 GROMACS run without one",
            "mdfactory adopt {}",
        ),
        (
            ["tables/z.csv", "tables/a.csv"],
            "A campaign CSV becomes folders by prepare-build",
            "mdfactory prepare-build {}/tables/a.csv",
        ),
    ],
)
def test_the_error_says_what_is_there_instead_of_simulations(
    store: Store, tmp_path: Path, files: list[str], message: str, command: str
) -> None:
    source = tmp_path / "source"
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).touch()
    for pattern in (str(source), f"{tmp_path}/s*ce"):
        with pytest.raises(SourceError, match=message) as caught:
            push(store, pattern)
    with pytest.raises(SourceError) as caught:
        push(store, str(source))
    assert caught.value.command == command.format(source)


def test_a_summary_without_folders_is_an_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("system_directory: []\n", encoding="utf-8")
    with pytest.raises(SourceError, match="no simulations found: it lists no folders"):
        push(store, str(tmp_path / "empty.yaml"))


def test_a_misspelt_source_names_the_one_that_was_meant(store: Store, campaign: Path) -> None:
    for typed, name in (
        ("campain", "campaign"),
        ("campaign/campain.yaml", "campaign/campaign.yaml"),
    ):
        meant = campaign.parent / name
        with pytest.raises(SourceError, match=rf"\(did you mean '{meant}'\?\)"):
            push(store, str(campaign.parent / typed))
    with pytest.raises(SourceError, match=f"build summary or pattern in {campaign.parent}$"):
        push(store, str(campaign.parent / "zzz"))


def test_a_store_that_is_not_initialised_is_refused_before_the_campaign_is_read() -> None:
    with pytest.raises(NotInitialisedError, match=r"No store yet.* mdfactory sync init all"):
        push(MemoryStore(), "/there/is/no/such/folder")


def test_a_push_reports_its_progress(store: Store, campaign: Path) -> None:
    steps: list[tuple[str, int]] = []
    push(store, str(campaign), watch=lambda step, number: steps.append((step, number)))
    assert steps == [("reading simulations", n) for n in range(1, 9)] + [("writing", 0)]
