"""The commands that make the tables of the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import catalogue
from mdfactory.cli.session import Exit, Given, Session, examples
from mdfactory.errors import counted
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.sync.check import Checked
    from mdfactory.sync.initialise import Initialised

__all__ = ["app"]

app = App(name="init", help="Make the tables of the store.")


@app.command(
    help_epilogue=examples("mdfactory sync init systems", "mdfactory sync init systems --force")
)
def systems(*, force: bool = False, session: Given) -> None:
    """Make the table of simulations, RUN_DATABASE, if it is missing.

    Parameters
    ----------
    force
        Remove all its records and make it anew. There is no further question.
    """
    _initialise(session, simulations=True, force=force)


@app.command(
    help_epilogue=examples("mdfactory sync init analysis", "mdfactory sync init analysis --force")
)
def analysis(*, force: bool = False, session: Given) -> None:
    """Make the overview and a table for each known analysis, where they are missing.

    Parameters
    ----------
    force
        Remove all records of analyses and make their tables anew, with their part of the
        overview. There is no further question.
    """
    _initialise(session, results=[ResultType.analysis], force=force)


@app.command(
    help_epilogue=examples("mdfactory sync init artifacts", "mdfactory sync init artifacts --force")
)
def artifacts(*, force: bool = False, session: Given) -> None:
    """Make the overview and a table for each known artifact, where they are missing.

    Parameters
    ----------
    force
        Remove all records of artifacts and make their tables anew, with their part of the
        overview. There is no further question.
    """
    _initialise(session, results=[ResultType.artifact], force=force)


@app.command(
    name="all",
    help_epilogue=examples("mdfactory sync init all", "mdfactory sync init all --config lab.ini"),
)
def everything(*, force: bool = False, session: Given) -> None:
    """Make all tables that are missing: of simulations, analyses and artifacts.

    Parameters
    ----------
    force
        Remove all records and make the tables anew. There is no further question.
    """
    _initialise(session, simulations=True, results=list(ResultType), force=force)


@app.command(
    help_epilogue=examples("mdfactory sync init check", "mdfactory sync init check --json"),
)
def check(*, session: Given) -> int:
    """Tell whether the store can be read and written, and which of its tables are missing."""
    from mdfactory.sync.check import check

    store = session.store()
    done = check(store, catalogue(session))
    session.terminal.result(
        "\n".join([store.location, *map(_line, done)]),
        {
            "store": store.location,
            "sound": all(one.sound for one in done),
            "checks": [asdict(one) | {"sound": one.sound} for one in done],
        },
    )
    return Exit.done if all(one.sound for one in done) else Exit.failed


def _line(one: Checked) -> str:
    if one.sound:
        return f"  ok  {one.what}"
    remedy = f". Run: {one.command}" if one.command else ""
    return f"  NO  {one.what}: {one.problem}{remedy}"


def _initialise(
    session: Session,
    *,
    simulations: bool = False,
    results: Collection[ResultType] = (),
    force: bool,
) -> None:
    from mdfactory.sync.initialise import initialise

    store = session.store()
    done = initialise(
        store,
        simulations=simulations,
        results=results,
        catalogue=catalogue(session),
        force=force,
        command=session.typed,
    )
    lines = [f"{one.table}: {_what(one, force)}" for one in done]
    session.terminal.result(
        "\n".join(lines) + f" ({store.location})", {"tables": [asdict(one) for one in done]}
    )


def _what(one: Initialised, force: bool) -> str:  # noqa: FBT001  # the flag of the command
    if not one.existed:
        return "made"
    if force:
        return f"made anew, {counted(one.removed, 'record')} removed"
    return "was there already"
