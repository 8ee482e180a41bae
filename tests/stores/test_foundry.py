"""The Foundry store keeps the contract, and survives what may happen on the way to the service."""

from __future__ import annotations

import io
import math
import signal
import subprocess
import sys
import traceback
import uuid
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foundry_dev_tools import FoundryContext

from forking import FORK_WARNING_FILTER
from foundry_server import READER, FoundryServer, dump
from mdfactory.config import FoundryPaths
from mdfactory.errors import (
    ConfigError,
    ConflictError,
    NotInitialisedError,
    StoreChangedError,
    StoreError,
    StoreLockedError,
)
from mdfactory.records.arrow import batch
from mdfactory.records.merge import Counts
from mdfactory.records.query import Condition, OneOf, Prefix, Query
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    digest_table,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.foundry.backend import path_of
from mdfactory.stores.foundry.lock import place_of
from mdfactory.stores.foundry.store import FoundryStore
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.log import history
from mdfactory.sync.undo import undo
from mdfactory.testing import HistoryTests, RecordTests
from mdfactory.testing.harm import Workload
from mdfactory.testing.raw import Rows, StoreUnderTest
from mdfactory.testing.records import (
    EARLY_TIME,
    LATE_TIME,
    analysis_with_sidecar,
    overview,
    records,
    run,
)

PATHS = FoundryPaths.below("/Group Functions/mdfactory")


class Foundry(StoreUnderTest):
    """Reaches the datasets past the store."""

    @pytest.fixture(autouse=True)
    def _data(self, foundry: FoundryServer) -> None:
        self.server = foundry

    def opened(self, *, wait: float = 60.0) -> Store:
        return FoundryStore(PATHS, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        files = self.server.dump(path_of(table, PATHS)).files
        schema = pa.schema([one.with_nullable(True) for one in table.schema])  # noqa: FBT003
        parts = [
            pq.read_table(io.BytesIO(content)).select(table.columns).cast(schema)
            for content in files.values()
        ]
        whole = pa.concat_tables(parts)
        return list(zip(*(column.to_pylist() for column in whole.columns), strict=True))

    def raw_put(self, table: Table, rows: Rows) -> None:
        """Add a file under a random name, as existing installations do."""
        added = pa.Table.from_batches([batch(rows, table.schema)])
        files = {f"data_{uuid.uuid4()}.parquet": dump(added)}
        self.server.put(path_of(table, PATHS), files)


class TestFoundry(Foundry, RecordTests):
    pass


@pytest.mark.long  # the tests of undo that are Foundry's own are part of every run
class TestFoundryHistory(Foundry, HistoryTests):
    pass


FRAME = analysis_table("density")
HASHES = [f"{number:X}{number:039}" for number in range(16)]


@pytest.fixture
def store(foundry: FoundryServer) -> Store:  # it must be there
    """A store with all tables and one simulation."""
    made = FoundryStore(PATHS, wait=2)
    with made.transaction(write=True) as transaction:
        for table in (SIMULATIONS, OVERVIEW, FRAME):
            transaction.create(table)
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
    return made


def _push(
    store: Store, *hashes: str, mode: ConflictMode = ConflictMode.refuse, time: str = EARLY_TIME
) -> Counts:
    """Write to three tables in one transaction."""
    batches = [
        (SIMULATIONS, records(SIMULATIONS, *(run(one, timestamp_utc=time) for one in hashes))),
        (
            FRAME,
            records(FRAME, *(analysis_with_sidecar(one, timestamp_utc=time) for one in hashes)),
        ),
        (
            OVERVIEW,
            records(OVERVIEW, *(overview(one, "density", updated_at=time) for one in hashes)),
        ),
    ]
    with store.transaction(write=True) as transaction:
        counts = transaction.write(batches[:2], mode)
        transaction.write(batches[2:], ConflictMode.update)
    return sum(counts.values(), Counts())


def _hashes(store: Store, table: Table = SIMULATIONS, *where: Condition) -> list[str]:
    query = Query(where=where, columns=("hash",))
    return sorted(one for rows in store.read(table, query) for one in rows["hash"].to_pylist())


def _open(foundry: FoundryServer) -> list[str]:
    """Return the paths of the datasets that have an open transaction."""
    return [
        path
        for path, found in foundry.state.by_path.items()
        if found.dataset and any(one.status == "OPEN" for one in foundry.dump(path).transactions)
    ]


# Requests that fail


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500])
@pytest.mark.parametrize(
    "pattern",
    [
        "GET /compass",
        "reverse-transactions2",
        "files3",
        "GET /foundry-data-proxy",
    ],
)
def test_a_failure_of_the_service_is_never_an_empty_answer(
    store: Store, foundry: FoundryServer, pattern: str, status: int
) -> None:
    foundry.faults.answer(pattern, status, times=None)
    for ask in (
        lambda: _hashes(store),
        lambda: store.count(SIMULATIONS),
        store.tables,
        lambda: _push(store, "B"),
        lambda: store.create(SIMULATIONS),
    ):
        with pytest.raises(StoreError) as caught:
            ask()
        assert not isinstance(caught.value, NotInitialisedError)
        assert foundry.token not in str(caught.value)
    foundry.faults.clear()
    assert _hashes(store) == ["A"]
    assert _open(foundry) == []


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_sql_that_is_refused_is_an_error(store: Store, foundry: FoundryServer, status: int) -> None:
    foundry.faults.answer("queries/execute", status, times=None, headers={"Retry-After": "0"})
    with pytest.raises(StoreError):
        _hashes(store, SIMULATIONS, OneOf("status", ("build",)))


