"""Check: test whether a store can be reached, read and written, and find missing tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.errors import MDFactoryError
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.arrow import batch
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store
from mdfactory.sync.results import PLURALS


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


def check(
    store: Store,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    files: FileStore | None = None,
) -> list[Checked]:
    """Check whether a store can be used, and its file store.

    Parameters
    ----------
    store
        The store.
    catalogue
        The results that have a table in an initialised store.
    files
        The file store, if one is configured.

    Returns
    -------
    list of Checked
        The checks of the store itself, such as its connection; read access and format; write
        access, if the store has tables; and the tables. These end with the first failed
        check on which all later ones depend. The checks of the file store follow.
    """
    return [*_check_store(store, catalogue), *(_check_files(files) if files else ())]


def _check_store(store: Store, catalogue: Catalogue) -> list[Checked]:
    checks: list[Checked] = []
    for name, probe in store.probes():
        checks.append(_run(name, probe))
        if not checks[0].sound:  # the connection
            return checks
    tables: list[Table] = []
    checks.append(_run("read access and format", lambda: tables.extend(store.tables())))
    if not checks[-1].sound:
        return checks
    if tables:
        checks.append(_run("write access", lambda: _try_to_write(store, tables)))
    return [*checks, *_check_tables({table.id for table in tables}, catalogue)]


def _check_files(files: FileStore) -> Iterator[Checked]:
    """Check whether a file store can be read and, if so, written."""
    reading = _run(f"file store {files.location}: read access", files.check_reading)
    yield reading
    if reading.sound:
        yield _run(f"file store {files.location}: write access", files.check_writing)


def _run(name: str, action: Callable[[], str | None]) -> Checked:
    """Run one check, and append the detail that it returns, such as a host, to its name."""
    try:
        detail = action()
    except MDFactoryError as error:
        return Checked(name, str(error.args[0]), error.command)
    return Checked(f"{name} {detail}" if detail else name)


class _RollBackError(Exception):
    """Ends a transaction without a commit."""


def _try_to_write(store: Store, tables: Collection[Table]) -> None:
    """Write a record to one table of each namespace, and roll back."""
    tables = {table.namespace: table for table in tables}.values()
    with suppress(_RollBackError), store.transaction(write=True) as transaction:
        for table in tables:
            values = tuple(0 if field.type == pa.int64() else "" for field in table.schema)
            transaction.backend.put(table, batch([values], table.schema))
        raise _RollBackError


def _check_tables(table_ids: Collection[str], catalogue: Catalogue) -> Iterator[Checked]:
    """Check which tables exist; all tables of one result type are one check."""
    for table in (SIMULATIONS, OVERVIEW):
        problem, command = ("", "") if table.id in table_ids else ("missing", table.command)
        yield Checked(f"table {table.name}", problem, command)
    for result_type in ResultType:
        tables = catalogue.tables(result_type)
        missing = [table.name for table in tables if table.id not in table_ids]
        name = f"tables of {len(tables)} known {PLURALS[result_type]}"
        problem = f"missing: {', '.join(missing)}" if missing else ""
        yield Checked(name, problem, tables[0].command if missing else "")
