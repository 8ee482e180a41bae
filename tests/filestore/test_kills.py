"""Programs that are killed while they store files."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from effort import FEW, MANY, Effort
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore, path_of
from mdfactory.testing.file_stores import digest_of, in_two_days

sys.path.append(str(Path(__file__).parent))

from putting import contents_of

PUTTING = Path(__file__).with_name("putting.py")


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=lambda one: one.name)
def effort(request: pytest.FixtureRequest) -> Effort:
    """How often a program is killed."""
    return request.param


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URL of a file store, and that of its server."""
    if request.param == "folder":
        return str(tmp_path / "files"), ""
    bucket = request.getfixturevalue("bucket")
    return f"s3://{bucket}/files", str(request.getfixturevalue("s3"))


def test_a_killed_program_leaves_no_half_file(
    place: tuple[str, str],
    effort: Effort,
    running: Callable[..., Any],
    record_property: Callable[[str, object], None],
) -> None:
    """Nor anything else that its repetition minds, or that a prune does not find."""
    files = open_file_store(*place)
    files.make()
    kills = effort.kills * (2 if place[1] and effort is FEW else 5)
    counts: Counter[str] = Counter()
    with running([sys.executable, PUTTING, *place], stdin=PIPE, stdout=PIPE, text=True) as program:

        def start(seed: int) -> int:
            program.stdin.write(f"{seed}\n")
            program.stdin.flush()
            return int(program.stdout.readline())

        longest = 60.0
        for _ in range(3):
            begun = time.monotonic()
            start(0)
            assert int(program.stdout.readline()) == 0
            longest = min(longest, time.monotonic() - begun)
        for seed in range(1, kills + 1):
            process = start(seed)
            time.sleep(random.uniform(0, longest))  # noqa: S311  # any instant
            with suppress(ProcessLookupError):  # it was done already
                os.kill(process, signal.SIGKILL)
            program.stdout.readline()
            counts[f"{_check_whole(files, seed)} of 3"] += 1
        for seed in range(1, kills + 1, 5):
            start(seed)
            assert int(program.stdout.readline()) == 0
            assert _check_whole(files, seed) == 3
    needed = {digest_of(content) for seed in range(kills + 1) for content in contents_of(seed)}
    left = list(files.unneeded(needed, in_two_days()))
    for file in left:
        files.remove(file)
    assert list(files.unneeded(needed, in_two_days())) == []
    if not place[1]:
        names = {path.name for path in Path(place[0], "sha256").glob("*/*")}
        assert names <= needed
    kind = "S3" if place[1] else "folder"
    left_over = f"{len(left)} temporary files or uploads pruned"
    record_property("figure", f"{kills} kills of a put, {kind}: files {dict(counts)}, {left_over}")


def _check_whole(files: FileStore, seed: int) -> int:
    """Check that those files of a seed that are there are whole, and return their number."""
    contents = {digest_of(content): content for content in contents_of(seed)}
    sizes = files.sizes(contents)
    for digest, size in sizes.items():
        assert size == len(contents[digest]), path_of(digest)
        assert b"".join(files.get(digest)) == contents[digest]
    assert files.marker(f"{seed:04}") in {None, f"sqlite:///{seed:04}"}
    return len(sizes)
