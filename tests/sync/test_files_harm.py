"""Pushes, pulls and prunes of files that are killed, and several at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from effort import FEW, MANY, Effort
from mdfactory import Results
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.files.fetching import pull_files
from mdfactory.sync.files.output import OutputFolder
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push, scope_of
from mdfactory.sync.verify.stored_files import StoredFileCheck
from mdfactory.sync.verify.verification import verify

pytestmark = pytest.mark.timeout(300 + 100 * MANY.kills)

MOVING = Path(__file__).with_name("moving.py")
HASHES = (
    "CC4D89E0997487E23A5CA417BC302361B5440904",
    "E6475BA8EB2617975EC267C2DC37732335CD9144",
    "FD017140D9BF9DC3E566983C44C59E634D032C4D",
)
SIZES = (10_000_000, 1_000_000, 0)
"""Sizes of the larger files of the simulations: the first one is sent in parts."""

THREE_DAYS_SECONDS = 3 * 86_400


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=lambda one: one.name)
def effort(request: pytest.FixtureRequest) -> Effort:
    """How often a program is killed."""
    return request.param


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URL of a file store, and that of its server."""
    if request.param == "folder":
        return str(tmp_path / "kept"), ""
    bucket, server = map(request.getfixturevalue, ("bucket", "s3"))
    return f"s3://{bucket}/kept", str(server)


