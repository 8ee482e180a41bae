"""Transactions, and the views that they make."""

from __future__ import annotations

from typing import Any

import pytest
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.dataset import (
    BranchNotFoundError,
    DatasetHasOpenTransactionError,
    DatasetNotFoundError,
)
from foundry_dev_tools.errors.meta import FoundryAPIError

from foundry_server import FoundryServer

UNKNOWN = "ri.foundry.main.dataset.unknown"


def begin(client: FoundryContext, rid: str, kind: str = "UPDATE", **record: Any) -> str:
    """Start a transaction as the client does, in two calls."""
    started = client.catalog.api_start_transaction(rid, "master", record).json()
    client.catalog.api_set_transaction_type(rid, started["rid"], kind)
    return started["rid"]


def refused(error: pytest.ExceptionInfo[FoundryAPIError]) -> str:
    """Return the name of a refusal, which must be a 400."""
    assert error.value.response.status_code == 400
    return error.value.error_name


def test_a_start_answers_what_the_transaction_is(client: FoundryContext, rid: str) -> None:
    made = client.catalog.api_start_transaction(rid, "master", {"nonce": "n"}).json()
    assert made["rid"].startswith("ri.foundry.main.transaction.")
    assert (made["type"], made["status"]) == ("APPEND", "OPEN")
    assert made["startTime"].endswith("Z")
    assert made["record"] == {"nonce": "n"}


def test_a_branch_has_one_open_transaction_and_the_refusal_names_it(
    client: FoundryContext, rid: str
) -> None:
    first = begin(client, rid)
    with pytest.raises(DatasetHasOpenTransactionError) as caught:
        client.catalog.api_start_transaction(rid, "master")
    assert refused(caught) == "Catalog:SimultaneousOpenTransactionsNotAllowed"
    assert caught.value.open_transaction_rid == first
    assert caught.value.dataset_rid == rid


def test_branches_have_open_transactions_of_their_own(client: FoundryContext, rid: str) -> None:
    client.catalog.api_create_branch(rid, "other")
    first, second = begin(client, rid), client.catalog.api_start_transaction(rid, "other").json()
    assert first != second["rid"]


def test_a_start_needs_a_dataset_and_a_branch(client: FoundryContext, rid: str) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        client.catalog.api_start_transaction(UNKNOWN, "master")
    assert refused(caught) == "Default:InvalidArgument"
    with pytest.raises(BranchNotFoundError):
        client.catalog.api_start_transaction(rid, "none")


def test_the_type_of_a_start_counts_only_by_a_setting(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    start = client.catalog.api_start_transaction
    first = start(rid, "master", start_transaction_type="UPDATE").json()
    assert first["type"] == "APPEND"
    client.catalog.api_abort_transaction(rid, first["rid"])
    foundry.settings.start_sets_type = True
    assert start(rid, "master", start_transaction_type="UPDATE").json()["type"] == "UPDATE"


def test_the_type_may_change_while_the_transaction_is_open(
    client: FoundryContext, rid: str
) -> None:
    opened = begin(client, rid)
    client.data_proxy.api_put_file(rid, opened, "a", b"1")
    client.catalog.api_set_transaction_type(rid, opened, "SNAPSHOT")
    assert client.catalog.api_get_transaction(rid, opened).json()["type"] == "SNAPSHOT"
    with pytest.raises(FoundryAPIError):
        client.catalog.api_set_transaction_type(rid, opened, "DELETE")


def test_files_are_seen_together_at_the_commit(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = begin(client, rid)
    for name in ("a", "b/c"):
        client.data_proxy.api_put_file(rid, opened, name, name.encode())
    assert client.catalog.list_dataset_files(rid) == []
    client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"a": b"a", "b/c": b"b/c"}
    assert client.catalog.api_get_transaction(rid, opened).json()["status"] == "COMMITTED"


def test_files_of_an_aborted_transaction_are_never_seen(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = begin(client, rid)
    client.data_proxy.api_put_file(rid, opened, "a", b"1")
    client.catalog.api_abort_transaction(rid, opened)
    begin(client, rid)
    assert foundry.dump(rid).files == {}
    assert [each.status for each in foundry.dump(rid).transactions] == ["ABORTED", "OPEN"]


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_a_closed_transaction_refuses_everything(
    client: FoundryContext, rid: str, end: str
) -> None:
    opened = begin(client, rid)
    catalog = client.catalog
    getattr(catalog, f"api_{end}_transaction")(rid, opened)
    for ask in (
        lambda: client.data_proxy.api_put_file(rid, opened, "a", b"1"),
        lambda: catalog.api_commit_transaction(rid, opened),
        lambda: catalog.api_abort_transaction(rid, opened),
        lambda: catalog.api_set_transaction_type(rid, opened, "UPDATE"),
        lambda: catalog.api_remove_dataset_file(rid, opened, "a"),
    ):
        with pytest.raises(FoundryAPIError) as caught:
            ask()
        assert refused(caught) == "Catalog:TransactionNotOpen"


def test_update_adds_and_overwrites_and_snapshot_replaces(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"a": b"1", "b": b"1"}, kind="APPEND")
    foundry.put(rid, {"b": b"2", "c": b"2"}, kind="UPDATE")
    assert foundry.dump(rid).files == {"a": b"1", "b": b"2", "c": b"2"}
    opened = begin(client, rid, "SNAPSHOT")
    client.data_proxy.api_put_file(rid, opened, "d", b"3")
    client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"d": b"3"}
    foundry.put(rid, {"e": b"4"})
    assert foundry.dump(rid).files == {"d": b"3", "e": b"4"}


