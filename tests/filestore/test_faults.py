"""S3 that fails: passing faults are overcome, and an outage is never taken for a missing file."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from mdfactory.errors import FileStoreError, MissingFileError, WrongFileError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.backend import PART_BYTES
from mdfactory.filestore.file_store import FileStore
from mdfactory.filestore.remote import Remote
from mdfactory.filestore.urls import parse_place
from mdfactory.testing.file_stores import DIGEST, LARGE, SMALL, content_of, digest_of, put
from s3_proxy import (
    Fault,
    Proxy,
    answers,
    closes_answer_in_the_middle,
    cuts_answer,
    cuts_answer_in_the_middle,
    cuts_request,
    delays,
    hangs,
    shortens_answer,
)

Verb = Callable[[FileStore], object]

STORED, WANTED = content_of(LARGE, 1), content_of(LARGE, 2)

READS: dict[str, Verb] = {
    "sizes": lambda files: files.sizes([digest_of(STORED), DIGEST]),
    "missing": lambda files: files.missing([digest_of(STORED), DIGEST]),
    "get": lambda files: digest_of(b"".join(files.get(digest_of(STORED)))),
    "marker": lambda files: files.marker("0123"),
    "no marker": lambda files: files.marker("4567"),
    "markers": lambda files: files.markers(),
    "unneeded": lambda files: sorted(
        (file.path, file.size) for file in files.unneeded(set(), time.time() + 10**6)
    ),
    "check_reading": lambda files: files.check_reading(),
}

WRITES: dict[str, Verb] = {
    "put small": lambda files: put(files, content_of(SMALL)),
    "put large": lambda files: put(files, WANTED),
    "mark": lambda files: files.mark("0123", "sqlite:///one"),
    "check_writing": lambda files: files.check_writing(),
    "remove": lambda files: [
        files.remove(file) for file in files.unneeded(set(), time.time() + 10**6)
    ],
}

VERBS = READS | WRITES

PASSING: dict[str, tuple[Fault, int]] = {
    "503": (answers(503), 2),
    "SlowDown": (answers(503, "SlowDown", Retry_After="1"), 2),
    "InternalError": (answers(500, "InternalError"), 1),
    "request cut": (cuts_request, 2),
    "answer cut": (cuts_answer, 2),
    "answer cut in the middle": (cuts_answer_in_the_middle, 2),
    "answer ended in the middle": (closes_answer_in_the_middle, 1),
    "delay": (delays(0.3), 2),
}

LASTING: dict[str, Fault] = {
    "503": answers(503),
    "SlowDown": answers(503, "SlowDown", Retry_After="30"),
    "InternalError": answers(500, "InternalError"),
    "404 of a gateway": answers(404),
    "403": answers(403, "AccessDenied"),
    "key unknown": answers(403, "InvalidAccessKeyId"),
    "request cut": cuts_request,
    "answer cut": cuts_answer,
    "answer cut in the middle": cuts_answer_in_the_middle,
}

QUICK = {"404 of a gateway", "403", "key unknown"}


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    """A proxy for the server."""
    with Proxy(s3) as started:
        yield started


@pytest.fixture
def files(proxy: Proxy, bucket: str) -> FileStore:
    """A file store behind the proxy, with a file and a marker."""
    files = open_file_store(f"s3://{bucket}/files", proxy.url)
    put(files, STORED)
    files.mark("0123", "sqlite:///one")
    return files


@pytest.mark.parametrize("fault", ["SlowDown", "answer cut in the middle"])
def test_a_passing_fault_is_overcome(files: FileStore, proxy: Proxy, fault: str, s3: str) -> None:
    """Each kind of request fails once; the others are among the long tests."""
    _check_passing(files, proxy, PASSING[fault][0], 1, ["put large"], s3)


@pytest.mark.long
@pytest.mark.parametrize("fault", PASSING)
def test_all_passing_faults_are_overcome(
    files: FileStore, proxy: Proxy, fault: str, s3: str
) -> None:
    _check_passing(files, proxy, *PASSING[fault], list(WRITES), s3)


def _check_passing(
    files: FileStore, proxy: Proxy, harm: Fault, times: int, writes: list[str], s3: str
) -> None:
    """Check that all answers are as if nothing had happened."""
    expected = {name: verb(files) for name, verb in READS.items()}
    for on in ("GET", "uploads", "uploadId"):
        proxy.fail(harm, times, on)
    assert {name: verb(files) for name, verb in READS.items()} == expected
    for name in writes:
        proxy.heal()
        for on in ("PUT", "POST", "DELETE"):
            proxy.fail(harm, times, on)
        WRITES[name](files)
        if name == "put large":
            direct = open_file_store(files.location, s3)
            assert b"".join(direct.get(digest_of(WANTED))) == WANTED
            # An upload whose id was lost on the way back is left for a prune.
            assert len(list(direct._backend.uploads())) <= times


@pytest.mark.parametrize(
    "fault",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in LASTING],
)
def test_a_lasting_fault_is_an_error(
    files: FileStore, proxy: Proxy, fault: str, record_property: Callable[[str, object], None]
) -> None:
    """It is never taken for a file that is not there; how long it takes is printed."""
    proxy.fail(LASTING[fault])
    seconds = {name: _seconds_to_fail(files, verb) for name, verb in VERBS.items()}
    worst = max(seconds, key=seconds.__getitem__)
    record_property("figure", f"lasting {fault}: {seconds[worst]:.1f} s at most ({worst})")
    proxy.heal()
    assert b"".join(files.get(digest_of(STORED))) == STORED
    assert files.markers() == {"0123": "sqlite:///one"}


def _seconds_to_fail(files: FileStore, verb: Verb) -> float:
    begun = time.monotonic()
    with pytest.raises(FileStoreError) as caught:
        verb(files)
    assert not isinstance(caught.value, MissingFileError)
    assert files.location in str(caught.value)
    return time.monotonic() - begun


def test_a_fault_that_outlasts_the_repetitions_is_an_error(files: FileStore, proxy: Proxy) -> None:
    """One verb in every run; the others are among the long tests."""
    proxy.fail(answers(503))
    _seconds_to_fail(files, VERBS["sizes"])


@pytest.mark.long
@pytest.mark.parametrize("verb", ["missing", "get", "put small", "put large"])
def test_a_server_that_never_answers_is_an_error(
    bucket: str, proxy: Proxy, verb: str, record_property: Callable[[str, object], None]
) -> None:
    """It is waited for, a few times."""
    proxy.fail(hangs)
    place = parse_place(f"s3://{bucket}/files", proxy.url)
    seconds = _seconds_to_fail(FileStore(Remote(place, answer_seconds=1.0)), VERBS[verb])
    record_property("figure", f"server that never answers in 1 s, {verb}: {seconds:.0f} s")


@pytest.mark.long
def test_a_slow_line_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of 8 MiB needs half a minute, or several at once a minute each."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        Thread(target=_receive_slowly, args=(server, 250_000), daemon=True).start()
        port = server.getsockname()[1]
        files = open_file_store("s3://lab/files", f"http://127.0.0.1:{port}")
        content = content_of(PART_BYTES)
        assert files.put(digest_of(content), [content], PART_BYTES) == PART_BYTES


def _receive_slowly(server: socket.socket, bytes_per_second: int) -> None:
    connection, _ = server.accept()
    with connection:
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        head, _, body = received.partition(b"\r\n\r\n")
        if b"100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = PART_BYTES - len(body)
        while left:
            chunk = connection.recv(min(left, 16_384))
            left -= len(chunk)
            time.sleep(len(chunk) / bytes_per_second)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "x"\r\n\r\n')
        connection.recv(1)


@pytest.mark.parametrize("verb", ["get", pytest.param("put large", marks=pytest.mark.long)])
def test_a_server_that_is_not_there_is_an_error(bucket: str, verb: str) -> None:
    files = open_file_store(f"s3://{bucket}/files", "http://127.0.0.1:9")
    _seconds_to_fail(files, VERBS[verb])


def test_a_bucket_that_vanishes_is_an_error(s3: str, client: Any, bucket: str) -> None:
    files = open_file_store(f"s3://{bucket}/files", s3)
    files.check_reading()
    client.delete_bucket(Bucket=bucket)
    for verb in VERBS.values():
        with pytest.raises(FileStoreError, match=rf"s3://{bucket}/files .*bucket") as caught:
            verb(files)
        assert not isinstance(caught.value, MissingFileError)


def test_an_answer_that_was_shortened_is_never_the_content(files: FileStore, proxy: Proxy) -> None:
    """Whoever shortens it: the checksum tells."""
    proxy.fail(shortens_answer, on="GET")
    with pytest.raises(WrongFileError):
        list(files.get(digest_of(STORED)))


@pytest.mark.parametrize(
    "harm",
    [
        answers(403, "AccessDenied"),
        pytest.param(cuts_request, marks=pytest.mark.long),
        pytest.param(answers(500, "InternalError"), marks=pytest.mark.long),
    ],
)
def test_an_upload_that_fails_in_the_middle_leaves_no_file(
    files: FileStore, proxy: Proxy, harm: Fault
) -> None:
    proxy.fail(harm, on="partNumber=2")
    with pytest.raises(FileStoreError):
        put(files, WANTED)
    assert list(files._backend.uploads()) == []
    assert files.missing([digest_of(WANTED)]) == {digest_of(WANTED)}
    proxy.heal()
    put(files, WANTED)
    assert b"".join(files.get(digest_of(WANTED))) == WANTED
