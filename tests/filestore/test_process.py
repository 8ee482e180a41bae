"""Programs that use a file store: what they import, hold, log and leave when they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from s3_proxy import Proxy, hangs

LIBRARIES = ("fsspec", "s3fs", "aiobotocore", "botocore", "aiohttp", "asyncio")

SECRET = "seCRet/w+x%25y@z:q"  # noqa: S105
"""As in a URL; decoded it has a ``%``."""


def _run(script: str, *arguments: object, strict: bool = True, **environment: str) -> str:
    """Run a script, and return all that it prints; a warning at its end would be printed, too."""
    options = ["-W", "error"] if strict else []
    done = subprocess.run(
        [sys.executable, *options, "-c", script, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


USE = """
import hashlib, sys
from mdfactory.filestore import open_file_store
from mdfactory.testing.file_stores import LARGE, SMALL, content_of, put
files = open_file_store(*sys.argv[1:3])
files.make()
digests = [put(files, content_of(size)) for size in (SMALL, LARGE)]
files.settle(digests)
files.mark("0123", "here")
assert [len(b"".join(files.get(digest))) for digest in digests] == [SMALL, LARGE]
assert not files.missing(digests)
assert files.markers() == {"0123": "here"}
"""


def test_a_folder_needs_no_library(tmp_path: Path) -> None:
    loaded = f"print([name for name in {LIBRARIES} if name in sys.modules])"
    assert _run(USE + loaded, tmp_path / "files", "") == "[]\n"


def test_a_url_is_parsed_without_a_library() -> None:
    script = f"""
import sys
from mdfactory.filestore import open_file_store
print(open_file_store("s3://bucket/files").location)
print([name for name in {LIBRARIES} if name in sys.modules])
"""
    assert _run(script) == "s3://bucket/files\n[]\n"


def test_a_program_that_used_s3_ends_in_silence(s3: str, bucket: str) -> None:
    """No connection is left open, of which Python would warn."""
    assert _run(USE, f"s3://{bucket}/files", s3) == ""


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("on", ["uploadId", pytest.param("PUT", marks=pytest.mark.long)])
def test_an_interrupted_upload_ends_the_program(
    s3: str, bucket: str, on: str, running: Callable[..., Any]
) -> None:
    """Even if the server hangs; nothing is printed but the interrupt."""
    with Proxy(s3) as proxy:
        proxy.fail(hangs, on=on)
        command = [sys.executable, "-W", "error", "-c", USE, f"s3://{bucket}/files", proxy.url]
        with running(command, stderr=PIPE, text=True) as program:
            while not any(on in line for line in proxy.log):
                assert program.poll() is None
                time.sleep(0.01)
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=60)
    assert program.returncode != 0
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "unclosed" not in errors
    assert "Exception ignored" not in errors


MEMORY = """
import hashlib, sys
from mdfactory.filestore import open_file_store
from limited import memory
from mdfactory.testing.file_stores import content_of, put
url, endpoint, megabytes = sys.argv[1:]
files = open_file_store(url, endpoint)
files.make()
block = bytes(2**20)
def chunks():
    for number in range(int(megabytes)):
        yield number.to_bytes(4) + block[4:]
for digest in [put(files, content_of(9 * 2**20))]:
    list(map(len, files.get(digest)))
before = memory("VmRSS")
sha256 = hashlib.sha256()
for chunk in chunks():
    sha256.update(chunk)