def test_a_gateway_that_gives_up_is_asked_again_and_then_is_an_error(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.faults.answer("GET /compass", 502, times=2)
    assert _hashes(store) == ["A"]
    foundry.faults.answer("GET /compass", 504, times=None)
    with pytest.raises(StoreError, match="504"):
        _hashes(store)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "pattern",
    ["GET /", "PUT /", "POST .*transactions$", "commit$", "putFile", "schemas", "queries"],
)
def test_a_busy_service_is_asked_again_when_it_says(
    store: Store, foundry: FoundryServer, pattern: str, status: int
) -> None:
    busy = foundry.faults.answer(pattern, status, times=2, headers={"Retry-After": "0.01"})
    assert _push(store, "B").inserted == 2
    assert _hashes(store, SIMULATIONS, OneOf("status", ("build",))) == ["A", "B"]
    assert busy.hits == 2


LOST = [
    "POST .*datasets$",
    "branchesUnrestricted2",
    "POST .*transactions$",
    "POST .*transactions/[^/]*$",
    "putFile",
    "schemas",
    "commit$",
    "abortWithMetadata",
    "files3",
    "GET /compass",
    "GET /foundry-data-proxy",
]


WAYS = ["lose_reply", "reset", "truncate"]


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        pytest.param(pattern, kind, marks=() if (at + number) % 3 == 0 else pytest.mark.long)
        for at, pattern in enumerate(LOST)
        for number, kind in enumerate(WAYS)
    ],
)
def test_an_answer_that_is_lost_or_cut_does_no_harm(
    foundry: FoundryServer, pattern: str, kind: str
) -> None:
    store = FoundryStore(PATHS, wait=2)
    fault = getattr(foundry.faults, kind)(pattern, times=2)
    for table in (SIMULATIONS, OVERVIEW, FRAME):
        store.create(table)
    assert _push(store, *HASHES).inserted == 32
    assert fault.hits == 2
    assert _hashes(store) == HASHES
    assert _hashes(store, FRAME) == HASHES
    assert _open(foundry) == []


def test_an_upload_that_is_cut_is_sent_again_whole(store: Store, foundry: FoundryServer) -> None:
    cut = foundry.faults.reset("putFile", after_bytes=1000, times=3)
    assert _push(store, *HASHES[:9]).inserted == 18
    assert cut.hits == 3
    assert _hashes(store, FRAME) == HASHES[:9]


