"""Bounded reads of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mdfactory.files import UnreadableError, read_file


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
