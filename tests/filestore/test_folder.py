"""The contract of all file stores, for a folder, and disks that refuse."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mdfactory.errors import FileStoreError, MissingFileError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore, path_of
from mdfactory.testing import FileStoreTests
from mdfactory.testing.file_stores import LARGE, SMALL, content_of, digest_of, put
from members import ANN, BEN, NEEDS_MEMBERS, group_folder, taking_turns

RIGHTLESS = str(Path(__file__).parent.parent / "rightless.py")

CONTENT = content_of(SMALL)
STORED = digest_of(CONTENT)

READS: dict[str, Callable[[FileStore], object]] = {
    "sizes": lambda files: files.sizes([STORED]),
    "missing": lambda files: files.missing([STORED]),
    "get": lambda files: list(files.get(STORED)),
    "marker": lambda files: files.marker("0123"),
    "markers": lambda files: files.markers(),
    "unneeded": lambda files: list(files.unneeded(set(), time.time())),
    "check_reading": lambda files: files.check_reading(),
}

WRITES: dict[str, Callable[[FileStore], object]] = {
    "put": lambda files: put(files, CONTENT),
    "mark": lambda files: files.mark("0123", "here"),
    "check_writing": lambda files: files.check_writing(),
}

VERBS = READS | WRITES


class TestFolder(FileStoreTests):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.folder = tmp_path / 'it\'s a "folder" + 100% 🧪'

    def opened(self) -> FileStore:
        return open_file_store(str(self.folder))

    def raw_files(self) -> dict[str, bytes]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def raw_put(self, path: str, content: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a file store with one file, and return its folder."""
    files = open_file_store(str(tmp_path / "files"))
    files.make()
    put(files, CONTENT)
    return tmp_path / "files"


@pytest.fixture
def files(folder: Path) -> FileStore:
    """Open that file store."""
    return open_file_store(str(folder))


