"""The Foundry store keeps the contract, also if requests, processes or the service fail."""

from __future__ import annotations

import io
import math
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foundry_dev_tools import FoundryContext
from urllib3 import HTTPResponse

from forking import FORK_WARNING_FILTER
from foundry_server import READER, FoundryServer, dump
from foundry_server.state import State
from mdfactory.config import FoundryPaths
from mdfactory.errors import (
    ConfigError,
    ConflictError,
    NotInitialisedError,
    StoreChangedError,
    StoreError,
    StoreLockedError,
)
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
from mdfactory.stores.foundry.http import RETRIES, FoundrySession, body_limit
from mdfactory.stores.foundry.layout import path_of
from mdfactory.stores.foundry.lock import machine_id
from mdfactory.stores.foundry.model import ReplyTooLongError
from mdfactory.stores.foundry.parquet import MAX_BATCH_BYTES, read_records
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
from planting import plant_foundry

PATHS = FoundryPaths.below("/Group Functions/mdfactory")


PREPARED_STATES: dict[Callable[..., object], State] = {}
"""Function that prepares a store -> state of a server after it: preparing takes 200 requests."""


def _prepared(server: FoundryServer, store: Store, prepare: Callable[[Store], None]) -> Store:
    """Prepare a store, or give its server a copy of the state that preparing has led to."""
    key = getattr(prepare, "__func__", prepare)
    if key in PREPARED_STATES:
        server.start_from(PREPARED_STATES[key])
    else:
        prepare(store)
        PREPARED_STATES[key] = server.copied()
        server.log.clear()
    return store


class Foundry(StoreUnderTest):
    """Reads and writes the datasets without the store."""

    @pytest.fixture(autouse=True)
    def _data(self, foundry: FoundryServer) -> None:
        self.server = foundry

    @pytest.fixture
    def store(self, empty: Store) -> Store:
        """Return a store with a table of each kind; the first test of a process makes it."""
        return _prepared(self.server, empty, self.create_tables)

    def opened(self, *, wait: float = 60.0) -> Store:
        return FoundryStore(PATHS, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        files = self.server.dump(path_of(table, PATHS)).files
        schema = pa.schema([field.with_nullable(True) for field in table.schema])  # noqa: FBT003
        parts = [
            pq.read_table(io.BytesIO(content)).select(table.columns).cast(schema)
            for content in files.values()
        ]
        rows = pa.concat_tables(parts)
        return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def raw_put(self, table: Table, rows: Rows) -> None:
        """Add a file under a random name, as existing installations do."""
        plant_foundry(self.server, path_of(table, PATHS), table, rows)


class TestFoundry(Foundry, RecordTests):
    pass


@pytest.mark.long  # the tests of undo that are Foundry's own are part of every run
class TestFoundryHistory(Foundry, HistoryTests):
    pass


ANALYSIS = analysis_table("density")
HASHES = [f"{number:X}{number:039}" for number in range(16)]


@pytest.fixture
def store(foundry: FoundryServer) -> Store:
    """A store with all tables and one simulation."""
    return _prepared(foundry, FoundryStore(PATHS, wait=2), _fill)


def _fill(store: Store) -> None:
    with store.transaction(write=True) as transaction:
        for table in (SIMULATIONS, OVERVIEW, ANALYSIS):
            transaction.create(table)
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)


def _push(
    store: Store, *hashes: str, mode: ConflictMode = ConflictMode.refuse, time: str = EARLY_TIME
) -> Counts:
    """Write to three tables in one transaction."""
    batches = [
        (SIMULATIONS, records(SIMULATIONS, *(run(hash_, timestamp_utc=time) for hash_ in hashes))),
        (
            ANALYSIS,
            records(
                ANALYSIS, *(analysis_with_sidecar(hash_, timestamp_utc=time) for hash_ in hashes)
            ),
        ),
        (
            OVERVIEW,
            records(OVERVIEW, *(overview(hash_, "density", updated_at=time) for hash_ in hashes)),
        ),
    ]
    with store.transaction(write=True) as transaction:
        counts = transaction.write(batches[:2], mode)
        transaction.write(batches[2:], ConflictMode.update)
    return sum(counts.values(), Counts())


def _hashes(store: Store, table: Table = SIMULATIONS, *where: Condition) -> list[str]:
    query = Query(where=where, columns=("hash",))
    return sorted(hash_ for rows in store.read(table, query) for hash_ in rows["hash"].to_pylist())


