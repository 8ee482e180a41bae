"""Thread pool that starts work on the next items early, where the file system is slow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, Generic, Self, TypeVar

SAMPLE_ITEMS: Final = 24
"""Number of items that are processed without threads, to measure whether threads would help."""

AUTOMATIC_THREADS: Final = 8
"""Number of threads where they help; more would wait for each other, not for the disk."""

MIN_WAIT_SECONDS: Final = 0.0005
"""Waiting time above which an item is slow, if it also waits longer than it computes."""

MAX_PREFETCHED_BYTES: Final = 16 * 2**20
"""Approximate limit for the size of all prefetched results; a larger one is prefetched alone."""

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


def _clock() -> tuple[float, float]:
    """Return wall-clock time and CPU time of this process in seconds."""
    return time.perf_counter(), time.process_time()  # the latter includes Arrow's threads


class Prefetcher(Generic[Item, Result]):
    """Calls a function for items; the next ones are processed early, in threads, if that is faster.

    Use it in a ``with`` block. Use either `map`, or `prefetch` with `get`.

    Parameters
    ----------
    function
        Called once for each item; by several threads at the same time if there are any.
    jobs
        Number of threads; 1 means none. Default: automatic. The first 24 items are then
        processed without threads. If most of them have waited longer than they computed, as on a
        network file system, 8 threads process the others. Otherwise threads would only block
        each other.
    estimate_bytes
        Returns the approximate size of the result for an item.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        jobs: int | None,
        estimate_bytes: Callable[[Item], int] = lambda _: 0,
    ) -> None:
        self._function = function
        self._jobs = jobs
        self._estimate_bytes = estimate_bytes
        self._futures: dict[Item, Future[Result]] = {}
        self._pool = ThreadPoolExecutor(jobs or AUTOMATIC_THREADS)  # starts threads when needed
        self._measured_items = 0
        self._slow_items = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the threads; calls that have not started are cancelled."""
        self._pool.shutdown(cancel_futures=True)

    def prefetch(self, items: Iterable[Item]) -> None:
        """Start the calls for the items that will be needed next, at most two for each thread."""
        if not self._has_threads:
            return
        for item in islice(items, self._max_pending):
            if item not in self._futures:
                self._futures[item] = self._pool.submit(self._function, item)

    def get(self, item: Item) -> Result:
        """Return the result for an item; it need not have been prefetched."""
        future = self._futures.pop(item, None)
        return future.result() if future else self._call(item)

    def discard(self, item: Item) -> None:
        """Drop the result for an item that was prefetched but is not needed."""
        self._futures.pop(item, None)

    def map(self, items: Iterable[Item]) -> Iterator[Result]:
        """Yield the result for each item, in order."""
        pending: deque[tuple[int, Future[Result]]] = deque()
        pending_bytes = 0
        for item in items:
            if not self._has_threads:
                yield self._call(item)
                continue
            size = self._estimate_bytes(item)
            while pending and (
                len(pending) == self._max_pending or pending_bytes + size > MAX_PREFETCHED_BYTES
            ):
                pending_bytes -= pending[0][0]
                yield pending.popleft()[1].result()
            pending.append((size, self._pool.submit(self._function, item)))
            pending_bytes += size
        while pending:
            yield pending.popleft()[1].result()

    @property
    def _has_threads(self) -> bool:
        return self._jobs is not None and self._jobs > 1

    @property
    def _max_pending(self) -> int:
        """Largest number of items in progress: for each thread, its current and its next item."""
        return 2 * (self._jobs or 1)

    def _call(self, item: Item) -> Result:
        """Call the function in this thread; measure it while the number of threads is undecided."""
        if self._jobs is not None:
            return self._function(item)
        started, cpu_started = _clock()
        result = self._function(item)
        ended, cpu_ended = _clock()
        elapsed, computing = ended - started, cpu_ended - cpu_started
        self._measured_items += 1
        self._slow_items += elapsed - computing > max(MIN_WAIT_SECONDS, computing)
        if self._measured_items == SAMPLE_ITEMS:
            self._jobs = AUTOMATIC_THREADS if 2 * self._slow_items > SAMPLE_ITEMS else 1
        return result
