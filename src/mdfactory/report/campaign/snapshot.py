"""Snapshot: what a report shows of a store, without its frames and files, from one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.errors import StoreError, one_line
from mdfactory.records.fields import COMPOSITION, Field, composition
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import SIMULATIONS, Namespace, log_table
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.records.vocabulary import SimulationStatus
from mdfactory.report.campaign.fields import FieldCollector, FieldColumn, default_colour
from mdfactory.report.campaign.molecule_lists import FieldReader, MoleculeLists
from mdfactory.report.campaign.privacy import Privacy, different_texts
from mdfactory.report.campaign.results import ResultColumns, read_results
from mdfactory.report.campaign.species import composition_told, molecule_lists
from mdfactory.report.payload import clean, clean_all, column_of_codes, to_column, to_json
from mdfactory.report.plots.colour import FIELD_UNITS
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, find, no_note
from mdfactory.sync.pull import check_values, conditions
from mdfactory.sync.search import EVERYTHING, Search, Subject

TEXT_COLUMNS: Final = ("simulation_type", "status", "parametrization", "engine")
"""Columns of the records that the page shows as they are."""

READ_COLUMNS: Final = ("hash", *TEXT_COLUMNS, INPUT_COLUMN, "directory", "timestamp_utc")

SECONDS: Final = len("2026-11-23 00:27:12")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which simulations a report is about.

    Parameters
    ----------
    hash_prefix, equal
        Filters that the store evaluates; see `sync.pull.conditions`.
    search
        How to narrow these simulations.
    words
        The filters as options, for the page.
    """

    hash_prefix: str | None = None
    equal: Mapping[str, str | None] = field(default_factory=dict)
    search: Search = EVERYTHING
    words: tuple[str, ...] = ()


EVERY_SIMULATION: Final = Filters()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The simulations of a report, in the order of their hashes.

    Parameters
    ----------
    hashes, types, statuses, directories, times
        Columns of their records.
    compositions
        Their molecules as text; None where there are none.
    told
        Whether the text is that which the page makes of the molecules and their counts.
    tags
        Their tags as the text of a JSON object; empty where there are none.
    molecules
        Their molecules in lists.
    fields
        Fields of their BuildInputs that differ, those that vary first.
    same
        Path and value of each field that is the same in all.
    others
        Parametrization and engine of each.
    results
        Which results are stored, and which are expected.
    privacy
        What may be shown of texts and directories.
    as_of
        Time of the newest record or operation; None if there is none.
    skipped
        Sentences on BuildInputs that could not be read.
    """

    hashes: list[str]
    types: list[str]
    statuses: list[str]
    directories: list[str]
    times: list[str]
    compositions: list[str | None]
    told: list[bool]
    tags: list[str]
    molecules: MoleculeLists
    fields: list[FieldColumn]
    same: list[tuple[str, Any]]
    others: dict[str, list[str]]
    results: ResultColumns
    privacy: Privacy
    as_of: datetime | None
    skipped: list[str]

    @property
    def colour(self) -> str | None:
        """Path of the field by which curves are coloured, if none is given."""
        return default_colour(self.fields)

    @property
    def statuses_in_order(self) -> list[str]:
        """All statuses in the order of progress; those of newer versions at the end."""
        others = {*self.statuses} - {*SimulationStatus}
        return [*map(str, SimulationStatus), *sorted(map(clean, others))]

    def simulations(self) -> dict[str, Any]:
        """Return the member ``simulations`` of the page's data."""
        shown, text = self.privacy.directory, self.privacy.text
        paths = self.shown_paths
        columns: dict[str, Any] = {
            "hash": list(map(clean, self.hashes)),
            "simulation_type": to_column(list(map(clean, self.types))),
            "status": to_column(list(map(clean, self.statuses))),
            **{name: to_column(list(map(clean, texts))) for name, texts in self.others.items()},
            COMPOSITION: to_column(
                [
                    True if is_told else one and text(one)
                    for one, is_told in zip(self.compositions, self.told, strict=True)
                ]
            ),
            "directory": to_column(list(map(shown, self.directories, self.hashes))),
            "timestamp_utc": to_column(list(map(to_seconds, self.times))),
        }
        return {
            "count": len(self.hashes),
            "columns": columns,
            "fields": [
                {
                    "path": paths[one.path],
                    "kind": one.kind,
                    "varies": one.varies,
                    "values": one.column,
                }
                for one in self.fields
            ],
            "same": [[paths[path], value] for path, value in self.same],
            "units": {path: unit for path, unit in FIELD_UNITS.items() if paths.get(path) == path},
            "molecules": self.molecules.to_json(paths, text),
            "tags": self._tag_column(),
        }

    @property
    def shown_paths(self) -> dict[str, str]:
        """Path of each molecule and field -> what the page shows of it, which is different, too."""
        paths = [*(one.path for one in self.fields), *(path for path, _ in self.same)]
        shown = different_texts(self.molecules.present, self.privacy.field)
        owners = {path: path.rpartition(".")[0] for path in paths}
        others = [path for path, owner in owners.items() if owner not in shown]
        own = {
            path: f"{shown[owner]}{path.removeprefix(owner)}"
            for path, owner in owners.items()
            if owner in shown
        }
        lists = different_texts(self.molecules.lists, self.privacy.field)
        return lists | shown | own | different_texts(others, self.privacy.field)

    def values_of(self, path: str) -> list[Any] | None:
        """Return the values of a field of all simulations; None if there is no such field."""
        columns = {one.path: one.column for one in self.fields}
        if path not in columns and path not in dict(self.same):
            return None
        molecules = self.molecules.to_json()
        return FieldReader(len(self.hashes), molecules, columns, self.same).values(path)

    def _tag_column(self) -> Any:
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(tags, len(numbers)) for tags in self.tags]
        return column_of_codes([self._shown_tags(text) for text in numbers], codes)

    def _shown_tags(self, text: str) -> dict[str, str] | None:
        import json

        tags = json.loads(text or "{}")
        return {clean(key): self.privacy.text(str(value)) for key, value in tags.items()} or None


