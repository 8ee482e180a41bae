"""The part of ``mdfactory sync pull artifacts`` that fetches files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mdfactory.cli.session import Exit, Session
from mdfactory.errors import counted, format_bytes

if TYPE_CHECKING:
    from mdfactory.sync.files.fetching import Fetched
    from mdfactory.sync.search import Search


def fetch_files(
    session: Session,
    path: Path,
    name: str | None,
    *,
    hash_prefix: str | None,
    simulation_type: str | None,
    search: Search,
    limit: int | None,
    jobs: int | None,
) -> int:
    """Fetch the files of artifacts into a folder, print their number, and return the exit code."""
    from mdfactory.sync.files.fetching import Fetched, pull_files
    from mdfactory.sync.files.output import OutputFolder
    from mdfactory.sync.unmatched import NO_MATCH, hash_note

    done = Fetched()
    try:
        with session.terminal.progress() as watch:
            pull_files(
                session.store,
                session.configured_files,
                OutputFolder(path),
                name,
                hash_prefix=hash_prefix,
                equal={"simulation_type": simulation_type},
                search=search,
                limit=limit,
                jobs=jobs,
                note=session.terminal.note,
                watch=watch,
                into=done,
            )
    except KeyboardInterrupt:
        session.terminal.note(f"{_describe(done, path)}. The same command goes on from there")
        raise
    session.terminal.problems((), done.skipped)
    if not (done.fetched or done.present or done.skipped):
        session.terminal.note(hash_note(session.store, hash_prefix) or NO_MATCH)
    session.terminal.result(
        _describe(done, path), {"output": str(path), **asdict(done)}, complete=True
    )
    return Exit.skipped if done.skipped else Exit.done


def _describe(done: Fetched, path: Path) -> str:
    size = f" ({format_bytes(done.fetched_bytes)})" if done.fetched else ""
    text = f"{counted(done.fetched, 'file')}{size} fetched to {path}"
    text += f", {done.present:,} there before" if done.present else ""
    return text + (f", {len(done.skipped):,} not fetched" if done.skipped else "")
