"""Which files of a folder are opened: the kernel tells, whoever opens them."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVENT = struct.Struct("iIII")
"""Watch, what happened, cookie, length of the name that follows: inotify(7)."""

IN_OPEN, IN_Q_OVERFLOW, IN_ISDIR = 0x20, 0x4000, 0x40000000


class Opened:
    """Files that were opened below a folder; what is new in it later is not seen."""

    def __init__(self, queue: int, folders: dict[int, str]) -> None:
        self._queue = queue
        self._folders = folders

    def wait(self, seconds: float = 60) -> None:
        """Wait until something is opened."""
        assert select.select([self._queue], [], [], seconds)[0], "nothing was opened"

    def names(self) -> list[str]:
        """Return the paths of the files that were opened since this was asked last, sorted."""
        found: set[str] = set()
        while True:
            try:
                events = os.read(self._queue, 2**16)
            except BlockingIOError:
                return sorted(found)
            at = 0
            while at < len(events):
                watch, mask, _, length = EVENT.unpack_from(events, at)
                at += EVENT.size + length
                assert not mask & IN_Q_OVERFLOW, "more happened than is told"
                name = os.fsdecode(events[at - length : at].rstrip(b"\0"))
                if name and not mask & IN_ISDIR:
                    found.add(f"{self._folders[watch]}/{name}")


@contextmanager
def opened(root: Path) -> Iterator[Opened]:
    """See which files of a folder, and of all below it, are opened in a ``with`` block."""
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        folders: dict[int, str] = {}
        for folder, _, _ in os.walk(root):
            watch = libc.inotify_add_watch(queue, os.fsencode(folder), IN_OPEN)
            assert watch >= 0, os.strerror(ctypes.get_errno())
            folders[watch] = folder
        yield Opened(queue, folders)
    finally:
        os.close(queue)
