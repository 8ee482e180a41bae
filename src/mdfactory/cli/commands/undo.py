"""The command that takes back what was done to the store."""

from __future__ import annotations

from cyclopts import App

from mdfactory.cli.options import DryRun
from mdfactory.cli.session import Exit, Given, examples, words_of
from mdfactory.errors import one_line

__all__ = ["app"]

app = App(
    name="undo",
    help_epilogue=examples(
        "mdfactory sync undo --dry-run",
        "mdfactory sync undo",
        "mdfactory sync undo 12",
    ),
)


@app.default
def undo(operation: int | None = None, /, *, dry_run: DryRun = False, session: Given) -> int:
    """Take back what was done to the store last: all of it, in one transaction.

    Records become what they were before, their times too; nothing on disk is touched. If anyone
    has changed one of them since, nothing is undone, and the record is named. An undo can itself
    be undone: type it again.

    Parameters
    ----------
    operation
        Number of the operation, from mdfactory sync log; the latest one that changed anything
        if it is not given.
    dry_run
        Say what would be changed, and change nothing.
    """
    from mdfactory.sync.undo import undo

    with session.terminal.progress() as watch:
        undone = undo(
            session.store(), operation, dry_run=dry_run, command=session.typed, watch=watch
        )
    number, entry = undone.operation.number, undone.operation.entries[0]
    doing = "would be undone" if dry_run else "undone"
    what = f"{one_line(entry.command)} ({entry.time[:19].replace('T', ' ')} UTC)"
    head = f"operation {number} {doing}: {what}"
    if not undone.changed:
        head = f"operation {number} is undone already, nothing is to be changed: {what}"
    lines = [
        f"  {table}: {words_of(counts)}"
        for table, counts in undone.changes.items()
        if any(counts.values())
    ]
    tables = {"made": undone.made, "dropped": undone.dropped}
    lines += [f"  {what}: {', '.join(names)}" for what, names in tables.items() if names]
    session.terminal.result(
        "\n".join([head, *lines]),
        {"dry_run": dry_run, "operation": number, "changes": undone.changes, **tables},
    )
    return Exit.done