@pytest.mark.parametrize(
    ("skip", "mode"),
    [
        pytest.param(skip, mode, marks=() if (skip + number) % 4 == 0 else pytest.mark.long)
        for skip in range(8)
        for number, mode in enumerate(ConflictMode)
    ],
)
def test_a_write_that_was_cut_short_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, mode: ConflictMode, skip: int
) -> None:
    """Between two commits, whichever, the service fails."""
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    said = ""
    try:
        _push(store, "B", "C", mode=mode)
    except StoreError as error:
        said = str(error)
    foundry.faults.clear()
    stored = len(_hashes(store)) + len(_hashes(store, FRAME))
    assert ("A part is stored" in said) == (stored > 1 and skip < 7)
    assert ("nothing was changed" in said) == (stored == 1)
    assert _open(foundry) == []
    if said:
        counts = _push(store, "B", "C", mode=mode, time=LATE_TIME)
        assert counts.inserted + counts.unchanged == 4
    assert bool(said) == (skip < 7)
    assert _hashes(store) == ["A", "B", "C"]
    assert _hashes(store, FRAME) == ["B", "C"]
    assert len(_hashes(store, OVERVIEW)) == 2
    with store.transaction() as transaction:
        whole = [row for rows in transaction.read_with_sidecars(FRAME) for row in rows.to_pylist()]
    assert {row["arrow_schema"] for row in whole} == {"schema"}


COMMITS = [
    pytest.param(commits, marks=() if commits in {2, 5, 8} else pytest.mark.long)
    for commits in range(10)
]
"""How many commits are done before a write is cut short."""


@pytest.mark.parametrize(
    "mode", [ConflictMode.update, pytest.param(ConflictMode.force, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("skip", COMMITS)
def test_a_cut_write_over_records_of_the_same_time_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, skip: int, mode: ConflictMode
) -> None:
    """Digests are committed before records: what they say may be of a record to come."""
    workload = Workload(store)
    workload.clear()
    workload.fill("a")
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError):
        workload.fill("b", mode)
    foundry.faults.clear()
    workload.fill("b", mode)
    assert workload.state() == "b"


@pytest.mark.parametrize("skip", COMMITS)
def test_a_cut_write_is_undone_with_the_one_that_completed_it(
    store: Store, foundry: FoundryServer, skip: int
) -> None:
    """Between two commits, whichever, the service fails; the push is repeated, and taken back."""
    before = _everything(store)
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError), store.operation("push") as one:
        _change(one, EARLY_TIME)
    foundry.faults.clear()
    with store.operation("push") as one:
        _change(one, LATE_TIME)
    whole = _everything(store)
    for expected in (before, whole):
        undo(store)
        assert _everything(store) == expected


@pytest.mark.parametrize("skip", COMMITS)
def test_an_undo_that_was_cut_short_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, skip: int
) -> None:
    before = _everything(store)
    with store.operation("push") as one:
        _change(one, EARLY_TIME)
    whole = _everything(store)
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError):
        undo(store)
    foundry.faults.clear()
    if len(history(store)) == 1:  # it was cut
        undo(store)
    assert _everything(store) == before
    undo(store)
    assert _everything(store) == whole


def _change(one: Transaction, time: str) -> None:
    """Change a record and add others, in three tables."""
    one.write(
        [(SIMULATIONS, records(SIMULATIONS, run("A", status="completed", timestamp_utc=time)))],
        ConflictMode.update,
    )
    one.write(
        [(SIMULATIONS, records(SIMULATIONS, run("B", timestamp_utc=time)))], ConflictMode.update
    )
    one.write(
        [(FRAME, records(FRAME, analysis_with_sidecar("B", timestamp_utc=time)))],
        ConflictMode.update,
    )
    one.write([(OVERVIEW, records(OVERVIEW, overview("B", "density")))], ConflictMode.update)


def _everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.transaction() as transaction:
        return {
            table.name: sorted(
                tuple(row.values())
                for rows in transaction.scan(table, Query())
                for row in rows.to_pylist()
            )
            for table in (SIMULATIONS, OVERVIEW, FRAME)
        }


def test_a_write_that_was_whole_is_a_conflict_when_it_is_repeated(store: Store) -> None:
    _push(store, "B")
    with pytest.raises(ConflictError):
        _push(store, "B", time=LATE_TIME)


