"""The commands that show records of the store, or write them to files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.commands.pull_files import fetch_files
from mdfactory.cli.layout import format_counts
from mdfactory.cli.options import (
    FILTER_GROUP,
    NO_SEARCH,
    Command,
    Fields,
    FileJobs,
    HashPrefix,
    Limit,
    ResultName,
    SearchOptions,
    SortColumn,
    TypeFilter,
    UserPath,
    format_examples,
)
from mdfactory.cli.session import CurrentSession, Exit, Session
from mdfactory.errors import OutputError, UsageError, counted
from mdfactory.records.vocabulary import (
    Engine,
    Parametrization,
    ResultStatus,
    ResultType,
    SimulationStatus,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from mdfactory.records.tables import Table

app = Command(
    name="pull",
    help="Show records of the store, or write them to files.",
    help_epilogue=format_examples(
        "mdfactory sync pull systems --status completed --field composition",
        "mdfactory sync pull analysis",
        "mdfactory sync pull analysis --analysis-name area_per_lipid --data",
    ),
)

StatusFilter = Annotated[
    ResultStatus | str | None,
    Parameter(name="--status", group=FILTER_GROUP, metavar="STATUS", name_transform=str),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PullOptions:
    """Options of all pull commands.

    Parameters
    ----------
    simulation_type
        Type of the simulation.
    field
        Field of the BuildInput to add as a column: a dotted path, as in a campaign CSV, or
        composition. The option may be repeated.
    sort
        Column or field to sort by; -COLUMN for descending order.
    limit
        Maximum number of records. The table or files of a record are shown or fetched as a whole.
    full
        Show all columns, and of analyses their units and extras, also with --output.
    output
        Write all columns to this file: .jsonl and .json as JSON lines (an object in each line),
        .parquet as Parquet, .csv.gz as compressed CSV, other names as CSV. Endings of other
        formats, such as .xlsx, are refused.
    """

    hash_: HashPrefix = None
    simulation_type: TypeFilter = None
    search: SearchOptions = NO_SEARCH
    field: Fields = ()
    sort: SortColumn = None
    limit: Limit = None
    full: bool = False
    output: UserPath | None = None


RESULT_COLUMNS: Final = ("hash", "item_name", "status")
"""Columns of results that every terminal shows; tables of one result have only the first."""

DEFAULTS: Final = PullOptions()


@app.command
def systems(
    *,
    status: Annotated[
        SimulationStatus | str | None, Parameter(group=FILTER_GROUP, metavar="STATUS")
    ] = None,
    parametrization: Annotated[
        Parametrization | str | None, Parameter(group=FILTER_GROUP, metavar="NAME")
    ] = None,
    engine: Annotated[Engine | str | None, Parameter(group=FILTER_GROUP, metavar="NAME")] = None,
    options: PullOptions = DEFAULTS,
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

    Examples
    --------
    mdfactory sync pull systems --status completed --simulation-type bilayer
    mdfactory sync pull systems --where 'species.MEO.fraction > 0.3'
    mdfactory sync pull systems --field composition --field species.MEO.fraction
    mdfactory sync pull systems --contains 'C[C@H](O)CO' --tag project=x
    mdfactory sync pull systems --sort -timestamp_utc --limit 10
    mdfactory sync pull systems --full --output systems.jsonl
    """
    from mdfactory.records.tables import SIMULATIONS

    equal = {"status": status, "parametrization": parametrization, "engine": engine}
    _show_records(session, SIMULATIONS, options, equal)


