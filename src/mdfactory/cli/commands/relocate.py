"""The command that tells the store that folders were moved."""

from __future__ import annotations

import os

from cyclopts import App

from mdfactory.cli.options import DryRun
from mdfactory.cli.session import Exit, Given, examples
from mdfactory.errors import counted

__all__ = ["app"]

app = App(
    name="relocate",
    help_epilogue=examples(
        "mdfactory sync relocate /scratch/md/lipids /archive/lipids --dry-run",
        "mdfactory sync relocate /scratch/md/lipids /archive/lipids",
    ),
)


@app.default
def relocate(old: str, new: str, /, *, dry_run: DryRun = False, session: Given) -> int:
    """Rewrite the directory of all records of folders that were moved, in one transaction.

    Nothing on disk is touched, and nothing else of the records changes.

    Parameters
    ----------
    old
        The folder that was moved, or was above what was moved; it need not exist any more.
    new
        Where it is now.
    dry_run
        Say what would be changed, and change nothing.
    """
    from mdfactory.sync.relocate import relocate

    with session.terminal.progress() as watch:
        moved = relocate(
            session.store(), old, new, dry_run=dry_run, command=session.typed, watch=watch
        )
    if moved.total and not os.path.isdir(moved.new):
        session.terminal.warn(f"there is no folder {moved.new} on this machine")
    lines = [f"  {table}: {number:,}" for table, number in moved.tables.items() if number]
    doing = "would be relocated" if dry_run else "relocated"
    head = f"{counted(moved.total, 'record')} {doing} from {moved.old} to {moved.new}"
    session.terminal.result(
        "\n".join([head, *lines]),
        {"dry_run": dry_run, "old": moved.old, "new": moved.new, "tables": moved.tables},
    )
    return Exit.done