def test_a_cut_write_excuses_no_other_record(store: Store, foundry: FoundryServer) -> None:
    foundry.faults.answer("commit$", 500, skip=5, times=None)
    with pytest.raises(StoreError, match="A part is stored"):
        _push(store, "B", time=LATE_TIME)
    foundry.faults.clear()
    with pytest.raises(ConflictError):
        _push(store, "A")


def test_what_was_aborted_by_another_is_not_stored(store: Store, foundry: FoundryServer) -> None:
    """Someone takes the lock of a writer that seems to have gone, but has not."""

    def fence() -> None:
        (left,) = [one.rid for one in foundry.dump(PATHS.runs).transactions if one.status == "OPEN"]
        foundry.abort(PATHS.runs, left)

    foundry.faults.before("commit$", fence)
    with pytest.raises(StoreError, match="aborted"):
        _push(store, "B")
    assert _hashes(store) == ["A"]
    counts = _push(store, "B")
    assert counts.inserted + counts.unchanged == 2
    assert _hashes(store) == ["A", "B"]


# Locks of others


@pytest.mark.parametrize("echo", [True, False])
def test_a_transaction_that_is_not_ours_is_never_aborted(
    store: Store, foundry: FoundryServer, *, echo: bool
) -> None:
    foundry.settings.echoes_record = echo
    left = foundry.leave_open(PATHS.runs, age=10**6)
    with pytest.raises(StoreLockedError, match=left):
        _push(store, "B")
    assert _hashes(store) == ["A"]
    foundry.abort(PATHS.runs, left)
    assert _push(store, "B").inserted == 2


@pytest.mark.parametrize(("age", "taken"), [(7200, True), (1800, False)])
def test_the_lock_of_a_writer_elsewhere_is_taken_when_it_is_stale(
    store: Store, foundry: FoundryServer, *, age: int, taken: bool
) -> None:
    mark = {"nonce": "n", "process": 1, "host": "node7", "user": "bob", "place": "node7 x"}
    foundry.leave_open(PATHS.runs, age=age, record={"mdfactory": mark})
    if taken:
        assert _push(store, "B").inserted == 2
        return
    with pytest.raises(StoreLockedError, match=r"process 1 .* of bob on node7"):
        _push(store, "B")


