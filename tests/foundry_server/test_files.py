"""Files and schemas."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pyarrow as pa
import pytest
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.dataset import (
    BranchNotFoundError,
    DatasetHasNoSchemaError,
    DatasetNotFoundError,
)
from foundry_dev_tools.errors.meta import FoundryAPIError

from foundry_server import FoundryServer, dump, foundry_schema, schema_of

UNKNOWN = "ri.foundry.main.dataset.unknown"
SCHEMA = foundry_schema({"a": "STRING"})


def names(client: FoundryContext, rid: str, ref: str = "master", **ask: Any) -> list[str]:
    """Return the paths that the client lists, over all pages."""
    return [each["logicalPath"] for each in client.catalog.list_dataset_files(rid, ref, **ask)]


def test_a_listing_tells_path_transaction_and_length(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    first, second = foundry.put(rid, {"b": b"12", "a": b""}), foundry.put(rid, {"b": b"123"})
    found = client.catalog.list_dataset_files(rid)
    told = [(f["logicalPath"], f["transactionRid"], f["fileMetadata"]["length"]) for f in found]
    assert told == [("a", first, 0), ("b", second, 3)]
    assert names(client, rid, first) == ["a", "b"]
    assert names(client, rid, start_transaction_rid=second) == ["b"]


def test_a_listing_comes_in_pages(foundry: FoundryServer, client: FoundryContext, rid: str) -> None:
    foundry.put(rid, {f"f{n}": b"" for n in range(7)})
    page = client.catalog.api_get_dataset_view_files3(rid, "master", 3).json()
    assert len(page["values"]) == 3
    assert page["nextPageToken"] == "f3"
    assert names(client, rid, page_size=3) == [f"f{n}" for n in range(7)]
    assert names(client, rid, page_start_logical_path="f5") == ["f5", "f6"]


def test_a_setting_caps_the_pages(foundry: FoundryServer, client: FoundryContext, rid: str) -> None:
    foundry.put(rid, {f"f{n}": b"" for n in range(5)})
    foundry.settings.page_cap = 2
    assert len(names(client, rid)) == 5
    assert len(foundry.requests("files3")) == 3


def test_a_listing_takes_in_a_folder_a_file_or_what_is_not_hidden(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"d/a": b"", "d/_log": b"", "data": b"", ".crc": b""})
    assert names(client, rid, logical_path="d") == ["d/_log", "d/a"]
    assert names(client, rid, logical_path="data") == ["data"]
    assert names(client, rid, exclude_hidden_files=True) == ["d/a", "data"]


@pytest.mark.parametrize(("kind", "seen"), [("UPDATE", ["a", "b"]), ("SNAPSHOT", ["b"])])
def test_a_listing_takes_in_the_open_transaction_if_asked(
    foundry: FoundryServer, client: FoundryContext, rid: str, kind: str, seen: list[str]
) -> None:
    committed = foundry.put(rid, {"a": b""})
    opened = foundry.leave_open(rid, {"b": b""}, kind=kind)
    for ref in ("master", opened):
        assert names(client, rid, ref) == ["a"]
        assert names(client, rid, ref, include_open_exclusive_transaction=True) == seen
    assert names(client, rid, committed, include_open_exclusive_transaction=True) == ["a"]


def test_every_error_of_a_listing_is_told_as_not_found(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.faults.answer("files3", 503)
    for name, branch, status in (
        (rid, "master", 503),
        (rid, "none", 400),
        (UNKNOWN, "master", 400),
    ):
        with pytest.raises(DatasetNotFoundError) as caught:
            client.catalog.list_dataset_files(name, branch)
        assert caught.value.response.status_code == status


def test_a_path_is_put_twice_in_a_transaction_only_to_overwrite(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"a": b"0"})
    opened = foundry.leave_open(rid)
    put = client.data_proxy.api_put_file
    put(rid, opened, "a", b"1")
    for overwrite in (None, False):
        with pytest.raises(FoundryAPIError):
            put(rid, opened, "a", b"2", overwrite)
    put(rid, opened, "a", b"3", overwrite=True)
    client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"a": b"3"}


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 4000])
def test_a_file_comes_back_as_it_was_put(
    foundry: FoundryServer, client: FoundryContext, rid: str, content: bytes
) -> None:
    opened = foundry.leave_open(rid)
    name = "folder with space/ü%+&?.bin"
    client.data_proxy.api_put_file(rid, opened, name, content)
    client.data_proxy.api_put_file(rid, opened, "stream", io.BytesIO(content))
    client.catalog.api_commit_transaction(rid, opened)
    for path in (name, "stream"):
        assert client.data_proxy.api_get_file_in_view(rid, "master", path).content == content
    assert foundry.dump(rid).files == {name: content, "stream": content}


def test_a_part_of_a_file_is_read(foundry: FoundryServer, client: FoundryContext, rid: str) -> None:
    foundry.put(rid, {"a": b"0123456789"})
    for span, part in (("0-3", b"0123"), ("8-", b"89"), ("-2", b"89"), ("5-99", b"56789")):
        found = client.data_proxy.api_get_file_in_view(
            rid, "master", "a", range_header=f"bytes={span}"
        )
        assert (found.status_code, found.content) == (206, part)
    with pytest.raises(FoundryAPIError) as caught:
        client.data_proxy.api_get_file_in_view(rid, "master", "a", range_header="bytes=10-")
    assert caught.value.response.status_code == 416


def test_a_file_is_read_at_a_transaction(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    first = foundry.put(rid, {"a": b"1"})
    foundry.put(rid, {"a": b"2"})
    opened = foundry.leave_open(rid, {"a": b"3"})
    read = client.data_proxy.api_get_file_in_view
    assert [read(rid, ref, "a").content for ref in (first, "master", opened)] == [b"1", b"2", b"3"]


def test_a_file_that_is_not_there_is_a_404(client: FoundryContext, rid: str) -> None:
    with pytest.raises(FoundryAPIError) as caught:
        client.data_proxy.api_get_file_in_view(rid, "master", "none")
    assert caught.value.response.status_code == 404
    with pytest.raises(DatasetNotFoundError):
        client.data_proxy.api_get_file_in_view(UNKNOWN, "master", "none")


def test_files_are_dropped_from_an_open_transaction(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid, dict.fromkeys(["a", "ab", "d/x", "d/y", "e/x"], b""))
    drop = client.catalog.api_remove_dataset_file
    drop(rid, opened, "a")
    drop(rid, opened, "d")
    drop(rid, opened, "e", recursive=True)
    drop(rid, opened, "absent", recursive=True)
    client.catalog.api_commit_transaction(rid, opened)
    assert sorted(foundry.dump(rid).files) == ["ab", "d/x", "d/y"]


def test_no_schema_is_a_204(foundry: FoundryServer, client: FoundryContext, rid: str) -> None:
    for branch in ("master", "none"):
        with pytest.raises(DatasetHasNoSchemaError) as caught:
            client.metadata.api_get_dataset_schema(rid, branch)
        assert caught.value.response.status_code == 204
    with pytest.raises(BranchNotFoundError):
        client.metadata.api_upload_dataset_schema(rid, foundry.put(rid, {}), SCHEMA, "none")


@pytest.mark.parametrize("kind", ["APPEND", "UPDATE", "SNAPSHOT"])
def test_a_schema_is_put_before_or_after_the_commit(
    foundry: FoundryServer, client: FoundryContext, rid: str, kind: str
) -> None:
    opened = foundry.leave_open(rid, {"a": b""}, kind=kind)
    client.metadata.api_upload_dataset_schema(rid, opened, SCHEMA, "master")
    with pytest.raises(DatasetHasNoSchemaError):
        client.metadata.api_get_dataset_schema(rid, "master")
    assert client.metadata.api_get_dataset_schema(rid, "master", opened).json()["schema"] == SCHEMA
    client.catalog.api_commit_transaction(rid, opened)
    assert client.metadata.api_get_dataset_schema(rid, "master").json()["schema"] == SCHEMA
    other = foundry_schema({"b": "LONG"})
    client.metadata.api_upload_dataset_schema(rid, opened, other, "master")
    assert foundry.dump(rid).schema == other


def test_a_schema_lasts_to_the_next_snapshot_or_longer_by_a_setting(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"a": b""}, schema=SCHEMA)
    foundry.put(rid, {"b": b""})
    assert foundry.dump(rid).schema == SCHEMA
    foundry.put(rid, {"c": b""}, kind="SNAPSHOT")
    with pytest.raises(DatasetHasNoSchemaError):
        client.metadata.api_get_dataset_schema(rid, "master")
    foundry.settings.schema_survives_snapshot = True
    assert client.metadata.api_get_dataset_schema(rid, "master").json()["schema"] == SCHEMA


def test_a_schema_of_an_aborted_transaction_is_lost(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = foundry.leave_open(rid)
    client.metadata.api_upload_dataset_schema(rid, opened, SCHEMA, "master")
    foundry.abort(rid, opened)
    foundry.put(rid, {"a": b""})
    assert foundry.dump(rid).schema is None


def test_inference_reads_the_columns_of_committed_files(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    one = pa.table({"s": ["x"], "n": pa.array([1], pa.int64()), "i": pa.array([1], pa.int32())})
    two = pa.table({"d": [0.5], "b": [True], "t": pa.array([0], pa.timestamp("ms"))})
    foundry.put(rid, {"1.parquet": dump(one), "2.parquet": dump(two), "_SUCCESS": b""})
    foundry.leave_open(rid, {"3.parquet": dump(pa.table({"later": [1]}))})
    found = client.schema_inference.infer_dataset_schema(rid)
    assert found["customMetadata"] == {"format": "parquet"}
    assert {each["name"]: each["type"] for each in found["fieldSchemaList"]} == {
        "s": "STRING",
        "n": "LONG",
        "i": "INTEGER",
        "d": "DOUBLE",
        "b": "BOOLEAN",
        "t": "TIMESTAMP",
    }


@pytest.mark.parametrize("content", [None, b"no parquet"])
def test_inference_fails_without_files_and_on_a_corrupt_one(
    foundry: FoundryServer, client: FoundryContext, rid: str, content: bytes | None
) -> None:
    if content is not None:
        foundry.put(rid, {"a.parquet": content})
    with pytest.raises(ValueError, match="inference failed"):
        client.schema_inference.infer_dataset_schema(rid)


def test_a_setting_says_what_inference_makes_of_a_column_of_nulls(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put_existing(rid, pa.table({"a": ["x"], "empty": pa.nulls(1)}))

    def columns() -> list[tuple[str, str]]:
        found = client.schema_inference.infer_dataset_schema(rid)["fieldSchemaList"]
        return [(each["name"], each["type"]) for each in found]

    assert columns() == [("a", "STRING"), ("empty", "STRING")]
    foundry.settings.null_columns = "WARN"
    with pytest.warns(UserWarning, match="empty"):
        assert columns() == [("a", "STRING")]
    foundry.settings.null_columns = "FAIL"
    with warnings.catch_warnings(), pytest.raises(ValueError, match="empty"):
        columns()


def test_an_existing_installation_puts_files_under_random_names(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    table = pa.table({"hash": ["h"], "n": [1]})
    foundry.put_existing("/lab/theirs", table, prefix="init")
    foundry.put_existing("/lab/theirs", table)
    rid = client.get_resource_by_path("/lab/theirs").rid
    found = names(client, rid)
    assert [name[:5] for name in found] == ["data_", "init_"]
    assert all(name.endswith(".parquet") for name in found)
    assert foundry.dump(rid).schema == schema_of(table)