class _Reader:
    """Collects the columns of the simulations; see `read_snapshot`."""

    def __init__(self, text: Callable[[str], str], asked: Field | None) -> None:
        self.columns: dict[str, list[str]] = {name: [] for name in READ_COLUMNS}
        self.compositions: list[str | None] = []
        self.told: list[bool] = []
        self.tags: list[str] = []
        self.skipped: list[str] = []
        self.fields = FieldCollector(text, asked)
        self._text = text
        self._known: dict[Any, Any] = {}

    def add(self, row: Mapping[str, str]) -> None:
        """Add the record of the next simulation."""
        for name, values in self.columns.items():
            if name != INPUT_COLUMN:
                values.append(self._shared(row[name]))
        try:
            document = Subject(row).document
            self.fields.add(row["simulation_type"], document)
        except (StoreError, ValueError) as error:
            self.skipped.append(one_line(f"BuildInput of {row['hash']}: {error}"))
            document = {}
            self.fields.add(row["simulation_type"], document)
        self._add_composition(document)
        tags = document.get("tags")
        is_given = isinstance(tags, dict) and tags
        self.tags.append(self._shared(to_json(clean_all(tags)).decode() if is_given else ""))

    def _add_composition(self, document: Mapping[str, Any]) -> None:
        text = composition(document)
        told = composition_told(molecule_lists(document))
        self.compositions.append(self._shared(text))
        self.told.append(text is not None and text == told == self._text(text))

    def _shared(self, value: Any) -> Any:
        """Return the equal value that was seen first, so that each is in memory once."""
        return self._known.setdefault(value, value)


def read_snapshot(
    transaction: Transaction,
    catalogue: Catalogue,
    filters: Filters = EVERY_SIMULATION,
    *,
    asked: Field | None = None,
    with_paths: bool = False,
    note: Note = no_note,
) -> Snapshot:
    """Read what a report shows of the simulations of a store.

    Parameters
    ----------
    transaction
        A transaction of the store.
    catalogue
        The results that are expected of each type.
    filters
        Which simulations.
    asked
        A field that is shown, although it may be short for several paths.
    with_paths
        Whether absolute paths may be shown.
    note
        Function that is called with each note about the search.

    Raises
    ------
    NotInitialisedError
        If the store has no simulations' table.
    QueryError
        If a filter is invalid, or no simulation has a field of the search.
    """
    transaction.require(SIMULATIONS)
    check_values(transaction, SIMULATIONS, filters.equal)
    where = conditions(filters.hash_prefix, filters.equal)
    names, operation_times = _read_log(transaction)
    reader = _Reader(Privacy((), names, with_paths=with_paths).text, asked)
    query = Query(where, READ_COLUMNS, Sort("hash"))
    with closing(find(transaction, SIMULATIONS, query, filters.search, note).batches) as batches:
        for rows in batches:
            for values in zip(*(rows[name].to_pylist() for name in READ_COLUMNS), strict=True):
                reader.add(dict(zip(READ_COLUMNS, values, strict=True)))
    columns = reader.columns
    fields, same = reader.fields.columns()
    results = read_results(
        transaction, catalogue, columns["hash"], columns["simulation_type"], columns["status"]
    )
    times = {*_all_times(transaction), *operation_times, *results.all_times}
    return Snapshot(
        hashes=columns["hash"],
        types=columns["simulation_type"],
        statuses=columns["status"],
        directories=columns["directory"],
        times=columns["timestamp_utc"],
        compositions=reader.compositions,
        told=reader.told,
        tags=reader.tags,
        molecules=reader.fields.molecules,
        fields=fields,
        same=same,
        others={name: columns[name] for name in ("parametrization", "engine")},
        results=results,
        privacy=Privacy(columns["directory"], names, with_paths=with_paths),
        as_of=max(filter(None, map(parse_time, times)), default=None),
        skipped=reader.skipped,
    )


def parse_time(text: str) -> datetime | None:
    """Return the time of a record; None if another program wrote something else."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_seconds(text: str) -> str:
    """Return the time of a record in UTC to the second, as the page shows it."""
    time = parse_time(text)
    return clean(text) if time is None else time.isoformat(" ")[:SECONDS]


def _all_times(transaction: Transaction) -> set[str]:
    """Return the distinct times of all simulations of the store."""
    query = Query(columns=("timestamp_utc",))
    return {str(time) for (time,) in transaction.values(SIMULATIONS, query)}


def _read_log(transaction: Transaction) -> tuple[set[str], list[str]]:
    """Return the users and hosts in the log of a store, and the time of each operation."""
    names: Counter[str] = Counter()
    times: list[str] = []
    query = Query(columns=("who", "host", "time"))
    for table in map(log_table, Namespace):
        for who, host, time in transaction.values(table, query) if transaction.has(table) else ():
            names.update((str(who), str(host)))
            times.append(str(time))
    return {name for name in names if name}, times
