"""The line that says how to undo what a command has done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mdfactory.cli.session import Session
    from mdfactory.stores.recorder import Logged


def logged_line(logged: Logged | None, effect: str = "undo it") -> str:
    """Return the number of an operation and how to undo it; empty if nothing was written.

    Parameters
    ----------
    logged
        The operation in the log.
    effect
        What ``sync undo`` does with it: an undo of an undo is a redo.
    """
    if logged is None:
        return ""
    number, can_be_undone = logged
    if not can_be_undone:
        return f"operation {number}; it cannot be undone"
    return f"operation {number}; to {effect}: mdfactory sync undo {number}"


def note_operation(session: Session, effect: str = "undo it") -> None:
    """Print a note with the operation that the command has done, unless it wrote nothing."""
    if line := logged_line(session.store.logged, effect):
        session.terminal.note(session.next_command(line))
