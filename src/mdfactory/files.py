"""Whole files: read within bounds; written beside their place, then put there."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["UnreadableError", "locked", "read_file", "replacing"]


class UnreadableError(ValueError):
    """A file that cannot be read, or not as what it should be; says why, in one line."""


def read_file(path: str | Path, largest: int) -> tuple[bytes, os.stat_result]:
    """Return what a file holds, and what it was like before it was read.

    Parameters
    ----------
    path
        The file.
    largest
        Bytes that it may have.

    Raises
    ------
    UnreadableError
        If it cannot be read, is larger, or is something like a pipe; from the error of the
        system if there was one.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # nobody may write to a pipe
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            is_folder = stat.S_ISDIR(status.st_mode)
            raise UnreadableError("is a directory" if is_folder else "is not a file")
        with os.fdopen(handle, "rb", buffering=0) as file:
            raw = file.read(min(largest, status.st_size) + 1)  # room is made for what is asked
            while status.st_size < len(raw) <= largest and (more := file.read(largest)):
                raw += more  # it has grown since
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(raw) > largest:
        raise UnreadableError(f"is larger than {largest >> 20} MiB")
    return raw, status


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` at the end of the block, if all went well.

    A replaced file keeps its mode, and a symlink its target. What is no regular file, such as
    a pipe, cannot be replaced and is written to as it is.

    Parameters
    ----------
    path
        The file.
    mode
        Mode of a new file; what the process gives to all of its files if None.

    Raises
    ------
    OSError
        If the file cannot be written. One that was there is left as it was.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    if target.exists():
        mode = target.stat().st_mode & 0o777
    elif mode is None:
        mode = 0o666 & ~_umask()
    handle, beside = tempfile.mkstemp(prefix=f".{target.name[:100]}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(mode)
        Path(beside).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, while the block lasts; wait for it if need be.

    The lock is one of the operating system (``flock``, which Linux also takes on network disks,
    and which keeps threads apart, too) and goes with the process that holds it, however that
    ends. The file itself stays.
    """
    import fcntl

    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
