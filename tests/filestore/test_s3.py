"""The contract of all file stores, for S3; prefixes and unfinished uploads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore, path_of
from mdfactory.testing import FileStoreTests
from mdfactory.testing.file_stores import (
    DIGEST,
    LARGE,
    SMALL,
    content_of,
    digest_of,
    in_two_days,
    put,
)
from s3_proxy import Proxy, pages_uploads
from s3_server import PAGE_KEYS

INITIATED = 1_289_422_113.0
"""When each upload to the server began, as it says."""


class TestS3(FileStoreTests):
    many = 2 * PAGE_KEYS + 5

    @pytest.fixture(autouse=True)
    def _data(self, s3: str, client: Any, bucket: str) -> None:
        self.server, self.client, self.bucket = s3, client, bucket

    def opened(self) -> FileStore:
        return open_file_store(f"s3://{self.bucket}/md/files", self.server)

    def raw_files(self) -> dict[str, bytes]:
        keys = list_keys(self.client, self.bucket)
        return {key.removeprefix("md/files/"): self._content(key) for key in keys}

    def raw_uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ()))

    def _content(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def raw_put(self, path: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"md/files/{path}", Body=content)


def list_keys(client: Any, bucket: str) -> list[str]:
    """Return the names of all files of a bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [str(each["Key"]) for page in pages for each in page.get("Contents", ())]


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        ("", ""),
        ("/files", "files/"),
        ("//files//", "files/"),
        ('/a b/it\'s "q" & <x>', 'a b/it\'s "q" & <x>/'),
        ("/100%/a+b%20c", "100%/a+b%20c/"),
        ("/me@lab:x/k=v", "me@lab:x/k=v/"),
        ("/🧪/ü", "🧪/ü/"),
        ("/a//b", "a//b/"),
    ],
)
def test_a_prefix_may_have_any_name(
    s3: str, client: Any, bucket: str, prefix: str, key: str
) -> None:
    files = open_file_store(f"s3://{bucket}{prefix}", s3)
    files.make()
    small, large = put(files, content_of(SMALL)), put(files, content_of(LARGE, 1))
    files.mark("0123", "sqlite:///one")
    paths = [path_of(small), path_of(large), "registries/0123"]
    assert sorted(list_keys(client, bucket)) == sorted(f"{key}{path}" for path in paths)
    assert b"".join(files.get(large)) == content_of(LARGE, 1)
    assert files.sizes([small, large]) == {small: SMALL, large: LARGE}
    assert files.markers() == {"0123": "sqlite:///one"}
    client.create_multipart_upload(Bucket=bucket, Key=f"{key}{path_of(DIGEST)}")
    unneeded = list(files.unneeded({small}, in_two_days()))
    assert [file.path for file in unneeded] == [path_of(large), path_of(DIGEST)]
    for file in unneeded:
        files.remove(file)
    assert list(files.unneeded({small}, in_two_days())) == []
    assert files.missing([small, large]) == {large}
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("prefix", ["", "pre", "pre/inner", "prefix2", "PRE"])
def test_files_and_uploads_of_other_prefixes_are_left(
    s3: str, client: Any, bucket: str, prefix: str
) -> None:
    names = ["", "pre/", "pre/inner/", "prefix2/", "pre", "PRE/", "pre2/sha256/ab/"]
    others = [f"pre/sha256/ab/{DIGEST}.zip", "pre/sha256/ab/x", f"pre/{DIGEST}", "data.bin"]
    keys = [*(f"{name}{path_of(DIGEST)}" for name in names), *others]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
        client.create_multipart_upload(Bucket=bucket, Key=key)
    files = open_file_store(f"s3://{bucket}/{prefix}", s3)
    for file in files.unneeded(set(), in_two_days()):
        files.remove(file)
    own = f"{prefix}/{path_of(DIGEST)}".lstrip("/")
    assert sorted(list_keys(client, bucket)) == sorted(set(keys) - {own})
    uploads = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert sorted(each["Key"] for each in uploads) == sorted(set(keys) - {own})


def test_young_uploads_are_left(s3: str, client: Any, bucket: str) -> None:
    files = open_file_store(f"s3://{bucket}/files", s3)
    client.create_multipart_upload(Bucket=bucket, Key=f"files/{path_of(DIGEST)}")
    assert list(files.unneeded(set(), INITIATED + 3_600)) == []
    (upload,) = files.unneeded(set(), INITIATED + 90_000)
    files.remove(upload)
    files.remove(upload)
    assert list(files.unneeded(set(), INITIATED + 90_000)) == []


def test_pages_of_uploads_are_listed_completely(s3: str, client: Any, bucket: str) -> None:
    """S3 lists 1,000 of them at a time; several may be of the same file."""
    keys = [f"files/{path_of(digest_of(bytes([number % 7])))}" for number in range(20)]
    expected = {client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys}
    with Proxy(s3) as proxy:
        proxy.fail(pages_uploads(3), on="?uploads")
        files = open_file_store(f"s3://{bucket}/files", proxy.url)
        uploads = [file.upload for file in files.unneeded(set(), in_two_days())]
    assert len(uploads) == 20
    assert set(uploads) == expected
    assert sum("uploads" in line for line in proxy.log) == 7


def test_marks_of_empty_folders_are_no_files(s3: str, client: Any, bucket: str) -> None:
    """Web consoles leave them where a folder was created."""
    files = open_file_store(f"s3://{bucket}/files", s3)
    for path in ("", "sha256", "sha256/", "sha256/ab", "sha256/ab/", "registries", "registries/"):
        client.put_object(Bucket=bucket, Key=f"files/{path}", Body=b"")
    assert files.markers() == {}
    assert files.missing([DIGEST]) == {DIGEST}
    assert list(files.unneeded(set(), in_two_days())) == []
    files.check_writing()


def test_threads_that_use_a_file_store_first_share_one_client(s3: str, bucket: str) -> None:
    files = open_file_store(f"s3://{bucket}/files", s3)
    start = Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: (start.wait(), files.mark(f"{number}", "")), range(8)))
    assert len(files.markers()) == 8


def test_requests_are_few(s3: str, bucket: str) -> None:
    """One a small file that is written or read, and one for each folder that is looked at."""
    with Proxy(s3) as proxy:
        files = open_file_store(f"s3://{bucket}/files", proxy.url)
        digests = [put(files, content_of(SMALL, seed)) for seed in range(5)]
        assert len(proxy.log) == 5
        assert [b"".join(files.get(digest)) for digest in digests]
        assert len(proxy.log) == 10
        files.sizes(digests)
        files.missing(digests)
        assert len(proxy.log) == 10 + 2 * len({digest[:2] for digest in digests})
        list(files.unneeded(set(digests), in_two_days()))
        assert len(proxy.log) <= 22
