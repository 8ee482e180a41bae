"""Work that waits for a slow file system, done ahead of its turn by several threads."""

from __future__ import annotations

import time
from collections import deque
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
"""Seconds that most pieces of work must wait, and longer than they work, so that threads pay."""

HEAVY: Final = 16 * 2**20
"""Bytes of what is done ahead together, about; what is longer is done by itself."""

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


def _clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()  # that of Arrow's threads, too


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
    weigh
        Tells how much the work on an item will hold, in bytes, about.
    clock
        Tells seconds: those that have passed, and those that this process has computed.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        jobs: int | None,
        weigh: Callable[[Item], int] = lambda _: 0,
        clock: Callable[[], tuple[float, float]] = _clock,
    ) -> None:
        self._work = work
        self._jobs = jobs
        self._weigh = weigh
        self._clock = clock
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
        self.close()

    def close(self) -> None:
        """End the threads; what was begun and not asked for is given up."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def expect(self, items: Iterable[Item]) -> None:
        """Begin with the items that come next, as far as there are threads for them."""
        if not self._has_threads:
            return
        for item in islice(items, self._most):
            if item not in self._begun:
                self._begun[item] = self._begin(item)

    def of(self, item: Item) -> Result:
        """Return what the work on an item gives; it raises what that raises."""
        begun = self._begun.pop(item, None)
        return begun.result() if begun else self._at_once(item)

    def each(self, items: Iterable[Item]) -> Iterator[Result]:
        """Yield what the work on each item gives, in their order."""
        rest = iter(items)
        while not self._has_threads:
            item = next(rest, None)
            if item is None:
                return
            yield self._at_once(item)
        begun: deque[tuple[int, Future[Result]]] = deque()
        weight = 0
        for item in rest:
            own = self._weigh(item)
            while begun and (len(begun) == self._most or weight + own > HEAVY):
                weight -= begun[0][0]
                yield begun.popleft()[1].result()
            begun.append((own, self._begin(item)))
            weight += own
        while begun:
            yield begun.popleft()[1].result()

    def skip(self, item: Item) -> None:
        """Forget an item that was expected, and is not asked for."""
        self._begun.pop(item, None)

    @property
    def _has_threads(self) -> bool:
        return self._jobs is not None and self._jobs > 1

    @property
    def _most(self) -> int:
        """Number of items that are begun, at most: none of the threads waits for the next one."""
        return 2 * (self._jobs or 1)

    def _begin(self, item: Item) -> Future[Result]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._jobs)
        return self._pool.submit(self._work, item)

    def _at_once(self, item: Item) -> Result:
        """Do the work without a thread, and tell after some time whether threads pay."""
        if self._jobs is not None:
            return self._work(item)
        began, computed = self._clock()
        result = self._work(item)
        ended, computed_since = self._clock()
        computing = computed_since - computed
        self._slow += ended - began - computing > max(PATIENCE, computing)
        self._done += 1
        if self._done == TRIED:
            self._jobs = MANY if 2 * self._slow > TRIED else 1
        return result
