"""The command that tells what was done to the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import App

from mdfactory.cli.options import Limit
from mdfactory.cli.session import Exit, Given, Session, examples, words_of
from mdfactory.errors import one_line

if TYPE_CHECKING:
    from mdfactory.sync.log import Operation

__all__ = ["app"]

app = App(
    name="log",
    help_epilogue=examples(
        "mdfactory sync log", "mdfactory sync log --limit 3", "mdfactory sync log --json"
    ),
)


@app.default
def log(*, limit: Limit = None, session: Given) -> int:
    """Tell what was done to the store: when, by whom, and what became of how many records.

    Each push, clear, init --force, copy, relocate and undo is there, the latest first.

    Parameters
    ----------
    limit
        The latest operations only.
    """
    from mdfactory.records.query import Query
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.log import history

    Query(limit=limit).check(SIMULATIONS)
    operations = history(session.store())
    nothing = not operations
    operations = operations[:limit]
    if session.terminal.json:
        session.terminal.result("", {"operations": list(map(_told, operations))})
    elif nothing:
        session.terminal.note("nothing was done to this store yet, as far as the log tells")
    else:
        _show(session, operations)
    return Exit.done


def _show(session: Session, operations: Sequence[Operation]) -> None:
    """Show a few lines for each operation on a terminal, a row for each in a pipe."""
    if session.terminal.draws:
        blocks = ["\n".join(_lines(one)) for one in operations]
        session.terminal.result("\n\n".join(blocks), {})
        return
    import pyarrow as pa

    from mdfactory.records.arrow import batch

    names = ("operation", "time", "who", "host", "version", "command", "changes", "state")
    rows = [
        (
            str(one.number),
            *(getattr(one.entries[0], name) for name in names[1:6]),
            json.dumps(one.changes),
            _state(one),
        )
        for one in operations
    ]
    session.terminal.rows([batch(rows, pa.schema([(name, pa.string()) for name in names]))], names)


def _lines(one: Operation) -> Iterator[str]:
    entry = one.entries[0]
    who = " on ".join(filter(None, (entry.who, entry.host)))
    state = _state(one)
    yield f"{one.number:>4}  {entry.time[:19].replace('T', ' ')} UTC  {who}"
    yield f"      {one_line(entry.command)}"
    for table, counts in one.changes.items():
        if any(counts.values()):
            yield f"      {table}: {words_of(counts)}"
    for what in ("made", "dropped"):
        tables = [name for each in one.entries for name in getattr(each, what)]
        if tables:
            yield f"      {what}: {', '.join(tables)}"
    if state:
        yield f"      {state}"


def _state(one: Operation) -> str:
    """Say what has become of an operation, if there is anything to say."""
    if one.undone_by:
        return f"undone by {one.undone_by}"
    if not one.changed:
        return "changed nothing"
    return "" if one.can_be_undone else "cannot be undone any more"


def _told(one: Operation) -> dict[str, Any]:
    """Return all that is known of an operation, for programs."""
    entry = one.entries[0]
    names = ("time", "who", "host", "version", "command")
    return {
        "operation": one.number,
        **{name: getattr(entry, name) for name in names},
        "changes": one.changes,
        "made": [name for each in one.entries for name in each.made],
        "dropped": [name for each in one.entries for name in each.dropped],
        "undoes": entry.undoes or None,
        "undone_by": one.undone_by or None,
        "can_be_undone": one.can_be_undone,
        "bytes_kept": one.size,
    }
