"""The commands that show records of the store, or write them to files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mdfactory.cli.options import FILTER_GROUP, HashPrefix, Limit, SortColumn, TypeFilter
from mdfactory.cli.session import CurrentSession, Session, examples
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

app = App(name="pull", help="Show records of the store, or write them to files.")

StatusFilter = Annotated[
    ResultStatus | None, Parameter(name="--status", group=FILTER_GROUP, name_transform=str)
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PullOptions:
    """Options of all pull commands.

    Parameters
    ----------
    simulation_type
        Type of the simulation.
    sort
        Column to sort by; -COLUMN for descending order.
    limit
        Maximum number of records.
    full
        Show all columns.
    output
        Write all columns to this file: .json and .jsonl as JSON lines, .parquet as Parquet,
        other names as CSV.
    """

    hash_: HashPrefix = None
    simulation_type: TypeFilter = None
    sort: SortColumn = None
    limit: Limit = None
    full: Annotated[bool, Parameter(negative=())] = False
    output: Path | None = None

    @property
    def fits_matrix(self) -> bool:
        """Whether the options apply to a matrix, which has no columns, order, limit or file."""
        return not (self.sort or self.full or self.output) and self.limit is None


@app.command(
    help_epilogue=examples(
        "mdfactory sync pull systems --status completed --simulation-type bilayer",
        "mdfactory sync pull systems --sort -timestamp_utc --limit 10",
        "mdfactory sync pull systems --full --output systems.json",
    ),
)
def systems(
    *,
    status: Annotated[SimulationStatus | None, Parameter(group=FILTER_GROUP)] = None,
    parametrization: Annotated[Parametrization | None, Parameter(group=FILTER_GROUP)] = None,
    engine: Annotated[Engine | None, Parameter(group=FILTER_GROUP)] = None,
    options: PullOptions | None = None,
    session: CurrentSession,
) -> None:
    """Show the records of simulations, or write them to a file.

    Parameters
    ----------
    status
        How far the simulation has come.
    parametrization
        Source of the force-field parameters.
    engine
        Program that runs the simulation.
    """
    from mdfactory.records.tables import SIMULATIONS

    equal = {"status": status, "parametrization": parametrization, "engine": engine}
    _show_records(session, SIMULATIONS, options or PullOptions(), equal)


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
    status: StatusFilter = None,
    options: PullOptions | None = None,
    session: CurrentSession,
) -> None:
    """Show the overview of analyses, the records of one analysis, or its tables.

    Parameters
    ----------
    overview
        Show which analyses of which simulations are in the store. This is the default without
        --analysis-name.
    analysis_name
        Show the records of this analysis.
    data
        Show the tables of this analysis as one table, whose first column is the hash.
    union
        With --data: join tables whose columns or types differ. A note lists the changed types.
    status
        Status of the analysis in the overview.
    """
    if data:
        if analysis_name is None or overview:
            raise UsageError("--data needs --analysis-name NAME")
        _show_frames(session, analysis_name, options or PullOptions(), union=union)
        return
    if union:
        raise UsageError("--union needs --data")
    _show_results(
        session, ResultType.analysis, analysis_name, options, overview=overview, status=status
    )


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
    status: StatusFilter = None,
    options: PullOptions | None = None,
    session: CurrentSession,
) -> None:
    """Show the overview of artifacts, or the files and checksums of one artifact.

    Parameters
    ----------
    overview
        Show which artifacts of which simulations are in the store. This is the default without
        --artifact-name.
    artifact_name
        Show the records of this artifact.
    status
        Status of the artifact in the overview.
    """
    _show_results(
        session, ResultType.artifact, artifact_name, options, overview=overview, status=status
    )


def _show_results(
    session: Session,
    result_type: ResultType,
    name: str | None,
    options: PullOptions | None,
    *,
    overview: bool,
    status: ResultStatus | None,
) -> None:
    """Show the overview of one type of results, or the records of one result."""
    from mdfactory.records.tables import OVERVIEW, result_table

    options = options or PullOptions()
    if name is None:
        _show_records(session, OVERVIEW, options, {"item_type": result_type, "status": status})
        return
    if overview or status:
        option = "--overview" if overview else "--status"
        raise UsageError(f"{option} is not possible with --{result_type}-name {name}")
    _show_records(session, result_table(result_type, name), options, {})


def _show_records(
    session: Session, table: Table, options: PullOptions, equal: Mapping[str, str | None]
) -> None:
    """Show the records of a table that match the filters; on a terminal the overview as a matrix.

    Parameters
    ----------
    equal
        Column -> the value that it must have; None for any.
    """
    from mdfactory.records.tables import OVERVIEW
    from mdfactory.sync.pull import pull

    store = session.store()
    terminal = session.terminal
    columns = table.columns if options.output else terminal.columns(table, full=options.full)
    batches = pull(
        store,
        table,
        hash_prefix=options.hash_,
        equal={"simulation_type": options.simulation_type, **equal},
        columns=columns,
        sort=options.sort,
        limit=options.limit,
    )
    if table is OVERVIEW and terminal.interactive and options.fits_matrix:
        session.show_matrix(batches, columns)
    else:
        session.show(store, batches, table.schema, columns, options.output)


def _show_frames(session: Session, name: str, options: PullOptions, *, union: bool) -> None:
    """Show the tables of one analysis as one table."""
    from mdfactory.frames.json_types import to_json_types
    from mdfactory.sync.frames import pull_frames

    store, terminal = session.store(), session.terminal
    with pull_frames(
        store,
        name,
        hash_prefix=options.hash_,
        equal={"simulation_type": options.simulation_type},
        sort=options.sort,
        limit=options.limit,
        union=union,
    ) as frames:
        for note in frames.notes:
            terminal.note(note)
        # The batches read from a transaction, and are closed before it, also after an error.
        with closing(frames.batches()) as batches:
            rows = batches
            if options.output is None:
                rows = (to_json_types(batch, as_text=not terminal.json) for batch in batches)
            session.show(store, rows, frames.schema, frames.schema.names, options.output)
