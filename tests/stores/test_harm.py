"""Every store under harm: kills at any instant, many writers at once, readers meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from effort import FEW, MANY, Effort
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.testing.harm import EMPTY_STATE, Workload

pytestmark = pytest.mark.timeout(300 + 15 * MANY.kills)


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=lambda one: one.name)
def effort(request: pytest.FixtureRequest) -> Effort:
    """How long the store is harmed."""
    return request.param


OPERATIONS = {
    "push": "add b",
    "push --force": "fill b c",
    "clear": "clear",
    "init --force": "renew",
    "undo": "undo",
}
"""Name -> verb of `mdfactory.testing.harm`, and letters that it may take."""

COMMON = """
import sys
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import store_at
from mdfactory.testing.harm import Workload
from mdfactory.testing.records import overview, records, run

store = store_at(sys.argv[1], wait=60)
"""


def _command(script: str, url: str, number: int) -> list[str]:
    return [sys.executable, "-c", COMMON + script, url, str(number)]


@pytest.fixture
def store(url: str) -> Store:
    return store_at(url, wait=30)


def _left(folder: Path) -> list[Path]:
    """Return what is left of killed writers to a CSV store; SQLite's journals are its own."""
    return list(folder.rglob("*.staged"))


class Writer:
    """A program that writes to a store, each time in a process of its own."""

    def __init__(self, program: Popen[str]) -> None:
        self._program = program

    def start(self, *words: str) -> int:
        """Begin an operation, and return the number of its process."""
        self._program.stdin.write(f"{' '.join(words)}\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def ended(self) -> int:
        """Wait for its end, and return how it ended."""
        return int(self._program.stdout.readline())

    def seconds(self, *words: str) -> float:
        """Measure an operation that nobody disturbs."""
        begun = time.monotonic()
        self.start(*words)
        assert self.ended() == 0
        return time.monotonic() - begun


@pytest.fixture
def workload(store: Store, effort: Effort) -> Workload:
    """Records that all say ``a``."""
    workload = Workload(store, effort.simulations)
    workload.fill("a")
    return workload


@pytest.fixture
def writer(url: str, workload: Workload, running: Callable[..., Any]) -> Iterator[Writer]:
    """A writer of these records."""
    program = [sys.executable, "-m", "mdfactory.testing.harm", url, workload.simulations]
    with running(program, stdin=PIPE, stdout=PIPE, text=True) as started:
        yield Writer(started)


def test_a_killed_writer_leaves_the_store_as_before_or_as_after(
    effort: Effort,
    workload: Workload,
    writer: Writer,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Kills between the first and the last write of a transaction over many records."""
    for operation, words in OPERATIONS.items():
        counts = Counter(_kills(effort.kills, words.split(), workload, writer))
        assert _left(tmp_path) == []
        what = f"{effort.kills} kills in {operation}, {workload.store.location.split()[0]}"
        record_property("figure", f"{what}: {dict(counts)}")


def _kills(kills: int, words: Sequence[str], workload: Workload, writer: Writer) -> Iterator[str]:
    """Kill an operation several times, and yield how it left the store."""
    verb, *letters = words
    longest = 60.0
    for _ in range(min(3, (kills + 1) // 2)):
        _prepare(workload, verb)
        longest = min(longest, writer.seconds(verb, *letters[:1]))
    for _ in range(kills):
        _prepare(workload, verb)
        before = workload.state()
        letter = [letter for letter in letters if letter != before][:1]
        (after,) = letter or ["a" if verb == "undo" else EMPTY_STATE]
        process = writer.start(verb, *letter)
        time.sleep(random.uniform(0, 1.3 * longest))  # noqa: S311  # any instant
        with suppress(ProcessLookupError):  # it was done already
            os.kill(process, signal.SIGKILL)
        writer.ended()
        # Who reads before any writer has cleared up sees what all see afterwards; but a server
        # may still be doing what the killed program asked of it last.
        early = workload.states()
        workload.store.create(SIMULATIONS)
        read = workload.state()
        assert early == (read, read) or _has_server(workload.store)
        assert read in {before, after}
        yield "before" if read == before else "after"


def _prepare(workload: Workload, verb: str) -> None:
    """Bring a store into a state in which an operation has all to do."""
    if verb == "undo":
        workload.fill("a")
        workload.fill("b")
    elif verb == "add":
        workload.clear()
    elif workload.state() == EMPTY_STATE:
        workload.fill("a")


def _has_server(store: Store) -> bool:
    return store.location.startswith(("Foundry", "PostgreSQL"))


def test_processes_that_write_at_once_lose_nothing(url: str, store: Store, effort: Effort) -> None:
    """Eight of them write records of their own and shared ones, in many transactions."""
    store.create(SIMULATIONS)
    store.create(OVERVIEW)
    script = """
import os
writers = []
for writer in range(8):
    if child := os.fork():
        writers.append(child)
        continue
    for number in range(int(sys.argv[2])):
        own, shared = run(f"{writer}-{number}"), run(f"shared-{number}")
        store.write([(SIMULATIONS, records(SIMULATIONS, own, shared)),
                     (OVERVIEW, records(OVERVIEW, overview(own["hash"], "rdf")))],
                    ConflictMode.skip)
    os._exit(0)
sys.exit(any(os.waitpid(writer, 0)[1] for writer in writers))
"""
    command = _command(script, url, effort.transactions)
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    hashes = [hash_ for rows in store.read(SIMULATIONS) for hash_ in rows["hash"].to_pylist()]
    numbers = range(effort.transactions)
    own = {f"{writer}-{number}" for writer in range(8) for number in numbers}
    assert sorted(hashes) == sorted(own | {f"shared-{number}" for number in numbers})
    assert store.count(OVERVIEW) == 8 * effort.transactions
    assert store_at(url, wait=0.1).delete(SIMULATIONS) == 9 * effort.transactions


WRITING = """
import select
workload = Workload(store, int(sys.argv[2]))
letter = "a"
while not select.select([sys.stdin], [], [], 0)[0]:
    letter = "b" if letter == "a" else "a"
    workload.fill(letter)
"""
"""Pushes with --force until its standard input is closed."""


def test_readers_always_see_a_complete_state(
    url: str,
    workload: Workload,
    effort: Effort,
    running: Callable[..., Any],
    record_property: Callable[[str, object], None],
) -> None:
    """Reading goes on while another program pushes with --force, until it was seen to often.

    What is read of several tables is of one write, but on Foundry, where each table is.
    """
    last, changes = workload.states(), 0
    seen = Counter([last])
    with running(_command(WRITING, url, effort.simulations), stdin=PIPE) as writer:
        while changes < effort.changes:
            assert writer.poll() is None
            now = workload.states()
            changes += now != last
            last = now
            seen[now] += 1
        writer.stdin.close()
        assert writer.wait(timeout=60) == 0
    assert {("a", "a"), ("b", "b")} <= set(seen)
    halves = {pair for pair in seen if len(set(pair)) > 1}
    foundry = workload.store.location.startswith("Foundry")
    assert not halves or foundry
    what = f"{seen.total()} reads while written, {workload.store.location.split()[0]}"
    record_property("figure", f"{what}: {changes} changes seen")
