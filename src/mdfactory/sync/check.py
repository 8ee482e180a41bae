"""Check: test whether a store can be reached, read and written, and find missing tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.errors import MDFactoryError
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store

RESULT_TYPE_PLURALS: Final = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one check.

    Parameters
    ----------
    what
        What was checked, such as ``write access``.
    problem
        What is wrong; empty if nothing is.
    command
        The command that solves the problem; empty if there is none.
    """

    what: str
    problem: str = ""
    command: str = ""

    @property
    def sound(self) -> bool:
        """Whether the check found no problem."""
        return not self.problem


class _RollbackError(Exception):
    """Rolls back a transaction that was opened only to take its lock."""


def check(store: Store, catalogue: Catalogue = Catalogue()) -> list[Checked]:  # noqa: B008  # frozen
    """Check whether a store can be used.

    Parameters
    ----------
    store
        The store.
    catalogue
        The results that have a table in an initialised store.

    Returns
    -------
    list of Checked
        The checks of the store itself, such as its connection; read access and format; write
        access, if the store has tables; and the tables. The list ends with the first failed
        check on which all later ones depend.
    """
    checks = _check_parts(store)
    if checks and not checks[0].sound:
        return checks
    tables: list[Table] = []
    checks.append(_run("read access and format", lambda: tables.extend(store.tables())))
    if not checks[-1].sound:
        return checks
    if tables:
        checks.append(_run("write access", lambda: _take_write_lock(store)))
    return [*checks, *_check_tables({table.id for table in tables}, catalogue)]


def _check_parts(store: Store) -> list[Checked]:
    """Run the checks of the store itself; stop if the first one, the connection, fails."""
    checks: list[Checked] = []
    for name, probe in store.probes():
        checks.append(_run(name, probe))
        if not checks[0].sound:
            break
    return checks


def _run(name: str, action: Callable[[], str | None]) -> Checked:
    """Run one check, and append the detail that it returns, such as a host, to its name."""
    try:
        detail = action()
    except MDFactoryError as error:
        return Checked(name, str(error.args[0]), error.command)
    return Checked(f"{name} {detail}" if detail else name)


def _take_write_lock(store: Store) -> None:
    """Take the lock of all writers, and write nothing."""
    with suppress(_RollbackError), store.transaction(write=True):
        raise _RollbackError


def _check_tables(table_ids: Collection[str], catalogue: Catalogue) -> Iterator[Checked]:
    """Check which tables exist; all tables of one result type are one check."""
    yield _check_table(SIMULATIONS, table_ids)
    yield _check_table(OVERVIEW, table_ids)
    for result_type in ResultType:
        tables = catalogue.tables(result_type)
        missing = [table.name for table in tables if table.id not in table_ids]
        name = f"tables of {len(tables)} known {RESULT_TYPE_PLURALS[result_type]}"
        problem = f"missing: {', '.join(missing)}" if missing else ""
        yield Checked(name, problem, tables[0].command if missing else "")


def _check_table(table: Table, table_ids: Collection[str]) -> Checked:
    if table.id in table_ids:
        return Checked(f"table {table.name}")
    return Checked(f"table {table.name}", "missing", table.command)
