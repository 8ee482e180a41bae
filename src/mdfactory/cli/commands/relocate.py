"""The command that updates the directories of records after folders were moved."""

from __future__ import annotations

import os

from mdfactory.cli.logged import note_operation
from mdfactory.cli.options import Command, DryRun
from mdfactory.cli.session import CurrentSession
from mdfactory.errors import counted

app = Command(name="relocate")


@app.default
def relocate(old: str, new: str, /, *, dry_run: DryRun = False, session: CurrentSession) -> None:
    """Update the directory of all records of moved folders, in one transaction.

    Files on disk are not touched, and other columns of the records do not change.

    Parameters
    ----------
    old
        Old path of the moved folder, or of a folder above all moved ones. It need not exist.
    new
        New path of OLD.

    Examples
    --------
    mdfactory sync relocate /scratch/md/lipids /archive/lipids --dry-run
    mdfactory sync relocate /scratch/md/lipids /archive/lipids
    """
    from mdfactory.campaign.discover import similar_path
    from mdfactory.sync.relocate import relocate

    with session.terminal.progress() as watch:
        relocated = relocate(
            session.store, old, new, dry_run=dry_run, command=session.command_line, watch=watch
        )
    if relocated.total and not os.path.isdir(relocated.new):
        similar = similar_path(new)
        session.terminal.warn(f"{relocated.new} does not exist on this machine{similar}")
    verb = "would be relocated" if dry_run else "relocated"
    records = counted(relocated.total, "record")
    lines = [f"  {table}: {number:,}" for table, number in relocated.tables.items() if number]
    session.terminal.result(
        "\n".join([f"{records} {verb} from {relocated.old} to {relocated.new}", *lines]),
        {
            "dry_run": dry_run,
            "old": relocated.old,
            "new": relocated.new,
            "tables": relocated.tables,
        },
        complete=not dry_run,
    )
    if not dry_run:
        note_operation(session)
