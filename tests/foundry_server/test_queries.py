"""SQL, as the client asks it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.dataset import (
    BranchNotFoundError,
    DatasetHasNoSchemaError,
    DatasetNotFoundError,
)
from foundry_dev_tools.errors.meta import FoundryAPIError
from foundry_dev_tools.errors.sql import FoundrySqlQueryFailedError

from foundry_server import FoundryServer, dump, foundry_schema

UNKNOWN = "ri.foundry.main.dataset.unknown"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS = pa.table(
    {
        "hash": ["a", "b", "c", "d"],
        "kind": ["x", "x", "y", None],
        "count": pa.array([1, 2, 3, 4], pa.int64()),
        "small": pa.array([1, 2, 3, 4], pa.int32()),
        "share": [0.5, 1.5, 2.5, 3.5],
        "done": [True, False, True, None],
        "at": pa.array([NOW] * 4, pa.timestamp("us", tz="UTC")),
    }
)


@pytest.fixture
def table(foundry: FoundryServer, rid: str) -> str:
    """The dataset ``/lab/runs`` with four rows."""
    foundry.put_existing(rid, ROWS)
    return rid


def ask(client: FoundryContext, query: str, dialect: str = "SPARK", **more: Any) -> pa.Table:
    """Return the result of a query in Arrow."""
    return client.foundry_sql_server.query_foundry_sql(
        query, return_type="arrow", sql_dialect=dialect, **more
    )


def hashes(client: FoundryContext, query: str, dialect: str = "SPARK", **more: Any) -> list[str]:
    """Return the first column of a result."""
    return ask(client, query, dialect, **more).column(0).to_pylist()


def test_a_table_is_a_rid_or_a_path_with_or_without_a_branch(
    client: FoundryContext, table: str
) -> None:
    for name in (f"`{table}`", "`/lab/runs`", "`master`.`/lab/runs`", f"`master`.`{table}`"):
        assert ask(client, f"SELECT * FROM {name}").equals(ROWS)


def test_from_may_come_first(client: FoundryContext, table: str) -> None:
    found = hashes(client, f"FROM `{table}` SELECT hash WHERE count > 1 ORDER BY hash DESC LIMIT 2")
    assert found == ["d", "c"]
    dataset = client.get_dataset(table)
    assert dataset.to_arrow().equals(ROWS)
    assert dataset.query_foundry_sql("SELECT hash WHERE kind = 'y'", "arrow").num_rows == 1


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("kind = 'x' AND count >= 2", "b"),
        ("hash IN ('a', 'c', 'z')", "ac"),
        ("hash LIKE 'a%'", "a"),
        ("hash >= 'b' AND hash < 'd'", "bc"),
        ("kind <> 'x'", "c"),
        ("kind IS NULL", "d"),
        ("done AND share > 1", "c"),
        ("NOT (hash = 'a' OR hash = 'b')", "cd"),
    ],
)
def test_conditions_are_those_of_sql(
    client: FoundryContext, table: str, where: str, found: str
) -> None:
    assert hashes(client, f"SELECT hash FROM `{table}` WHERE {where} ORDER BY hash") == list(found)


def test_rows_are_counted_and_grouped(client: FoundryContext, table: str) -> None:
    query = (
        f"SELECT kind, COUNT(*) AS n, SUM(count) AS total FROM `{table}` "
        "WHERE kind IS NOT NULL GROUP BY kind ORDER BY n DESC"
    )
    found = ask(client, query)
    assert found.to_pydict() == {"kind": ["x", "y"], "n": [2, 1], "total": [3, 3]}
    assert found.schema.types == [pa.string(), pa.int64(), pa.int64()]


@pytest.mark.parametrize("end", ["LIMIT 0", "WHERE hash = 'none'"])
def test_results_are_typed_even_without_rows(client: FoundryContext, table: str, end: str) -> None:
    found = ask(client, f"SELECT * FROM `{table}` {end}")
    assert found.num_rows == 0
    assert found.schema == ROWS.schema


def test_spark_escapes_with_a_backslash_and_joins_literals(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put_existing(rid, pa.table({"v": ["a'b", "ab", "a\\b", "a''b"]}))

    def spark(literal: str) -> list[str]:
        return hashes(client, f"SELECT v FROM `{rid}` WHERE v = {literal}")

    assert spark(r"'a\'b'") == ["a'b"]
    assert spark("'a''b'") == ["ab"]
    assert spark(r"'a\\b'") == ["a\\b"]
    assert spark('"ab"') == ["ab"]


def test_ansi_doubles_quotes_and_knows_no_backslash(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put_existing(rid, pa.table({"v": ["a'b", "ab", "a\\b"]}))

    def ansi(literal: str, name: str = f"`{rid}`") -> list[str]:
        return hashes(client, f"SELECT v FROM {name} WHERE v = {literal}", "ANSI")

    assert ansi("'a''b'") == ["a'b"]
    assert ansi(r"'a\b'") == ["a\\b"]
    assert ansi("'ab'", f'"{rid}"') == ["ab"]


def test_a_range_of_transactions_stands_for_a_branch(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    rids = [foundry.put_existing(rid, pa.table({"v": [name]})) for name in "abc"]

    def between(start: str, end: str) -> list[str]:
        return sorted(hashes(client, f"SELECT v FROM `{start}:{end}@master`.`{rid}`"))

    assert between(rids[0], rids[1]) == ["a", "b"]
    assert between(rids[0], rids[2]) == ["a", "b", "c"]
    assert between(rids[2], rids[2]) == ["c"]
    assert between("", rids[1]) == ["a", "b"]
    with pytest.raises(BranchNotFoundError):
        between(rids[2], rids[0])
    with pytest.raises(BranchNotFoundError):
        between(rids[0], "ri.foundry.main.transaction.none")


def test_branches_are_apart_and_the_fallback_counts(
    foundry: FoundryServer, client: FoundryContext, table: str
) -> None:
    foundry.put_existing("/lab/runs", pa.table({"hash": ["e"]}))
    client.catalog.api_create_branch(table, "my branch", parent_branch_id="master")
    other = pa.table({"hash": ["z"]})
    schema = foundry_schema({"hash": "STRING"})
    foundry.put(table, {"z": dump(other)}, kind="SNAPSHOT", schema=schema, branch="my branch")
    query = f"SELECT hash FROM `{table}`"
    assert hashes(client, query, branch="my branch") == ["z"]
    assert hashes(client, f"SELECT hash FROM `my branch`.`{table}`") == ["z"]
    assert len(hashes(client, query)) == 5


def test_columns_are_read_by_name_with_nulls_for_those_that_a_file_lacks(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    schema = foundry_schema({"a": "STRING", "n": "LONG"})
    one = pa.table({"n": pa.array([1], pa.int64()), "extra": ["?"], "a": ["x"]})
    two = pa.table({"a": pa.nulls(1)})
    three = pa.table({"a": pa.array(["z"]).dictionary_encode(), "n": pa.array([3], pa.int32())})
    files = {f"{n}.parquet": dump(each) for n, each in enumerate((one, two, three))}
    foundry.put(rid, files | {"_SUCCESS": b""}, schema=schema)
    found = ask(client, f"SELECT * FROM `{rid}`")
    assert found.to_pydict() == {"a": ["x", None, "z"], "n": [1, None, 3]}
    assert found.schema.types == [pa.string(), pa.int64()]


@pytest.mark.parametrize(
    "content", [b"", b"no parquet", dump(ROWS)[:-9], dump(pa.table({"a": [1]}))]
)
def test_a_file_that_cannot_be_read_under_the_schema_fails_the_query(
    foundry: FoundryServer, client: FoundryContext, rid: str, content: bytes
) -> None:
    good = dump(pa.table({"a": ["x"]}))
    schema = foundry_schema({"a": "STRING"})
    foundry.put(rid, {"1.parquet": good, "2.parquet": content}, schema=schema)
    with pytest.raises(FoundrySqlQueryFailedError, match=r"2\.parquet"):
        ask(client, f"SELECT * FROM `{rid}`")


@pytest.mark.parametrize("query", ["SELECT nothing FROM `{}`", "SELECT FROM WHERE", "DROP TABLE x"])
def test_a_wrong_query_fails_when_it_is_polled(
    client: FoundryContext, table: str, query: str
) -> None:
    with pytest.raises(FoundrySqlQueryFailedError) as caught:
        ask(client, query.format(table))
    assert caught.value.response.request.path_url.endswith("/status")
    assert caught.value.error_message


def test_a_setting_fails_a_query_at_its_start_which_the_client_does_not_see(
    foundry: FoundryServer, client: FoundryContext, table: str
) -> None:
    foundry.settings.fails_at_execute = True
    query = f"SELECT nothing FROM `{table}`"
    told = client.foundry_sql_server.api_queries_execute(query, "master").json()
    assert told["status"]["type"] == "failed"
    assert "nothing" in told["status"]["failed"]["errorMessage"]
    with pytest.raises(FoundryAPIError) as caught:
        ask(client, query)
    assert not isinstance(caught.value, FoundrySqlQueryFailedError)
    assert ask(client, f"SELECT hash FROM `{table}`").num_rows == 4


def test_a_setting_lets_queries_run_for_a_while(
    foundry: FoundryServer, client: FoundryContext, table: str
) -> None:
    assert hashes(client, f"SELECT hash FROM `{table}` LIMIT 1") == ["a"]
    assert foundry.requests("/status") == []
    foundry.settings.running_polls = 2
    assert hashes(client, f"SELECT hash FROM `{table}` LIMIT 1") == ["a"]
    assert len(foundry.requests("/status")) == 2


def test_tables_that_are_not_there_are_refused_at_the_start(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    for name, error, told in (
        ("/lab/none", DatasetNotFoundError, ("path", "/lab/none")),
        ("/lab", DatasetNotFoundError, ("path", "/lab")),
        (UNKNOWN, BranchNotFoundError, ("dataset_rid", UNKNOWN)),
        (f"none`.`{rid}", BranchNotFoundError, ("dataset_rid", rid)),
        (rid, DatasetHasNoSchemaError, ("dataset_rid", rid)),
    ):
        with pytest.raises(error) as caught:
            ask(client, f"SELECT * FROM `{name}`")
        assert caught.value.response.status_code == 400
        assert getattr(caught.value, told[0]) == told[1]
    with pytest.raises(BranchNotFoundError):
        ask(client, f"SELECT * FROM `{rid}`", branch="none")
    foundry.put(rid, {"a.parquet": dump(ROWS)})
    with pytest.raises(DatasetHasNoSchemaError):
        ask(client, f"SELECT * FROM `{rid}`")


def test_a_query_that_nobody_has_started_is_a_404(client: FoundryContext) -> None:
    with pytest.raises(FoundryAPIError) as caught:
        client.foundry_sql_server.api_queries_status("none")
    assert caught.value.response.status_code == 404


def test_a_query_in_json_gives_schema_and_rows(client: FoundryContext, table: str) -> None:
    query = f"SELECT hash, count FROM `{table}` LIMIT 1"
    schema, rows = client.data_proxy.query_foundry_sql_legacy(query)
    fields = [(each["name"], each["type"]) for each in schema["fieldSchemaList"]]
    assert fields == [("hash", "STRING"), ("count", "LONG")]
    assert rows == [["a", 1]]


def test_a_query_in_json_is_refused_in_the_words_of_the_data_proxy(
    client: FoundryContext, rid: str
) -> None:
    legacy = client.data_proxy.query_foundry_sql_legacy
    with pytest.raises(DatasetHasNoSchemaError) as caught:
        legacy(f"SELECT * FROM `{rid}`")
    assert caught.value.response.status_code == 404
    with pytest.raises(BranchNotFoundError):
        legacy(f"SELECT * FROM `{rid}`", branch="none")
    with pytest.raises(DatasetNotFoundError):
        legacy(f"SELECT * FROM `{UNKNOWN}`")
    with pytest.raises(TypeError):  # the client cannot tell a wrong query
        legacy("SELECT 1 +")


def test_a_setting_sends_results_that_are_no_arrow(
    foundry: FoundryServer, client: FoundryContext, table: str
) -> None:
    foundry.settings.arrow_results = False
    query = f"SELECT hash, at FROM `{table}` LIMIT 1"
    with pytest.raises(ValueError, match="arrow Table"):
        ask(client, query)
    with pytest.warns(UserWarning, match="legacy"):
        found = client.foundry_sql_server.query_foundry_sql(query)
    assert isinstance(found, pd.DataFrame)
    assert found.to_numpy().tolist() == [["a", str(NOW)]]


def test_a_setting_lets_sql_lag_behind_commits(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    first = foundry.put_existing(rid, pa.table({"v": ["a"]}))
    foundry.settings.sql_lag = math.inf
    query = f"SELECT v FROM `{rid}`"
    with pytest.raises(DatasetHasNoSchemaError):
        ask(client, query)
    foundry.sql_catch_up()
    second = foundry.put_existing(rid, pa.table({"v": ["b"]}))
    assert hashes(client, query) == ["a"]
    with pytest.raises(FoundrySqlQueryFailedError, match="not there yet"):
        ask(client, f"SELECT v FROM `{first}:{second}@master`.`{rid}`")
    foundry.sql_catch_up()
    assert sorted(hashes(client, query)) == ["a", "b"]


def test_sql_lags_by_seconds(foundry: FoundryServer, client: FoundryContext, rid: str) -> None:
    foundry.put_existing(rid, pa.table({"v": ["a"]}))
    foundry.sql_catch_up()
    foundry.put_existing(rid, pa.table({"v": ["b"]}))
    foundry.settings.sql_lag = 60
    assert hashes(client, f"SELECT v FROM `{rid}`") == ["a"]
    foundry.settings.sql_lag = 0
    assert len(hashes(client, f"SELECT v FROM `{rid}`")) == 2


def test_sql_sees_neither_open_nor_aborted_transactions(
    foundry: FoundryServer, client: FoundryContext, table: str
) -> None:
    opened = foundry.leave_open(table, {"more.parquet": dump(ROWS)})
    assert len(hashes(client, f"SELECT hash FROM `{table}`")) == 4
    with pytest.raises(BranchNotFoundError):
        ask(client, f"SELECT hash FROM `:{opened}@master`.`{table}`")
    foundry.abort(table, opened)
    assert len(hashes(client, f"SELECT hash FROM `{table}`")) == 4


def test_a_dataframe_that_the_client_saves_is_read_back(client: FoundryContext) -> None:
    dataset = client.get_dataset_by_path("/lab/frames", create_if_not_exist=True)
    frame = pd.DataFrame({"hash": ["a", "b"], "n": [1, 2]})
    assert dataset.save_dataframe(frame).to_pandas().equals(frame)