def test_an_append_that_overwrites_is_refused_at_commit_and_stays_open(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"a": b"1"})
    opened = client.catalog.api_start_transaction(rid, "master").json()["rid"]
    client.data_proxy.api_put_file(rid, opened, "a", b"2")
    with pytest.raises(FoundryAPIError) as caught:
        client.catalog.api_commit_transaction(rid, opened)
    refused(caught)
    assert client.catalog.api_get_transaction(rid, opened).json()["status"] == "OPEN"
    client.catalog.api_set_transaction_type(rid, opened, "UPDATE")
    client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"a": b"2"}


def test_delete_takes_paths_out_of_the_view(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.put(rid, {"a": b"1", "b": b"1"})
    opened = begin(client, rid, "UPDATE")
    with pytest.raises(FoundryAPIError):
        client.catalog.api_add_files_to_delete_transaction(rid, opened, ["a"])
    client.catalog.api_set_transaction_type(rid, opened, "DELETE")
    with pytest.raises(FoundryAPIError):
        client.data_proxy.api_put_file(rid, opened, "c", b"1")
    client.catalog.api_add_files_to_delete_transaction(rid, opened, ["a", "absent"])
    client.catalog.api_commit_transaction(rid, opened)
    assert foundry.dump(rid).files == {"b": b"1"}
    foundry.put(rid, {"a": b"2"})
    assert foundry.dump(rid).files == {"a": b"2", "b": b"1"}


def test_the_record_is_returned_unless_a_setting_says_no(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    opened = begin(client, rid, nonce="n")

    def record() -> Any:
        return client.catalog.api_get_transaction(rid, opened).json()["record"]

    assert record() == {"nonce": "n"}
    foundry.settings.echoes_record = False
    assert record() is None
    foundry.settings.echoes_record = True
    client.catalog.api_commit_transaction(rid, opened)
    assert record() == {"nonce": "n"}


def test_the_head_of_a_branch_is_open_unless_a_setting_says_no(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    committed = foundry.put(rid, {"a": b"1"})
    opened = begin(client, rid)

    def heads() -> set[str]:
        branch = client.catalog.api_get_branch(rid, "master").json()["transactionRid"]
        return {branch, client.catalog.api_get_transaction(rid, "master").json()["rid"]}

    assert heads() == {opened}
    foundry.settings.head_shows_open = False
    assert heads() == {committed}


def test_a_transaction_that_does_not_exist_is_refused(client: FoundryContext, rid: str) -> None:
    with pytest.raises(FoundryAPIError) as caught:
        client.catalog.api_get_transaction(rid, "ri.foundry.main.transaction.none")
    refused(caught)
    assert client.catalog.api_get_transaction(rid, "master").status_code == 204


def test_the_history_comes_newest_first(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    first, second = foundry.put(rid, {"a": b"1"}, kind="SNAPSHOT"), foundry.put(rid, {"b": b"1"})
    opened = begin(client, rid)

    def history(ref: str = "master", size: int = 9, **ask: Any) -> list[str]:
        found = client.catalog.api_get_reverse_transactions2(rid, ref, size, **ask).json()
        return [each["transaction"]["rid"] for each in found["values"]]

    assert history() == [second, first]
    assert history(size=1) == [second]
    assert history(ref=first) == [first]
    assert history(include_open_exclusive_transaction=True) == [opened, second, first]
    client.catalog.api_abort_transaction(rid, opened)
    assert history(include_open_exclusive_transaction=True) == [second, first]
    foundry.settings.lists_aborted = True
    assert history() == [opened, second, first]


def test_another_writer_leaves_a_transaction_open(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    left = foundry.leave_open(rid, {"a": b"1"}, record={"by": "me"}, age=3600)
    found = client.catalog.api_get_transaction(rid, left).json()
    assert (found["status"], found["type"]) == ("OPEN", "UPDATE")
    assert found["record"] == {"by": "me"}
    assert found["startTime"] < foundry.state.by_rid[rid].created.isoformat()
    foundry.abort(rid, left)
    assert client.catalog.api_get_transaction(rid, left).json()["status"] == "ABORTED"