# Folders that are not there


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_is_not_there_is_an_error_that_names_the_command(
    tmp_path: Path, verb: str
) -> None:
    files = open_file_store(str(tmp_path / "none"))
    with pytest.raises(FileStoreError, match=r"none does not exist\. Run: mdfactory sync") as error:
        VERBS[verb](files)
    assert not isinstance(error.value, MissingFileError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_another_folder_is_no_file_store(tmp_path: Path, verb: str) -> None:
    """Such as the place of a disk that is not mounted."""
    with pytest.raises(FileStoreError, match=r"is no file store\. Run: mdfactory sync init"):
        VERBS[verb](open_file_store(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_vanishes_is_an_error(folder: Path, files: FileStore, verb: str) -> None:
    assert files.missing([STORED]) == set()
    shutil.rmtree(folder)
    with pytest.raises(FileStoreError, match="does not exist") as error:
        VERBS[verb](files)
    assert not isinstance(error.value, MissingFileError)


def test_a_folder_is_made_but_its_parent_is_not(tmp_path: Path) -> None:
    files = open_file_store(str(tmp_path / "disk" / "files"))
    with pytest.raises(FileStoreError, match=r"no folder .*/disk\. Is its disk mounted\?"):
        files.make()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "disk").mkdir()
    files.make()
    put(files, CONTENT)


@pytest.mark.parametrize("path", ["files", "files/sha256", f"files/sha256/{STORED[:2]}"])
def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path, path: str) -> None:
    files = open_file_store(str(tmp_path / "files"))
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    verbs: list[Callable[[], object]] = [
        lambda: put(files, CONTENT),
        lambda: files.sizes([STORED]),
        lambda: list(files.get(STORED)),
        lambda: files.missing([STORED]),
    ]
    if path != f"files/sha256/{STORED[:2]}":
        verbs.append(files.make)
    for verb in verbs:
        with pytest.raises(FileStoreError, match="files") as error:
            verb()
        assert not isinstance(error.value, MissingFileError)


def test_a_file_store_may_be_a_link_to_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    files = open_file_store(str(tmp_path / "link"))
    assert files.missing([STORED]) == set()
    files.make()
    digest = put(files, b"new")
    assert (folder / path_of(digest)).read_bytes() == b"new"


# What is there in place of a file


def _link(path: Path) -> None:
    other = path.parent.parent.parent / "other"
    other.write_bytes(CONTENT)
    path.symlink_to(other)


OTHERS: dict[str, Callable[[Path], object]] = {
    "link": _link,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "pipe": os.mkfifo,
    "directory": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_file_is_not_there(folder: Path, files: FileStore, kind: str) -> None:
    """It is never followed, waited for or pruned; all but a directory is replaced."""
    path = folder / path_of(STORED)
    path.unlink()
    OTHERS[kind](path)
    assert files.sizes([STORED]) == {}
    assert files.missing([STORED]) == {STORED}
    with pytest.raises(MissingFileError, match=STORED):
        list(files.get(STORED))
    assert list(files.unneeded(set(), time.time() + 10**6)) == []
    if kind == "directory":
        with pytest.raises(FileStoreError, match=rf"{STORED}: Is a directory"):
            put(files, CONTENT)
        assert [each.name for each in path.parent.iterdir()] == [STORED]
        return
    put(files, CONTENT)
    assert stat.S_ISREG(path.lstat().st_mode)
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == [STORED]


# Disks that refuse

REFUSED = """
import os, resource, signal, sys
from pathlib import Path
from mdfactory.errors import FileStoreError
from mdfactory.filestore import open_file_store
from mdfactory.testing.file_stores import LARGE, content_of, digest_of, put

how, place = sys.argv[1:]
files = open_file_store(f"{place}/files")
files.make()
first = put(files, b"first")
if how == "full":
    room = os.statvfs(place)
    Path(place, "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize - 2**22))
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**22, 2**22))
try:
    put(files, content_of(LARGE))
except FileStoreError as error:
    print(error)
assert len([path for path in Path(place, "files").rglob("*") if path.is_file()]) == 1
assert files.missing([first, digest_of(content_of(LARGE))]) == {digest_of(content_of(LARGE))}
if how == "full":
    Path(place, "ballast").unlink()
    put(files, content_of(LARGE))
"""


def _has_namespaces() -> bool:
    command = ["unshare", "--mount", "--map-root-user", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize(
    ("how", "reason"), [("full", "No space left on device"), ("limited", "File too large")]
)
def test_a_disk_without_room_is_an_error_and_leaves_nothing(
    tmp_path: Path, how: str, reason: str
) -> None:
    program = [sys.executable, "-c", REFUSED, how, str(tmp_path)]
    if how == "full":
        if not _has_namespaces():
            pytest.skip("no disk of our own may be mounted here")
        mount = 'mount -t tmpfs -o size=24m tmpfs "$1" && shift && exec "$@"'
        program = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(tmp_path)]
        program += [sys.executable, "-c", REFUSED, how, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    path = path_of(digest_of(content_of(LARGE)))
    location = f"{tmp_path}/files"
    assert done.stdout == f"the file store {location} cannot be written: {path}: {reason}\n"


RIGHTS = """
import os, sys
from pathlib import Path
from mdfactory.errors import FileStoreError, MissingFileError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.backend import StoredFile
from mdfactory.filestore.file_store import path_of
from mdfactory.testing.file_stores import put

def check(name, mode, refused, allowed=()):
    path = Path(sys.argv[1], name)
    before = path.stat().st_mode
    path.chmod(mode)
    for verb in allowed:
        verb()
    for verb in refused:
        try:
            verb()
        except MissingFileError as error:
            print("missing", error)
        except FileStoreError as error:
            print("Permission denied" in str(error) and sys.argv[1] in str(error))
        else:
            print("not refused")
    path.chmod(before)

files = open_file_store(sys.argv[1])
digest = put(files, b"content")
folder = f"sha256/{digest[:2]}"
get, look = lambda: list(files.get(digest)), lambda: files.sizes([digest])
other = StoredFile(f"{folder}/x", 0, 0)
write, remove = lambda: put(files, b"content"), lambda: files.remove(other)
Path(sys.argv[1], folder, "x").touch()
mark, marker = lambda: files.mark("0123", "x"), lambda: files.marker("0123")
mark()
check(folder, 0o555, [write, remove], [get, look])
check(folder, 0o000, [write, get, look, lambda: files.missing([digest])])
check("sha256", 0o555, [lambda: put(files, b"of a new folder 2"), ], [write, get])
check("sha256", 0o000, [write, get, look, lambda: files.missing([digest]),
      lambda: list(files.unneeded(set(), 0)), files.check_writing])
check(path_of(digest), 0o000, [get], [write, look])
check("registries", 0o555, [mark], [marker, files.markers, files.check_reading])
check("registries", 0o000, [mark, marker, files.markers, files.check_reading])
check(".", 0o000, [write, get, look, mark, marker, files.make])
"""


def test_what_is_not_permitted_is_an_error_and_never_a_missing_file(folder: Path) -> None:
    command = [sys.executable, RIGHTLESS, "-c", RIGHTS, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == [*["True"] * 25, ""]


# Rights of files


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_rights_follow_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files = open_file_store(str(tmp_path / "files"))
        files.make()
        put(files, CONTENT)
        put(files, CONTENT)
        files.mark("0123", "here")
    finally:
        os.umask(before)
    for path in (tmp_path / "files").rglob("*"):
        expected = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


SHARED = """
import os, sys
from mdfactory.filestore import open_file_store
from mdfactory.testing.file_stores import put
place, letter = sys.argv[1:]
files = open_file_store(f"{place}/files")
files.make()
digests = [put(files, b"shared"), put(files, letter.encode())]
files.mark(letter, "here")
files.check_writing()
assert [b"".join(files.get(digest)) for digest in digests] == [b"shared", letter.encode()]
for file in files.unneeded({digests[0]}, 10**12):
    files.remove(file)
print(len(files.markers()))
"""


@NEEDS_MEMBERS
@pytest.mark.parametrize("mode", [0o2775, 0o770])
def test_members_of_a_group_share_a_folder(mode: int) -> None:
    with group_folder(mode) as lab, taking_turns(SHARED, "x") as take:
        for number, (user, umask) in enumerate(((ANN, 0o077), (BEN, 0o022), (ANN, 0o027)), 1):
            done = take(user, umask, lab, str(number))
            assert not done.returncode, done.stderr
            assert done.stdout == f"{number}\n"
        for path in lab.rglob("*"):
            rights = stat.S_IRWXG if path.is_dir() else 0o060
            assert path.stat().st_mode & rights == rights, path
            assert path.stat().st_gid == lab.stat().st_gid, path
