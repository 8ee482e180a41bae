"""The record tables, declared once: the only place that names a column list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

import pyarrow as pa

from mdfactory.errors import InvalidNameError
from mdfactory.records.vocabulary import ResultType, check_name

__all__ = [
    "DIGEST_ROW_SCHEMA",
    "FORMAT_VERSION",
    "FRAME_SIDECARS",
    "OVERVIEW",
    "SIMULATIONS",
    "STATE",
    "Namespace",
    "Table",
    "analysis_table",
    "artifact_table",
    "digest_table",
    "format_table",
    "log_table",
    "result_table",
    "table_named",
    "undo_table",
]

FORMAT_VERSION = 1
"""Version of the ``_mdfactory_*`` tables; a store with a newer one is refused."""


class Namespace(StrEnum):
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
    namespace
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
    result_type
        What its records are about, if they are results of one name.
    sidecar
        The table that keeps what a record's own columns cannot say: a row for each record,
        known by the record's table and key, with the time of the record that it belongs to.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    namespace: Namespace
    time: str = ""
    summary: tuple[str, ...] = ()
    bulky: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    command: str = ""
    result_type: ResultType | None = None
    sidecar: Table | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.schema.names)

    @property
    def id(self) -> str:
        """The name as it is compared: regardless of case."""
        return self.name.lower()

    @property
    def result_name(self) -> str:
        """The name of the result; installations that spell tables in upper case mean lower."""
        name = self.name.partition("_")[2]
        return name.lower() if name.isupper() else name

    @property
    def sidecar_columns(self) -> tuple[str, ...]:
        """Names of the columns that are kept beside a record."""
        own = (*self.key, "record_table", self.time)
        return (
            tuple(name for name in self.sidecar.columns if name not in own) if self.sidecar else ()
        )

    @property
    def schema_with_sidecar(self) -> pa.Schema:
        """The columns of a record and of what is kept beside it."""
        sidecar = (
            (self.sidecar.schema.field(name) for name in self.sidecar_columns)
            if self.sidecar
            else ()
        )
        return pa.schema([*self.schema, *sidecar])

    @property
    def schema_with_digests(self) -> pa.Schema:
        """The columns of `schema_with_sidecar`, and ``content``, the content digest."""
        return self.schema_with_sidecar.append(DIGEST_ROW_SCHEMA.field("content"))

    @property
    def is_record(self) -> bool:
        """Whether rows are records of simulations, which have a digest each."""
        return bool(self.time)


def _schema(columns: str) -> pa.Schema:
    """``"hash row_count:int"`` -> a schema of strings, and integers where marked."""
    fields = [column.partition(":") for column in columns.split()]
    kinds = {"": pa.string(), "int": pa.int64()}
    return pa.schema([pa.field(name, kinds[kind], nullable=False) for name, _, kind in fields])


DIGEST_ROW_SCHEMA = _schema("hash directory simulation_type content digest")
"""What is known of a record that was not read again: whose it is, its content digest, and the
``digest`` of what is kept beside it, or nothing if nothing is; see `records.digests`."""

SIMULATIONS = Table(
    name="RUN_DATABASE",
    schema=_schema(
        "hash engine parametrization simulation_type input_data input_data_type directory "
        "status timestamp_utc"
    ),
    key=("hash",),
    namespace=Namespace.runs,
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
    namespace=Namespace.results,
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

FRAME_SIDECARS = Table(
    name="_mdfactory_frame",
    schema=_schema(
        "record_table hash timestamp_utc arrow_schema entry csv_sha256 arrow_ipc digest"
    ),
    key=("record_table", "hash"),
    namespace=Namespace.results,
    large=("arrow_ipc",),
)
"""What plain CSV cannot say of a frame: see `records.frames.Frame`; ``entry`` is the registry's
in JSON, and ``digest`` tells whether any of this has changed."""

STATE = Table(
    name="_mdfactory_state",
    schema=_schema("kind name value"),
    key=("kind", "name"),
    namespace=Namespace.runs,
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
        result_type=ResultType.analysis,
        sidecar=FRAME_SIDECARS,
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
        result_type=ResultType.artifact,
    )


def _item_table(name: str, columns: str, *, summary: str, **rest: Any) -> Table:
    return Table(
        name=name,
        schema=_schema(columns),
        key=("hash",),
        namespace=Namespace.results,
        time="timestamp_utc",
        summary=tuple(summary.split()),
        **rest,
    )


@cache
def digest_table(namespace: Namespace) -> Table:
    """Return the table of the digests of all records in one place of a store.

    Its key is the lower-case name of the record's table and the record's own key, where
    columns that the record's key does not have are empty. See `records.digests`.
    """
    return Table(
        name="_mdfactory_digest",
        schema=_schema("record_table hash item_type item_name content digest"),
        key=("record_table", "hash", "item_type", "item_name"),
        namespace=namespace,
    )


@cache
def format_table(namespace: Namespace) -> Table:
    """Return the one-row table that tells the version of the ``_mdfactory_*`` tables."""
    return Table(
        name="_mdfactory_format",
        schema=_schema("version:int"),
        key=("version",),
        namespace=namespace,
    )


@cache
def log_table(namespace: Namespace) -> Table:
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
        namespace=namespace,
    )


@cache
def undo_table(namespace: Namespace, slot: int) -> Table:
    """Return the table that keeps what one operation changed in one place of a store.

    There is one for each operation that can be undone, and the next one takes the table of
    the one that is forgotten. A row is a part of what was done: the keys of records with the
    stamps that they were left with, and the records as they were before, both packed, and a
    digest of all that; see `records.history`. Its column ``hash``, by which every store finds
    rows, and divides them, is the number of the part.
    """
    return Table(
        name=f"_mdfactory_undo_{namespace}_{slot}",
        schema=_schema("hash operation:int record_table left before digest"),
        key=("hash",),
        namespace=namespace,
        large=("left", "before"),
    )


def table_named(name: str, namespace: Namespace) -> Table | None:
    """Return the record table of this name, spelt as given, or None if it is none of ours."""
    known = {table.id: table for table in (SIMULATIONS, OVERVIEW) if table.namespace is namespace}
    if name.lower() in known:
        return replace(known[name.lower()], name=name)
    kind, _, result_type = name.partition("_")
    if kind.lower() not in RESULT_TABLES or namespace is not Namespace.results:
        return None
    try:
        return replace(result_table(ResultType(kind.lower()), result_type), name=name)
    except InvalidNameError:
        return None


@cache
def result_table(kind: ResultType, name: str) -> Table:
    """Return the table of one analysis or artifact.

    Raises
    ------
    InvalidNameError
        If `name` cannot name a table.
    """
    return RESULT_TABLES[kind](name)


RESULT_TABLES = {ResultType.analysis: analysis_table, ResultType.artifact: artifact_table}