def test_a_start_whose_answer_is_lost_is_not_taken_for_ours_without_proof(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.settings.echoes_record = False
    foundry.faults.lose_reply("POST .*transactions$", skip=1)
    with pytest.raises(StoreLockedError, match="Foundry does not say"):
        _push(store, "B")
    assert _hashes(store) == ["A"]


def test_a_dead_lock_that_may_not_be_taken_is_waited_for(
    store: Store, foundry: FoundryServer
) -> None:
    mark = {"nonce": "n", "process": 1, "host": "node7", "user": "bob", "place": "node7 x"}
    foundry.leave_open(PATHS.runs, age=10**6, record={"mdfactory": mark})
    foundry.faults.answer("abortWithMetadata", 403, times=None)
    before = len(foundry.log)
    with pytest.raises(StoreLockedError, match="of bob on node7"):
        _push(store, "B")
    assert len(foundry.log) - before < 200


def test_a_lock_that_this_process_has_left_is_taken(store: Store, foundry: FoundryServer) -> None:
    """An outage in which nothing could be given back, in a notebook that goes on."""
    foundry.faults.answer("putFile", 500, times=None)
    aborts = foundry.faults.answer("abortWithMetadata", 500, times=None)
    with pytest.raises(StoreError):
        _push(store, "B")
    assert aborts.hits
    assert _open(foundry) != []
    foundry.faults.clear()
    assert _push(store, "B").inserted == 2


@pytest.mark.parametrize("born", ["", "0"])
def test_the_lock_of_a_process_that_has_ended_is_taken(
    store: Store, foundry: FoundryServer, born: str
) -> None:
    """Also where the system does not tell when processes began."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    mark = {"nonce": "n", "process": int(ended.stdout), "born": born, "place": place_of()}
    foundry.leave_open(PATHS.runs, record={"mdfactory": mark})
    assert _push(store, "B").inserted == 2


KILLED_CHILD = """
import os, signal
from http.client import HTTPConnection
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores import store_at

store = store_at("foundry:///Group Functions/mdfactory")
store.count(SIMULATIONS)
if not (child := os.fork()):
    send = HTTPConnection.send
    def die(connection, data):
        if data.startswith(b"{"):
            os.kill(os.getpid(), signal.SIGKILL)
        send(connection, data)
    HTTPConnection.send = die
    store.count(SIMULATIONS)
assert os.waitpid(child, 0)[1] == signal.SIGKILL
print(store.count(SIMULATIONS))
"""


def test_a_forked_process_has_connections_of_its_own(store: Store, foundry: FoundryServer) -> None:
    """It is killed before the body of a request; the next words of its parent are not that body."""
    program = [sys.executable, "-W", FORK_WARNING_FILTER, "-c", KILLED_CHILD]
    told = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("1\n", "")


# However Foundry may be


@pytest.mark.parametrize("cap", [2, 3])
def test_a_history_that_comes_in_short_pages_hides_nothing(
    store: Store, foundry: FoundryServer, cap: int
) -> None:
    foundry.settings.lists_aborted = True
    for number in range(8):
        foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
        _push(store, f"B{number}")
    for _ in range(5):
        foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
    foundry.settings.history_cap = cap
    assert len(_hashes(store)) == 9
    assert len(_hashes(store, SIMULATIONS, OneOf("status", ("build",)))) == 9
    assert store.create(SIMULATIONS) == 0
    assert len(_hashes(store)) == 9


def test_a_history_that_tells_too_little_is_an_error(store: Store, foundry: FoundryServer) -> None:
    foundry.settings.lists_aborted = True
    foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
    foundry.settings.history_cap = 1
    with pytest.raises(StoreError, match="tells of no transaction that made them"):
        store.create(SIMULATIONS)
    foundry.settings.history_cap = 1000
    assert _hashes(store) == ["A"]


def test_many_transactions_that_were_aborted_do_no_harm(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.settings.lists_aborted = True
    for _ in range(1_200):
        foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
    assert _hashes(store) == ["A"]
    assert _push(store, "B").inserted == 2


def test_a_write_that_changes_nothing_opens_no_dataset(
    store: Store, foundry: FoundryServer
) -> None:
    before = len(foundry.dump(PATHS.runs).transactions)
    _push(store, "A", mode=ConflictMode.skip)
    _push(store, "A", mode=ConflictMode.update)
    assert len(foundry.dump(PATHS.runs).transactions) == before


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_a_schema_that_fails_after_the_commit_is_warned_of_and_mended(
    foundry: FoundryServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    store = FoundryStore(PATHS, wait=2)
    foundry.faults.answer("POST .*schemas", 400, times=4)  # while the transactions are open
    foundry.faults.answer("schemas", status, times=None, headers={"Retry-After": "0"})
    store.create(SIMULATIONS)
    assert "SQL cannot read it" in caplog.text
    foundry.faults.clear()
    assert foundry.dump(PATHS.runs).schema is None
    assert store.create(SIMULATIONS) == 0
    assert foundry.dump(PATHS.runs).schema is not None


def test_a_dataset_that_was_deleted_stops_no_other(store: Store, foundry: FoundryServer) -> None:
    _push(store, "B")
    gone = foundry.state.by_path.pop(path_of(FRAME, PATHS))
    foundry.state.by_rid.pop(gone.rid)
    with pytest.raises(ConflictError):
        store.write(
            [(SIMULATIONS, records(SIMULATIONS, run("B", status="completed")))], ConflictMode.refuse
        )
    assert store.write([(SIMULATIONS, records(SIMULATIONS, run("C")))], ConflictMode.refuse)


@pytest.mark.parametrize("token", ["s3cret\n", "s3cret\r", "s3crét", "s3 cret"])
def test_a_token_that_no_header_can_hold_is_not_shown(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    assert foundry.url
    monkeypatch.setenv("FDT_CREDENTIALS__JWT", token)
    with pytest.raises(ConfigError, match="fdt config") as caught:
        _hashes(FoundryStore(PATHS))
    assert "s3c" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("step", ["putrequest", "endheaders", "getresponse"])
def test_what_was_begun_is_brought_to_its_end_when_it_is_interrupted(
    store: Store, foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The first commit is interrupted before it is sent, when half of it is, or when it is done.

    The interrupt is of the thread that commits: one that comes when it likes may come while
    Python collects garbage, which loses it.
    """
    put, do = HTTPConnection.putrequest, getattr(HTTPConnection, step)
    commits: list[HTTPConnection] = []

    def noted(connection: HTTPConnection, method: str, url: str, *rest: Any, **named: Any) -> None:
        if not commits and url.endswith("/commit"):
            commits.append(connection)
        put(connection, method, url, *rest, **named)

    def interrupted(connection: HTTPConnection, *rest: Any, **named: Any) -> Any:
        before = noted if step == "putrequest" else do
        result = before(connection, *rest, **named)
        if commits == [connection]:
            commits.append(connection)
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(HTTPConnection, "putrequest", noted)
    monkeypatch.setattr(HTTPConnection, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        _push(store, "B")
    assert _hashes(store) == ["A", "B"]
    assert _hashes(store, FRAME) == ["B"]
    assert _open(foundry) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"start_sets_type": True},
        {"head_shows_open": False},
        {"lists_aborted": True},
        {"echoes_record": False},
        {"schema_survives_snapshot": True},
        {"creates_parents": False},
        {"page_cap": 2},
        {"running_polls": 2},
        {"fails_at_execute": True},
        {"arrow_results": False},
        {"sql_lag": math.inf},
        {"sql_lag": 0.2},
    ],
    ids=str,
)
def test_it_works_either_way(foundry: FoundryServer, settings: dict[str, Any]) -> None:
    if settings.get("creates_parents") is False:
        foundry.put("/Group Functions/other")
    for name, value in settings.items():
        setattr(foundry.settings, name, value)
    store = FoundryStore(PATHS, wait=2)
    for table in (SIMULATIONS, OVERVIEW, FRAME):
        store.create(table)
    for hash_ in ("A1", "A2", "B"):
        _push(store, hash_)
    for _ in range(3):
        assert _push(store, "A1", mode=ConflictMode.skip).skipped == 2
    assert _hashes(store, SIMULATIONS, Prefix("hash", "A")) == ["A1", "A2"]
    assert _hashes(store, FRAME, OneOf("hash", ("B",))) == ["B"]
    assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 2
    assert _hashes(store) == ["B"]


