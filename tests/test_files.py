"""Bounded reads and atomic replacement of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mdfactory.files import UnreadableError, locked, read_file, replacing


def test_read_file_returns_content_and_status(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    content, status = read_file(tmp_path / "file", 4)
    assert (content, status.st_size) == (b"text", 4)
    assert status.st_ino == (tmp_path / "file").stat().st_ino


def _write_five_bytes(path: Path) -> None:
    path.write_bytes(b"12345")


def _dangle(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_write_five_bytes, "is larger than 0 MiB"),
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "is not a file"),
        (_dangle, "cannot be read: No such file or directory"),
    ],
)
def test_read_file_gives_the_reason_and_closes_the_file(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "file")
    open_files = os.listdir("/proc/self/fd")
    with pytest.raises(UnreadableError) as caught:
        read_file(tmp_path / "file", 4)
    assert str(caught.value) == reason
    assert os.listdir("/proc/self/fd") == open_files


@pytest.mark.parametrize(
    ("present", "mode", "expected"),
    [(None, 0o666, 0o640), (None, 0o600, 0o600), (0o666, 0o666, 0o666), (0o644, 0o600, 0o644)],
)
def test_replacing_keeps_the_permissions_of_a_file_and_obeys_the_umask(
    tmp_path: Path, present: int | None, mode: int, expected: int
) -> None:
    path = tmp_path / "file"
    if present is not None:
        path.touch()
        path.chmod(present)
    umask = os.umask(0o027)
    try:
        with replacing(path, mode=mode) as file:
            file.write(b"content")
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == expected
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_does_not_follow_a_link_unless_it_is_told_to(tmp_path: Path) -> None:
    path, target = tmp_path / "link", tmp_path / "target"
    target.write_bytes(b"of somebody else")
    path.symlink_to(target)
    with replacing(path, follow_link=True) as file:
        file.write(b"by the user's choice")
    assert path.is_symlink()
    with replacing(path) as file:
        file.write(b"own")
    assert not path.is_symlink()
    assert path.read_bytes() == b"own"
    assert target.read_bytes() == b"by the user's choice"


def test_locked_refuses_a_link(tmp_path: Path) -> None:
    path, target = tmp_path / "link", tmp_path / "target"
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"), locked(path):
        pass
    assert not target.exists()