def _open_datasets(foundry: FoundryServer) -> list[str]:
    """Return the paths of the datasets that have an open transaction."""
    return [
        path
        for path, resource in foundry.state.by_path.items()
        if resource.dataset
        and any(transaction.status == "OPEN" for transaction in foundry.dump(path).transactions)
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
def test_a_failure_of_the_service_is_never_an_empty_result(
    store: Store, foundry: FoundryServer, pattern: str, status: int
) -> None:
    foundry.faults.answer(pattern, status, times=None)
    for operation in (
        lambda: _hashes(store),
        lambda: store.count(SIMULATIONS),
        store.tables,
        lambda: _push(store, "B"),
        lambda: store.create(SIMULATIONS),
    ):
        with pytest.raises(StoreError) as caught:
            operation()
        assert not isinstance(caught.value, NotInitialisedError)
        assert foundry.token not in str(caught.value)
    foundry.faults.clear()
    assert _hashes(store) == ["A"]
    assert _open_datasets(foundry) == []


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_refused_sql_query_is_an_error(store: Store, foundry: FoundryServer, status: int) -> None:
    foundry.faults.answer("queries/execute", status, times=None, headers={"Retry-After": "0"})
    with pytest.raises(StoreError):
        _hashes(store, SIMULATIONS, OneOf("status", ("build",)))


def test_a_gateway_error_is_retried_before_it_is_raised(
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
def test_a_busy_service_is_retried_after_retry_after(
    store: Store, foundry: FoundryServer, pattern: str, status: int
) -> None:
    busy = foundry.faults.answer(pattern, status, times=2, headers={"Retry-After": "0.01"})
    assert _push(store, "B").inserted == 2
    assert _hashes(store, SIMULATIONS, OneOf("status", ("build",))) == ["A", "B"]
    assert busy.hits == 2


NO_PAUSE_HEADERS = [
    "Fri, 31 Dec 1999 23:59:59 GMT",
    "Fri, 31 Dec 99999999999999999 23:59:59 GMT",
    "9" * 5000,
    "inf",
    "-3",
    "soon",
    "",
]
"""Values of ``Retry-After`` that say nothing: the usual pause follows."""


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7),
        ("99999", 60),
        ("Fri, 31 Dec 2999 23:59:59 GMT", 60),
        *((header, 0) for header in NO_PAUSE_HEADERS),
    ],
)
def test_the_pause_before_a_retry_is_bounded(header: str, pause: float) -> None:
    reply = HTTPResponse(status=503, headers={"Retry-After": header})
    assert (RETRIES.get_retry_after(reply) or 0) == pause
    first_retry = RETRIES.increment("GET", "/", response=reply)
    assert first_retry.get_backoff_time() == pytest.approx(0.075, abs=0.025)


@pytest.mark.parametrize("header", NO_PAUSE_HEADERS)
def test_a_request_is_sent_again_whatever_the_service_says_about_the_pause(
    store: Store, foundry: FoundryServer, header: str
) -> None:
    busy = foundry.faults.answer("GET /compass", 503, headers={"Retry-After": header})
    assert _hashes(store) == ["A"]
    assert busy.hits == 1


@pytest.mark.parametrize("kind", ["lose_reply", "reset", "truncate"])
def test_the_number_of_attempts_is_bounded(
    store: Store, foundry: FoundryServer, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    fault = getattr(foundry.faults, kind)("GET /compass", times=None)
    with pytest.raises(StoreError, match=r"cannot be reached: looking up"):
        _hashes(store)
    assert fault.hits == 6
    assert not caplog.text


REQUEST_PATTERNS = [
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


FAULTS = ["lose_reply", "reset", "truncate"]


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        pytest.param(pattern, kind, marks=() if (row + number) % 3 == 0 else pytest.mark.long)
        for row, pattern in enumerate(REQUEST_PATTERNS)
        for number, kind in enumerate(FAULTS)
    ],
)
def test_a_lost_or_truncated_reply_does_no_harm(
    foundry: FoundryServer, pattern: str, kind: str
) -> None:
    store = FoundryStore(PATHS, wait=2)
    fault = getattr(foundry.faults, kind)(pattern, times=2)
    for table in (SIMULATIONS, OVERVIEW, ANALYSIS):
        store.create(table)
    assert _push(store, *HASHES).inserted == 32
    assert fault.hits == 2
    assert _hashes(store) == HASHES
    assert _hashes(store, ANALYSIS) == HASHES
    assert _open_datasets(foundry) == []


def test_an_interrupted_upload_is_repeated_from_the_start(
    store: Store, foundry: FoundryServer
) -> None:
    resets = foundry.faults.reset("putFile", after_bytes=1000, times=3)
    assert _push(store, *HASHES[:9]).inserted == 18
    assert resets.hits == 3
    assert _hashes(store, ANALYSIS) == HASHES[:9]


