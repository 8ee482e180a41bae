"""Every store under harm: kills at any instant, many writers at once, readers meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from mdfactory.records.tables import OVERVIEW, RUNS
from mdfactory.stores import store_at
from mdfactory.stores.base import Store
from mdfactory.testing.harm import EMPTY, clear, fill, state, states

FEW_KILLS = 2
"""Kills of each operation on each store, in every run of the tests."""

MANY_KILLS = int(os.environ.get("MDFACTORY_TEST_KILLS", "10"))
"""Kills in the long form of the tests."""

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
from mdfactory.records.tables import OVERVIEW, RUNS
from mdfactory.records.terms import Mode
from mdfactory.stores import store_at
from mdfactory.testing.harm import fill
from mdfactory.testing.records import overview, records, run

store = store_at(sys.argv[1], wait=60)
"""


def _command(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", COMMON + script, *arguments]


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
def writer(url: str, store: Store, running: Callable[..., Any]) -> Iterator[Writer]:
    """A writer to a store that is full of ``a``."""
    fill(store, "a")
    program = [sys.executable, "-m", "mdfactory.testing.harm", url]
    with running(program, stdin=PIPE, stdout=PIPE, text=True) as started:
        yield Writer(started)


@pytest.mark.parametrize("kills", [FEW_KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.long)])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_writer_leaves_the_store_as_before_or_as_after(
    operation: str,
    kills: int,
    store: Store,
    writer: Writer,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Kills between the first and the last write of a transaction over 3,000 records."""
    verb, *letters = OPERATIONS[operation].split()
    longest, counts = 60.0, Counter[str]()
    for _ in range(3):
        _prepare(store, verb)
        longest = min(longest, writer.seconds(verb, *letters[:1]))
    for _ in range(kills):
        _prepare(store, verb)
        before = state(store)
        letter = [letter for letter in letters if letter != before][:1]
        (after,) = letter or ["a" if verb == "undo" else EMPTY]
        process = writer.start(verb, *letter)
        time.sleep(random.uniform(0, 1.3 * longest))  # noqa: S311  # any instant
        with suppress(ProcessLookupError):  # it was done already
            os.kill(process, signal.SIGKILL)
        writer.ended()
        # Who reads before any writer has cleared up sees what all see afterwards; but a server
        # may still be doing what the killed program asked of it last.
        early = states(store)
        store.create(RUNS)
        read = states(store)
        assert early == read or _has_server(store)
        assert set(early) <= {before, after}
        assert _left(tmp_path) == []
        if _is_half(store, read, before, after):
            writer.seconds(verb, *letter)
            assert state(store) == after
        counts[{(before, before): "before", (after, after): "after"}.get(read, "half")] += 1
    what = f"{kills} kills in {operation}, {store.location.split()[0]}"
    record_property("figure", f"{what}: {dict(counts)}")


def _prepare(store: Store, verb: str) -> None:
    """Bring a store into a state in which an operation has all to do."""
    if verb == "undo":
        fill(store, "a")
        fill(store, "b")
    elif verb == "add":
        clear(store)
    elif state(store) == EMPTY:
        fill(store, "a")


def _has_server(store: Store) -> bool:
    return store.location.startswith(("Foundry", "PostgreSQL"))


def _is_half(store: Store, read: tuple[str, str], before: str, after: str) -> bool:
    """Whether one table is as before and the other as after, which Foundry alone may leave."""
    assert set(read) <= {before, after}
    half = len(set(read)) == 2
    assert not half or store.location.startswith("Foundry")
    return half


def test_processes_that_write_at_once_lose_nothing(url: str, store: Store) -> None:
    """Eight of them, ten transactions each, of records of their own and of shared ones."""
    store.create(RUNS)
    store.create(OVERVIEW)
    script = """
import os
writers = []
for writer in range(8):
    if child := os.fork():
        writers.append(child)
        continue
    for number in range(10):
        own, shared = run(f"{writer}-{number}"), run(f"shared-{number}")
        store.write([(RUNS, records(RUNS, own, shared)),
                     (OVERVIEW, records(OVERVIEW, overview(own["hash"], "rdf")))], Mode.skip)
    os._exit(0)
sys.exit(any(os.waitpid(writer, 0)[1] for writer in writers))
"""
    command = _command(script, url)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    hashes = [hash_ for rows in store.read(RUNS) for hash_ in rows["hash"].to_pylist()]
    own = {f"{writer}-{number}" for writer in range(8) for number in range(10)}
    assert sorted(hashes) == sorted(own | {f"shared-{number}" for number in range(10)})
    assert store.count(OVERVIEW) == 80
    assert store_at(url, wait=0.1).delete(RUNS) == 90


def test_readers_always_see_a_complete_state(
    url: str,
    store: Store,
    running: Callable[..., Any],
    record_property: Callable[[str, object], None],
) -> None:
    """Reading goes on while another program pushes with --force, twenty times.

    What is read of several tables is of one write, but on Foundry, where each table is.
    """
    fill(store, "a")
    seen = Counter[tuple[str, str]]()
    writing = _command("[fill(store, 'ba'[number % 2]) for number in range(20)]", url)
    with running(writing) as writer:
        while writer.poll() is None:
            seen[states(store)] += 1
        assert writer.returncode == 0
    assert {("a", "a"), ("b", "b")} <= set(seen)
    halves = {pair for pair in seen if len(set(pair)) > 1}
    assert not halves or store.location.startswith("Foundry")
    record_property("figure", f"{seen.total()} reads while written, {store.location.split()[0]}")
