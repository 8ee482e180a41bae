"""Locks: how a writer waits for one, and what its holder says about itself."""

from __future__ import annotations

import errno
import logging
import os
import random
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from mdfactory.errors import StoreLockedError
from mdfactory.files import describe_lock_error, open_lock_file

log = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS: Final = 60.0
"""Time to wait for a lock, unless the user chooses another."""

SECONDS_BEFORE_WARNING: Final = 1.0
"""Time after which a waiting writer logs the holder of the lock."""

WAIT_LONGER: Final = "Try again later, or wait longer with --wait SECONDS"
"""What a user can do if another program holds a lock."""

UNKNOWN_HOLDER: Final = "another program"

MAX_HOLDER_BYTES: Final = 1000
"""Largest number of bytes read from a lock file, which describes the holder of the lock."""

FIRST_PAUSE_SECONDS: Final = 0.05
PAUSE_GROWTH: Final = 1.5
"""Longest first pause between two attempts, and the factor by which the next one may be longer."""


class LockWait:
    """A limited wait for locks, such as those of a store; the time limit starts with the object.

    A writer tries to take a lock, and calls `pause` after each failed attempt.

    Parameters
    ----------
    location
        What is locked, for messages.
    wait
        Seconds to wait, for all locks together.
    longest_pause
        Longest time between two attempts, in seconds.
    remedy
        What the user can do if the wait was in vain.
    """

    def __init__(
        self,
        location: str,
        wait: float,
        *,
        longest_pause: float = 0.05,
        remedy: str = WAIT_LONGER,
    ) -> None:
        self.location = location
        self._remedy = remedy
        self.wait = wait
        self._deadline = time.monotonic() + wait
        self._warning_time = time.monotonic() + SECONDS_BEFORE_WARNING
        self._longest_pause = longest_pause
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def remaining(self) -> float:
        """Seconds until the time limit; negative after it."""
        return self._deadline - time.monotonic()

    def pause(self, find_holder: Callable[[], str], remedy: str = "") -> None:
        """Sleep before the next attempt; warn once if the wait becomes long.

        The time is random, so that several waiting writers do not retry in step.

        Parameters
        ----------
        find_holder
            Returns the holder of the lock, for messages.
        remedy
            What the user can do if the wait was in vain. Default: that of this object.

        Raises
        ------
        StoreLockedError
            If the time limit is over.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise lock_error(self.location, self.wait, find_holder(), remedy or self._remedy)
        if time.monotonic() >= self._warning_time:
            self._warning_time = self._deadline + 1  # warn only once
            log.warning("waiting for %s, which holds %s", find_holder(), self.location)
        longest = min(self._pause, self._longest_pause, remaining)
        time.sleep(random.uniform(0.1, 1) * longest)  # noqa: S311  # jitter, no secret
        self._pause *= PAUSE_GROWTH


@contextmanager
def locked(path: Path, wait: LockWait) -> Iterator[None]:
    """Hold the exclusive lock of a file during the block; the file says who holds it.

    The lock excludes other processes and other threads: a ``flock`` belongs to the open file, not
    to the process. On network file systems, Linux converts it into a POSIX lock. The operating
    system releases it when the process ends, however it ends. The file is created if it is missing,
    and stays. One with a second name is locked, but not written: a copy by hard links has such
    files, and somebody else may have put it there.

    Parameters
    ----------
    path
        Path of the lock file.
    wait
        The wait for another holder.

    Raises
    ------
    StoreLockedError
        If another holder still has the lock at the end of that time.
    OSError
        If the file cannot be locked; or if it is a symlink, a pipe or a device: somebody else may
        have put it there.
    """
    handle = open_lock_file(path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file; remove it", str(path))
        while not _try_lock(handle, path):
            wait.pause(partial(_read_holder, handle))
        if status.st_nlink == 1:
            os.ftruncate(handle, 0)
            holder = f"process {os.getpid()} ({public_command()}) on {os.uname().nodename}"
            os.pwrite(handle, holder.encode(), 0)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int, path: Path) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:  # by file system
            return False
        raise OSError(error.errno, describe_lock_error(error), str(path)) from error
    return True


def _read_holder(handle: int) -> str:
    holder = os.pread(handle, MAX_HOLDER_BYTES, 0).decode(errors="replace")
    return holder or UNKNOWN_HOLDER


def lock_error(
    location: str, wait: float, holder: str, remedy: str = WAIT_LONGER
) -> StoreLockedError:
    """Return the error after a wait in vain.

    Parameters
    ----------
    location, wait
        As for `LockWait`.
    holder
        The holder of the lock.
    remedy
        What the user can do.
    """
    return StoreLockedError(f"{location} is held by {holder}; waited {wait:g} s. {remedy}")


def public_command(arguments: Sequence[str] | None = None) -> str:
    """Return the part of a command line that other users may read.

    This is the program, and those of the first arguments that consist of letters: options and
    their values may be secret.

    Parameters
    ----------
    arguments
        The command line, beginning with the program; that of this process if None.
    """
    program, *others = (sys.argv if arguments is None else arguments) or [""]
    if os.path.basename(program).startswith("python"):
        others = others[1:] if others[:1] == ["-m"] else others
        if others and not others[0].startswith("-"):
            program, *others = others
    words = [argument for argument in others[:3] if argument.isalpha()]
    return " ".join([os.path.basename(program) or "python", *words])
