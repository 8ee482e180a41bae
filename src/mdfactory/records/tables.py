"""The tables of a store: their names, columns and keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

import pyarrow as pa

from mdfactory.errors import InvalidNameError
from mdfactory.records.vocabulary import (
    Engine,
    Parametrization,
    ResultStatus,
    ResultType,
    SimulationStatus,
    SimulationType,
    check_name,
)

FORMAT_VERSION = 1
"""Version of the ``_mdfactory_*`` tables. Stores with a newer version are not opened."""


class Namespace(StrEnum):
    """Part of a store that is a file, folder or schema of its own."""

    runs = "runs"
    results = "results"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a store.

    Parameters
    ----------
    name
        Name of the table; names are unique regardless of case.
    schema
        Columns in their order: strings and 64-bit integers, none nullable.
    key
        Columns that identify a row.
    namespace
        The namespace that holds the table.
    time
        The column with the time at which a record was written; not part of the content.
        Empty for the ``_mdfactory_*`` tables.
    summary
        Columns that a terminal shows by default.
    bulky
        Columns that are too wide for any terminal.
    large
        Columns whose cells may hold megabytes; they are read a few rows at a time.
    command
        The command that creates the table.
    result_type
        Type of the result, if the table holds the records of one analysis or artifact.
    sidecar
        The table of the records' sidecars, which hold data in addition to the records' own
        columns. A sidecar holds the table name, key and time of its record. If the record has
        another time, the sidecar belongs to an earlier version of it.
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
        """Names of the columns in their order."""
        return tuple(self.schema.names)

    @property
    def id(self) -> str:
        """The name in lower case, for comparisons."""
        return self.name.lower()

    @property
    def result_name(self) -> str:
        """Name of the result; in lower case if it is all upper case in the name of the table."""
        name = self.name.partition("_")[2]
        return name.lower() if name.isupper() else name

    @property
    def sidecar_columns(self) -> tuple[str, ...]:
        """Names of the data columns of a sidecar: all but its key and time."""
        if not self.sidecar:
            return ()
        key_and_time = (*self.key, "record_table", self.time)
        return tuple(name for name in self.sidecar.columns if name not in key_and_time)

    @property
    def schema_with_sidecar(self) -> pa.Schema:
        """The columns of a record, then the data columns of its sidecar."""
        if not self.sidecar:
            return self.schema
        return pa.schema([*self.schema, *map(self.sidecar.schema.field, self.sidecar_columns)])

    @property
    def schema_with_digests(self) -> pa.Schema:
        """The columns of `schema_with_sidecar`, then ``content``, the content digest."""
        return self.schema_with_sidecar.append(DIGEST_ROW_SCHEMA.field("content"))

    @property
    def is_record(self) -> bool:
        """Whether the rows are records, which have a time and digests."""
        return bool(self.time)


def text_schema(columns: str) -> pa.Schema:
    """Return a schema of strings and integers without nulls, given as ``"hash row_count:int"``."""
    fields = [column.partition(":") for column in columns.split()]
    types = {"": pa.string(), "int": pa.int64()}
    return pa.schema([pa.field(name, types[mark], nullable=False) for name, _, mark in fields])


def _new_table(
    name: str,
    columns: str,
    *,
    key: str = "hash",
    namespace: Namespace = Namespace.results,
    summary: str = "",
    **others: Any,
) -> Table:
    """Return a table whose columns are given as texts, see `text_schema`."""
    return Table(
        name=name,
        schema=text_schema(columns),
        key=tuple(key.split()),
        namespace=namespace,
        summary=tuple(summary.split()),
        **others,
    )


DIGEST_ROW_SCHEMA = text_schema("hash directory simulation_type content digest")
"""Columns of a digest row, which stands for a record whose files were not read again. ``content``
is the content digest of the record, ``digest`` that of its sidecar, empty if it has none."""

SIMULATIONS = _new_table(
    "RUN_DATABASE",
    "hash engine parametrization simulation_type input_data input_data_type directory status "
    "timestamp_utc",
    namespace=Namespace.runs,
    time="timestamp_utc",
    summary="hash simulation_type parametrization status directory",
    bulky=("input_data",),
    command="mdfactory sync init systems",
)

OVERVIEW = _new_table(
    "ANALYSIS_OVERVIEW",
    "hash simulation_type directory item_type item_name status row_count:int file_count:int "
    "updated_at",
    key="hash item_type item_name",
    time="updated_at",
    summary="hash simulation_type item_type item_name status row_count file_count directory "
    "updated_at",
    command="mdfactory sync init analysis",
)

FIRST_TABLES = {Namespace.runs: SIMULATIONS, Namespace.results: OVERVIEW}
"""Namespace -> the table that each initialised one has."""

FRAME_SIDECARS = _new_table(
    "_mdfactory_frame",
    "record_table hash timestamp_utc arrow_schema entry csv_sha256 arrow_ipc digest",
    key="record_table hash",
    large=("arrow_ipc",),
)
"""Sidecars of analyses: the parts of a frame that CSV text does not hold, see
`frames.codec.Frame`. ``entry`` is the entry of the registry file, in JSON, and ``digest`` is the
digest of the sidecar, see `frames.codec.sidecar_digest`."""


def analysis_table(name: str) -> Table:
    """Return the table of one analysis.

    Raises
    ------
    InvalidNameError
        If the name is invalid, see `records.vocabulary.check_name`.
    """
    return _new_table(
        f"ANALYSIS_{check_name(name)}",
        "hash directory simulation_type row_count:int columns data_csv data_path timestamp_utc",
        time="timestamp_utc",
        summary="hash directory simulation_type row_count columns data_path timestamp_utc",
        bulky=("data_csv",),
        large=("data_csv",),
        command="mdfactory sync init analysis",
        result_type=ResultType.analysis,
        sidecar=FRAME_SIDECARS,
    )


def artifact_table(name: str) -> Table:
    """Return the table of one artifact, whose records list files.

    Raises
    ------
    InvalidNameError
        If the name is invalid, see `records.vocabulary.check_name`.
    """
    return _new_table(
        f"ARTIFACT_{check_name(name)}",
        "hash directory simulation_type file_count:int files checksums timestamp_utc",
        time="timestamp_utc",
        summary="hash simulation_type file_count files checksums directory timestamp_utc",
        command="mdfactory sync init artifacts",
        result_type=ResultType.artifact,
    )


@cache
def digest_table(namespace: Namespace) -> Table:
    """Return the table of the digests of all records in a namespace.

    Its key is the name of the record's table, in lower case, and the record's key. Key columns
    that the record's table does not have are empty. See `records.digests`.
    """
    return _new_table(
        "_mdfactory_digest",
        "record_table hash item_type item_name content digest",
        key="record_table hash item_type item_name",
        namespace=namespace,
    )


@cache
def format_table(namespace: Namespace) -> Table:
    """Return the one-row table of the version of the ``_mdfactory_*`` tables."""
    return _new_table("_mdfactory_format", "version:int", key="version", namespace=namespace)


STORE_IDS = _new_table("_mdfactory_store", "id", key="id")
"""The table with the one id by which a file store knows this store."""


@cache
def log_table(namespace: Namespace) -> Table:
    """Return the table of the log of operations in a namespace.

    Each row is a `records.history.Entry`.
    """
    return _new_table(
        "_mdfactory_log",
        "operation:int place places time who host version command changes made dropped "
        "undoes:int slot:int size:int",
        key="operation place",
        namespace=namespace,
    )


@cache
def undo_table(namespace: Namespace, slot: int) -> Table:
    """Return the table that holds the changes of one operation in a namespace.

    Each operation that can be undone has an undo table. When it can no longer be undone, a
    later operation reuses the table. Each row is a `records.history.UndoPart`. The column ``hash``
    holds the key of the part; it is called ``hash`` because stores find and partition rows by the
    column of that name.

    Parameters
    ----------
    namespace
        The namespace.
    slot
        Number of the table, 0 or more.
    """
    return _new_table(
        f"_mdfactory_undo_{namespace}_{slot}",
        "hash operation:int record_table left before digest",
        namespace=namespace,
        large=("left", "before"),
    )


def is_internal(name: str) -> bool:
    """Whether a table of this name is one of those that mdfactory creates for itself."""
    tables = (
        table(namespace)
        for namespace in Namespace
        for table in (digest_table, format_table, log_table)
    )
    names = {FRAME_SIDECARS.name, STORE_IDS.name, *(table.name for table in tables)}
    return name in names or name.startswith(
        tuple(undo_table(namespace, 0).name.removesuffix("0") for namespace in Namespace)
    )


def table_named(name: str, namespace: Namespace) -> Table | None:
    """Return the record table of this name, or None if no record table has this name.

    Parameters
    ----------
    name
        The name in any case; the returned table has the name as given.
    namespace
        The namespace that holds the table.
    """
    for table in (SIMULATIONS, OVERVIEW):
        if table.namespace is namespace and table.id == name.lower():
            return replace(table, name=name)
    prefix, _, result_name = name.partition("_")
    if prefix.lower() not in RESULT_TABLES_BY_TYPE or namespace is not Namespace.results:
        return None
    try:
        return replace(result_table(ResultType(prefix.lower()), result_name), name=name)
    except InvalidNameError:
        return None


def enumerations_of(table: Table) -> dict[str, type[StrEnum]]:
    """Return the columns of a record table that have a fixed set of values, and these values."""
    status: type[StrEnum] = ResultStatus if table.id == OVERVIEW.id else SimulationStatus
    enumerations: dict[str, type[StrEnum]] = {
        "engine": Engine,
        "parametrization": Parametrization,
        "item_type": ResultType,
        "simulation_type": SimulationType,
        "status": status,
    }
    return {name: values for name, values in enumerations.items() if name in table.columns}


@cache
def result_table(result_type: ResultType, name: str) -> Table:
    """Return the table of one analysis or artifact.

    Raises
    ------
    InvalidNameError
        If the name is invalid, see `records.vocabulary.check_name`.
    """
    return RESULT_TABLES_BY_TYPE[result_type](name)


RESULT_TABLES_BY_TYPE = {ResultType.analysis: analysis_table, ResultType.artifact: artifact_table}
