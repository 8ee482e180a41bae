"""The snapshot of a store: what the page says of its simulations is what the store has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.errors import NotInitialisedError, QueryError
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.campaign.attention import find_attention, look_at_folders, read_runs
from mdfactory.report.campaign.molecule_lists import FieldReader
from mdfactory.report.campaign.privacy import OWN_HASH, Privacy, hide_paths
from mdfactory.report.campaign.snapshot import EVERY_SIMULATION, Filters, Snapshot, read_snapshot
from mdfactory.report.payload import to_json, values_of_column
from mdfactory.stores.store import Store
from mdfactory.sync.completeness import count_results, read_completeness
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.sync.search import parse_search
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import overview, run

ALL = Scope(simulations=True, results=list(ResultType))
COMPLETED_WITHOUT = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
HASHES = [f"{number:040X}" for number in range(1, 6)]


@pytest.fixture
def store(campaign: Path) -> Store:
    """The example campaign: 4 completed, of which 1 has no results, 1 production, 3 before."""
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    return store


def _store_of(*rows: dict[str, Any], results: Sequence[dict[str, Any]] = ()) -> Store:
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    write_records(store, SIMULATIONS, *rows)
    if results:
        write_records(store, OVERVIEW, *results)
    return store


def _snapshot(store: Store, filters: Filters = EVERY_SIMULATION, **options: Any) -> Snapshot:
    with store.transaction() as transaction:
        return read_snapshot(transaction, Catalogue(), filters, **options)


def _column(snapshot: Snapshot, name: str) -> list[Any]:
    shown = snapshot.simulations()
    return values_of_column(shown["columns"][name], shown["count"])


def _attention(snapshot: Snapshot) -> dict[str, tuple[str, list[int]]]:
    folders = look_at_folders(snapshot.directories)
    runs = read_runs(snapshot, folders)
    found = find_attention(snapshot, folders, runs)
    return {one.text: (one.level, [*one.simulations]) for one in found}


def test_a_snapshot_has_the_records_of_the_store(store: Store) -> None:
    names = ("hash", "status", "parametrization", "engine", "simulation_type")
    with store.transaction() as transaction:
        stored = sorted(transaction.values(SIMULATIONS, Query(columns=names)))
    snapshot = _snapshot(store)
    assert [*zip(*(_column(snapshot, name) for name in names), strict=True)] == stored
    assert snapshot.compositions[0] == "SOL 405 + MEO 45"
    assert _column(snapshot, "composition") == [True] * 8
    assert snapshot.statuses_in_order == ["build", "equilibrated", "production", "completed"]


def test_a_snapshot_has_what_varies_and_what_is_the_same(store: Store) -> None:
    snapshot = _snapshot(store)
    fields = {one["path"]: one for one in snapshot.simulations()["fields"]}
    fractions = snapshot.values_of("system.species.MEO.fraction")
    assert sorted(fractions or []) == [0.04, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9]
    assert snapshot.colour == "system.species.MEO.fraction"
    same = dict(snapshot.same)
    assert same["system.total_count"] == 450
    assert same["parametrization_config.water_model"] == "opc3.offxml"
    assert not fields.keys() & same.keys()


def test_results_are_those_of_the_matrix(store: Store) -> None:
    counts = count_results(read_completeness(store, Catalogue()))
    columns = _snapshot(store).results.columns
    assert [(one.item, one.name, one.completed, one.expected) for one in columns] == [
        (item, name, count.completed, count.completed + count.missing)
        for (item, name), count in counts.items()
    ]
    assert [set(one.states) <= set(" .x") for one in columns] == [True] * 7


def test_a_filter_changes_no_expectation(store: Store) -> None:
    filters = Filters(equal={"status": "completed"}, search=parse_search(["species.MEO.count<50"]))
    snapshot = _snapshot(store, filters)
    assert len(snapshot.hashes) == 2
    [bonds] = [one for one in snapshot.results.columns if one.name == "hydrogen_bonds"]
    assert bonds.states == ".x"
    with pytest.raises(QueryError, match="no status is called that"):
        _snapshot(store, Filters(equal={"status": "finished"}))


def test_a_store_without_simulations_is_a_report_of_none() -> None:
    snapshot = _snapshot(_store_of())
    assert snapshot.simulations()["count"] == 0
    assert (snapshot.fields, snapshot.same, snapshot.colour) == ([], [], None)
    assert _attention(snapshot) == {}
    with pytest.raises(NotInitialisedError):
        _snapshot(MemoryStore())


def test_as_of_is_the_time_of_the_newest_record_or_operation(store: Store) -> None:
    with store.transaction() as transaction:
        query = Query(columns=("timestamp_utc",))
        pushed = max(time for (time,) in transaction.values(SIMULATIONS, query))
    as_of = _snapshot(store).as_of
    assert as_of is not None
    assert timedelta() < as_of - datetime.fromisoformat(pushed) < timedelta(minutes=1)
    late = "2030-05-06T07:08:09+02:00"
    foreign = _store_of(run(HASHES[0], timestamp_utc="yesterday"), run(HASHES[1]))
    write_records(foreign, OVERVIEW, overview(HASHES[0], "x", status="completed", updated_at=late))
    assert _snapshot(foreign).as_of == datetime(2030, 5, 6, 5, 8, 9, tzinfo=UTC)


def test_a_build_input_that_cannot_be_read_is_named_and_all_else_is_shown() -> None:
    store = _store_of(
        run(HASHES[0], input_data="{"),
        run(HASHES[1], input_data="[" * 100_000),
        run(HASHES[2], input_data=json.dumps({"a": 1, "tags": "none"})),
        run(HASHES[3], input_data='{"' + "x" * 300 + '":{"y":1}}'),
    )
    snapshot = _snapshot(store)
    assert len(snapshot.hashes) == 4
    assert [text.split(":")[0] for text in snapshot.skipped] == [
        f"BuildInput of {HASHES[number]}" for number in (0, 1, 3)
    ]
    fields = {one["path"]: one["values"] for one in snapshot.simulations()["fields"]}
    assert values_of_column(fields["a"], 4) == [None, None, 1, None]


def test_tags_are_shown_and_are_no_field() -> None:
    tagged = '{"a":1,"tags":{"project":"x","note":"\\u202eevil"}}'
    snapshot = _snapshot(_store_of(run(HASHES[0], input_data=tagged), run(HASHES[1])))
    column = values_of_column(snapshot.simulations()["tags"], 2)
    assert column == [{"project": "x", "note": "evil"}, None]
    assert not any(one.path.startswith("tags") for one in snapshot.fields)


# Directories and privacy


def _directories(*given: str, names: Sequence[str] = (), with_paths: bool = False) -> list[str]:
    privacy = Privacy(given, names, with_paths=with_paths)
    pairs = zip(given, HASHES, strict=False)
    return [privacy.directory(directory, hash_) for directory, hash_ in pairs]


def test_directories_are_shown_from_the_common_folder_down() -> None:
    first, second = (f"/data/lab/camp/{part}/{h}" for part, h in zip("ab", HASHES, strict=False))
    assert _directories(first, second) == [f"a/{OWN_HASH}", f"b/{OWN_HASH}"]
    assert Privacy([first, second]).campaign == "camp"
    assert _directories("/data/lab/camp/x") == ["x"]


def test_users_and_hosts_are_shown_in_no_directory() -> None:
    given = ["/home/ann/one/x", "/home/ben/two/y", "/home/ann/z"]
    assert _directories(*given) == ["…/one/x", "…/two/y", "…/z"]
    assert Privacy(given).campaign == ""
    assert Privacy(["/home/ann/x", "/home/ann/y"]).campaign == ""
    assert _directories("/srv/ann/a/x", "/srv/vm7/y", names={"ann", "vm7"}) == ["…/a/x", "…/y"]


def test_directories_without_a_common_folder_are_no_absolute_paths() -> None:
    assert _directories("/a/b/c", "/d/e/f") == ["b/c", "e/f"]
    assert _directories("/a/b/c", "relative/g", "h") == ["b/c", "relative/g", "h"]
    assert Privacy(["/a/b/c", "/d/e/f"]).campaign == ""


def test_directories_are_whole_with_paths() -> None:
    assert _directories("/home/ann/x", names={"ann"}, with_paths=True) == ["/home/ann/x"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/my files/1aki.pdb", "…/1aki.pdb"),
        ("~/1aki.pdb", "…/1aki.pdb"),
        ("~ann/1aki.pdb", "…/1aki.pdb"),
        ('["/home/ann/a.pdb","b.pdb"]', '["…/a.pdb","b.pdb"]'),
        ("x = /home/ann/a.pdb, y", "x = …/a.pdb, y"),
        ("data/1aki.pdb", "data/1aki.pdb"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("F/C=C/F", "F/C=C/F"),
        ("1 / 2, a/b", "1 / 2, a/b"),
        ("postgresql://ann:secret@host/db", "postgresql://ann:***@host/db"),
    ],
)
def test_hide_paths_cuts_absolute_paths_and_passwords(text: str, shown: str) -> None:
    assert hide_paths(text) == shown


def test_paths_in_build_inputs_are_cut_unless_they_may_be_shown() -> None:
    values = {"system": {"protein": {"pdb_path": "/home/ann/1aki.pdb"}}}
    store = _store_of(run(HASHES[0], input_data=json.dumps(values)))
    assert dict(_snapshot(store).same) == {"system.protein.pdb_path": "…/1aki.pdb"}
    assert "/home/ann/1aki.pdb" in dict(_snapshot(store, with_paths=True).same).values()


def test_names_that_are_paths_are_cut_and_stay_different() -> None:
    amounts = {"/home/ann/x": 2, "/home/bob/x": 6}
    species = [{"resname": name, "count": count} for name, count in amounts.items()]
    files = {"/home/ann/a.itp": 1, "/home/bob.lee/a.itp": 2}
    document = {"system": {"species": species}, "files": files}
    other = {"system": {"species": [{"resname": "SOL", "count": 1}]}}
    runs = [
        run(hash_, input_data=json.dumps(values))
        for hash_, values in zip(HASHES, (document, other), strict=False)
    ]
    shown = _snapshot(_store_of(*runs)).simulations()
    assert "/home" not in to_json(shown).decode()
    columns = {one["path"]: one["values"] for one in shown["fields"]}
    assert {path for path in columns if path.startswith("files")} == {
        "files.…/a.itp",
        "files.…/a.itp (2)",
    }
    reader = FieldReader(2, shown["molecules"], columns, shown["same"])
    assert reader.values("system.species.…/x.count") == [2, 0]
    assert reader.values("system.species.…/x (2).count") == [6, 0]
    with_paths = _snapshot(_store_of(*runs), with_paths=True).simulations()
    assert "/home/ann/a.itp" in to_json(with_paths).decode()


def test_hostile_texts_are_cleaned_in_all_columns() -> None:
    evil = "a\x00\x1b[31m\u2028\u202e</script>b\ufffe"
    document = json.dumps({evil: evil, "system": {"species": [{"resname": evil, "count": 1}]}})
    store = _store_of(
        run(
            *HASHES[:1],
            input_data=document,
            directory=f"/data/{evil}",
            status=evil,
            simulation_type=evil,
            engine=evil,
            timestamp_utc=evil,
        ),
        run(HASHES[1], input_data="{}"),
    )
    text = to_json(_snapshot(store).simulations()).decode()
    assert text.isprintable() or OWN_HASH in text
    assert "\\u0000" not in text
    assert "\u202e" not in text


# Attention


def test_what_needs_attention_is_counted(store: Store) -> None:
    snapshot = _snapshot(store)
    assert snapshot.hashes[0] == COMPLETED_WITHOUT
    assert _attention(snapshot) == {
        "1 simulation completed without results": ("warning", [0]),
        "6 analyses missing of 2 simulations": ("warning", [0, 6]),
        "4 artifacts missing of 2 simulations": ("warning", [0, 3]),
        "2 simulations built, not equilibrated": ("info", [1, 2]),
        "1 simulation equilibrated, not in production": ("info", [5]),
    }


def test_the_command_lists_what_is_missing(store: Store) -> None:
    snapshot = _snapshot(store)
    commands = [one.command for one in find_attention(snapshot, look_at_folders([]), [])]
    command = "mdfactory sync pull analysis --overview --status not_yet_run"
    assert commands == [
        f"{command} --hash {COMPLETED_WITHOUT[:12]}",
        command,
        command.replace("analysis", "artifacts"),
        "mdfactory sync pull systems --status build",
        "mdfactory sync pull systems --status equilibrated",
    ]
    done = {"item_type": "artifact", "status": "completed", "simulation_type": "lnp"}
    pairs = [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "b")]
    rows = [overview(HASHES[number], name, **done) for number, name in pairs]
    runs = [run(hash_, simulation_type="lnp", status="completed") for hash_ in HASHES[:3]]
    snapshot = _snapshot(_store_of(*runs, results=rows))
    [only] = find_attention(snapshot, look_at_folders([]), [])
    assert only.command == (
        f"mdfactory sync pull artifacts --overview --status not_yet_run --hash {HASHES[2][:12]}"
    )


def test_a_folder_is_gone_only_if_its_parent_is_there(store: Store, campaign: Path) -> None:
    (campaign / COMPLETED_WITHOUT).rename(campaign.parent / "elsewhere")
    snapshot = _snapshot(store)
    assert _attention(snapshot)["1 simulation folder gone from disk"] == ("error", [0])
    campaign.rename(campaign.parent / "moved")
    texts = _attention(snapshot)
    assert not any("gone" in text for text in texts)
    [unseen] = [value for text, value in texts.items() if "cannot be seen" in text]
    assert unseen == ("info", [*range(8)])


RUNNING = 3
"""Number of the simulation in production."""

LOG = """\
GROMACS version:    2024.3
Input Parameters:
   integrator                     = md
   dt                             = 0.002
   nsteps                         = 50000

