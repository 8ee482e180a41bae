"""The contract suite for file stores: tests that every file store must pass.

Subclass `FileStoreTests` in the tests of a file store, and implement `opened`, `raw_files` and
`raw_put`. The last two access the files as another program would, without the file store, so that
reads and writes are tested separately.
"""

from __future__ import annotations

import hashlib
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Final

import pytest

from mdfactory.errors import FileStoreError, MissingFileError, WrongFileError
from mdfactory.filestore.backend import PART_BYTES
from mdfactory.filestore.file_store import MIN_AGE_SECONDS, FileStore, path_of

CHUNK_BYTES: Final = 2**20

SIZES: Final = (0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES)
"""Sizes of files, in bytes, around the size of a part."""

SMALL, LARGE = 100, PART_BYTES + CHUNK_BYTES + 1
"""Sizes of files that are sent as a whole and in parts."""

DIGEST: Final = "ab" * 32
"""SHA-256 of no file."""

NO_DIGESTS: Final = ("", "abc", "AB" * 32, "../" * 21 + "x", f"{DIGEST}\n", "é" * 64)

AWKWARD_LOCATIONS: Final = (
    "sqlite:///a b/ü",
    "CSV files in /x'y\"z; # 🧪",
    "",
    "x" * 5_000,
    " /blanks ",
    "/not UTF-8/\udcff",
)


