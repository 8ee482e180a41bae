"""Work that is done ahead of its turn: in order, by as many threads as pay."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from mdfactory.campaign.prefetch import (
    AUTOMATIC_THREADS,
    MAX_PREFETCHED_BYTES,
    SAMPLE_ITEMS,
    Prefetcher,
)


@dataclass
class Clock:
    """Tells the time that work would take, however busy the machine is."""

    now: float = 0.0
    busy: float = 0.0

    def __call__(self) -> tuple[float, float]:
        return self.now, self.busy

    def spend(self, *, waiting: float, working: float) -> None:
        self.now += waiting + working
        self.busy += working


def _threads(
    waits: range,
    jobs: int | None,
    *,
    waiting: float = 0.005,
    working: float = 0.0001,
    together: range = range(0),
) -> list[int]:
    """Return which threads did a hundred pieces of work, of which some wait for the disk.

    Those that are done `together` wait for each other: one thread alone would wait for ever.
    """
    clock, threads = Clock(), list[int]()
    meeting = threading.Barrier(max(1, len(together)), timeout=60)

    def work(number: int) -> int:
        threads.append(threading.get_ident())
        clock.spend(waiting=waiting if number in waits else 0, working=working)
        if number in together:
            meeting.wait()
        return number

    with Prefetcher(work, jobs, clock=clock) as prefetcher:
        assert list(prefetcher.map(range(100))) == list(range(100))
    return threads


@pytest.mark.parametrize("jobs", [None, 1])
def test_work_that_does_not_wait_is_done_without_threads(jobs: int | None) -> None:
    assert set(_threads(range(0), jobs)) == {threading.get_ident()}


def test_a_few_pieces_that_wait_are_no_reason_for_threads() -> None:
    """Such as the listing of the campaign's own folder, which may be long."""
    assert set(_threads(range(SAMPLE_ITEMS // 2), None)) == {threading.get_ident()}


def test_work_that_computes_longer_than_it_waits_is_done_without_threads() -> None:
    threads = _threads(range(100), None, waiting=0.005, working=0.02)
    assert set(threads) == {threading.get_ident()}


def test_work_that_waits_is_done_by_threads() -> None:
    threads = _threads(range(100), None, together=range(SAMPLE_ITEMS, SAMPLE_ITEMS + 2))
    assert set(threads[:SAMPLE_ITEMS]) == {threading.get_ident()}
    assert 1 < len(set(threads[SAMPLE_ITEMS:])) <= AUTOMATIC_THREADS


def test_as_many_threads_as_were_asked_for_do_the_work() -> None:
    threads = _threads(range(100), 3, together=range(3))
    assert threading.get_ident() not in threads
    assert len(set(threads)) == 3


def test_an_error_comes_where_its_item_comes() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with Prefetcher(work, 4) as prefetcher:
        results = prefetcher.map(range(10))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)


@pytest.mark.parametrize(
    ("weight", "most"), [(0, 8), (MAX_PREFETCHED_BYTES // 3, 3), (2 * MAX_PREFETCHED_BYTES, 1)]
)
def test_what_is_heavy_is_not_done_far_ahead(weight: int, most: int) -> None:
    begun: list[int] = []
    with Prefetcher(begun.append, 4, lambda _: weight) as prefetcher:
        for number, _ in enumerate(prefetcher.map(range(50))):
            assert number < len(begun) <= number + most
    assert sorted(begun) == list(range(50))
