"""Access, folders, datasets, branches, as the client sees them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.compass import (
    DuplicateNameError,
    PathNotFoundError,
    ResourceNotFoundError,
)
from foundry_dev_tools.errors.dataset import (
    BranchesAlreadyExistError,
    BranchNotFoundError,
    DatasetAlreadyExistsError,
    DatasetNotFoundError,
)
from foundry_dev_tools.errors.meta import FoundryAPIError

from foundry_server import BOB, READER, FoundryServer, User

UNKNOWN = "ri.foundry.main.dataset.unknown"


def test_a_token_tells_who_comes(connect: Callable[[str], FoundryContext]) -> None:
    told = connect(BOB).multipass.get_user_info()
    assert told["username"] == "bob"
    assert told["id"]
    assert told["attributes"]


def test_any_other_token_is_a_401(
    foundry: FoundryServer, connect: Callable[[str], FoundryContext]
) -> None:
    with pytest.raises(FoundryAPIError) as caught:
        connect("stolen").multipass.get_user_info()
    assert caught.value.response.status_code == 401
    foundry.tokens["stolen"] = User("eve")
    assert connect("stolen").multipass.get_user_info()["username"] == "eve"


def test_who_may_only_read_gets_a_403_on_writing(
    connect: Callable[[str], FoundryContext], rid: str
) -> None:
    reader = connect(READER)
    assert reader.compass.api_get_resource_by_path("/lab/runs").json()["rid"] == rid
    assert reader.catalog.list_dataset_files(rid) == []
    for write in (
        lambda: reader.catalog.api_create_dataset("/lab/other"),
        lambda: reader.catalog.api_start_transaction(rid, "master"),
    ):
        with pytest.raises(FoundryAPIError) as caught:
            write()
        assert caught.value.response.status_code == 403


def test_a_resource_has_every_field_that_the_client_demands(
    client: FoundryContext, rid: str
) -> None:
    assert client.get_resource_by_path("/lab/runs").rid == rid
    found = client.get_resource(rid)
    assert (found.path, found.name, found.in_trash) == ("/lab/runs", "runs", False)
    assert client.get_resource_by_path("/lab").path == "/lab"


def test_decorations_come_only_if_asked_for(client: FoundryContext, rid: str) -> None:
    plain = client.compass.api_get_resource(rid).json()
    assert not plain.keys() & {"path", "inTrash"}
    assert client.compass.api_get_resource(rid, {"path"}).json()["path"] == "/lab/runs"


def test_a_missing_resource_is_a_204(client: FoundryContext) -> None:
    for ask in (
        lambda: client.compass.api_get_resource_by_path("/nowhere"),
        lambda: client.compass.api_get_resource(UNKNOWN),
    ):
        with pytest.raises(ResourceNotFoundError) as caught:
            ask()
        assert caught.value.response.status_code == 204


def test_a_resource_in_the_trash_says_so(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    foundry.trash("/lab/runs")
    found = client.get_resource_by_path("/lab/runs")
    assert (found.rid, found.in_trash, found.directly_trashed) == (rid, True, True)


def test_a_folder_is_made_in_another(client: FoundryContext, rid: str) -> None:
    parent = client.get_resource_by_path("/lab").rid
    made = client.compass.api_create_folder("results", parent).json()["rid"]
    assert client.get_resource(made).path == "/lab/results"
    with pytest.raises(DuplicateNameError):
        client.compass.api_create_folder("results", parent)
    with pytest.raises(ResourceNotFoundError):
        client.compass.api_create_folder("more", rid)
    top = client.compass.api_create_folder("top", client.get_resource_by_path("/").rid).json()
    assert top["path"] == "/top"


def test_a_dataset_is_made_with_the_folders_above_it(client: FoundryContext) -> None:
    made = client.catalog.api_create_dataset("/deep/down/here").json()
    assert made["fileSystemId"]
    assert client.get_resource_by_path("/deep/down/here").rid == made["rid"]
    assert client.get_resource_by_path("/deep/down").rid.startswith("ri.compass.main.folder.")


def test_a_setting_demands_the_folders_above_a_dataset(
    foundry: FoundryServer, client: FoundryContext
) -> None:
    foundry.settings.creates_parents = False
    with pytest.raises(PathNotFoundError):
        client.catalog.api_create_dataset("/deep/here")
    assert client.catalog.api_create_dataset("/here").json()["rid"]


def test_a_dataset_is_made_once(client: FoundryContext, rid: str) -> None:
    with pytest.raises(DatasetAlreadyExistsError):
        client.catalog.api_create_dataset("/lab/runs")
    with pytest.raises(PathNotFoundError):
        client.catalog.api_create_dataset("/lab/runs/inside")
    with pytest.raises(DatasetNotFoundError):
        client.catalog.api_create_dataset("no/path")


def test_a_new_dataset_has_no_branch(client: FoundryContext) -> None:
    made = client.catalog.api_create_dataset("/lab/new").json()["rid"]
    with pytest.raises(BranchNotFoundError) as caught:
        client.catalog.api_get_branch(made, "master")
    assert caught.value.response.status_code == 204


def test_a_branch_of_an_unknown_dataset_is_an_error_and_no_204(client: FoundryContext) -> None:
    for name in (UNKNOWN, "no-rid"):
        with pytest.raises(DatasetNotFoundError):
            client.catalog.api_get_branch(name, "master")


def test_a_branch_is_made_once_under_any_name(client: FoundryContext, rid: str) -> None:
    name = "my branch/a+b%2F"
    made = client.catalog.api_create_branch(rid, name).json()
    assert client.catalog.api_get_branch(rid, name).json() == made
    assert made["id"] == name
    assert made["transactionRid"] is None
    with pytest.raises(BranchesAlreadyExistError):
        client.catalog.api_create_branch(rid, name)


def test_a_branch_starts_where_its_parent_stands(
    foundry: FoundryServer, client: FoundryContext, rid: str
) -> None:
    head = foundry.put(rid, {"a": b"1"})
    child = client.catalog.api_create_branch(rid, "child", parent_branch_id="master").json()
    assert child["transactionRid"] == head
    later = foundry.put(rid, {"b": b"2"})
    other = client.catalog.api_create_branch(rid, "other", parent_ref=later).json()
    assert other["transactionRid"] == later
    assert foundry.dump(rid, "child").files == {"a": b"1"}
    assert foundry.dump(rid, "other").files == {"a": b"1", "b": b"2"}
