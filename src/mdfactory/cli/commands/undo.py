"""The command that undoes an operation on the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mdfactory.cli.layout import change_lines, format_time
from mdfactory.cli.logged import note_operation
from mdfactory.cli.options import Command, DryRun
from mdfactory.cli.session import CurrentSession
from mdfactory.errors import one_line

if TYPE_CHECKING:
    from mdfactory.sync.log import Operation
    from mdfactory.sync.undo import Undone

app = Command(name="undo")


@app.default
def undo(
    operation: int | None = None, /, *, dry_run: DryRun = False, session: CurrentSession
) -> None:
    """Undo the latest operation on the store, or an earlier one, in one transaction.

    Records become what they were before the operation, including their times. Files on disk are
    not touched. If one of the records has changed since the operation, nothing is undone, and the
    record is named. An undo is an operation, too: run the command again to redo what it has undone.

    Parameters
    ----------
    operation
        Number of the operation, with which it begins in "mdfactory sync log"; a push prints it,
        too. Default: the latest operation that changed records or tables.

    Examples
    --------
    mdfactory sync undo --dry-run
    mdfactory sync undo
    mdfactory sync undo 12
    """
    from mdfactory.sync.undo import undo

    with session.terminal.progress() as watch:
        undone = undo(
            session.store, operation, dry_run=dry_run, command=session.command_line, watch=watch
        )
    lines = change_lines(undone.changes, undone.made, undone.dropped)
    session.terminal.result(
        "\n  ".join([_headline(undone, dry_run=dry_run), *lines]),
        {
            "dry_run": dry_run,
            "operation": undone.operation.number,
            "changes": undone.changes,
            "made": undone.made,
            "dropped": undone.dropped,
        },
        complete=not dry_run,
    )
    effect, latest = _reverse_effect(undone.operation), undone.operation.latest
    if undone.changed:
        note_operation(session, effect)
    elif undone.operation.is_undone:
        session.terminal.note(session.next_command(f"to {effect}: mdfactory sync undo {latest}"))


def _headline(undone: Undone, *, dry_run: bool) -> str:
    """Return the outcome, with number, time and command of the undone operation."""
    operation, entry = undone.operation, undone.operation.entries[0]
    be, verb = ("would be", "would be ") if dry_run else ("is", "")
    by = ""
    if not undone.changed:
        verb = "is already "
        by = f" (by operation {operation.latest})" if operation.is_undone else ""
    elif operation.origin:
        again, done = ("undone again", "redone") if operation.is_redo else ("redone", "undone")
        number = operation.number
        cause = f"operation {number}, which had {done} it, {be} undone"
        return f"operation {operation.origin} {verb}{again}: {cause}"
    when = f"({format_time(entry.time)})"
    return f"operation {operation.number} {when} {verb}undone{by}: {one_line(entry.command)}"


def _reverse_effect(operation: Operation) -> str:
    """Return what an undo of the undo of an operation does."""
    if operation.origin and not operation.is_redo:  # this one was a redo
        return f"undo operation {operation.origin} again"
    return f"redo operation {operation.origin or operation.number}"
