"""Absolute paths; listings of folders; bounded reads, creation and replacement of files."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeAlias
from uuid import uuid4

from mdfactory.errors import ConfigError, suggestion

log = logging.getLogger(__name__)

COPY_BYTES: Final = 2**20
"""Bytes that are copied at a time."""


LOCKLESS_ERRNOS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of file systems without locks: NFS without a lock daemon, Lustre without ``flock``."""


LINKLESS_ERRNOS: Final = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of file systems without hard links: exFAT, some CIFS and FUSE. They have no owners."""

REMEDIES_BY_ERRNO: Final = {
    errno.EACCES: "Change its permissions, or ask its owner to",
    errno.EPERM: "Change its permissions, or ask its owner to",
    errno.EROFS: "The disk is read-only",
    errno.ENOSPC: "Free some space on the disk, and try again",
    errno.EDQUOT: "Free some space in your quota, and try again",
    errno.EFBIG: "Free some space, or raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
}
"""Error of the operating system -> what a user can do."""

StrPath: TypeAlias = str | os.PathLike[str]

SURROGATE: Final = re.compile("[\udc80-\udcff]|(?P<other>[\ud800-\udfff])")
"""Character that no text has. By the first ones, Python represents bytes that are not UTF-8."""

UNSTORABLE: Final = "is not valid UTF-8, which stores require"
"""What is wrong with a path that is not `is_storable`."""


class UnreadableError(ValueError):
    """A file cannot be read or parsed; the message is the reason, without the path."""


def absolute_path(path: StrPath, parent: str = "") -> str:
    """Return an absolute path without ``..``, as the operating system resolves it.

    Symlinks are kept, except those before ``..``: ``link/..`` is the folder that contains what the
    link points to. If there is no such folder, the path leads nowhere and keeps its ``..``.

    Parameters
    ----------
    path
        Path, absolute or relative.
    parent
        Folder that a relative path is relative to. Default: the working directory.
    """
    joined = os.path.join(parent, path)
    if match := re.fullmatch(r"((?:.*/)?\.\.)(/.*)?", joined, re.DOTALL):
        upper, below = match.groups(default="")
        if not os.path.isdir(upper):
            return os.path.join(os.getcwd(), joined)
        joined = os.path.realpath(upper) + below
    return re.sub("^//", "/", os.path.abspath(joined))  # abspath keeps two slashes, not three


def expand_home(path: StrPath) -> str:
    """Return a path with ``~`` or ``~user`` at its beginning expanded.

    Raises
    ------
    ConfigError
        If nobody knows the home folder: a path that keeps its ``~`` would name a new folder.
    """
    text = os.fspath(path)
    if not text.startswith("~"):
        return text
    user = text.partition("/")[0][1:]
    home = os.environ.get("HOME", "/") if not user else "/"  # "/": the system is asked
    expanded = os.path.expanduser(text)
    if home.startswith("/") and expanded.startswith("/"):
        return expanded
    if user:
        raise ConfigError(f"{text}: there is no user {user}; write ./~{user} if it is a file name")
    raise ConfigError(f"{text}: the user has no home folder; set HOME, or write a path without ~")


def path_suggestion(path: str, names: Iterable[str]) -> str:
    """Return in parentheses which path was meant, given the names that there are in its folder."""
    folder, name = os.path.split(path.rstrip("/"))
    return suggestion(name, names, os.path.join(folder, ""))


def is_storable(path: str) -> bool:
    """Whether a path has no bytes that are not UTF-8."""
    return path.isascii() or not SURROGATE.search(path)


def escape_undecoded(text: str, backslash: str = "\\") -> str:
    r"""Return a text that may contain paths, with bytes that are not UTF-8 as escapes: ``\xfc``.

    Parameters
    ----------
    text
        The text.
    backslash
        How the result spells a backslash.
    """

    def escape(match: re.Match[str]) -> str:
        code = f"{ord(match[0]):04x}"
        return f"{backslash}u{code}" if match["other"] else f"{backslash}x{code[2:]}"

    return text if text.isascii() else SURROGATE.sub(escape, text)


class Listing(NamedTuple):
    """Names in one folder.

    Parameters
    ----------
    files
        Files, and symlinks to files.
    others
        Everything else: folders, pipes, symlinks to folders, dangling symlinks.
    folders
        Folders, sorted; without symlinks.
    links
        Symlinks to folders, sorted.
    """

    files: Collection[str] = ()
    others: Collection[str] = ()
    folders: Sequence[str] = ()
    links: Sequence[str] = ()


def list_folder(directory: StrPath) -> Listing:
    """List a folder in one go; only symlinks cost a system call each.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    with os.scandir(directory) as scan:
        entries = list(scan)
    files = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    if len(files) == len(entries):  # most folders of a campaign are simulations without results
        return Listing(files)
    others: set[str] = set()
    folders: list[str] = []
    links: list[str] = []
    for entry in entries:
        with suppress(OSError):  # a loop of symlinks
            if entry.is_file():
                files.add(entry.name)
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(entry.name)
        if entry.name not in files:
            others.add(entry.name)
    return Listing(files, others, sorted(folders), sorted(links))


