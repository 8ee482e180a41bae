"""Rows of a file store: artifacts pushed with their files, and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from benchmarks.bench import Bench, Row, push
from benchmarks.measure import Work, cost
from mdfactory.filestore import open_file_store

FILES_EACH = 5
"""Files of the artifact of each simulation."""

KILOBYTES = 100
"""Size of each file."""


def files(bench: Bench, count: int) -> Iterator[Row]:
    """Compare pushes with files to pushes without, and to copying the files."""
    campaign = bench.artifacts(count // FILES_EACH, FILES_EACH, KILOBYTES)
    kept, config = bench.root / "kept", bench.root / "files.ini"
    config.write_text(f"[files]\nURL = {kept}\n", encoding="utf-8")
    with_files = ["--files", "--config", str(config)]
    empty, what = bench.empty(), "artifacts"
    plain = bench.ours(*push(campaign, what=what), start=empty)
    sending = _after(kept, bench.ours(*push(campaign, *with_files, what=what), start=empty))
    copied = bench.root / "copied"
    floors = [bench.floor(name, campaign, copied) for name in ("copy_files", "keep_files")]
    works = [sending, plain, *(_after(copied, floor) for floor in floors)]
    ours, without, copying, keeping = cost(works, bench.repeats)
    added = replace(ours, seconds=ours.seconds - without.seconds, cpu=ours.cpu - without.cpu)
    work = f"push artifacts --files, {count:,} files of {KILOBYTES} kB: what --files adds"
    yield Row(f"{work}, to hashing and copying", "1.5", added, copying)
    yield Row(f"{work}, to a copy that is on the disk", "", added, keeping)
    stored = bench.pushed(campaign, what, empty)
    cost([sending], 1)
    again = bench.ours(
        *push(campaign, "--update", *with_files, what=what), start=stored, known=True
    )
    plain = bench.ours(*push(campaign, "--update", what=what), start=stored, known=True)
    yield bench.compare(f"again --update --files, {count:,}, to without", "1.2", again, plain)


def _after(folder: Path, work: Work) -> Work:
    """Return a work that finds an empty file store, or an empty folder, each time.

    The one before is moved away. To remove it would measure that, too: for minutes, ext4 creates
    files slowly where others were removed.
    """

    def before() -> None:
        work.before()
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}-{uuid4().hex}"))
        open_file_store(str(folder)).make()

    return replace(work, before=before)