@pytest.mark.parametrize(
    ("skip", "mode"),
    [
        pytest.param(skip, mode, marks=() if (skip + number) % 4 == 0 else pytest.mark.long)
        for skip in range(8)
        for number, mode in enumerate(ConflictMode)
    ],
)
def test_an_interrupted_write_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, mode: ConflictMode, skip: int
) -> None:
    """The service fails between two commits."""
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    message = ""
    try:
        _push(store, "B", "C", mode=mode)
    except StoreError as error:
        message = str(error)
    foundry.faults.clear()
    assert ("nothing was changed" in message) == (skip < 2)
    assert ("A part is stored" in message) == (2 <= skip < 7)
    if message:
        counts = _push(store, "B", "C", mode=mode, time=LATE_TIME)
        assert counts.inserted + counts.unchanged == 4
    assert bool(message) == (skip < 7)
    assert _hashes(store) == ["A", "B", "C"]
    assert _hashes(store, ANALYSIS) == ["B", "C"]
    assert len(_hashes(store, OVERVIEW)) == 2
    assert _open_datasets(foundry) == []
    with store.transaction() as transaction:
        records_with_sidecars = [
            row for rows in transaction.read_with_sidecars(ANALYSIS) for row in rows.to_pylist()
        ]
    assert {row["arrow_schema"] for row in records_with_sidecars} == {"schema"}


COMMIT_COUNTS = [
    pytest.param(commits, marks=() if commits in {2, 5, 8} else pytest.mark.long)
    for commits in range(10)
]
"""Number of commits before a write is interrupted."""


@pytest.mark.parametrize(
    "mode", [ConflictMode.update, pytest.param(ConflictMode.force, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("skip", COMMIT_COUNTS)
def test_an_interrupted_write_over_records_of_the_same_time_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, skip: int, mode: ConflictMode
) -> None:
    """Digests are committed after records: they do not match the records in between."""
    workload = Workload(store)
    workload.clear()
    workload.fill("a")
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError):
        workload.fill("b", mode)
    foundry.faults.clear()
    workload.fill("b", mode)
    assert workload.state() == "b"


@pytest.mark.parametrize("skip", COMMIT_COUNTS)
def test_an_interrupted_write_is_undone_with_the_write_that_completed_it(
    store: Store, foundry: FoundryServer, skip: int
) -> None:
    """The service fails between two commits; the push is repeated and undone."""
    before = _all_records(store)
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError), store.operation("push") as transaction:
        _write_changes(transaction, EARLY_TIME)
    foundry.faults.clear()
    with store.operation("push") as transaction:
        _write_changes(transaction, LATE_TIME)
    after = _all_records(store)
    for expected in (before, after):
        undo(store)
        assert _all_records(store) == expected


@pytest.mark.parametrize("skip", COMMIT_COUNTS)
def test_an_interrupted_undo_is_completed_by_repeating_it(
    store: Store, foundry: FoundryServer, skip: int
) -> None:
    before = _all_records(store)
    with store.operation("push") as transaction:
        _write_changes(transaction, EARLY_TIME)
    after = _all_records(store)
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    with suppress(StoreError):
        undo(store)
    foundry.faults.clear()
    if len(history(store)) == 1:  # the undo was interrupted
        with suppress(StoreChangedError):  # a part was stored, and the rest was stored now
            undo(store)
    assert _all_records(store) == before
    undo(store)
    assert _all_records(store) == after


def _write_changes(transaction: Transaction, time: str) -> None:
    """Change a record and add others, in three tables."""
    transaction.write(
        [(SIMULATIONS, records(SIMULATIONS, run("A", status="completed", timestamp_utc=time)))],
        ConflictMode.update,
    )
    transaction.write(
        [(SIMULATIONS, records(SIMULATIONS, run("B", timestamp_utc=time)))], ConflictMode.update
    )
    transaction.write(
        [(ANALYSIS, records(ANALYSIS, analysis_with_sidecar("B", timestamp_utc=time)))],
        ConflictMode.update,
    )
    transaction.write(
        [(OVERVIEW, records(OVERVIEW, overview("B", "density")))], ConflictMode.update
    )