@dataclass
class Lab:
    """A campaign with files, its store and its file store, and a program that moves the files."""

    store: Store
    campaign: Path
    files: FileStore
    program: Popen[str]

    def start(self, line: str) -> int:
        """Begin an operation, and return the number of its process."""
        assert self.program.stdin
        self.program.stdin.write(f"{line}\n")
        self.program.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the end of an operation, and return its wait status."""
        return int(self._line())

    def _line(self) -> str:
        assert self.program.stdout
        return self.program.stdout.readline()

    def seconds(self, line: str) -> float:
        """Return how long an operation takes that nobody kills."""
        begun = time.monotonic()
        self.start(line)
        assert self.end() == 0
        return time.monotonic() - begun

    def kill(self, line: str, seconds: float) -> str:
        """Kill an operation at any instant; say whether it had ended."""
        process = self.start(line)
        time.sleep(random.uniform(0, seconds))  # noqa: S311  # any instant
        with suppress(ProcessLookupError):  # it was done already
            os.kill(process, signal.SIGKILL)
        return "ended" if self.end() == 0 else "killed"

    def pushed(self) -> None:
        """Push the campaign with its files."""
        push(self.store, str(self.campaign), ConflictMode.update, scope_of("all"), files=self.files)

    def cleared(self) -> None:
        """Remove all records for good; the files stay."""
        results = list(ResultType)
        selection = select(self.store, simulations=True, overview=True, result_types=results)
        clear(self.store, selection, purge=True)

    def check(self) -> int:
        """Check that each file that a record names is there and right; return their number."""
        check = StoredFileCheck(self.files)
        verified = verify(self.store, files=check)
        assert verified.findings == []
        return check.checked

    def forget_files(self) -> None:
        """Remove all files from the file store."""
        for file in self.files.unneeded((), time.time() + THREE_DAYS_SECONDS):
            self.files.remove(file)


@pytest.fixture
def lab(
    tmp_path: Path,
    campaign: Path,
    place: tuple[str, str],
    running: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lab]:
    monkeypatch.chdir(campaign)
    for number, hash_ in enumerate(HASHES):
        size = SIZES[number]
        Path("large.bin").write_bytes(random.Random(number).randbytes(size))  # noqa: S311
        Results(hash_).record_artifact("large", "large.bin", move=True)
        for name in "abcdefgh":
            Path(f"{name}.txt").write_text(f"{name} of {hash_}", encoding="utf-8")
        files = [f"{name}.txt" for name in "abcdefgh"]
        Results(hash_).record_artifact("small", files, move=True)
    url = f"sqlite:///{tmp_path}/lab.db"
    store, files_ = store_at(url, wait=30), open_file_store(*place)
    initialise(store, simulations=True, results=list(ResultType))
    files_.make()
    command = [sys.executable, MOVING, url, campaign, *place]
    with running(command, stdin=PIPE, stdout=PIPE, text=True) as program:
        yield Lab(store, campaign, files_, program)


FILES = 6 + 3 + 24
"""Number of different files of the campaign."""


def _kills(effort: Effort) -> int:
    return effort.kills if effort is FEW else 5 * effort.kills


def test_a_killed_push_records_no_file_that_is_not_there(
    lab: Lab, effort: Effort, record_property: Callable[[str, object], None]
) -> None:
    longest = lab.seconds("push")
    assert lab.check() == FILES
    counts: Counter[str] = Counter()
    for _ in range(_kills(effort)):
        lab.cleared()
        lab.forget_files()
        counts[lab.kill("push", 1.2 * longest)] += 1
        counts[f"{lab.check()} files recorded"] += 1
    assert lab.seconds("push") > 0
    assert lab.check() == FILES
    record_property("figure", f"kills of push --files, {lab.files.location[:2]}: {dict(counts)}")


def test_a_killed_pull_leaves_only_right_files_and_goes_on(
    lab: Lab, effort: Effort, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lab.pushed()
    longest = lab.seconds(f"pull {tmp_path}/out")
    expected = _contents(tmp_path / "out")
    assert len(expected) == FILES
    shutil.rmtree(tmp_path / "out")
    counts: Counter[str] = Counter()
    for _ in range(_kills(effort)):
        counts[lab.kill(f"pull {tmp_path}/out", longest)] += 1
        fetched = _contents(tmp_path / "out")
        assert fetched.items() <= expected.items()
        if len(fetched) == FILES:
            shutil.rmtree(tmp_path / "out")
    done = pull_files(lab.store, lab.files, OutputFolder(tmp_path / "out"))
    assert done.fetched + done.present == FILES
    assert _contents(tmp_path / "out") == expected
    record_property("figure", f"kills of pull --files, {lab.files.location[:2]}: {dict(counts)}")


def _contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("place", ["folder"], indirect=True)  # on S3 no file can be made old
def test_a_killed_prune_removes_no_file_that_is_needed(
    lab: Lab,
    effort: Effort,
    place: tuple[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    kept = Path(place[0])
    lab.pushed()
    counts: Counter[str] = Counter()
    longest = 0.0
    for number in range(_kills(effort) + 1):
        for content in range(300):
            lab.files.put(*_unneeded(number, content))
        for path in kept.rglob("*"):
            os.utime(path, (time.time() - THREE_DAYS_SECONDS,) * 2)
        if not longest:
            longest = lab.seconds("prune")
            continue
        counts[lab.kill("prune", longest)] += 1
        assert lab.check() == FILES
    assert lab.seconds("prune") > 0
    assert lab.check() == FILES
    assert len([path for path in (kept / "sha256").rglob("*") if path.is_file()]) == FILES
    record_property("figure", f"kills of prune: {dict(counts)}")


def _unneeded(number: int, content: int) -> tuple[str, list[bytes], int]:
    data = f"{number} {content}".encode()
    return sha256(data).hexdigest(), [data], len(data)


@pytest.mark.parametrize(
    "place", ["folder", pytest.param("s3", marks=pytest.mark.long)], indirect=True
)
def test_eight_pushes_at_once_and_a_prune_lose_no_file(
    lab: Lab, place: tuple[str, str], running: Callable[..., Any], tmp_path: Path
) -> None:
    """The files are there, old, and needed by nothing when the pushes begin."""
    lab.pushed()
    lab.cleared()
    if not place[1]:
        for path in Path(place[0]).rglob("*"):
            os.utime(path, (time.time() - THREE_DAYS_SECONDS,) * 2)
    command = [sys.executable, MOVING, f"sqlite:///{tmp_path}/lab.db", lab.campaign, *place]
    lines = ["push\n"] * 8 + ["prune\n"] * 2
    with ExitStack() as stack:
        programs = []
        for line in lines:
            started = running(command, stdin=PIPE, stdout=PIPE, text=True)
            programs.append(stack.enter_context(started))
            programs[-1].stdin.write(line)
            programs[-1].stdin.flush()
        for program in programs:
            program.stdout.readline()
            assert int(program.stdout.readline()) == 0
    assert lab.check() == FILES