Started mdrun on rank 0 Sat Nov  7 09:05:06 2026

           Step           Time
          12500       25.00000

"""


def _write_log(snapshot: Snapshot, age_hours: float, end: str = "") -> None:
    assert snapshot.as_of is not None
    path = Path(snapshot.directories[RUNNING]) / "prod.log"
    path.write_text(LOG + end, encoding="utf-8")
    time = snapshot.as_of.timestamp() - 3600 * age_hours
    os.utime(path, (time, time))


@pytest.mark.parametrize(
    ("age_hours", "end", "state"),
    [
        (0.5, "", "running"),
        (-5, "", "running"),
        (2, "", "silent"),
        (2, "Fatal error:\nToo many warnings\n", "failed"),
        (2, "Finished mdrun on rank 0 Sat Nov 7 2026\n", "reached the end"),
    ],
)
def test_runs_are_judged_at_the_time_of_the_newest_record(
    store: Store, age_hours: float, end: str, state: str
) -> None:
    snapshot = _snapshot(store)
    _write_log(snapshot, age_hours, end)
    [run_] = read_runs(snapshot, look_at_folders(snapshot.directories))
    assert run_.to_json() == [
        RUNNING,
        {
            "state": state,
            "text": "0.025 of 0.1 ns",
            "time_ns": 0.025,
            "wanted_ns": 0.1,
            "ns_per_day": None,
            "log": "prod.log",
        },
    ]
    levels = {text: level for text, (level, _) in _attention(snapshot).items()}
    assert levels.get("1 run failed", "") == ("error" if state == "failed" else "")
    assert any("no longer written" in text for text in levels) == (state == "silent")


def test_logs_of_completed_simulations_are_not_read(store: Store) -> None:
    snapshot = _snapshot(store)
    for number, directory in enumerate(snapshot.directories):
        if snapshot.statuses[number] in {"completed", "build"}:
            (Path(directory) / "prod.log").write_text(LOG, encoding="utf-8")
    assert read_runs(snapshot, look_at_folders(snapshot.directories)) == []


def test_several_simulations_without_results_are_among_those_that_miss_some() -> None:
    done = {"item_type": "analysis", "status": "completed", "simulation_type": "lnp"}
    rows = [overview(hash_, "a", **done) for hash_ in HASHES[:2]]
    runs = [run(hash_, simulation_type="lnp", status="completed") for hash_ in HASHES]
    [first, second] = find_attention(
        _snapshot(_store_of(*runs, results=rows)), look_at_folders([]), []
    )
    assert first.text == (
        "3 simulations completed without results; the command lists them among those that miss "
        "analyses"
    )
    assert second.text == "3 analyses missing of 3 simulations"
    assert first.command == second.command
    assert second.command == "mdfactory sync pull analysis --overview --status not_yet_run"