def _all_records(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.transaction() as transaction:
        return {
            table.name: sorted(
                tuple(row.values())
                for rows in transaction.backend.scan(table, Query())
                for row in rows.to_pylist()
            )
            for table in (SIMULATIONS, OVERVIEW, ANALYSIS)
        }


def test_a_completed_write_is_a_conflict_when_it_is_repeated(store: Store) -> None:
    _push(store, "B")
    with pytest.raises(ConflictError):
        _push(store, "B", time=LATE_TIME)


def test_an_interrupted_write_excuses_no_conflict_of_other_records(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.faults.answer("commit$", 500, skip=4, times=None)
    with pytest.raises(StoreError, match="A part is stored"):
        _push(store, "B", time=LATE_TIME)
    foundry.faults.clear()
    with pytest.raises(ConflictError):
        store.write(
            [(SIMULATIONS, records(SIMULATIONS, run("A", status="other")))], ConflictMode.refuse
        )


@pytest.mark.parametrize("skip", COMMIT_COUNTS)
def test_the_next_writer_completes_an_interrupted_write(
    store: Store, foundry: FoundryServer, skip: int
) -> None:
    """Any writer does, not only a repetition of the write."""
    before = _all_records(store)
    foundry.faults.answer("commit$", 500, skip=skip, times=None)
    message = ""
    try:
        with store.operation("push") as transaction:
            _write_changes(transaction, EARLY_TIME)
    except StoreError as error:
        message = str(error)
    foundry.faults.clear()
    assert store.create(SIMULATIONS) == 0
    assert _open_datasets(foundry) == []
    is_stored = "nothing was changed" not in message
    assert (_all_records(store) != before) == is_stored
    assert len(history(store)) == is_stored


def test_a_transaction_aborted_by_another_program_stores_nothing(
    store: Store, foundry: FoundryServer
) -> None:
    """Another program aborts the lock of a writer that is still at work."""

    def abort() -> None:
        transactions = foundry.dump(PATHS.runs).transactions
        (open_rid,) = [each.rid for each in transactions if each.status == "OPEN"]
        foundry.abort(PATHS.runs, open_rid)

    foundry.faults.before("commit$", abort)
    with pytest.raises(StoreError, match="aborted"):
        _push(store, "B")
    assert _hashes(store) == ["A"]
    counts = _push(store, "B")
    assert counts.inserted + counts.unchanged == 2
    assert _hashes(store) == ["A", "B"]


# Locks of other writers


@pytest.mark.parametrize("echo", [True, False])
def test_a_transaction_of_another_program_is_never_aborted(
    store: Store, foundry: FoundryServer, *, echo: bool
) -> None:
    foundry.settings.echoes_record = echo
    open_rid = foundry.leave_open(PATHS.runs, age=10**6)
    with pytest.raises(StoreLockedError, match=open_rid):
        _push(store, "B")
    assert _hashes(store) == ["A"]
    foundry.abort(PATHS.runs, open_rid)
    assert _push(store, "B").inserted == 2


@pytest.mark.parametrize(("age", "is_stale"), [(7200, True), (1800, False)])
def test_a_stale_lock_of_another_machine_is_aborted(
    store: Store, foundry: FoundryServer, *, age: int, is_stale: bool
) -> None:
    holder = {"nonce": "n", "process": 1, "host": "node7", "user": "bob", "place": "node7 x"}
    foundry.leave_open(PATHS.runs, age=age, record={"mdfactory": holder})
    if is_stale:
        assert _push(store, "B").inserted == 2
        return
    with pytest.raises(StoreLockedError, match=r"process 1 .* of bob on node7"):
        _push(store, "B")


def test_a_start_with_a_lost_reply_is_not_adopted_without_its_record(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.settings.echoes_record = False
    foundry.faults.lose_reply("POST .*transactions$", skip=1)
    with pytest.raises(StoreLockedError, match="Foundry does not return its record"):
        _push(store, "B")
    assert _hashes(store) == ["A"]


SIMULTANEOUS = "Catalog:SimultaneousOpenTransactionsNotAllowed"
"""Name of the error for a second open transaction; its body may lack the rid of the first."""


def test_an_open_transaction_that_has_just_ended_is_not_waited_for(
    store: Store, foundry: FoundryServer
) -> None:
    """Foundry refuses a transaction, and lists no open one a moment later."""
    refusals = foundry.faults.answer("POST .*transactions$", 400, name=SIMULTANEOUS, times=3)
    assert _push(store, "B").inserted == 2
    assert refusals.hits == 3
    assert _hashes(store) == ["A", "B"]


def test_an_open_transaction_that_is_not_listed_is_waited_for(foundry: FoundryServer) -> None:
    store = FoundryStore(PATHS, wait=0.5)
    store.create(SIMULATIONS)
    foundry.faults.answer("POST .*transactions$", 400, name=SIMULTANEOUS, times=None)
    with pytest.raises(StoreLockedError, match="the open transaction that Foundry does not list"):
        store.create(SIMULATIONS)


@pytest.mark.parametrize("pattern", ["POST .*transactions/[^/]*$", "commit$"])
def test_a_refusal_is_named_as_foundry_names_it(
    store: Store, foundry: FoundryServer, pattern: str
) -> None:
    foundry.faults.answer(pattern, 418, name="Catalog:Teapot", times=None)
    with pytest.raises(StoreError, match="Catalog:Teapot"):
        _push(store, "B")
    assert _hashes(store) == ["A"]


def test_a_stale_lock_that_cannot_be_aborted_is_waited_for(
    store: Store, foundry: FoundryServer
) -> None:
    holder = {"nonce": "n", "process": 1, "host": "node7", "user": "bob", "place": "node7 x"}
    foundry.leave_open(PATHS.runs, age=10**6, record={"mdfactory": holder})
    foundry.faults.answer("abortWithMetadata", 403, times=None)
    before = len(foundry.log)
    with pytest.raises(StoreLockedError, match="of bob on node7"):
        _push(store, "B")
    assert len(foundry.log) - before < 200


def test_a_lock_that_this_process_left_behind_is_aborted(
    store: Store, foundry: FoundryServer
) -> None:
    """The locks could not be released in an outage, and the process continues."""
    foundry.faults.answer("putFile", 500, times=None)
    aborts = foundry.faults.answer("abortWithMetadata", 500, times=None)
    with pytest.raises(StoreError):
        _push(store, "B")
    assert aborts.hits
    assert _open_datasets(foundry) != []
    foundry.faults.clear()
    assert _push(store, "B").inserted == 2


@pytest.mark.parametrize("born", ["", "0"])
def test_the_lock_of_a_process_that_has_ended_is_aborted(
    store: Store, foundry: FoundryServer, born: str
) -> None:
    """Also if the system does not show when a process started."""
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                             capture_output=True, text=True, check=True)  # fmt: skip
    holder = {"nonce": "n", "process": int(process.stdout), "born": born, "place": machine_id()}
    foundry.leave_open(PATHS.runs, record={"mdfactory": holder})
    assert _push(store, "B").inserted == 2


"""Ignores the warning of a fork in a process with threads, which the test makes on purpose."""

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
    """A child is killed before the body of its request; the next request of the parent works."""
    program = [sys.executable, "-W", FORK_WARNING_FILTER, "-c", KILLED_CHILD]
    process = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (process.stdout, process.stderr) == ("1\n", "")


# Unverified behaviour of Foundry


@pytest.mark.parametrize("cap", [2, 3])
def test_short_pages_of_the_history_hide_no_transaction(
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


def test_a_history_without_committed_transactions_of_files_is_an_error(
    store: Store, foundry: FoundryServer
) -> None:
    foundry.settings.lists_aborted = True
    foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
    foundry.settings.history_cap = 1
    with pytest.raises(StoreError, match="lists no committed transaction for them"):
        store.create(SIMULATIONS)
    foundry.settings.history_cap = 1000
    assert _hashes(store) == ["A"]


def test_many_aborted_transactions_do_no_harm(store: Store, foundry: FoundryServer) -> None:
    foundry.settings.lists_aborted = True
    for _ in range(1_200):
        foundry.abort(PATHS.runs, foundry.leave_open(PATHS.runs))
    assert _hashes(store) == ["A"]
    assert _push(store, "B").inserted == 2


def test_a_write_without_changes_starts_no_transaction_of_a_dataset(
    store: Store, foundry: FoundryServer
) -> None:
    before = len(foundry.dump(PATHS.runs).transactions)
    _push(store, "A", mode=ConflictMode.skip)
    _push(store, "A", mode=ConflictMode.update)
    assert len(foundry.dump(PATHS.runs).transactions) == before


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_a_schema_that_fails_after_the_commit_is_warned_of_and_set_by_create(
    foundry: FoundryServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    store = FoundryStore(PATHS, wait=2)
    foundry.faults.answer("POST .*schemas", 400, times=4)  # while the transactions are open
    foundry.faults.answer("schemas", status, times=None)
    store.create(SIMULATIONS)
    assert "SQL cannot read it" in caplog.text
    foundry.faults.clear()
    assert foundry.dump(PATHS.runs).schema is None
    assert store.create(SIMULATIONS) == 0
    assert foundry.dump(PATHS.runs).schema is not None


def test_a_deleted_dataset_does_not_stop_writes_to_others(
    store: Store, foundry: FoundryServer
) -> None:
    _push(store, "B")
    deleted = foundry.state.by_path.pop(path_of(ANALYSIS, PATHS))
    foundry.state.by_rid.pop(deleted.rid)
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


def test_a_domain_with_a_password_is_an_error_that_does_not_show_it(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert foundry.url
    monkeypatch.setenv("FDT_CREDENTIALS__DOMAIN", "me:s3cret@nowhere.invalid")
    with pytest.raises(ConfigError, match="domain of Foundry is not a host name") as caught:
        _hashes(FoundryStore(PATHS))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("step", ["putrequest", "endheaders", "getresponse"])
def test_all_commits_are_completed_after_a_keyboard_interrupt(
    store: Store, foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The first commit is interrupted before it is sent, when half of it is sent, or at its end.

    The interrupt is raised in the thread that commits. An interrupt at a random time may come
    while Python collects garbage, and is lost then.
    """
    put_request, run_step = HTTPConnection.putrequest, getattr(HTTPConnection, step)
    commits: list[HTTPConnection] = []

    def record_commit(
        connection: HTTPConnection, method: str, url: str, *arguments: Any, **options: Any
    ) -> None:
        if not commits and url.endswith("/commit"):
            commits.append(connection)
        put_request(connection, method, url, *arguments, **options)

    def interrupt_commit(connection: HTTPConnection, *arguments: Any, **options: Any) -> Any:
        original = record_commit if step == "putrequest" else run_step
        result = original(connection, *arguments, **options)
        if commits == [connection]:
            commits.append(connection)
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(HTTPConnection, "putrequest", record_commit)
    monkeypatch.setattr(HTTPConnection, step, interrupt_commit)
    with pytest.raises(KeyboardInterrupt):
        _push(store, "B")
    assert _hashes(store) == ["A", "B"]
    assert _hashes(store, ANALYSIS) == ["B"]
    assert _open_datasets(foundry) == []


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
def test_the_store_works_with_each_unverified_behaviour_of_foundry(
    foundry: FoundryServer, settings: dict[str, Any]
) -> None:
    if settings.get("creates_parents") is False:
        foundry.put("/Group Functions/other")
    for name, value in settings.items():
        setattr(foundry.settings, name, value)
    store = FoundryStore(PATHS, wait=2)
    for table in (SIMULATIONS, OVERVIEW, ANALYSIS):
        store.create(table)
    for hash_ in ("A1", "A2", "B"):
        _push(store, hash_)
    for _ in range(3):
        assert _push(store, "A1", mode=ConflictMode.skip).skipped == 2
    assert _hashes(store, SIMULATIONS, Prefix("hash", "A")) == ["A1", "A2"]
    assert _hashes(store, ANALYSIS, OneOf("hash", ("B",))) == ["B"]
    assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 2
    assert _hashes(store) == ["B"]


def test_a_schema_that_an_open_transaction_refuses_is_set_after_the_commit(
    foundry: FoundryServer,
) -> None:
    store = FoundryStore(PATHS, wait=2)
    foundry.faults.answer("POST .*schemas", 400)
    store.create(SIMULATIONS)
    assert foundry.dump(PATHS.runs).schema is not None


# Existing installations


def _put_existing_records(foundry: FoundryServer, *hashes: str) -> None:
    table = pa.Table.from_batches([records(SIMULATIONS, run("__PLACEHOLDER__"))])
    foundry.put_existing(PATHS.runs, table, prefix="init")
    for hash_ in hashes:
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([records(SIMULATIONS, run(hash_))]))


def _select_all(foundry: FoundryServer, path: str) -> pa.Table:
    """Read a dataset as existing installations do."""
    context = FoundryContext()
    with context.client:
        return context.foundry_sql_server.query_foundry_sql(
            f"SELECT * FROM `{path}`", return_type="arrow"
        )


def test_datasets_of_existing_installations_are_read_and_extended(foundry: FoundryServer) -> None:
    _put_existing_records(foundry, "A", "B")
    store = FoundryStore(PATHS, wait=2)
    assert [table.name for table in store.tables()] == [SIMULATIONS.name]
    assert _hashes(store) == ["A", "B"]
    assert _hashes(store, SIMULATIONS, OneOf("status", ("build",))) == ["A", "B"]
    assert store.write(
        [(SIMULATIONS, records(SIMULATIONS, run("A"), run("C")))], ConflictMode.skip
    ) == {SIMULATIONS.name: Counts(inserted=1, skipped=1)}
    assert sorted(_select_all(foundry, PATHS.runs)["hash"].to_pylist()) == ["A", "B", "C"]
    _put_existing_records(foundry, "D")
    assert _hashes(store) == ["A", "B", "C", "D"]
    assert store.delete(SIMULATIONS, (OneOf("hash", ("D",)),)) == 1
    assert sorted(_select_all(foundry, PATHS.runs)["hash"].to_pylist()) == ["A", "B", "C"]


def test_other_types_and_columns_are_cast_to_the_table(foundry: FoundryServer) -> None:
    path = path_of(OVERVIEW, PATHS)
    rows = pa.Table.from_batches([records(OVERVIEW, overview("A", "rdf", row_count=7))])
    index = rows.schema.get_field_index("row_count")
    rows = rows.set_column(index, "row_count", rows["row_count"].cast(pa.float64()))
    foundry.put_existing(path, rows.drop_columns("file_count").append_column("x", rows["hash"]))
    store = FoundryStore(PATHS, wait=2)
    (record,) = (row for rows in store.read(OVERVIEW) for row in rows.to_pylist())
    assert (record["row_count"], record["file_count"]) == (7, 0)
    assert [table.name for table in store.tables()] == [OVERVIEW.name]


def test_all_datasets_answer_a_plain_select(store: Store, foundry: FoundryServer) -> None:
    _push(store, "B", "C")
    for table in (SIMULATIONS, ANALYSIS, OVERVIEW):
        rows = _select_all(foundry, path_of(table, PATHS))
        assert set(rows.schema.names) == set(table.columns)
        assert sorted(rows["hash"].to_pylist()) == _hashes(store, table)


def test_a_concurrent_write_by_a_program_without_the_lock_is_not_lost(
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


def test_a_concurrent_write_to_a_table_that_was_only_read_is_an_error(
    store: Store, foundry: FoundryServer
) -> None:
    with store.transaction(write=True) as transaction:
        assert transaction.count(SIMULATIONS) == 1
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([records(SIMULATIONS, run("X"))]))
        with pytest.raises(StoreChangedError, match="another program"):
            transaction.backend.put(SIMULATIONS, records(SIMULATIONS, run("B")))
    assert _hashes(store) == ["A", "X"]


def test_of_records_with_one_key_the_newest_is_kept(foundry: FoundryServer) -> None:
    for status, time in (("completed", LATE_TIME), ("build", EARLY_TIME)):
        rows = records(SIMULATIONS, run("A", status=status, timestamp_utc=time), run(time))
        foundry.put_existing(PATHS.runs, pa.Table.from_batches([rows]))
    duplicates = records(
        SIMULATIONS, run("T"), run("T", status="completed", timestamp_utc=LATE_TIME)
    )
    foundry.put_existing(PATHS.runs, pa.Table.from_batches([duplicates]))
    store = FoundryStore(PATHS, wait=2)
    store.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    stored = [row for rows in store.read(SIMULATIONS) for row in rows.to_pylist()]
    assert sorted(row["hash"] for row in stored) == sorted(["A", "B", "T", EARLY_TIME, LATE_TIME])
    assert {row["status"] for row in stored if row["hash"] in {"A", "T"}} == {"completed"}


def test_a_write_that_would_lose_a_column_is_refused(foundry: FoundryServer) -> None:
    rows = pa.Table.from_batches([records(SIMULATIONS, run("A"))])
    foundry.put_existing(PATHS.runs, rows.append_column("user_note", pa.array(["mine"])))
    store = FoundryStore(PATHS, wait=2)
    with pytest.raises(StoreError, match=r"user_note.*nothing was changed"):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    assert _hashes(store) == ["A"]
    assert _open_datasets(foundry) == []


@pytest.mark.parametrize("value", [float("nan"), "", "7.0", [7]])
def test_odd_cells_of_another_program_are_read(foundry: FoundryServer, value: Any) -> None:
    rows = pa.Table.from_batches([records(OVERVIEW, overview("A", "rdf"))])
    name = "directory" if isinstance(value, list) else "row_count"
    index = rows.schema.get_field_index(name)
    changed = rows.set_column(index, name, pa.array([value]))
    foundry.put(path_of(OVERVIEW, PATHS), {"data_1.parquet": dump(changed)})
    (record,) = (row for rows in FoundryStore(PATHS).read(OVERVIEW) for row in rows.to_pylist())
    assert record[name] == {"7.0": 7, "[7]": "[7]"}.get(str(value), 0)


def test_a_file_that_is_not_parquet_is_an_error(store: Store, foundry: FoundryServer) -> None:
    foundry.put(PATHS.runs, {"bucket-3.parquet": b"PAR1 and nothing else"})
    with pytest.raises(StoreError, match=r"runs: bucket-3\.parquet cannot be read as Parquet"):
        _hashes(store)


LONG = "x" * 100_000


def _repeated(times: int, text: str = LONG) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


def _list_of(column: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)


@pytest.mark.parametrize("column", ["input_data", "parametrization"])
def test_texts_that_a_file_repeats_are_read_in_parts(
    foundry: FoundryServer, column: str, store: Store
) -> None:
    """Files of other programs may hold the same text in many records."""
    rows = pa.Table.from_batches([records(SIMULATIONS, *map(run, map(str, range(3_000))))])
    index = rows.schema.get_field_index(column)
    repeated = rows.set_column(index, column, _repeated(3_000))
    foundry.put(PATHS.runs, {"data_1.parquet": dump(repeated)})
    sizes, texts = [], set()
    for part in store.read(SIMULATIONS):
        sizes.append(part.nbytes)
        texts |= set(part[column].to_pylist())
    assert texts == {LONG, run("A")[column]}
    assert max(sizes) < 3 * MAX_BATCH_BYTES


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.array(["x" * 2**22]), id="text"),
        pytest.param(_repeated(1, "x" * 2**22), id="category"),
        pytest.param(_list_of(pa.array([0] * 2**18, pa.int8())), id="items"),
        pytest.param(_list_of(_repeated(100)), id="repeated items"),
    ],
)
def test_a_file_that_expands_is_an_error(tmp_path: Path, column: pa.Array) -> None:
    rows = pa.Table.from_batches([records(SIMULATIONS, run("B"))])
    index = rows.schema.get_field_index("input_data")
    planted = dump(rows.set_column(index, "input_data", column), compression="zstd")
    assert len(planted) < 2**14
    path = tmp_path / "data.parquet"
    path.write_bytes(planted)
    read = partial(read_records, path, "data_1", SIMULATIONS, SIMULATIONS.columns)
    assert [len(rows) for rows in read()] == [1]
    with pytest.raises(StoreError, match="data_1 cannot be read as Parquet: .* bytes"):
        list(read(max_record_bytes=2**20))
    names = ["hash", "status"]  # other columns do no harm
    others = read_records(path, "data_1", SIMULATIONS, names, max_record_bytes=2**20)
    assert [rows.schema.names for rows in others] == [names]


def test_a_reply_that_is_too_long_is_not_read(store: Store, foundry: FoundryServer) -> None:
    assert _hashes(store) == ["A"]
    session, url = FoundrySession(), f"{foundry.url}/compass"
    with closing(session), body_limit(10), pytest.raises(ReplyTooLongError, match="than 10 bytes"):
        session.request("GET", url)
    with closing(session), body_limit(10_000):
        assert session.request("GET", url).content


def test_a_file_that_is_named_almost_like_a_bucket_is_read(
    store: Store, foundry: FoundryServer
) -> None:
    rows = pa.Table.from_batches([records(SIMULATIONS, run("3"))])
    foundry.put(PATHS.runs, {"bucket-03.parquet": dump(rows)})
    assert _hashes(store) == ["3", "A"]
    _push(store, "B")
    assert _hashes(store) == ["3", "A", "B"]


def test_a_dataset_in_the_trash_is_an_error(store: Store, foundry: FoundryServer) -> None:
    foundry.trash(PATHS.runs)
    with pytest.raises(StoreError, match="is in the trash"):
        _hashes(store)


# Rights, secrets and cost


def test_a_read_only_user_can_read_and_gets_an_error_on_writes(
    store: Store, foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDT_CREDENTIALS__JWT", READER)
    reader = FoundryStore(PATHS, wait=1)
    assert _hashes(reader) == ["A"]
    assert _hashes(reader, SIMULATIONS, OneOf("status", ("build",))) == ["A"]
    with pytest.raises(StoreError, match="Ask the owner of the project"):
        _push(reader, "B")
    assert _hashes(store) == ["A"]
    assert _open_datasets(foundry) == []


def test_missing_credentials_are_an_error_that_names_the_command(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in foundry.environment():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="fdt config"):
        _hashes(FoundryStore(PATHS))


def test_an_unreachable_service_is_an_error(
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
    for table in (SIMULATIONS, ANALYSIS, OVERVIEW, digest_table(Namespace.runs)):
        assert len(foundry.dump(path_of(table, PATHS)).files) <= 16


def test_a_filtered_read_uses_sql(store: Store, foundry: FoundryServer) -> None:
    _push(store, *HASHES[1:])
    before = len(foundry.log)
    assert _hashes(store, SIMULATIONS, OneOf("hash", (HASHES[1],))) == [HASHES[1]]
    requests = [str(request) for request in foundry.log[before:]]
    rid = foundry.dump(PATHS.runs).rid
    assert not [request for request in requests if "bucket" in request and rid in request]
    assert [request for request in requests if "queries/execute" in request]


def test_many_new_records_are_moved_to_disk(store: Store) -> None:
    text = "x" * 2**20
    with store.transaction(write=True) as transaction:
        for number in range(80):
            row = analysis_with_sidecar(f"{number:02}", data_csv=text)
            transaction.write([(ANALYSIS, records(ANALYSIS, row))], ConflictMode.refuse)
        changed = analysis_with_sidecar("07", data_csv="y")
        transaction.write([(ANALYSIS, records(ANALYSIS, changed))], ConflictMode.force)
        transaction.delete(ANALYSIS, (OneOf("hash", ("08",)),))
    text_of_hash = {
        row["hash"]: row["data_csv"] for rows in store.read(ANALYSIS) for row in rows.to_pylist()
    }
    assert len(text_of_hash) == 79
    assert text_of_hash.pop("07") == "y"
    assert set(text_of_hash.values()) == {text}


def test_many_records_of_another_program_are_moved_to_disk(
    store: Store, foundry: FoundryServer
) -> None:
    """The first write puts all of them into our own files."""
    path = path_of(ANALYSIS, PATHS)
    for number in range(12):
        rows = [
            analysis_with_sidecar(f"{number:X}{part}", data_csv="x" * 2**20) for part in range(8)
        ]
        plain = records(ANALYSIS, *rows).select(list(ANALYSIS.columns))
        foundry.put_existing(path, pa.Table.from_batches([plain]))
    held: list[int] = []
    before = pa.total_allocated_bytes()
    foundry.faults.before(
        f"{foundry.dump(path).rid}.*putFile", lambda: held.append(pa.total_allocated_bytes())
    )
    store.write([(ANALYSIS, records(ANALYSIS, analysis_with_sidecar("F")))], ConflictMode.refuse)
    assert held[0] - before < 64 * 2**20
    assert len(_hashes(store, ANALYSIS)) == 97