def test_a_schema_that_an_open_transaction_does_not_take_is_put_afterwards(
    foundry: FoundryServer,
) -> None:
    store = FoundryStore(PATHS, wait=2)
    foundry.faults.answer("POST .*schemas", 400)
    store.create(SIMULATIONS)
    assert foundry.dump(PATHS.runs).schema is not None


# Existing installations


def _theirs(foundry: FoundryServer, *hashes: str) -> None:
    table = pa.Table.from_batches([records(SIMULATIONS, run("__PLACEHOLDER__"))])
    foundry.put_existing(PATHS.runs, table, prefix="init")
    for hash_ in hashes:
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([records(SIMULATIONS, run(hash_))]))


def _select(foundry: FoundryServer, path: str) -> pa.Table:
    """Read a dataset as existing installations do."""
    context = FoundryContext()
    with context.client:
        return context.foundry_sql_server.query_foundry_sql(
            f"SELECT * FROM `{path}`", return_type="arrow"
        )


def test_datasets_of_existing_installations_are_read_and_extended(foundry: FoundryServer) -> None:
    _theirs(foundry, "A", "B")
    store = FoundryStore(PATHS, wait=2)
    assert [table.name for table in store.tables()] == [SIMULATIONS.name]
    assert _hashes(store) == ["A", "B"]
    assert _hashes(store, SIMULATIONS, OneOf("status", ("build",))) == ["A", "B"]
    assert store.write(
        [(SIMULATIONS, records(SIMULATIONS, run("A"), run("C")))], ConflictMode.skip
    ) == {SIMULATIONS.name: Counts(inserted=1, skipped=1)}
    assert sorted(_select(foundry, PATHS.runs)["hash"].to_pylist()) == ["A", "B", "C"]
    _theirs(foundry, "D")
    assert _hashes(store) == ["A", "B", "C", "D"]
    assert store.delete(SIMULATIONS, (OneOf("hash", ("D",)),)) == 1
    assert sorted(_select(foundry, PATHS.runs)["hash"].to_pylist()) == ["A", "B", "C"]