def open_regular_file(path: str | Path, *, follow_link: bool = True) -> int:
    """Open a file for reading and return its descriptor; pipes and devices are refused.

    They may be endless, or wait for another program.

    Parameters
    ----------
    path
        Path of the file.
    follow_link
        Whether the path may be a symlink; to open one is an error otherwise.

    Raises
    ------
    UnreadableError
        If it is not a regular file.
    OSError
        If the file cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe would wait until another program writes to it.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_link else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    raise UnreadableError("is a directory" if stat.S_ISDIR(mode) else "is not a file")


def read_file(path: str | Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read a regular file of bounded size.

    Parameters
    ----------
    path
        Path of the file.
    max_bytes
        Maximum size of the file.

    Returns
    -------
    tuple
        The content, and the status of the file before the read. If the file changes during the
        read, its later status differs from the returned one, so that a cache reads it again.

    Raises
    ------
    UnreadableError
        If the file cannot be read, is too large, or is not a regular file. Its cause is the
        ``OSError``, if there was one.
    """
    try:
        handle = open_regular_file(path)
        status = os.fstat(handle)
        with os.fdopen(handle, "rb", buffering=0) as file:
            # Python allocates the requested number of bytes, so request the size of the file. One
            # more byte shows whether the file has grown in the meantime, or is too large.
            content = file.read(min(max_bytes, status.st_size) + 1)
            while status.st_size < len(content) <= max_bytes and (chunk := file.read(max_bytes)):
                content += chunk
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise UnreadableError(f"is larger than {max_bytes >> 20} MiB")
    return content, status


def create_file(path: StrPath, *, mode: int = 0o666, replaces: StrPath | None = None) -> int:
    """Create a file, and return its file descriptor.

    The permissions of a new file follow the umask. If its folder can be written by a group, the
    file belongs to that group, which may do with it what its owner may.

    Parameters
    ----------
    path
        Path of the file; it must not exist.
    mode
        Permissions of a new file, apart from the bits of the umask. Without any for a group, the
        file is private.
    replaces
        Path to which the file will be renamed. If there is a file, its mode, group and owner are
        kept, as far as permitted.

    Raises
    ------
    OSError
        If the file cannot be created, or exists.
    """
    folder = os.path.dirname(replaces or path) or "."
    if replaces is None and mode & stat.S_IRWXG and is_shared(folder):
        return _create_shared_file(os.fspath(path), mode)
    replaced = _replaced_status(replaces) if replaces else None
    permissions = stat.S_IMODE(replaced.st_mode) if replaced else mode
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, permissions)
    if replaced:
        for ids in ((-1, replaced.st_gid), (replaced.st_uid, -1)):
            with suppress(OSError):
                os.fchown(handle, *ids)
        _change_mode(handle, permissions)
    elif mode & stat.S_IRWXG:
        _share(handle, folder)
    return handle


