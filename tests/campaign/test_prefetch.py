"""`Prefetcher`: results in order, and threads only where they help."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from mdfactory.campaign import prefetch
from mdfactory.campaign.prefetch import (
    AUTOMATIC_THREADS,
    MAX_PREFETCHED_BYTES,
    SAMPLE_ITEMS,
    Prefetcher,
)


@dataclass
class Clock:
    """Clock that the items of a test advance, so that the load of the machine does not matter."""

    now: float = 0.0
    busy: float = 0.0

    def __call__(self) -> tuple[float, float]:
        return self.now, self.busy

    def spend(self, *, waiting: float, working: float) -> None:
        self.now += waiting + working
        self.busy += working


def _thread_ids(
    waits: range,
    jobs: int | None,
    *,
    waiting: float = 0.005,
    working: float = 0.0001,
    together: range = range(0),
) -> list[int]:
    """Return the ids of the threads that processed a hundred items, in order.

    Items in `waits` wait for the disk. Items in `together` wait for each other, which takes as
    many threads as there are items.
    """
    clock, threads = Clock(), list[int]()
    barrier = threading.Barrier(max(1, len(together)), timeout=60)

    def function(number: int) -> int:
        threads.append(threading.get_ident())
        clock.spend(waiting=waiting if number in waits else 0, working=working)
        if number in together:
            barrier.wait()
        return number

    with pytest.MonkeyPatch.context() as patch, Prefetcher(function, jobs) as prefetcher:
        patch.setattr(prefetch, "_clock", clock)
        assert list(prefetcher.map(range(100))) == list(range(100))
    return threads


@pytest.mark.parametrize("jobs", [None, 1])
def test_prefetcher_uses_no_threads_for_items_that_do_not_wait(jobs: int | None) -> None:
    assert set(_thread_ids(range(0), jobs)) == {threading.get_ident()}


def test_prefetcher_uses_no_threads_if_only_half_of_the_items_wait() -> None:
    """A few slow items are normal, such as the listing of the campaign's own folder."""
    assert set(_thread_ids(range(SAMPLE_ITEMS // 2), None)) == {threading.get_ident()}


def test_prefetcher_uses_no_threads_for_items_that_compute_longer_than_they_wait() -> None:
    threads = _thread_ids(range(100), None, waiting=0.005, working=0.02)
    assert set(threads) == {threading.get_ident()}


def test_prefetcher_uses_threads_for_items_that_wait() -> None:
    threads = _thread_ids(range(100), None, together=range(SAMPLE_ITEMS, SAMPLE_ITEMS + 2))
    assert set(threads[:SAMPLE_ITEMS]) == {threading.get_ident()}
    assert 1 < len(set(threads[SAMPLE_ITEMS:])) <= AUTOMATIC_THREADS


def test_prefetcher_uses_the_given_number_of_threads() -> None:
    threads = _thread_ids(range(100), 3, together=range(3))
    assert threading.get_ident() not in threads
    assert len(set(threads)) == 3


def test_map_raises_the_error_of_an_item_in_its_turn() -> None:
    def function(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with Prefetcher(function, 4) as prefetcher:
        results = prefetcher.map(range(10))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)


@pytest.mark.parametrize(
    ("size", "max_pending"), [(0, 8), (MAX_PREFETCHED_BYTES // 3, 3), (2 * MAX_PREFETCHED_BYTES, 1)]
)
def test_map_prefetches_few_items_with_large_results(size: int, max_pending: int) -> None:
    started: list[int] = []
    with Prefetcher(started.append, 4, lambda _: size) as prefetcher:
        for number, _ in enumerate(prefetcher.map(range(50))):
            assert number < len(started) <= number + max_pending
    assert sorted(started) == list(range(50))
