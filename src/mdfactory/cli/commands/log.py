"""The command that lists the operations on the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from cyclopts import App

from mdfactory.cli.options import Limit
from mdfactory.cli.session import CurrentSession, Exit, Session, examples, format_counts
from mdfactory.errors import one_line

if TYPE_CHECKING:
    from mdfactory.sync.log import Operation

app = App(
    name="log",
    help_epilogue=examples(
        "mdfactory sync log", "mdfactory sync log --limit 3", "mdfactory sync log --json"
    ),
)


ENTRY_FIELDS: Final = ("time", "who", "host", "version", "command")
"""Fields of a log entry that are shown as columns and JSON keys of its operation."""


@app.default
def log(*, limit: Limit = None, session: CurrentSession) -> int:
    """List the operations on the store: time, user, command, and records changed per table.

    Operations are push, clear, init --force, copy, relocate and undo. The latest comes first.

    Parameters
    ----------
    limit
        Maximum number of operations to show.
    """
    from mdfactory.records.query import Query
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.log import history

    Query(limit=limit).check(SIMULATIONS)
    operations = history(session.store())
    shown = operations[:limit]
    if session.terminal.json:
        session.terminal.result("", {"operations": list(map(_json_values, shown))})
    elif not operations:
        session.terminal.note("the log of this store has no operations yet")
    elif session.terminal.interactive:
        blocks = ["\n".join(_lines(operation)) for operation in shown]
        session.terminal.result("\n\n".join(blocks), {})
    else:
        _print_rows(session, shown)
    return Exit.done


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
            _state(operation),
        )
        for operation in operations
    ]
    session.terminal.rows([batch(rows, schema)], names)


def _lines(operation: Operation) -> Iterator[str]:
    """Yield the lines that describe an operation on a terminal."""
    entry = operation.entries[0]
    user = " on ".join(filter(None, (entry.who, entry.host)))
    yield f"{operation.number:>4}  {entry.time[:19].replace('T', ' ')} UTC  {user}"
    yield f"      {one_line(entry.command)}"
    for table, counts in operation.changes.items():
        if any(counts.values()):
            yield f"      {table}: {format_counts(counts)}"
    created, dropped = _tables(operation)
    if created:
        yield f"      created: {', '.join(created)}"
    if dropped:
        yield f"      dropped: {', '.join(dropped)}"
    if state := _state(operation):
        yield f"      {state}"


def _tables(operation: Operation) -> tuple[list[str], list[str]]:
    """Return the names of the tables that an operation created, and of those it dropped."""
    created = [name for entry in operation.entries for name in entry.made]
    dropped = [name for entry in operation.entries for name in entry.dropped]
    return created, dropped


def _entry_values(operation: Operation) -> dict[str, str]:
    return {name: getattr(operation.entries[0], name) for name in ENTRY_FIELDS}


def _state(operation: Operation) -> str:
    """Return whether an operation was undone, changed nothing or cannot be undone; else empty."""
    if operation.undone_by:
        return f"undone by {operation.undone_by}"
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
        "can_be_undone": operation.can_be_undone,
        "bytes_kept": operation.size,
    }
