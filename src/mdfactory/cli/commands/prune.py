"""The command that removes unneeded files from the file store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mdfactory.cli.options import Command, DryRun, FileJobs, Yes
from mdfactory.cli.session import CurrentSession
from mdfactory.errors import counted, format_bytes

if TYPE_CHECKING:
    from mdfactory.sync.files.pruning import Unneeded

app = Command(name="prune")


@app.default
def prune(
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    jobs: FileJobs = None,
    session: CurrentSession,
) -> None:
    """Remove files from the file store that no record needs any more.

    A file is needed if a record of the store names it, or a record that an undo can bring back.
    Files younger than a day are kept, and so is all that the file store did not make. The store is
    locked while files are removed. If several stores use the file store, nothing is removed.

    Parameters
    ----------
    yes
        Do not ask for a confirmation.

    Examples
    --------
    mdfactory sync prune --dry-run
    mdfactory sync prune
    """
    from mdfactory.sync.files.pruning import find_unneeded
    from mdfactory.sync.files.pruning import prune as prune_files

    store, files, terminal = session.store, session.files, session.terminal
    with terminal.progress() as watch:
        found = find_unneeded(store, files, watch)
    if (found.files or found.unfinished) and not (yes or dry_run):
        terminal.confirm(f"Remove {_describe(found)} for good?", "nothing was removed")
    removed = found
    if not dry_run and (found.files or found.unfinished):
        with terminal.progress() as watch:
            removed = prune_files(store, files, jobs, watch)
    outcome = "would be removed; nothing was" if dry_run else "removed"
    text = f"{_describe(removed)} {outcome}"
    if not (found.files or found.unfinished):
        text = f"nothing to remove: no unneeded file in {files.location} is older than a day"
    terminal.result(text, {"dry_run": dry_run, **asdict(removed)}, complete=True)


def _describe(found: Unneeded) -> str:
    text = f"{counted(found.files, 'file')} ({format_bytes(found.size)})"
    if found.unfinished:
        text += f" and {counted(found.unfinished, 'unfinished upload')}"
    return f"{text} in {found.location}"
