"""Whole files: read within bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mdfactory.files import UnreadableError, read_file


def test_a_file_is_read_with_what_it_was_like(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    raw, status = read_file(tmp_path / "file", 4)
    assert (raw, status.st_size) == (b"text", 4)
    assert status.st_ino == (tmp_path / "file").stat().st_ino


def _long(path: Path) -> None:
    path.write_bytes(b"12345")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_long, "is larger than 0 MiB"),
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "is not a file"),
        (_dangling, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_said_and_closed(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "it")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UnreadableError) as told:
        read_file(tmp_path / "it", 4)
    assert str(told.value) == reason
    assert os.listdir("/proc/self/fd") == before