def describe_file_error(error: OSError) -> str:
    """Return why a file cannot be read or written, and what to do if that is known."""
    remedy = REMEDIES_BY_ERRNO.get(error.errno or 0, "")
    return f"{error.strerror or error}. {remedy}".rstrip(". ")


@contextmanager
def _naming(path: StrPath, temporary: str) -> Iterator[None]:
    """Let an error of the block name the path that a temporary one becomes."""
    try:
        yield
    except OSError as error:
        if error.filename == temporary:
            error.filename = os.fspath(path)
        raise


def create_folder(path: Path) -> None:
    """Create a folder and its missing parents; do nothing if it exists.

    As for a file, a group that can write the parent of a new folder can write the folder. It
    appears under its name when it has its permissions, so that a kill leaves none that is private.
    """
    if path.is_dir():
        return
    create_folder(path.parent)
    if not is_shared(path.parent):
        path.mkdir(exist_ok=True)
        return
    temporary = _temporary_path(path)
    with _naming(path, temporary):
        os.mkdir(temporary)
    try:
        with _opened_folder(temporary) as handle:
            _share(handle, path.parent)
        os.rename(temporary, path)
    except OSError:
        os.rmdir(temporary)
        if not path.is_dir():  # else another program has created it meanwhile
            raise


def is_shared(folder: StrPath) -> bool:
    """Whether a folder can be written by its group."""
    return bool(os.stat(folder).st_mode & stat.S_IWGRP)


def find_sticky_owner(path: Path) -> str:
    """Return who may replace or remove a file, if the sticky bit of its folder forbids it to us.

    Empty if this user may, or if there is no file.
    """
    if not os.path.lexists(path):
        return ""
    folder = path.parent.stat()
    if not folder.st_mode & stat.S_ISVTX:
        return ""
    may_remove = os.geteuid() in {0, folder.st_uid, path.lstat().st_uid}
    return "" if may_remove else user_name_of(path)


def user_name_of(path: Path) -> str:
    """Return the name of the owner of a file, or the number of one without a name."""
    try:
        return path.owner()
    except (KeyError, FileNotFoundError):
        return f"user {path.lstat().st_uid}" if os.path.lexists(path) else "its owner"


def drop_other_names(path: Path) -> None:
    """Remove the temporary names of a file that were left if the program was killed."""
    status = path.lstat()
    if status.st_nlink == 1 or not stat.S_ISREG(status.st_mode):
        return
    for other in list_folder(path.parent).files:
        if _is_temporary_name(other, path.name):
            with suppress(OSError):
                if path.with_name(other).samefile(path):
                    path.with_name(other).unlink()


def _create_shared_file(path: str, mode: int) -> int:
    """Create a file that appears under its name when its group has its rights.

    Created in place, it would be private for good if the program were killed before it is shared.
    """
    temporary = _temporary_path(path)
    with _naming(path, temporary):
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    folder = os.path.dirname(path) or "."
    try:
        _share(handle, folder)
        os.link(temporary, path)
    except OSError as error:
        os.close(handle)
        if error.errno not in LINKLESS_ERRNOS:
            raise
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        _share(handle, folder)
    finally:
        with suppress(FileNotFoundError):  # the next program that opens the file removes it
            os.unlink(temporary)
    return handle


