"""Content: what a report shows of a store, read from its records and from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.errors import QueryError, displayed
from mdfactory.filestore.file_store import FileStore
from mdfactory.frames.statistics import WHOLE, Start
from mdfactory.records.fields import Field
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, analysis_table
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.analyses import Analyses, read_analyses
from mdfactory.report.campaign.artifacts import ArtifactEntry, look_at_files, read_artifacts
from mdfactory.report.campaign.attention import (
    DEFAULT_COMMANDS,
    Commands,
    find_attention,
    look_at_folders,
    read_runs,
)
from mdfactory.report.campaign.privacy import hide_paths
from mdfactory.report.campaign.snapshot import (
    EVERY_SIMULATION,
    Filters,
    Snapshot,
    read_snapshot,
    to_seconds,
)
from mdfactory.report.campaign.stored_files import look_in_file_store
from mdfactory.report.payload import clean, to_column
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, no_note
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_result, result_tables
from mdfactory.sync.search import Search, parse_column
from mdfactory.sync.survey import survey
from mdfactory.version import __version__

MAX_BYTES: Final = 10_000_000
"""Default of the maximum size of a report."""

MINUTES: Final = len("2026-11-23 00:27")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report shows, and how large it may be.

    Parameters
    ----------
    filters
        Which simulations.
    analyses
        Names of the analyses; all if empty.
    title
        Title of the page. Default: name of the campaign's common folder, or kind of the store.
    colour
        Field by which curves are coloured. Default: see `report.campaign.fields.default_colour`.
    start
        What is left out of statistics as equilibration.
    max_bytes
        Maximum size of the page.
    artifacts
        Whether to look at the files of artifacts.
    with_paths
        Whether absolute paths, users and hosts may be shown.
    commands
        How the commands of the page reach the store.
    """

    filters: Filters = EVERY_SIMULATION
    analyses: tuple[str, ...] = ()
    title: str | None = None
    colour: str | None = None
    start: Start = WHOLE
    max_bytes: int = MAX_BYTES
    artifacts: bool = True
    with_paths: bool = False
    commands: Commands = DEFAULT_COMMANDS


DEFAULT_OPTIONS: Final = ReportOptions()