def content_of(size: int, seed: int = 0) -> bytes:
    """Return content that differs from that of every other size and seed."""
    block = hashlib.sha256(f"{size} {seed}".encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of content: 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def chunks_of(content: bytes, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield content in chunks."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def put(files: FileStore, content: bytes) -> str:
    """Store content, and return its checksum."""
    digest = digest_of(content)
    assert files.put(digest, chunks_of(content), len(content)) == len(content)
    return digest


def in_two_days() -> float:
    """Return a time at which all files are old enough to be removed."""
    return time.time() + 2 * MIN_AGE_SECONDS


class FileStoreTests:
    """The contract suite. Every file store passes all of its tests."""

    @abstractmethod
    def opened(self) -> FileStore:
        """Return a new object for the same file store, which exists and is empty at first."""

    @abstractmethod
    def raw_files(self) -> dict[str, bytes]:
        """Return all files by their paths relative to the file store, temporary ones too."""

    @abstractmethod
    def raw_put(self, path: str, content: bytes) -> None:
        """Write a file as another program might."""

    @pytest.fixture
    def files(self) -> FileStore:
        """Make the file store."""
        files = self.opened()
        files.make()
        return files

    def raw_uploads(self) -> int:
        """Return the number of uploads that were not completed."""
        return 0

    # Content

    def test_files_are_stored_exactly(self, files: FileStore) -> None:
        contents = {digest_of(content): content for content in map(content_of, SIZES)}
        for content in contents.values():
            put(files, content)
        names = {f"sha256/{digest[:2]}/{digest}": contents[digest] for digest in contents}
        assert self.raw_files() == names
        other = self.opened()
        for digest, content in contents.items():
            chunks = list(other.get(digest))
            assert b"".join(chunks) == content
            assert max(map(len, chunks), default=0) <= PART_BYTES
            assert other.sizes([digest, DIGEST]) == {digest: len(content)}
        assert other.missing([*contents, DIGEST]) == {DIGEST}
        assert self.raw_uploads() == 0

    @pytest.mark.parametrize(
        ("size", "expected"), [(SMALL, 0), (SMALL, 2**40), (LARGE, 0), (LARGE, LARGE + 1)]
    )
    def test_the_expected_size_is_only_a_hint(
        self, files: FileStore, size: int, expected: int
    ) -> None:
        content = content_of(size)
        digest = digest_of(content)
        assert files.put(digest, chunks_of(content), expected) == size
        assert b"".join(files.get(digest)) == content

    def test_chunks_may_have_any_size(self, files: FileStore) -> None:
        content = content_of(3_000)
        chunks = [b"", *chunks_of(content, 1), b"", b""]
        digest = digest_of(content)
        assert files.put(digest, iter(chunks), 3_000) == 3_000
        large = content_of(3 * PART_BYTES, 1)
        files.put(digest_of(large), [large], len(large))
        assert [b"".join(files.get(each)) for each in (digest, digest_of(large))] == [
            content,
            large,
        ]

    def test_content_with_another_checksum_is_not_stored(self, files: FileStore) -> None:
        for size in (0, SMALL, PART_BYTES, LARGE):
            with pytest.raises(WrongFileError):
                files.put(DIGEST, chunks_of(content_of(size)), size)
        assert self.raw_files() == {}
        assert self.raw_uploads() == 0

    @pytest.mark.parametrize("reason", [RuntimeError, OSError, KeyboardInterrupt])
    def test_a_source_that_fails_stores_nothing(
        self, files: FileStore, reason: type[BaseException]
    ) -> None:
        """Its error is not taken for one of the file store."""

        def failing(size: int) -> Iterator[bytes]:
            yield from chunks_of(content_of(size))
            raise reason("the source")

        for size in (0, SMALL, LARGE):
            with pytest.raises(reason, match=r"^the source$"):
                files.put(digest_of(content_of(size)), failing(size), size)
        assert self.raw_files() == {}
        assert self.raw_uploads() == 0

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_a_stored_file_is_left_if_it_cannot_be_replaced(
        self, files: FileStore, size: int
    ) -> None:
        digest = put(files, content_of(size))
        with pytest.raises(WrongFileError):
            files.put(digest, chunks_of(content_of(size, 1)), size)
        assert b"".join(self.opened().get(digest)) == content_of(size)

    def test_equal_files_are_stored_once(self, files: FileStore) -> None:
        assert put(files, content_of(SMALL)) == put(self.opened(), content_of(SMALL))
        assert len(self.raw_files()) == 1

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_the_same_file_may_be_stored_by_many_threads_at_once(
        self, files: FileStore, size: int
    ) -> None:
        content = content_of(size)
        with ThreadPoolExecutor(8) as pool:
            digests = set(pool.map(lambda _: put(files, content), range(8)))
        assert self.raw_files() == {path_of(digest): content for digest in digests}
        assert self.raw_uploads() == 0

    def test_many_threads_store_and_read_files_at_once(self, files: FileStore) -> None:
        contents = [content_of(SMALL, seed) for seed in range(64)]
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(lambda content: put(files, content), contents))
            read = list(pool.map(lambda digest: b"".join(files.get(digest)), digests))
        assert read == contents
        assert files.missing(digests) == set()

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_a_wrong_file_is_found_when_it_is_read_and_can_be_replaced(
        self, files: FileStore, size: int
    ) -> None:
        content = content_of(size)
        digest = digest_of(content)
        for wrong in (b"", content[:-1], content + b"x", content[:-1] + b"\0")[
            (size > SMALL) * 2 :
        ]:
            self.raw_put(path_of(digest), wrong)
            with pytest.raises(WrongFileError):
                list(files.get(digest))
            assert files.sizes([digest]) == {digest: len(wrong)}
        put(files, content)
        assert b"".join(self.opened().get(digest)) == content
        assert files.sizes([digest]) == {digest: size}

    def test_a_file_that_is_not_there_is_told_from_an_outage(self, files: FileStore) -> None:
        with pytest.raises(MissingFileError, match=DIGEST):
            next(files.get(DIGEST))
        assert files.sizes([DIGEST]) == {}
        assert files.missing([DIGEST]) == {DIGEST}
        assert files.sizes([]) == {}
        assert files.missing([]) == set()

    def test_a_read_that_is_given_up_does_no_harm(self, files: FileStore) -> None:
        content = content_of(LARGE)
        digest = put(files, content)
        for _ in range(3):
            chunks = files.get(digest)
            next(chunks)
            chunks.close()  # type: ignore[attr-defined]  # a generator
        assert b"".join(files.get(digest)) == content

    def test_a_name_that_is_no_checksum_is_refused(self, files: FileStore) -> None:
        verbs: list[Callable[[str], object]] = [
            lambda name: files.put(name, iter([b"x"]), 1),
            lambda name: list(files.get(name)),
            lambda name: files.sizes([name]),
            lambda name: files.missing([name]),
            lambda name: files.settle([name]),
        ]
        for verb, name in product(verbs, NO_DIGESTS):
            with pytest.raises(FileStoreError, match="is no SHA-256"):
                verb(name)
        assert self.raw_files() == {}

    def test_settled_files_are_there(self, files: FileStore) -> None:
        digests = [put(files, content_of(SMALL, seed)) for seed in range(3)]
        files.settle(digests)
        files.settle([])
        assert files.missing(digests) == set()

    def test_folders_with_many_files_are_listed_completely(self, files: FileStore) -> None:
        """S3 lists 1,000 files at a time; a server for tests may list fewer."""
        digests = [f"ab{number:062x}" for number in range(self.many)]
        for digest in digests:
            self.raw_put(path_of(digest), b"x")
        assert files.sizes(digests) == dict.fromkeys(digests, 1)
        assert files.missing([*digests, DIGEST]) == {DIGEST}
        unneeded = [file.path for file in files.unneeded({digests[0]}, in_two_days())]
        assert sorted(unneeded) == [path_of(digest) for digest in digests[1:]]

    many = 1_001
    """Number of files of which a listing has several pages."""

    # What may be removed

    def test_files_that_are_not_needed_are_found_and_removed(self, files: FileStore) -> None:
        needed, other = put(files, content_of(SMALL)), put(files, content_of(LARGE))
        (file,) = files.unneeded({needed, DIGEST}, in_two_days())
        assert (file.path, file.size, file.upload) == (path_of(other), LARGE, "")
        assert abs(file.modified - time.time()) < MIN_AGE_SECONDS
        files.remove(file)
        files.remove(file)  # another program may have been faster
        assert list(self.raw_files()) == [path_of(needed)]
        assert self.opened().missing([needed, other]) == {other}

    def test_young_files_are_left(self, files: FileStore) -> None:
        digest = put(files, content_of(SMALL))
        self.raw_put(f"sha256/00/.{digest}-{'0' * 32}", b"")
        assert list(files.unneeded(set(), time.time())) == []
        assert list(files.unneeded(set(), time.time() + MIN_AGE_SECONDS / 2)) == []

    def test_old_temporary_files_are_found(self, files: FileStore) -> None:
        digest = digest_of(b"")
        names = [f".{digest}-{'0' * 32}", f".{digest}-{os.urandom(16).hex()}", f".check-{'1' * 32}"]
        names.append(f"..check-{'1' * 32}-{'2' * 32}")
        for name in names:
            self.raw_put(f"sha256/{digest[:2]}/{name}", b"half")
        put(files, b"")
        found = [file.path for file in files.unneeded({digest}, in_two_days())]
        assert sorted(found) == sorted(f"sha256/{digest[:2]}/{name}" for name in names)
        assert files.sizes([digest]) == {digest: 0}

    def test_what_is_not_named_as_a_file_of_the_store_is_left(self, files: FileStore) -> None:
        paths = [
            f"sha256/ab/{DIGEST}.part",
            f"sha256/ab/{DIGEST.upper()}",
            f"sha256/ab/{DIGEST[:-1]}",
            f"sha256/ab/cd{DIGEST[2:]}",
            f"sha256/ab/deeper/{DIGEST}",
            f"sha256/ab/.{DIGEST}",
            f"sha256/ab/.{DIGEST}-{'0' * 31}",
            f"sha256/ab/.hidden-{'0' * 32}",
            'sha256/ab/notes it\'s "mine" + 100%.txt',
            f"sha256/abc/{DIGEST}",
            f"sha256/{DIGEST}",
            f"sha512/ab/{DIGEST}",
            f"{DIGEST}",
            "registries/0123",
            "readme 🧪.md",
        ]
        for path in paths:
            self.raw_put(path, b"x")
        assert list(files.unneeded(set(), in_two_days())) == []
        assert sorted(self.raw_files()) == sorted(paths)

    # Markers

    def test_a_new_file_store_has_no_markers(self, files: FileStore) -> None:
        assert files.markers() == {}
        assert files.marker("0123") is None

    def test_markers_name_the_stores_that_sent_files(self, files: FileStore) -> None:
        locations = {f"{number:04}": text for number, text in enumerate(AWKWARD_LOCATIONS)}
        for id_, location in locations.items():
            files.mark(id_, "elsewhere")
            files.mark(id_, location)
            assert files.marker(id_) == location
        assert self.opened().markers() == locations
        assert sorted(self.raw_files()) == [f"registries/{id_}" for id_ in locations]

    def test_a_marker_of_another_program_is_read_in_bounded_memory(self, files: FileStore) -> None:
        self.raw_put("registries/0123", b"\xff" * LARGE)
        self.raw_put("registries/4567", b"")
        self.raw_put("registries/.hidden", b"x")
        markers = files.markers()
        assert markers == {"0123": "", "4567": ""}

    # Checks

    def test_a_file_store_is_made_again_without_harm(self, files: FileStore) -> None:
        digest = put(files, content_of(SMALL))
        self.opened().make()
        assert files.missing([digest]) == set()

    def test_checks_leave_nothing(self, files: FileStore) -> None:
        files.check_reading()
        files.check_writing()
        assert self.raw_files() == {}

    def test_a_file_store_is_described_by_its_location(self, files: FileStore) -> None:
        assert files.location
        assert repr(files) == f"<FileStore at {files.location}>"
