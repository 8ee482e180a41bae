"""The command that lists the operations on the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from mdfactory.cli.layout import change_lines, format_time
from mdfactory.cli.options import Command, Limit
from mdfactory.cli.session import CurrentSession, Session
from mdfactory.errors import counted, one_line

if TYPE_CHECKING:
    from mdfactory.sync.log import Operation

app = Command(name="log")


ENTRY_FIELDS: Final = ("time", "who", "host", "version", "command")
"""Fields of a log entry that are shown as columns and JSON keys of its operation."""


@app.default
def log(
    *,
    limit: Limit = None,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    session: CurrentSession,
) -> None:
    """List the operations on the store: time, user, command, and records changed per table.

    Operations are push, clear, init --force, copy, relocate and undo. The latest comes first. Each
    begins with its number, for "mdfactory sync undo NUMBER". The undo of an undo is a redo.

    Parameters
    ----------
    limit
        Maximum number of operations to show.
    all_
        On a terminal, also show operations that changed nothing. A pipe and --json get them always.

    Examples
    --------
    mdfactory sync log
    mdfactory sync log --limit 3
    mdfactory sync log --json
    """
    from mdfactory.records.query import Query
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.log import history

    Query(limit=limit).check(SIMULATIONS)
    operations = history(session.store)
    is_short = session.terminal.interactive and not all_
    listed = [operation for operation in operations if operation.changed or not is_short]
    shown = listed[:limit]
    if session.terminal.json:
        session.terminal.result("", {"operations": list(map(_json_values, shown))})
    elif not operations:
        session.terminal.note("the log of this store has no operations yet")
    elif session.terminal.interactive:
        blocks = ["\n".join(_lines(operation)) for operation in shown]
        session.terminal.result("\n\n".join(blocks), {})
        if hidden := len(operations) - len(listed):
            number = counted(hidden, "operation")
            session.terminal.note(f"{number} that changed nothing left out; --all shows all")
    else:
        _print_rows(session, shown)


def _print_rows(session: Session, operations: Sequence[Operation]) -> None:
    """Print a row of tab-separated values for each operation."""
    import pyarrow as pa

    from mdfactory.records.arrow import batch

    names = ("operation", *ENTRY_FIELDS, "changes", "state")
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = [
        (
            str(operation.number),
            *_entry_values(operation).values(),
            json.dumps(operation.changes),
            _history(operation),
        )
        for operation in operations
    ]
    session.terminal.rows([batch(rows, schema)], names)


def _lines(operation: Operation) -> Iterator[str]:
    """Yield the lines that describe an operation on a terminal."""
    entry = operation.entries[0]
    user = " on ".join(filter(None, (entry.who, entry.host)))
    yield f"{operation.number:>4}  {format_time(entry.time)}  {user}"
    yield f"      {one_line(entry.command)}"
    lines = [*change_lines(operation.changes, *_tables(operation)), _history(operation)]
    for line in lines:
        if line:
            yield f"      {line}"


def _history(operation: Operation) -> str:
    """Return what an undo goes back to, and whether an operation is in effect."""
    if operation.origin:
        kind = f"{'redo' if operation.is_redo else 'undo'} of {operation.origin}"
        return ", ".join(filter(None, (kind, _state(operation))))
    return _state(operation)


def _tables(operation: Operation) -> tuple[list[str], list[str]]:
    """Return the names of the tables that an operation created, and of those it dropped."""
    created = [name for entry in operation.entries for name in entry.made]
    dropped = [name for entry in operation.entries for name in entry.dropped]
    return created, dropped


def _entry_values(operation: Operation) -> dict[str, str]:
    return {name: getattr(operation.entries[0], name) for name in ENTRY_FIELDS}


def _state(operation: Operation) -> str:
    """Return whether an operation was undone, changed nothing or cannot be undone; else empty."""
    if operation.is_redone and not operation.origin:
        return f"undone by {operation.undone_by}, redone by {operation.latest}"
    if operation.undone_by:
        return f"undone by {operation.undone_by if operation.origin else operation.latest}"
    if not operation.changed:
        return "changed nothing"
    return "" if operation.can_be_undone else "cannot be undone any more"


def _json_values(operation: Operation) -> dict[str, Any]:
    """Return an operation as a JSON object."""
    created, dropped = _tables(operation)
    return {
        "operation": operation.number,
        **_entry_values(operation),
        "changes": operation.changes,
        "made": created,
        "dropped": dropped,
        "undoes": operation.entries[0].undoes or None,
        "undone_by": operation.undone_by or None,
        "redone_by": operation.latest if operation.is_redone else None,
        "can_be_undone": operation.can_be_undone,
        "bytes_kept": operation.size,
    }
