"""The record tables, declared once: the only place that names a column list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

import pyarrow as pa

from mdfactory.errors import InvalidNameError
from mdfactory.records.vocabulary import ItemType, check_name

__all__ = [
    "FORMAT_VERSION",
    "FRAMES",
    "KNOWN",
    "OVERVIEW",
    "RUNS",
    "STATE",
    "Place",
    "Table",
    "analysis_table",
    "artifact_table",
    "digest_table",
    "format_table",
    "item_table",
    "log_table",
    "table_named",
    "undo_table",
]

FORMAT_VERSION = 1
"""Version of the ``_mdfactory_*`` tables; a store with a newer one is refused."""


class Place(StrEnum):
    """The part of a store that a table lives in: a file, folder or schema of its own."""

    runs = "runs"
    results = "results"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the store.

    Parameters
    ----------
    name
        Its name; names are unique regardless of case.
    schema
        Columns in their order, all strings and 64-bit integers, none nullable.
    key
        Columns that identify a record.
    place
        Where in a store it lives.
    time
        The column that says when a record was written; not part of its content.
        Empty for the tables that describe records.
    summary
        Columns that a terminal shows when not asked for all.
    bulky
        Columns that no terminal can show.
    large
        Columns whose cells may hold megabytes: few of them are held at a time.
    command
        The command that creates the table.
    item
        What its records are about, if they are results of one name.
    beside
        The table that keeps what a record's own columns cannot say: a row for each record,
        known by the record's table and key, with the time of the record that it belongs to.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    place: Place
    time: str = ""
    summary: tuple[str, ...] = ()
    bulky: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    command: str = ""
    item: ItemType | None = None
    beside: Table | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.schema.names)

    @property
    def id(self) -> str:
        """The name as it is compared: regardless of case."""
        return self.name.lower()

    @property
    def item_name(self) -> str:
        """The name of the result; installations that spell tables in upper case mean lower."""
        name = self.name.partition("_")[2]
        return name.lower() if name.isupper() else name

    @property
    def extras(self) -> tuple[str, ...]:
        """Names of the columns that are kept beside a record."""
        own = (*self.key, "record_table", self.time)
        return tuple(name for name in self.beside.columns if name not in own) if self.beside else ()

    @property
    def whole(self) -> pa.Schema:
        """The columns of a record and of what is kept beside it."""
        beside = (self.beside.schema.field(name) for name in self.extras) if self.beside else ()
        return pa.schema([*self.schema, *beside])

    @property
    def digested(self) -> pa.Schema:
        """The columns of `whole`, and ``content``, the content digest."""
        return self.whole.append(KNOWN.field("content"))

    @property
    def is_record(self) -> bool:
        """Whether rows are records of simulations, which have a digest each."""
        return bool(self.time)


def _schema(columns: str) -> pa.Schema:
    """``"hash row_count:int"`` -> a schema of strings, and integers where marked."""
    fields = [column.partition(":") for column in columns.split()]
    kinds = {"": pa.string(), "int": pa.int64()}
    return pa.schema([pa.field(name, kinds[kind], nullable=False) for name, _, kind in fields])


KNOWN = _schema("hash directory simulation_type content digest")
"""What is known of a record that was not read again: whose it is, its content digest, and the
``digest`` of what is kept beside it, or nothing if nothing is; see `records.digests`."""

RUNS = Table(
    name="RUN_DATABASE",
    schema=_schema(
        "hash engine parametrization simulation_type input_data input_data_type directory "
        "status timestamp_utc"
    ),
    key=("hash",),
    place=Place.runs,
    time="timestamp_utc",
    summary=("hash", "simulation_type", "parametrization", "status", "directory"),
    bulky=("input_data",),
    command="mdfactory sync init systems",
)

OVERVIEW = Table(
    name="ANALYSIS_OVERVIEW",
    schema=_schema(
        "hash simulation_type directory item_type item_name status row_count:int file_count:int "
        "updated_at"
    ),
    key=("hash", "item_type", "item_name"),
    place=Place.results,
    time="updated_at",
    summary=(
        "hash",
        "simulation_type",
        "item_type",
        "item_name",
        "status",
        "row_count",
        "file_count",
        "directory",
        "updated_at",
    ),
    command="mdfactory sync init analysis",
)

FRAMES = Table(
    name="_mdfactory_frame",
    schema=_schema(
        "record_table hash timestamp_utc arrow_schema entry csv_sha256 arrow_ipc digest"
    ),
    key=("record_table", "hash"),
    place=Place.results,
    large=("arrow_ipc",),
)
"""What plain CSV cannot say of a frame: see `records.frames.Frame`; ``entry`` is the registry's
in JSON, and ``digest`` tells whether any of this has changed."""

STATE = Table(
    name="_mdfactory_state",
    schema=_schema("kind name value"),
    key=("kind", "name"),
    place=Place.runs,
)
"""What a store must note of itself that cannot list its tables, or commit them together: the
names of tables (kind ``table``), and writes (kind ``write``), so that one that was cut short
can be told; see `stores.foundry`."""


def analysis_table(name: str) -> Table:
    """Return the table that holds one analysis of all simulations.

    Raises
    ------
    InvalidNameError
        If `name` cannot name a table.
    """
    return _item_table(
        f"ANALYSIS_{check_name(name)}",
        "hash directory simulation_type row_count:int columns data_csv data_path timestamp_utc",
        summary="hash directory simulation_type row_count columns data_path timestamp_utc",
        bulky=("data_csv",),
        large=("data_csv",),
        command="mdfactory sync init analysis",
        item=ItemType.analysis,
        beside=FRAMES,
    )


def artifact_table(name: str) -> Table:
    """Return the table that lists the files of one artifact of all simulations.

    Raises
    ------
    InvalidNameError
        If `name` cannot name a table.
    """
    return _item_table(
        f"ARTIFACT_{check_name(name)}",
        "hash directory simulation_type file_count:int files checksums timestamp_utc",
        summary="hash simulation_type file_count files checksums directory timestamp_utc",
        command="mdfactory sync init artifacts",
        item=ItemType.artifact,
    )


def _item_table(name: str, columns: str, *, summary: str, **rest: Any) -> Table:
    return Table(
        name=name,
        schema=_schema(columns),
        key=("hash",),
        place=Place.results,
        time="timestamp_utc",
        summary=tuple(summary.split()),
        **rest,
    )


@cache
def digest_table(place: Place) -> Table:
    """Return the table of the digests of all records in one place of a store.

    Its key is the lower-case name of the record's table and the record's own key, where
    columns that the record's key does not have are empty. See `records.digests`.
    """
    return Table(
        name="_mdfactory_digest",
        schema=_schema("record_table hash item_type item_name content digest"),
        key=("record_table", "hash", "item_type", "item_name"),
        place=place,
    )


@cache
def format_table(place: Place) -> Table:
    """Return the one-row table that tells the version of the ``_mdfactory_*`` tables."""
    return Table(
        name="_mdfactory_format", schema=_schema("version:int"), key=("version",), place=place
    )


@cache
def log_table(place: Place) -> Table:
    """Return the table that tells what was done to the records in one place of a store.

    Its rows are those of `records.history.Entry`.
    """
    return Table(
        name="_mdfactory_log",
        schema=_schema(
            "operation:int place places time who host version command changes made dropped "
            "undoes:int slot:int size:int"
        ),
        key=("operation", "place"),
        place=place,
    )


@cache
def undo_table(place: Place, slot: int) -> Table:
    """Return the table that keeps what one operation changed in one place of a store.

    There is one for each operation that can be undone, and the next one takes the table of
    the one that is forgotten. A row is a part of what was done: the keys of records with the
    stamps that they were left with, and the records as they were before, both packed, and a
    digest of all that; see `records.history`. Its column ``hash``, by which every store finds
    rows, and divides them, is the number of the part.
    """
    return Table(
        name=f"_mdfactory_undo_{place}_{slot}",
        schema=_schema("hash operation:int record_table left before digest"),
        key=("hash",),
        place=place,
        large=("left", "before"),
    )


def table_named(name: str, place: Place) -> Table | None:
    """Return the record table of this name, spelt as given, or None if it is none of ours."""
    known = {table.id: table for table in (RUNS, OVERVIEW) if table.place is place}
    if name.lower() in known:
        return replace(known[name.lower()], name=name)
    kind, _, item = name.partition("_")
    if kind.lower() not in ITEM_TABLES or place is not Place.results:
        return None
    try:
        return replace(item_table(ItemType(kind.lower()), item), name=name)
    except InvalidNameError:
        return None


@cache
def item_table(kind: ItemType, name: str) -> Table:
    """Return the table of one analysis or artifact.

    Raises
    ------
    InvalidNameError
        If `name` cannot name a table.
    """
    return ITEM_TABLES[kind](name)


ITEM_TABLES = {ItemType.analysis: analysis_table, ItemType.artifact: artifact_table}