def test_types_and_columns_that_differ_are_brought_to_ours(foundry: FoundryServer) -> None:
    path = path_of(OVERVIEW, PATHS)
    rows = pa.Table.from_batches([records(OVERVIEW, overview("A", "rdf", row_count=7))])
    place = rows.schema.get_field_index("row_count")
    rows = rows.set_column(place, "row_count", rows["row_count"].cast(pa.float64()))
    foundry.put_existing(path, rows.drop_columns("file_count").append_column("x", rows["hash"]))
    store = FoundryStore(PATHS, wait=2)
    (read,) = (row for some in store.read(OVERVIEW) for row in some.to_pylist())
    assert (read["row_count"], read["file_count"]) == (7, 0)
    assert [table.name for table in store.tables()] == [OVERVIEW.name]


def test_all_datasets_answer_a_plain_select(store: Store, foundry: FoundryServer) -> None:
    _push(store, "B", "C")
    for table in (SIMULATIONS, FRAME, OVERVIEW):
        rows = _select(foundry, path_of(table, PATHS))
        assert set(rows.schema.names) == set(table.columns)
        assert sorted(rows["hash"].to_pylist()) == _hashes(store, table)


def test_a_write_meanwhile_by_a_program_without_our_lock_is_not_lost(
    store: Store, foundry: FoundryServer
) -> None:
    with store.transaction(write=True) as transaction:
        assert transaction.count(SIMULATIONS) == 1
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([records(SIMULATIONS, run("X"))]))
        with pytest.raises(ConflictError):
            transaction.write(
                [(SIMULATIONS, records(SIMULATIONS, run("B"), run("X")))], ConflictMode.refuse
            )
        counts = transaction.write(
            [(SIMULATIONS, records(SIMULATIONS, run("B"), run("X")))], ConflictMode.skip
        )
    assert counts == {SIMULATIONS.name: Counts(inserted=1, skipped=1)}
    assert _hashes(store) == ["A", "B", "X"]


def test_a_write_meanwhile_to_what_was_only_looked_up_is_an_error(
    store: Store, foundry: FoundryServer
) -> None:
    with store.transaction(write=True) as transaction:
        assert transaction.count(SIMULATIONS) == 1
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([records(SIMULATIONS, run("X"))]))
        with pytest.raises(StoreChangedError, match="another program"):
            transaction.put(SIMULATIONS, records(SIMULATIONS, run("B")))
    assert _hashes(store) == ["A", "X"]


def test_of_a_key_that_stands_twice_the_newest_record_is_kept(foundry: FoundryServer) -> None:
    for status, time in (("completed", LATE_TIME), ("build", EARLY_TIME)):
        rows = records(SIMULATIONS, run("A", status=status, timestamp_utc=time), run(time))
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([rows]))
    twice = records(SIMULATIONS, run("T"), run("T", status="completed", timestamp_utc=LATE_TIME))
    foundry.put_existing(PATHS.runs, pa.Table.from_batches([twice]))
    store = FoundryStore(PATHS, wait=2)
    store.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    rows = [row for some in store.read(SIMULATIONS) for row in some.to_pylist()]
    assert sorted(row["hash"] for row in rows) == sorted(["A", "B", "T", EARLY_TIME, LATE_TIME])
    assert {row["status"] for row in rows if row["hash"] in {"A", "T"}} == {"completed"}


def test_a_column_that_would_be_lost_is_not(foundry: FoundryServer) -> None:
    rows = pa.Table.from_batches([records(SIMULATIONS, run("A"))])
    foundry.put_existing(PATHS.runs, rows.append_column("user_note", pa.array(["mine"])))
    store = FoundryStore(PATHS, wait=2)
    with pytest.raises(StoreError, match=r"user_note.*nothing was changed"):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    assert _hashes(store) == ["A"]
    assert _open(foundry) == []


