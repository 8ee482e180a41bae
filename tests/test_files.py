"""Bounded reads and atomic replacement of files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mdfactory.errors import ConfigError
from mdfactory.files import (
    UnreadableError,
    absolute_path,
    copy_file,
    create_file,
    create_folder,
    drop_other_names,
    expand_home,
    read_file,
    replacing,
)


@pytest.mark.parametrize(
    ("home", "path", "expected"),
    [
        ("/home/me", "~", "/home/me"),
        ("/home/me", "~/x", "/home/me/x"),
        ("", "./~/x", "./~/x"),
        ("", "x~", "x~"),
        ("", "~/x", "~/x: the user has no home folder; set HOME, or write a path without ~"),
        ("me", "~", "~: the user has no home folder; set HOME, or write a path without ~"),
        ("/", "~no_one/x", "~no_one/x: there is no user no_one; write ./~no_one if it is a file"),
    ],
)
def test_a_home_folder_that_is_not_known_is_an_error(
    monkeypatch: pytest.MonkeyPatch, home: str, path: str, expected: str
) -> None:
    """A path that keeps its ~ would name a new folder."""
    monkeypatch.setenv("HOME", home)
    if ":" not in expected:
        assert expand_home(path) == expected
        return
    with pytest.raises(ConfigError) as refused:
        expand_home(path)
    assert str(refused.value).startswith(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("camp", "camp"),
        ("link/../camp", "real/camp"),
        ("link/..", "real"),
        ("link/", "link"),
        ("link/x", "link/x"),
        ("./link/.././/camp/", "real/camp"),
        ("link/../../camp", "camp"),
        ("real/link/../../camp", "camp"),
        ("real/deep/../link/x", "real/link/x"),
        ("..camp/x..", "..camp/x.."),
        ("{root}/link/../camp", "real/camp"),
        ("/{root}/camp", "camp"),
        ("/{root}/link/../camp", "real/camp"),
        ("new/x", "new/x"),
        ("new/../camp", "new/../camp"),
        ("file/../camp", "file/../camp"),
        ("loop/../camp", "loop/../camp"),
    ],
)
def test_absolute_path_is_the_one_of_the_operating_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    for folder in ("real/deep/x", "real/camp", "camp", "..camp/x.."):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    (tmp_path / "real" / "link").symlink_to("deep")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    path = path.format(root=tmp_path)
    assert absolute_path(path) == str(tmp_path / expected)
    assert os.path.exists(path) == os.path.exists(tmp_path / expected)
    assert not os.path.exists(path) or os.path.samefile(path, tmp_path / expected)


def test_absolute_path_is_relative_to_a_parent(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    assert absolute_path("../x", str(tmp_path / "link")) == str(tmp_path / "real" / "x")
    assert absolute_path("/x/y", str(tmp_path)) == "/x/y"


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


def test_an_error_names_the_file_to_be_written_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "x"
    with pytest.raises(FileNotFoundError) as caught, replacing(path):
        pass
    assert caught.value.filename == str(path)


@pytest.mark.parametrize(
    ("folder_mode", "mode", "expected"),
    [
        (0o770, 0o666, 0o660),
        (0o770, 0o600, 0o600),
        (0o770, 0o755, 0o770),
        (0o750, 0o666, 0o600),
    ],
)
def test_a_new_file_can_be_written_by_the_group_that_can_write_its_folder(
    tmp_path: Path, folder_mode: int, mode: int, expected: int
) -> None:
    tmp_path.chmod(folder_mode)
    umask = os.umask(0o077)
    try:
        os.close(create_file(tmp_path / "file", mode=mode))
        create_folder(tmp_path / "a" / "b")
    finally:
        os.umask(umask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == expected
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert folder.stat().st_mode & 0o777 == (0o770 if folder_mode & 0o020 else 0o700)


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_file_that_will_be_renamed_has_the_rights_of_its_last_folder(
    tmp_path: Path, *, is_shared: bool
) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    for folder, shared in ((first, not is_shared), (last, is_shared)):
        folder.mkdir()
        folder.chmod(0o775 if shared else 0o755)
    umask = os.umask(0o077)
    try:
        os.close(create_file(first / "new", replaces=last / "new"))
    finally:
        os.umask(umask)
    assert bool((first / "new").stat().st_mode & stat.S_IWGRP) is is_shared


def test_a_shared_file_or_folder_has_only_its_own_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    os.close(create_file(tmp_path / "file"))
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "file")
    create_folder(tmp_path / "folder")
    create_folder(tmp_path / "folder")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_the_other_name_of_a_file_whose_creation_was_killed_is_removed(tmp_path: Path) -> None:
    name = "a" * 32
    (tmp_path / "lock").touch()
    for kept in (f".lock-{name}", ".lock-copy", f".block-{name}"):
        (tmp_path / kept).touch()
    for other in (f".lock-{'b' * 32}", "mine"):
        os.link(tmp_path / "lock", tmp_path / other)
    drop_other_names(tmp_path / "lock")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"lock", "mine", f".lock-{name}", ".lock-copy", f".block-{name}"}


def test_a_copied_file_keeps_its_times_and_permissions(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    source.chmod(0o544)
    os.utime(source, ns=(10**18, 10**18))
    copy_file(source, target)
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode == source.stat().st_mode
    assert target.stat().st_mtime_ns == 10**18