digest = sha256.hexdigest()
assert files.put(digest, chunks(), int(megabytes) << 20) == int(megabytes) << 20
assert sum(map(len, files.get(digest))) == int(megabytes) << 20
print(memory() - before)
"""


@pytest.mark.parametrize("kind", ["folder", pytest.param("s3", marks=pytest.mark.long)])
def test_a_file_of_200_megabytes_is_streamed(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    place = [str(tmp_path / "files"), ""]
    if kind == "s3":
        place = [f"s3://{request.getfixturevalue('bucket')}", request.getfixturevalue("s3")]
    held = int(_run(MEMORY, *place, 200, PYTHONPATH=str(Path(__file__).parent.parent)))
    assert held < 64
    record_property("figure", f"file of 200 MB, {kind}: {held} MB more than after one of 9 MB")


LOG = """
import json, logging, os, sys, traceback
from mdfactory.errors import MDFactoryError
from mdfactory.filestore import open_file_store
from mdfactory.testing.file_stores import DIGEST, LARGE, content_of, put

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
VERBS = [lambda files: print(files, files.location, vars(files), files._backend._place),
         lambda files: files.mark("0123", "here"), lambda files: list(files.get(DIGEST)),
         lambda files: files.markers(), lambda files: put(files, content_of(LARGE))]
for url, endpoint, environment in json.loads(sys.argv[1]):
    os.environ.update(environment)
    print("==", url.rpartition("@")[2])
    for verb in VERBS[:2] if "127.0.0.1:9" in str((url, endpoint, environment)) else VERBS:
        try:
            verb(open_file_store(url, endpoint))
        except MDFactoryError as error:
            print(repr(error), error, error.details)
            traceback.print_exc(file=sys.stdout)
    for name in environment:
        del os.environ[name]
assert logging.getLogger().level == logging.DEBUG
"""


def test_no_secret_is_shown(s3: str, bucket: str) -> None:
    """Neither in messages and tracebacks nor in debug messages of whatever library."""
    account, broken, token = f"me:{SECRET}@", "127.0.0.1:9", {"AWS_SESSION_TOKEN": "seCRet"}
    cases = [
        (f"s3://{account}{bucket}/files", s3, {}),
        (f"s3://{account}{bucket}/files", f"http://{broken}", {}),
        (f"s3://{account}{bucket}/files?a=b", s3, {}),
        (f"s3://{account}", s3, {}),
        (f"gs://{account}{bucket}/files", "", {}),
        (f"sftp://{account}{broken}/files", "", {}),
        (f"sftp://{account}host:port/files", "", {}),
        (f"ftp://{account}{broken}/files", "", {}),
        (f"nonsense://{account}host/files", "", {}),
        (f"s3://{bucket}/files", f"http://me:seCRet@{broken}", {}),
        (f"s3://{bucket}/files", "", {"AWS_ENDPOINT_URL": f"http://me:seCRet@{broken}"}),
        (f"s3://{bucket}/files", s3, {"AWS_SECRET_ACCESS_KEY": "seCRet", **token}),
        (f"s3://{bucket}/files", s3, {"AWS_PROFILE": "none", **token}),
    ]
    printed = _run(LOG, json.dumps(cases), strict=False)
    assert printed.count("\n== ") + printed.startswith("== ") == len(cases)
    for name in ("s3", "gs", "sftp", "ftp", "nonsense"):
        assert f"{name}://me:***@" in printed
    shown = [line for line in printed.splitlines() if "seCRet" in line or "w+x" in line]
    assert shown == []


@pytest.mark.parametrize("library", ["s3fs", "fsspec", "aiobotocore"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(library: str) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
from mdfactory.errors import ConfigError
from mdfactory.filestore import open_file_store
try:
    open_file_store("s3://bucket/files").check_reading()
except ConfigError as error:
    print(error)
"""
    printed = _run(script)
    assert "s3://bucket/files needs a library" in printed
    assert printed.endswith("Run: pip install 'mdfactory[s3]'\n")


def test_missing_credentials_lead_to_how_they_are_given(s3: str, tmp_path: Path) -> None:
    script = """
import sys
from mdfactory.errors import FileStoreError
from mdfactory.filestore import open_file_store
try:
    open_file_store("s3://bucket/files", sys.argv[1]).check_reading()
except FileStoreError as error:
    print(error)
"""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    printed = _run(script, s3, HOME=str(tmp_path), **dict.fromkeys(names, ""))
    assert "Unable to locate credentials" in printed
    assert "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in printed
