"""URLs of file stores."""

from __future__ import annotations

import pytest

from mdfactory.errors import ConfigError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.urls import parse_place


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("s3://bucket", "bucket"),
        ("s3://bucket/", "bucket"),
        ("S3://bucket/md/files/", "bucket/md/files"),
        ("s3a://bucket//md", "bucket/md"),
        ('s3://bucket/a b/it\'s 100%+"é"🧪', 'bucket/a b/it\'s 100%+"é"🧪'),
        ("s3://bucket/me@lab:x", "bucket/me@lab:x"),
        ("gs://bucket/md/files", "bucket/md/files"),
        ("sftp://host/md/files/", "/md/files"),
        ("sftp://me@host:2222/md", "/md"),
    ],
)
def test_a_url_is_a_bucket_or_host_and_a_path(url: str, path: str) -> None:
    place = parse_place(url)
    assert place.path == path
    assert place.location == url
    assert place.protocol == url.partition("://")[0].lower()


@pytest.mark.parametrize(
    ("account", "user", "secret"),
    [
        ("AKIA123:a/b+c", "AKIA123", "a/b+c"),
        ("AKIA123:a%2Fb%2Bc", "AKIA123", "a/b+c"),
        ("AKIA123:a@b:c%25", "AKIA123", "a@b:c%"),
        ("me%40lab:p%3Fw%23", "me@lab", "p?w#"),
    ],
)
def test_a_secret_of_a_url_is_passed_apart_from_it(account: str, user: str, secret: str) -> None:
    place = parse_place(f"s3://{account}@bucket/files", "https://s3.example.org")
    assert place.path == "bucket/files"
    assert place.location == f"s3://{account.partition(':')[0]}:***@bucket/files"
    assert place.options == {
        "key": user,
        "secret": secret,
        "endpoint_url": "https://s3.example.org",
    }
    host = parse_place(f"sftp://{account}@host:2222/files")
    assert host.options == {"host": "host", "port": 2222, "username": user, "password": secret}
    for text in (secret, account.partition(":")[2]):
        assert place.mask(f"wrong key: {text}!") == "wrong key: ***!"
        assert text not in repr(place)
        assert text not in str(host)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", r"section \[files\] has no URL.* config init --files FOLDER --yes"),
        ("://files", "expected a path, or a URL"),
        ("a b://files", "expected a path, or a URL"),
        ("s3://", "names no bucket or host"),
        ("s3:///files", "names no bucket or host"),
        ("sftp:///files", "names no bucket or host"),
        ("s3://me:secret@", "names no bucket or host"),
        ("s3://bucket/files?version=1", "no parameters"),
        ("s3://bucket/files#1", "no parameters"),
        ("s3://bucket/files?secret=1234", "no parameters"),
        ("gs://me:secret@bucket/files", "read from the environment"),
        ("sftp://host:port/files", r"[Pp]ort"),
        ("sftp://host:99999/files", r"[Pp]ort"),
        ("sftp://[host/files", "IPv6"),
    ],
)
def test_an_invalid_url_is_an_error_that_leads_to_the_configuration(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        open_file_store(url)
    assert "Run: mdfactory config " in str(error.value)
    assert "secret@" not in str(error.value)
    assert "1234" not in str(error.value)


@pytest.mark.parametrize(
    "endpoint", ["s3.example.org", "ftp://host", "https://me:secret@host", "https://me@host"]
)
def test_an_invalid_url_of_a_server_is_an_error(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"ENDPOINT_URL = .*expected a URL") as error:
        open_file_store("s3://bucket/files", endpoint)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["nonsense://host/files", "x+y://host/files"])
def test_an_unknown_protocol_is_an_error_that_names_it(url: str) -> None:
    with pytest.raises(ConfigError, match="fsspec knows no protocol") as error:
        open_file_store(url).check_reading()
    assert url in str(error.value)
    assert "Run: mdfactory config edit" in str(error.value)
