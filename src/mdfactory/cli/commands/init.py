"""The commands that create and check the tables of the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdfactory.cli.logged import note_operation
from mdfactory.cli.options import Command, format_examples
from mdfactory.cli.session import CurrentSession, Exit, Session
from mdfactory.errors import counted
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.sync.check import Checked
    from mdfactory.sync.initialise import Initialised

app = Command(
    name="init",
    help="Create and check the tables of the store.",
    help_epilogue=format_examples(
        "mdfactory sync init all",
        "mdfactory sync init check",
    ),
)

Reset = Annotated[bool, Parameter(name=("--force", "--reset"))]


@app.command
def systems(*, force: Reset = False, session: CurrentSession) -> None:
    """Create the table of simulations (RUN_DATABASE), if it is missing.

    Parameters
    ----------
    force
        Remove all records of simulations and recreate the table. No confirmation is asked.

    Examples
    --------
    mdfactory sync init systems
    mdfactory sync init systems --force
    """
    _initialise(session, simulations=True, force=force)


@app.command
def analysis(*, force: Reset = False, session: CurrentSession) -> None:
    """Create the overview and a table for each known analysis, if they are missing.

    Parameters
    ----------
    force
        Remove all records of analyses, also from the overview, and recreate their tables. No
        confirmation is asked.

    Examples
    --------
    mdfactory sync init analysis
    mdfactory sync init analysis --force
    """
    _initialise(session, results=[ResultType.analysis], force=force)


@app.command
def artifacts(*, force: Reset = False, session: CurrentSession) -> None:
    """Create the overview, a table for each known artifact and the file store, if missing.

    A file store is created only if the section [files] of the configuration has the URL of one.

    Parameters
    ----------
    force
        Remove all records of artifacts, also from the overview, and recreate their tables. No
        confirmation is asked.

    Examples
    --------
    mdfactory sync init artifacts
    mdfactory sync init artifacts --force
    """
    _initialise(session, results=[ResultType.artifact], force=force)


@app.command(name="all")
def everything(*, force: Reset = False, session: CurrentSession) -> None:
    """Create all missing tables: of simulations, analyses and artifacts; and the file store.

    Parameters
    ----------
    force
        Remove all records and recreate the tables. No confirmation is asked.

    Examples
    --------
    mdfactory sync init all
    mdfactory sync init all --config lab.ini
    """
    _initialise(session, simulations=True, results=list(ResultType), force=force)


@app.command
def check(*, session: CurrentSession) -> int:
    """Check whether the store can be read and written, and list its missing tables.

    A file store is checked, too, if one is configured.

    Examples
    --------
    mdfactory sync init check
    mdfactory sync init check --json
    """
    from mdfactory.sync.check import check

    store = session.store
    checks = [
        replace(entry, command=session.next_command(entry.command))
        for entry in check(store, session.catalogue, session.configured_files)
    ]
    is_sound = all(entry.sound for entry in checks)
    session.terminal.result(
        "\n".join([store.location, *map(_check_line, checks)]),
        {
            "store": store.location,
            "sound": is_sound,
            "checks": [asdict(entry) | {"sound": entry.sound} for entry in checks],
        },
    )
    return Exit.done if is_sound else Exit.failed


def _check_line(check: Checked) -> str:
    if check.sound:
        return f"  ok  {check.what}"
    remedy = f". Run: {check.command}" if check.command else ""
    return f"  NO  {check.what}: {check.problem}{remedy}"


def _initialise(
    session: Session,
    *,
    simulations: bool = False,
    results: Collection[ResultType] = (),
    force: bool,
) -> None:
    """Create the tables of the chosen kinds, and print what was done to each."""
    from mdfactory.sync.initialise import initialise

    store = session.store
    files = session.configured_files if ResultType.artifact in results else None
    if files:
        files.make()
    tables = initialise(
        store,
        simulations=simulations,
        results=results,
        catalogue=session.catalogue,
        force=force,
        command=session.command_line,
    )
    lines = [f"{table.table}: {_outcome(table, force=force)}" for table in tables]
    lines[-1] += f" ({store.location})"
    lines += [f"file store: {files.location}"] if files else []
    session.terminal.result(
        "\n".join(lines),
        {"tables": [asdict(table) for table in tables], "files": files and files.location},
        complete=True,
    )
    note_operation(session)


def _outcome(table: Initialised, *, force: bool) -> str:
    if not table.existed:
        return "created"
    if force:
        return f"recreated, {counted(table.removed, 'record')} removed"
    return "already exists"
