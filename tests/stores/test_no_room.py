"""A disk that is full: a small tmpfs of our own, so that it is really the disk that refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from mdfactory.errors import StoreError
from mdfactory.stores import store_at
from mdfactory.testing.harm import Workload

folder, kind, verb, letter, step = sys.argv[1:]
workload = Workload(store_at(f"{kind}:///{folder}", wait=5))
workload.fill("a")
workload.fill("b")
if verb == "add":
    workload.clear()
before = workload.state()
room = os.statvfs(folder)
free = room.f_bavail * room.f_frsize
for left in range(0, 2_000_000, int(step)):
    if left > free:
        break
    ballast = Path(folder, "ballast")
    ballast.write_bytes(bytes(free - left))
    try:
        getattr(workload, verb)(*([letter] if letter else []))
    except StoreError as error:
        assert "nothing was changed" in str(error), error
        said = "refused"
    else:
        said = "done"
    ballast.unlink()
    after = workload.state()
    assert (after == before) == (said == "refused"), (said, before, after)
    print(said, flush=True)
    if said == "done":
        break
"""

MOUNT = 'mount -t tmpfs -o size=24m tmpfs "$1" && shift && exec "$@"'


def _has_namespaces() -> bool:
    command = ["unshare", "--mount", "--map-root-user", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False).returncode == 0


@pytest.mark.skipif(not _has_namespaces(), reason="no disk of our own may be mounted here")
@pytest.mark.parametrize("kind", ["sqlite", "csv"])
@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("fill c", 600_000),
        ("undo", 600_000),
        *(
            pytest.param(verb, 130_000, marks=pytest.mark.long)
            for verb in ("add c", "fill c", "clear", "renew", "undo")
        ),
    ],
)
def test_a_full_disk_refuses_a_write_and_the_store_is_as_before(
    kind: str, verb: str, step: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    name, _, letter = verb.partition(" ")
    program = [sys.executable, "-c", SCRIPT, str(tmp_path), kind, name, letter, str(step)]
    mounted = ["sh", "-c", MOUNT, "sh", str(tmp_path), *program]
    command = ["unshare", "--mount", "--map-root-user", *mounted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    counts = Counter(done.stdout.split())
    assert counts["refused"] > 0
    record_property("figure", f"full disk, {name}, {kind}: {dict(counts)}")
