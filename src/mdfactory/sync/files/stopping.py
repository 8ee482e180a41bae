"""Stop the threads that move files when the program is interrupted: a file may take hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Event

from mdfactory.errors import MDFactoryError


class StoppedError(MDFactoryError):
    """The block that moves files has ended."""


class Stopper:
    """Ends contents that are read in threads. Enter it after the pool of threads, as one ``with``.

    Then, at the end of the block, contents end before the pool waits for its threads.
    """

    def __init__(self) -> None:
        self._ended = Event()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._ended.set()

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a file.

        Raises
        ------
        StoppedError
            If the block has ended.
        """
        for chunk in chunks:
            if self._ended.is_set():
                raise StoppedError("interrupted")
            yield chunk
