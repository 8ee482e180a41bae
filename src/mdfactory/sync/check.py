"""Check: whether a store can be reached, read and written, and has what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.errors import MDFactoryError
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at.

    Parameters
    ----------
    what
        What was looked at.
    problem
        What is wrong with it; empty if nothing is.
    command
        The command that mends it, where there is one.
    """

    what: str
    problem: str = ""
    command: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem


class _UndoError(Exception):
    """Ends a transaction that was only tried."""


def check(store: Store, catalogue: Catalogue = Catalogue()) -> list[Checked]:  # noqa: B008  # frozen
    """Look whether a store can be used.

    Parameters
    ----------
    store
        The store.
    catalogue
        The results that have a table in an initialised store.

    Returns
    -------
    list of Checked
        What the store names one by one; whether it can be read, in a format that is known;
        written; and which tables it has.
    """
    probed = _probed(store)
    if not all(one.sound for one in probed[:1]):  # without a connection, nothing else is known
        return probed
    tables: list[Table] = []
    done = [
        *probed,
        _tried("can be read, and its format is known", lambda: tables.extend(store.tables())),
    ]
    if not done[-1].sound:
        return done
    if tables:
        done.append(_tried("can be written", lambda: _write(store)))
    return [*done, *_missing({table.id for table in tables}, catalogue)]


def _probed(store: Store) -> list[Checked]:
    """Look at what the store names one by one, up to a connection that fails."""
    done: list[Checked] = []
    for what, look in store.probes():
        found: list[str] = []
        one = _tried(what, lambda look=look, found=found: found.append(look()))  # type: ignore[misc]
        done.append(replace(one, what=" ".join([what, *found])))
        if not done[0].sound:
            break
    return done


def _tried(what: str, action: Callable[[], object]) -> Checked:
    try:
        action()
    except MDFactoryError as error:
        return Checked(what, str(error.args[0]), error.command)
    return Checked(what)


def _write(store: Store) -> None:
    """Take the lock of all writers, and write nothing."""
    with suppress(_UndoError), store.transaction(write=True):
        raise _UndoError


def _missing(there: set[str], catalogue: Catalogue) -> Iterator[Checked]:
    yield _table(SIMULATIONS, there)
    yield _table(OVERVIEW, there)
    for kind in ResultType:
        tables = catalogue.tables(kind)
        missing = [table.name for table in tables if table.id not in there]
        what = f"tables of {len(tables)} known {KINDS[kind]}"
        problem = f"missing: {', '.join(missing)}" if missing else ""
        yield Checked(what, problem, tables[0].command if missing else "")


def _table(table: Table, there: set[str]) -> Checked:
    if table.id in there:
        return Checked(f"table {table.name}")
    return Checked(f"table {table.name}", "missing", table.command)


KINDS = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}
