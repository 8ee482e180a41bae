"""The command that undoes an operation on the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import DryRun
from mdfactory.cli.session import CurrentSession, Exit, examples, format_counts
from mdfactory.errors import one_line

if TYPE_CHECKING:
    from mdfactory.sync.undo import Undone

app = App(
    name="undo",
    help_epilogue=examples(
        "mdfactory sync undo --dry-run",
        "mdfactory sync undo",
        "mdfactory sync undo 12",
    ),
)


@app.default
def undo(
    operation: int | None = None, /, *, dry_run: DryRun = False, session: CurrentSession
) -> int:
    """Undo the latest operation on the store, or an earlier one, in one transaction.

    Records become what they were before the operation, including their times. Files on disk are
    not touched. If one of the records has changed since the operation, nothing is undone, and the
    record is named. An undo is an operation, too: to undo it, run the command again.

    Parameters
    ----------
    operation
        Number of the operation, from mdfactory sync log. Default: the latest operation that
        changed records or tables.
    """
    from mdfactory.sync.undo import undo

    with session.terminal.progress() as watch:
        undone = undo(
            session.store(), operation, dry_run=dry_run, command=session.command_line, watch=watch
        )
    lines = [
        f"  {table}: {format_counts(counts)}"
        for table, counts in undone.changes.items()
        if any(counts.values())
    ]
    for verb, tables in {"created": undone.made, "dropped": undone.dropped}.items():
        if tables:
            lines.append(f"  {verb}: {', '.join(tables)}")
    session.terminal.result(
        "\n".join([_headline(undone, dry_run=dry_run), *lines]),
        {
            "dry_run": dry_run,
            "operation": undone.operation.number,
            "changes": undone.changes,
            "made": undone.made,
            "dropped": undone.dropped,
        },
    )
    return Exit.done


def _headline(undone: Undone, *, dry_run: bool) -> str:
    """Return the outcome, with number, command and time of the undone operation."""
    entry = undone.operation.entries[0]
    command = f"{one_line(entry.command)} ({entry.time[:19].replace('T', ' ')} UTC)"
    outcome = "would be undone" if dry_run else "undone"
    if not undone.changed:
        outcome = "is already undone, nothing to change"
    return f"operation {undone.operation.number} {outcome}: {command}"
