"""SQL over datasets: parsed by sqlglot in the dialect of the query, evaluated by DuckDB."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from .datasets import Dataset, Transaction, view
from .errors import RefusedError
from .parquet import UnreadableError, field_of, kind_of, read
from .wire import Call, Reply, endpoint

if TYPE_CHECKING:
    from .server import FoundryServer

RANGE = re.compile(r"(?P<start>[^:@]*):(?P<end>[^:@]*)@(?P<branch>.+)")
READY = {"type": "ready", "ready": {}}


class Ansi(Dialect):
    """Doubled quotes in literals (Q7); backticks as well as double quotes around names."""

    class Tokenizer(sqlglot.Tokenizer):
        """As the base, with backticks."""

        IDENTIFIERS: ClassVar = ['"', "`"]


DIALECTS: dict[str, Any] = {"SPARK": "spark", "ANSI": Ansi}


@dataclass(frozen=True, slots=True)
class Words:
    """The names under which a service refuses a table (E2)."""

    path: str
    rid: str
    branch: str
    schema: str
    schema_status: int = 400


SQL_SERVER = Words(
    path="FoundrySqlServer:InvalidDatasetPathNotFound",
    rid="FoundrySqlServer:InvalidDatasetCannotAccess",
    branch="FoundrySqlServer:InvalidDatasetCannotAccess",
    schema="FoundrySqlServer:InvalidDatasetNoSchema",
)
DATA_PROXY = Words(
    path="DataProxy:DatasetNotFound",
    rid="DataProxy:DatasetNotFound",
    branch="DataProxy:FallbackBranchesNotSpecifiedInQuery",
    schema="DataProxy:SchemaNotFound",
    schema_status=404,
)


class FailedQueryError(Exception):
    """A query that runs and fails (Q3)."""


@dataclass(slots=True)
class Query:
    """A query that has been started: what became of it, and how long it seems to run."""

    table: pa.Table | None
    error: str
    polls: int
    rid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def status(self) -> dict[str, Any]:
        """Return what polling says (Q2, Q3)."""
        self.polls -= 1
        if self.polls >= 0:
            return {"type": "running", "running": {}}
        if self.table is None:
            return {"type": "failed", "failed": {"errorMessage": self.error}}
        return READY


@dataclass(frozen=True, slots=True)
class Source:
    """Where a query reads: a view of a dataset."""

    dataset: Dataset
    end: Transaction
    start: str | None
    schema: dict[str, Any]

    def read(self) -> pa.Table:
        """Return all rows (S8)."""
        seen = view(self.end, self.start)
        return read({name: found.files[name] for name, found in seen.items()}, self.schema)


class Tables:
    """Finds the tables of a query (Q6): refuses in the words of one service."""

    def __init__(self, server: FoundryServer, fallbacks: list[str], words: Words) -> None:
        self.server = server
        self.fallbacks = fallbacks
        self.words = words
        lag = server.settings.sql_lag
        self.horizon = max(server.caught_up, time.monotonic() - lag)

    def find(self, table: exp.Table) -> Source:
        """Return what a reference means."""
        dataset = self._dataset(table.name)
        asked = RANGE.fullmatch(table.db)
        name = asked["branch"] if asked else table.db or self._fallback(dataset)
        if name not in dataset.branches:
            raise RefusedError(self.words.branch, datasetRid=dataset.rid)
        end = self._end(dataset, name, asked["end"] if asked else "")
        start = (asked["start"] if asked else "") or None
        if start and end and start not in {each.rid for each in end.back()}:
            raise RefusedError(self.words.rid, datasetRid=dataset.rid)
        schema = dataset.schema(end)
        if end is None or schema is None:
            raise RefusedError(self.words.schema, self.words.schema_status, datasetRid=dataset.rid)
        return Source(dataset, end, start, schema)

    def _dataset(self, name: str) -> Dataset:
        state = self.server.state
        found = state.by_path.get(name) if name.startswith("/") else state.by_rid.get(name)
        if found and found.dataset:
            return found.dataset
        if name.startswith("/"):
            raise RefusedError(self.words.path, path=name)
        raise RefusedError(self.words.rid, datasetRid=name)

    def _fallback(self, dataset: Dataset) -> str:
        return next((name for name in self.fallbacks if name in dataset.branches), "")

    def _end(self, dataset: Dataset, branch: str, rid: str) -> Transaction | None:
        """Return the last transaction that SQL sees, or the one that is named (Q8, Q9)."""
        known = dataset.branches[branch].head
        for each in known.back() if known else ():
            if each.visible <= self.horizon and rid in {"", each.rid}:
                return each
            if each.rid == rid:
                raise FailedQueryError(f"transaction {rid} is not there yet")
        if rid:
            raise RefusedError(self.words.rid, datasetRid=dataset.rid)
        return None


def run(text: str, dialect: str, tables: Tables) -> pa.Table:
    """Return the result of a query (Q5).

    Raises
    ------
    RefusedError
        If a table cannot be found or has no schema.
    FailedQueryError
        If the query is wrong, or data cannot be read.
    """
    if dialect not in DIALECTS:
        raise RefusedError("Default:InvalidArgument", dialect=dialect)
    try:
        parsed = sqlglot.parse_one(text, read=DIALECTS[dialect])
        if not isinstance(parsed, exp.Query):
            raise FailedQueryError("not a query")
        return _evaluate(parsed, tables)
    except (SqlglotError, UnreadableError, duckdb.Error) as error:
        raise FailedQueryError(str(error)) from error


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    """Return the one database of the process: to start it takes longer than a query."""
    return duckdb.connect(":memory:", config={"enable_external_access": False, "threads": 1})


def _evaluate(parsed: exp.Query, tables: Tables) -> pa.Table:
    """Put tables in the place of references, and ask DuckDB."""
    inner = {each.alias_or_name for each in parsed.find_all(exp.CTE)}
    with _duckdb().cursor() as database:
        for number, each in enumerate(list(parsed.find_all(exp.Table))):
            if each.name in inner:
                continue
            database.register(f"t{number}", tables.find(each).read())
            alias = each.alias or f"t{number}"
            each.replace(exp.alias_(exp.table_(f"t{number}"), alias, table=True))
        return _settle(database.sql(parsed.sql("duckdb", identify=True)).to_arrow_table())


def _settle(table: pa.Table) -> pa.Table:
    """Return the types that Spark gives: sums of integers are long, times are in UTC (Q5)."""
    fields = []
    for each in table.schema:
        kind = each.type
        if pa.types.is_decimal(kind):
            kind = pa.float64() if kind.scale else pa.int64()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        fields.append(pa.field(each.name, kind))
    return table.cast(pa.schema(fields))


@endpoint("POST", "/foundry-sql-server/api/queries/execute")
def execute(call: Call) -> Reply:
    """Q1, Q2, Q3: refusals come here, failures when polled."""
    settings = call.server.settings
    table, error = None, ""
    try:
        tables = Tables(call.server, call.field("fallbackBranchIds", list), SQL_SERVER)
        table = run(call.field("query"), call.field("dialect"), tables)
    except FailedQueryError as failed:
        error = str(failed)
    hides = table is None and not settings.fails_at_execute
    query = Query(table, error, max(settings.running_polls, int(hides)))
    call.server.queries[query.rid] = query
    if table is None and settings.fails_at_execute:
        query.polls = 0
    return Reply.of({"queryId": query.rid, "status": query.status()})


def _query(call: Call, rid: str) -> Query:
    if rid not in call.server.queries:
        raise RefusedError("FoundrySqlServer:QueryNotFound", 404, queryId=rid)
    return call.server.queries[rid]


@endpoint("GET", "/foundry-sql-server/api/queries/{query}/status")
def status(call: Call, query: str) -> Reply:
    """Q2, Q3."""
    return Reply.of({"status": _query(call, query).status()})


@endpoint("GET", "/foundry-sql-server/api/queries/{query}/results")
def results(call: Call, query: str) -> Reply:
    """Q4: the letter A and a stream of Arrow, or anything else."""
    table = _query(call, query).table
    if table is None:
        raise RefusedError("FoundrySqlServer:QueryFailed", queryId=query)
    if not call.server.settings.arrow_results:
        return Reply.of({"rows": _rows(table)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return Reply.octets(b"A" + sink.getvalue().to_pybytes())


@endpoint("POST", "/foundry-data-proxy/api/dataproxy/queryWithFallbacks2")
def query_json(call: Call) -> Reply:
    """Q10: the same in JSON."""
    tables = Tables(call.server, call.query.get("fallbackBranchIds", []), DATA_PROXY)
    try:
        table = run(call.field("query"), call.field("dialect"), tables)
    except FailedQueryError as failed:
        raise RefusedError("DataProxy:BadSqlQuery", reason=str(failed)) from failed
    fields = [field_of(each.name, kind_of(each.type) or "STRING") for each in table.schema]
    return Reply.of({"foundrySchema": {"fieldSchemaList": fields}, "rows": _rows(table)})


def _rows(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]
