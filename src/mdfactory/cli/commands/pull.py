"""The commands that show what the store holds, or write it to files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mdfactory.cli.options import FILTERS, Hash, Limit, OrderBy, Type
from mdfactory.cli.session import Given, Session, examples
from mdfactory.errors import UsageError
from mdfactory.records.vocabulary import (
    Engine,
    Parametrization,
    ResultStatus,
    ResultType,
    SimulationStatus,
)

if TYPE_CHECKING:
    from mdfactory.records.tables import Table

__all__ = ["app"]

app = App(name="pull", help="Pull from the store.")

Done = Annotated[ResultStatus | None, Parameter(name="--status", group=FILTERS, name_transform=str)]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Answer:
    """Which records to show, and how.

    Parameters
    ----------
    hash_
        First digits of the hash, in any case.
    simulation_type
        What is simulated.
    sort
        Column to sort by; -COLUMN for descending.
    limit
        Number of records at most.
    full
        Show all columns.
    output
        Write all columns to this file: .json or .jsonl as JSON lines, .parquet as Parquet,
        any other as CSV.
    """

    hash_: Hash = None
    simulation_type: Type = None
    sort: OrderBy = None
    limit: Limit = None
    full: Annotated[bool, Parameter(negative=())] = False
    output: Path | None = None


@app.command(
    help_epilogue=examples(
        "mdfactory sync pull systems --status completed --simulation-type bilayer",
        "mdfactory sync pull systems --sort -timestamp_utc --limit 10",
        "mdfactory sync pull systems --full --output systems.json",
    ),
)
def systems(
    *,
    status: Annotated[SimulationStatus | None, Parameter(group=FILTERS)] = None,
    parametrization: Annotated[Parametrization | None, Parameter(group=FILTERS)] = None,
    engine: Annotated[Engine | None, Parameter(group=FILTERS)] = None,
    answer: Answer | None = None,
    session: Given,
) -> None:
    """Show the records of simulations, or write them to a file.

    Parameters
    ----------
    status
        How far the simulation has come.
    parametrization
        Where the force-field parameters come from.
    engine
        The program that runs it.
    """
    from mdfactory.records.tables import SIMULATIONS

    equal = {"status": status, "parametrization": parametrization, "engine": engine}
    _records(session, SIMULATIONS, answer or Answer(), equal)


@app.command(
    help_epilogue=examples(
        "mdfactory sync pull analysis --overview",
        "mdfactory sync pull analysis --analysis-name area_per_lipid --output apl.csv",
        "mdfactory sync pull analysis --analysis-name area_per_lipid --data --output apl.parquet",
    ),
)
def analysis(
    *,
    overview: bool = False,
    analysis_name: str | None = None,
    data: bool = False,
    union: bool = False,
    status: Done = None,
    answer: Answer | None = None,
    session: Given,
) -> None:
    """Show which analyses are in the store, the records of one, or its tables themselves.

    Parameters
    ----------
    overview
        Show which analyses of which simulations are in the store; so it does without a name.
    analysis_name
        Show the records of this analysis.
    data
        Show the tables that the analysis has produced, as one with a column hash in front.
    union
        With --data: join tables that differ in their columns; says what changes by that.
    status
        In the overview: whether the analysis is in the store.
    """
    if data:
        if analysis_name is None or overview:
            raise UsageError("--data goes with --analysis-name NAME")
        _frames(session, analysis_name, answer or Answer(), union=union)
        return
    if union:
        raise UsageError("--union goes with --data")
    _items(session, ResultType.analysis, analysis_name, answer, overview=overview, status=status)


@app.command(
    help_epilogue=examples(
        "mdfactory sync pull artifacts --overview",
        "mdfactory sync pull artifacts --artifact-name bilayer_snapshot --output snapshots.csv",
    ),
)
def artifacts(
    *,
    overview: bool = False,
    artifact_name: str | None = None,
    status: Done = None,
    answer: Answer | None = None,
    session: Given,
) -> None:
    """Show which artifacts are in the store, or the files and checksums of one.

    Parameters
    ----------
    overview
        Show which artifacts of which simulations are in the store; so it does without a name.
    artifact_name
        Show the records of this artifact.
    status
        In the overview: whether the artifact is in the store.
    """
    _items(session, ResultType.artifact, artifact_name, answer, overview=overview, status=status)


def _items(
    session: Session,
    kind: ResultType,
    name: str | None,
    answer: Answer | None,
    *,
    overview: bool,
    status: ResultStatus | None,
) -> None:
    """Show the overview of one kind of results, or the records of one name."""
    from mdfactory.records.tables import OVERVIEW, result_table

    answer = answer or Answer()
    if name is None:
        _records(session, OVERVIEW, answer, {"item_type": kind, "status": status})
        return
    if overview or status:
        option = "--overview" if overview else "--status"
        raise UsageError(f"{option} is about all names; leave out --{kind}-name {name}")
    _records(session, result_table(kind, name), answer, {})


def _records(
    session: Session, table: Table, answer: Answer, equal: Mapping[str, str | None]
) -> None:
    from mdfactory.records.tables import OVERVIEW
    from mdfactory.sync.pull import pull

    store = session.store()
    terminal = session.terminal
    as_matrix = table is OVERVIEW and terminal.draws and answer == _unordered(answer)
    shown = table.columns if answer.output else terminal.columns(table, full=answer.full)
    rows = pull(
        store,
        table,
        hash_prefix=answer.hash_,
        equal={"simulation_type": answer.simulation_type, **equal},
        columns=shown,
        sort=answer.sort,
        limit=answer.limit,
    )
    if as_matrix:
        session.show_matrix(rows, shown)
    else:
        session.show(store, rows, table.schema, shown, answer.output)


def _unordered(answer: Answer) -> Answer:
    """Return the same answer as far as a matrix can show it."""
    return Answer(answer.hash_, answer.simulation_type)


def _frames(session: Session, name: str, answer: Answer, *, union: bool) -> None:
    from mdfactory.frames.json_types import to_json_types
    from mdfactory.sync.frames import pull_frames

    store, terminal = session.store(), session.terminal
    with pull_frames(
        store,
        name,
        hash_prefix=answer.hash_,
        equal={"simulation_type": answer.simulation_type},
        sort=answer.sort,
        limit=answer.limit,
        union=union,
    ) as found:
        for sentence in found.notes:
            terminal.note(sentence)
        with closing(found.batches()) as batches:  # before the store is, whatever happens
            rows = batches
            if answer.output is None:
                rows = (to_json_types(some, as_text=not terminal.json) for some in batches)
            session.show(store, rows, found.schema, found.schema.names, answer.output)