def _temporary_path(path: StrPath) -> str:
    """Return an unused hidden path in the folder of a file that will be renamed to its name."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:100]}-{uuid4().hex}")


def _is_temporary_name(name: str, final: str) -> bool:
    """Whether a name is one of `_temporary_path` for a file with a final name."""
    return bool(re.fullmatch(rf"\.{re.escape(final[:100])}-[0-9a-f]{{32}}", name))


@contextmanager
def _opened_folder(path: str) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _replaced_status(path: StrPath) -> os.stat_result | None:
    """Return the status of a regular file; None if there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _share(handle: int, folder: StrPath) -> None:
    """Give the group that can write a folder the rights of the owner of a new file in it."""
    if not is_shared(folder):
        return
    parent, status = os.stat(folder), os.fstat(handle)
    mode = status.st_mode | (status.st_mode & stat.S_IRWXU) >> 3
    if stat.S_ISDIR(mode):
        mode |= parent.st_mode & stat.S_ISGID
    with suppress(OSError):  # somebody who is not in the group keeps the file
        if status.st_gid != parent.st_gid:
            os.fchown(handle, -1, parent.st_gid)
        _change_mode(handle, stat.S_IMODE(mode))


def _change_mode(handle: int, mode: int) -> None:
    """Set the mode of a file; some file systems have none, and refuse."""
    with suppress(OSError):
        if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
            os.fchmod(handle, mode)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file into a new one and to the disk, with its mode and times as far as permitted.

    Raises
    ------
    UnreadableError
        If the source is a pipe or device.
    OSError
        If the source cannot be read, or the target exists or cannot be written.
    """
    with os.fdopen(open_regular_file(source), "rb") as original:
        status = os.fstat(original.fileno())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(target, flags, status.st_mode & 0o777)
        with os.fdopen(handle, "wb") as copy:
            _share(handle, target.parent)  # even if the original is private
            shutil.copyfileobj(original, copy, COPY_BYTES)
            copy.flush()
            with suppress(OSError):
                os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(handle)


@contextmanager
def replacing(
    path: StrPath, *, mode: int = 0o666, follow_link: bool = False, sync: bool = True
) -> Iterator[IO[bytes]]:
    """Open a temporary file that atomically replaces `path` if the block succeeds.

    Its permissions are those of `create_file`: a replaced file keeps its own.

    Parameters
    ----------
    path
        Path of the file to replace or create.
    mode
        Permissions of a new file, apart from the bits of the umask.
    follow_link
        For paths that the user has chosen: if `path` is a symlink, its target is replaced; a
        device or pipe cannot be replaced and is written to directly. If False, a symlink itself
        is replaced: somebody else may have put it there.
    sync
        Whether to write the file to the disk before it gets its name. If False, a power cut may
        leave an empty file under the name.

    Yields
    ------
    IO[bytes]
        The temporary file, open for writing.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file is then unchanged.
    """
    if follow_link and os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    target = os.path.realpath(path) if follow_link else path
    # A rename is atomic only within a file system, so the temporary file is in the same folder.
    temporary = _temporary_path(target)
    with _naming(target, temporary):
        handle = create_file(temporary, mode=mode, replaces=target)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk, if the file system supports that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        log.debug("cannot sync %s: %s", folder, error)


def open_lock_file(path: Path) -> int:
    """Open a lock file, which is created if it is missing, and return its file descriptor.

    Raises
    ------
    OSError
        If it cannot be opened for writing, or is a symlink: somebody else may have put it there.
    """
    with suppress(FileExistsError):
        if not os.path.lexists(path):
            return create_file(path)
    drop_other_names(path)
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW)


def describe_lock_error(error: OSError) -> str:
    """Return why a file cannot be locked, and what to do if its file system has no locks."""
    reason = error.strerror or str(error)
    if error.errno not in LOCKLESS_ERRNOS:
        return reason
    return (
        f"the file system does not support locks ({reason}). Mount it with locks (NFS: with lockd, "
        "Lustre: with -o flock), or use a folder on another disk"
    )


@cache
def find_lock_problem(path: Path) -> str:
    """Return why no program can lock a file; empty if locks work.

    SQLite reports some of these errors as a lock that another program holds. The file is opened
    once and stays open: to close it would release SQLite's own locks of this process (fcntl(2)).
    The locked byte is one that SQLite does not lock.
    """
    import fcntl

    try:
        fcntl.lockf(os.open(path, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB, 1)
    except OSError as error:
        return describe_lock_error(error) if error.errno in LOCKLESS_ERRNOS else ""
    return ""