def no_progress(_step: str, _count: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was read for a page.

    Parameters
    ----------
    snapshot
        The simulations.
    analyses
        Their analyses.
    artifact_names
        Names of the artifacts that the store has tables of.
    entries
        The artifacts of the simulations with their files; none if they are not looked at.
    core
        The data that the page shows at once, without what depends on its size.
    """

    snapshot: Snapshot
    analyses: Analyses
    artifact_names: list[str]
    entries: list[ArtifactEntry]
    core: dict[str, Any]

    @property
    def skipped(self) -> tuple[str, ...]:
        """Sentences on BuildInputs and frames that could not be read."""
        return (*self.snapshot.skipped, *self.analyses.skipped)

    @property
    def pictures(self) -> int:
        """Number of pictures of artifacts."""
        return sum(bool(file.pictures) for entry in self.entries for file in entry.files)


def read_content(
    store: Store,
    options: ReportOptions = DEFAULT_OPTIONS,
    *,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    files: FileStore | None = None,
    reading: Reading = DEFAULT_READING,
    note: Note = no_note,
    watch: ProgressCallback = no_progress,
) -> Content:
    """Read the records of a report in one transaction, then files.

    Parameters
    ----------
    store, options, catalogue, files, reading, note, watch
        As for `report.report.write_report`.
    """
    watch("reading records", 0)
    with store.transaction() as transaction:
        asked = _asked_field(transaction, options.colour)
        snapshot = read_snapshot(
            transaction,
            catalogue,
            options.filters,
            asked=asked,
            with_paths=options.with_paths,
            note=note,
        )
        shown = _analysis_names(transaction, options.analyses, snapshot)
        colour = options.colour or snapshot.colour
        analyses = read_analyses(transaction, snapshot, shown, colour=colour, start=options.start)
        names, records = read_artifacts(transaction, snapshot.hashes)
    watch("reading files", 0)  # which may be slow: no lock of the store is held
    entries = look_at_files(records, options.max_bytes) if options.artifacts else []
    if files:
        look_in_file_store(entries, files, options.max_bytes, note)
    core = {
        **_heading(store, options, snapshot),
        **_campaign(snapshot, reading, options),
        "skipped": [snapshot.privacy.text(text) for text in (*snapshot.skipped, *analyses.skipped)],
        "colour": snapshot.shown_paths.get(colour or "", colour),
        "analyses": analyses.entries,
    }
    return Content(snapshot, analyses, names, entries, core)


def _campaign(snapshot: Snapshot, reading: Reading, options: ReportOptions) -> dict[str, Any]:
    """Return the members of the page's data about simulations, results and runs."""
    folders = look_at_folders(snapshot.directories)
    runs = read_runs(snapshot, folders, reading)
    found = find_attention(snapshot, folders, runs, options.filters)
    return {
        "statuses": snapshot.statuses_in_order,
        "simulations": snapshot.simulations(),
        "results": _results(snapshot),
        "progress": [run.to_json() for run in runs],
        "attention": [one.to_json(options.commands) for one in found],
        "commands": clean(options.commands.note),
    }


def _asked_field(transaction: Transaction, colour: str | None) -> Field | None:
    """Return the field of ``--colour``; None if it is a column.

    Raises
    ------
    QueryError
        If no simulation of the store has it, or it has subfields.
    """
    if colour is None:
        return None
    transaction.require(SIMULATIONS)
    field = parse_column(colour, "--colour")
    columns = survey(transaction, SIMULATIONS, Search(fields=(field,))).columns
    names = [column.field.text for column in columns]
    if names != [field.text]:
        known = ", ".join(map(displayed, names))
        raise QueryError(f"--colour {colour!r:.200} is no single value; its fields are {known}")
    return None if field.text in SIMULATIONS.columns else field


def _analysis_names(
    transaction: Transaction, given: Sequence[str], snapshot: Snapshot
) -> list[str]:
    """Return the analyses to show: those given, or all that a simulation of the report has.

    Raises
    ------
    UnknownNameError
        If the store has no analysis of a given name.
    """
    asked: list[Table] = list(map(analysis_table, given))
    for table in asked:
        require_result(transaction, table)
    tables = result_tables(transaction, ResultType.analysis)
    names = {table.id: name for (_, name), table in tables.items()}
    if asked:
        return list(dict.fromkeys(names[table.id] for table in asked))
    stored = {
        column.name.lower()
        for column in snapshot.results.columns
        if column.item is ResultType.analysis and column.completed
    }
    if not transaction.has(OVERVIEW):
        others = (table for table in tables.values() if transaction.count(table, limit=1))
        stored |= {names[table.id].lower() for table in others}
    return sorted(name for name in names.values() if name.lower() in stored)


def _heading(store: Store, options: ReportOptions, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the head of the page says."""
    kind = f"{store.location.partition(' store')[0]} store"
    shown = clean if options.with_paths else lambda text: clean(hide_paths(text))
    as_of = snapshot.as_of
    return {
        "version": __version__,
        "title": clean(options.title or snapshot.privacy.campaign or kind),
        "as_of": f"{as_of.isoformat(' ')[:MINUTES]} UTC" if as_of else "",
        "store": kind,
        "filters": list(map(shown, options.filters.words)),
        "start": "" if options.start == WHOLE else str(options.start),
    }


def _results(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the member ``results`` of the page's data; what no simulation has comes last."""
    return [
        {
            "name": clean(column.name),
            "item": str(column.item),
            "completed": column.completed,
            "expected": column.expected,
            "states": column.states,
            "times": _time_column(column.times, len(column.states)),
        }
        for column in sorted(snapshot.results.columns, key=lambda one: not one.completed)
    ]


def _time_column(times: Mapping[int, str], count: int) -> Any:
    """Return the times of a result, to the minute: those of a push are then mostly equal."""
    shown = {time: to_seconds(time)[:MINUTES] for time in {*times.values()}}
    values: list[str | None] = [None] * count
    for number, time in times.items():
        values[number] = shown[time]
    return to_column(values)