@app.command
def analysis(
    *,
    overview: bool = False,
    analysis_name: ResultName = None,
    data: bool = False,
    union: bool = False,
    status: StatusFilter = None,
    options: PullOptions = DEFAULTS,
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

    Examples
    --------
    mdfactory sync pull analysis --overview
    mdfactory sync pull analysis --analysis-name area_per_lipid --output apl.csv
    mdfactory sync pull analysis --analysis-name density --data --output d.parquet
    """
    if data:
        if analysis_name is None or overview:
            raise UsageError("--data needs --analysis-name NAME")
        _show_frames(session, analysis_name, options, union=union)
        return
    if union:
        raise UsageError("--union needs --data")
    _show_results(
        session, ResultType.analysis, analysis_name, options, overview=overview, status=status
    )


@app.command
def artifacts(
    *,
    overview: bool = False,
    artifact_name: ResultName = None,
    status: StatusFilter = None,
    files: UserPath | None = None,
    jobs: FileJobs = None,
    options: PullOptions = DEFAULTS,
    session: CurrentSession,
) -> int:
    """Show the overview of artifacts, or the files and checksums of one; or fetch the files.

    Parameters
    ----------
    overview
        Show which artifacts of which simulations are in the store. This is the default without
        --artifact-name.
    artifact_name
        Show the records of this artifact.
    status
        Status of the artifact in the overview.
    files
        Fetch the files of this artifact, or of all artifacts, into this folder: each file to
        HASH/artifacts/NAME/ in it. A file that is there and right is not fetched again.

    Examples
    --------
    mdfactory sync pull artifacts --overview
    mdfactory sync pull artifacts --artifact-name bilayer_snapshot --output s.csv
    mdfactory sync pull artifacts --artifact-name bilayer_snapshot --files out
    """
    if files is not None:
        _refuse_with_files(options, overview=overview, status=status)
        return fetch_files(
            session,
            files,
            artifact_name,
            hash_prefix=options.hash_,
            simulation_type=options.simulation_type,
            search=options.search.search(),
            limit=options.limit,
            jobs=jobs,
        )
    if jobs is not None:
        raise UsageError("--jobs needs --files")
    _show_results(
        session, ResultType.artifact, artifact_name, options, overview=overview, status=status
    )
    return Exit.done


def _refuse_with_files(options: PullOptions, *, overview: bool, status: str | None) -> None:
    """Raise a UsageError if an option is given that has no meaning for files."""
    given = {
        "--overview": overview,
        "--status": status,
        "--field": options.field,
        "--sort": options.sort,
        "--full": options.full,
        "--output": options.output,
    }
    if refused := [option for option, value in given.items() if value]:
        raise UsageError(f"{refused[0]} is not possible with --files")


def _show_results(
    session: Session,
    result_type: ResultType,
    name: str | None,
    options: PullOptions,
    *,
    overview: bool,
    status: str | None,
) -> None:
    """Show the overview of one type of results, or the records of one result."""
    from mdfactory.records.tables import result_table

    if name is None:
        _show_overview(session, result_type, options, status)
        return
    if overview or status:
        option = "--overview" if overview else "--status"
        raise UsageError(f"{option} is not possible with --{result_type}-name {name}")
    _show_records(session, result_table(result_type, name), options, {})


def _show_overview(
    session: Session, result_type: ResultType, options: PullOptions, status: str | None
) -> None:
    """Show the overview of one type of results: on a terminal as a matrix, otherwise as records."""
    from mdfactory.records.tables import OVERVIEW
    from mdfactory.sync.completeness import DONE_BY_STATUS, read_completeness

    # A matrix has no columns, order, limit or file, and only the statuses that this version knows.
    # Conditions may be on columns of the overview, which it does not show.
    is_plain = not (options.sort or options.full or options.output) and options.limit is None
    is_plain &= not (options.field or options.search.words)
    if session.terminal.interactive and is_plain and status in DONE_BY_STATUS:
        completeness = [
            *read_completeness(
                session.store,
                session.catalogue,
                item_type=result_type,
                hash_prefix=options.hash_,
                simulation_type=options.simulation_type,
                status=status,
            )
        ]
        if session.terminal.matrix(completeness, status):
            if not completeness:
                _note_hash(session, options)
            return
    _show_records(session, OVERVIEW, options, {"item_type": result_type, "status": status})


def _show_records(
    session: Session, table: Table, options: PullOptions, equal: Mapping[str, str | None]
) -> None:
    """Show the records of a table that match the filters.

    Parameters
    ----------
    equal
        Column -> the value that it must have; None for any.
    """
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.pull import open_pull

    terminal = session.terminal
    columns = table.columns if options.output else terminal.columns(table, full=options.full)
    extend = None
    if table.sidecar and (options.full or (terminal.json and not options.output)):
        from mdfactory.sync.frames import extend_with_extras

        extend = extend_with_extras
    with open_pull(
        session.store,
        table,
        hash_prefix=options.hash_,
        equal={"simulation_type": options.simulation_type, **equal},
        search=options.search.search(options.field),
        columns=columns,
        sort=options.sort,
        limit=options.limit,
        extend=extend,
        note=terminal.note,
    ) as found:
        statuses: Counter[str] = Counter()
        batches = _count_statuses(found.batches, statuses)
        required = SIMULATIONS.summary if table is SIMULATIONS else RESULT_COLUMNS
        added = found.schema.names[len(columns) :]
        first = next(batches, None)
        empty = _empty_note(session, table, options, equal) if first is None else ""
        rows = batches if first is None else chain([first], batches)
        _show(session, rows, found.schema, options, required=required, wanted=added, empty=empty)
    if table is SIMULATIONS and terminal.interactive and not options.output and statuses:
        totals = format_counts({status: statuses[status] for status in _in_order(statuses)})
        terminal.note(f"{counted(statuses.total(), 'simulation')}: {totals}")


def _empty_note(
    session: Session, table: Table, options: PullOptions, equal: Mapping[str, str | None]
) -> str:
    """Return the note if there are no records: whether filters or an empty table are the reason."""
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.unmatched import NO_MATCH, has_records, hash_note

    if table is SIMULATIONS and options.limit != 0 and not has_records(session.store, table):
        return "no records. To push simulations: mdfactory sync push all SOURCE"
    filters = (options.hash_, options.simulation_type, *options.search.words)
    own = (value for name, value in equal.items() if name != "item_type")
    if not (any(filters) or any(own)):
        return "no records"
    reason = hash_note(session.store, options.hash_)
    return f"{NO_MATCH}: {reason}" if reason else NO_MATCH


def _note_hash(session: Session, options: PullOptions) -> None:
    """Print the note that the store has no such hash, if that is so."""
    from mdfactory.sync.unmatched import hash_note

    if reason := hash_note(session.store, options.hash_):
        session.terminal.note(reason)


def _count_statuses(
    batches: Iterable[pa.RecordBatch], statuses: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Yield records, and count their statuses, if they have any."""
    from mdfactory.records.arrow import texts

    for rows in batches:
        if "status" in rows.schema.names:
            statuses.update(texts(rows["status"]))
        yield rows


def _count_rows(
    batches: Iterable[pa.RecordBatch], counts: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Yield batches, and count their rows."""
    for rows in batches:
        counts["rows"] += rows.num_rows
        yield rows


def _in_order(statuses: Collection[str]) -> list[str]:
    """Return statuses in the order of progress; those of newer versions come last."""
    known = [status for status in SimulationStatus if status in statuses]
    return [*known, *sorted(set(statuses) - set(known))]


def _show_frames(session: Session, name: str, options: PullOptions, *, union: bool) -> None:
    """Show the tables of one analysis as one table."""
    from mdfactory.frames.json_types import to_json_types
    from mdfactory.sync.frames import pull_frames

    terminal = session.terminal
    with pull_frames(
        session.store,
        name,
        hash_prefix=options.hash_,
        equal={"simulation_type": options.simulation_type},
        search=options.search.search(options.field),
        sort=options.sort,
        limit=options.limit,
        union=union,
        note=terminal.note,
    ) as frames:
        for note in frames.notes:
            terminal.note(note)
        # The batches read from a transaction, and are closed before it, also after an error.
        with closing(frames.batches_with_fields()) as batches:
            first = next(batches, None)
            if first is None:
                _note_hash(session, options)
            rows = iter(()) if first is None else chain([first], batches)
            if options.output is None:
                rows = (to_json_types(batch, as_text=not terminal.json) for batch in rows)
            counts: Counter[str] = Counter()
            rows = _count_rows(rows, counts)
            _show(session, rows, frames.schema_with_fields, options, wanted=options.field)
    if terminal.interactive and not options.output and counts:
        simulations = counted(len(frames.keys), "simulation")
        terminal.note(f"{counted(counts['rows'], 'row')} of {simulations}")


def _show(
    session: Session,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    options: PullOptions,
    *,
    required: Sequence[str] = ("hash",),
    wanted: Sequence[str],
    empty: str = "no records",
) -> None:
    """Print records of the store, or write them to a file; `empty` is the note if there are none.

    `required` and `wanted` are the names of columns that a narrow terminal shows before others.
    """
    output = options.output
    if output is None:
        session.terminal.rows(
            batches,
            schema.names,
            required=required,
            wanted=wanted,
            full=options.full,
            empty=session.next_command(empty),
        )
        return
    from mdfactory.sync.export import export

    if session.store.owns(output):
        raise OutputError(f"{output} is a file of the store; write to another file")
    written = export(batches, schema, output)
    if not written:
        session.terminal.note(empty)
    session.terminal.result(
        f"{counted(written, 'record')} written to {output}",
        {"output": str(output), "written": written},
        complete=True,
    )
