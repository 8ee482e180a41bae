"""Work that waits for a slow file system, done ahead of its turn by several threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

__all__ = ["Ahead"]

TRIED: Final = 24
"""Pieces of work that are looked at, to tell whether threads pay."""

MANY: Final = 8
"""Threads where they pay: more would have to wait for each other, and not for the disk."""

PATIENCE: Final = 0.0005
"""Seconds that most pieces of work must wait, so that threads pay."""

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


class Ahead(Generic[Item, Result]):
    """Does work on items that are asked for one after the other. Close it, or use ``with``.

    Parameters
    ----------
    work
        What is done with an item; it is done by threads if there are any.
    jobs
        Number of threads; none if it is 1. If None, as many as pay: the first pieces of work are
        done without, and more than one thread does the others if those have waited, as for a
        file system on another machine. Where work computes, threads would only be in each
        other's way.
    """

    def __init__(self, work: Callable[[Item], Result], jobs: int | None) -> None:
        self._work = work
        self._jobs = jobs
        self._begun: dict[Item, Future[Result]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._done = 0
        self._slow = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def expect(self, items: Iterable[Item]) -> None:
        """Begin with the items that come next, as far as there are threads for them."""
        if not self._jobs or self._jobs == 1:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._jobs)
        for item in islice(items, 2 * self._jobs):
            if item not in self._begun:
                self._begun[item] = self._pool.submit(self._work, item)

    def of(self, item: Item) -> Result:
        """Return what the work on an item gives; it raises what that raises."""
        begun = self._begun.pop(item, None)
        if begun:
            return begun.result()
        return self._measured(item) if self._jobs is None else self._work(item)

    def each(self, items: Iterable[Item]) -> Iterator[Result]:
        """Yield what the work on each item gives, in their order."""
        rest = iter(items)
        next_ones: list[Item] = []
        while True:
            next_ones += islice(rest, max(1, 2 * (self._jobs or 1) - len(next_ones)))
            if not next_ones:
                return
            self.expect(next_ones)
            yield self.of(next_ones.pop(0))

    def skip(self, item: Item) -> None:
        """Forget an item that was expected, and is not asked for."""
        self._begun.pop(item, None)

    def _measured(self, item: Item) -> Result:
        """Do the work, and tell after some time whether threads pay."""
        begun, busy = time.perf_counter(), time.thread_time()
        result = self._work(item)
        worked = time.thread_time() - busy
        self._slow += time.perf_counter() - begun - worked > PATIENCE
        self._done += 1
        if self._done == TRIED:
            self._jobs = MANY if 2 * self._slow > TRIED else 1
        return result