@pytest.mark.parametrize("value", [float("nan"), "", "7.0", [7]])
def test_an_odd_cell_of_another_program_stops_nothing(foundry: FoundryServer, value: Any) -> None:
    rows = pa.Table.from_batches([records(OVERVIEW, overview("A", "rdf"))])
    name = "directory" if isinstance(value, list) else "row_count"
    place = rows.schema.get_field_index(name)
    changed = rows.set_column(place, name, pa.array([value]))
    foundry.put(path_of(OVERVIEW, PATHS), {"data_1.parquet": dump(changed)})
    (read,) = (row for some in FoundryStore(PATHS).read(OVERVIEW) for row in some.to_pylist())
    assert read[name] == {"7.0": 7, "[7]": "[7]"}.get(str(value), 0)


def test_a_file_that_is_no_parquet_is_an_error(store: Store, foundry: FoundryServer) -> None:
    foundry.put(PATHS.runs, {"bucket-3.parquet": b"PAR1 and nothing else"})
    with pytest.raises(StoreError, match=r"runs: bucket-3\.parquet cannot be read as Parquet"):
        _hashes(store)


def test_a_dataset_in_the_trash_is_an_error(store: Store, foundry: FoundryServer) -> None:
    foundry.trash(PATHS.runs)
    with pytest.raises(StoreError, match="is in the trash"):
        _hashes(store)


# Rights, secrets and cost


def test_who_may_only_read_reads_and_is_told(
    store: Store, foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDT_CREDENTIALS__JWT", READER)
    reader = FoundryStore(PATHS, wait=1)
    assert _hashes(reader) == ["A"]
    assert _hashes(reader, SIMULATIONS, OneOf("status", ("build",))) == ["A"]
    with pytest.raises(StoreError, match="Ask the owner of the project"):
        _push(reader, "B")
    assert _hashes(store) == ["A"]
    assert _open(foundry) == []


def test_no_credentials_are_an_error_that_says_what_to_type(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in foundry.environment():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="fdt config"):
        _hashes(FoundryStore(PATHS))


def test_a_service_that_is_not_there_is_an_error(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDT_CREDENTIALS__DOMAIN", "127.0.0.1:1")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1 cannot be reached"):
        _hashes(FoundryStore(PATHS))


def test_the_number_of_requests_does_not_grow_with_the_records(
    store: Store, foundry: FoundryServer
) -> None:
    costs = []
    for size in (100, 1_000):
        hashes = [f"{number:04X}-{size}" for number in range(0, 65536, 65536 // size)]
        _push(store, *hashes)
        before = len(foundry.log)
        _push(store, *(f"{hash_}-again" for hash_ in hashes))
        costs.append(len(foundry.log) - before)
    assert costs[1] <= costs[0]
    for table in (SIMULATIONS, FRAME, OVERVIEW, digest_table(Namespace.runs)):
        assert len(foundry.dump(path_of(table, PATHS)).files) <= 16


def test_a_filtered_pull_asks_sql(store: Store, foundry: FoundryServer) -> None:
    _push(store, *HASHES[1:])
    before = len(foundry.log)
    assert _hashes(store, SIMULATIONS, OneOf("hash", (HASHES[1],))) == [HASHES[1]]
    asked = [str(one) for one in foundry.log[before:]]
    assert not [one for one in asked if "bucket" in one and foundry.dump(PATHS.runs).rid in one]
    assert [one for one in asked if "queries/execute" in one]


def test_new_records_beyond_a_bound_lie_on_disk(store: Store) -> None:
    text = "x" * 2**20
    with store.transaction(write=True) as transaction:
        for number in range(80):
            row = analysis_with_sidecar(f"{number:02}", data_csv=text)
            transaction.write([(FRAME, records(FRAME, row))], ConflictMode.refuse)
        changed = analysis_with_sidecar("07", data_csv="y")
        transaction.write([(FRAME, records(FRAME, changed))], ConflictMode.force)
        transaction.delete(FRAME, (OneOf("hash", ("08",)),))
    found = {row["hash"]: row["data_csv"] for rows in store.read(FRAME) for row in rows.to_pylist()}
    assert len(found) == 79
    assert found.pop("07") == "y"
    assert set(found.values()) == {text}
