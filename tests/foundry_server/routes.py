"""The endpoints of multipass, compass, catalog, data proxy, metadata and schema inference."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from .datasets import Dataset, Transaction, stamp, view
from .errors import NothingError, RefusedError
from .parquet import infer
from .wire import NOTHING, Call, Reply, endpoint

CATALOG = "/foundry-catalog/api/catalog/datasets"
PROXY = "/foundry-data-proxy/api/dataproxy/datasets"
SCHEMAS = "/foundry-metadata/api/schemas/datasets/{rid}/branches/{branch}"


@endpoint("GET", "/multipass/api/me")
def me(call: Call) -> Reply:
    """Who holds the token (A1)."""
    name = call.user.name
    email = {"multipass:email:primary": [f"{name}@example.org"]}
    return Reply.of({"id": f"id-of-{name}", "username": name, "attributes": email})


@endpoint("GET", "/compass/api/resources")
def resource_by_path(call: Call) -> Reply:
    """R1, R3."""
    found = call.state.by_path.get(call.value("path"))
    if found is None:
        raise NothingError
    return Reply.of(found.reply(call.query.get("decoration", [])))


@endpoint("GET", "/compass/api/resources/{rid}")
def resource(call: Call, rid: str) -> Reply:
    """R1, R3."""
    if rid not in call.state.by_rid:
        raise NothingError
    return Reply.of(call.state.by_rid[rid].reply(call.query.get("decoration", [])))


@endpoint("POST", "/compass/api/folders", writes=True)
def add_folder(call: Call) -> Reply:
    """R4."""
    made = call.state.add_folder(call.field("name"), call.field("parentId"), call.user.name)
    return Reply.of(made.reply(["path"]))


@endpoint("POST", CATALOG, writes=True)
def add_dataset(call: Call) -> Reply:
    """R5."""
    made = call.state.add_dataset(call.field("path"), call.user.name)
    return Reply.of({"rid": made.rid, "fileSystemId": "local"})


def branch_reply(dataset: Dataset, name: str) -> Reply:
    """B2, B3."""
    branch = dataset.branch(name)
    head = (dataset.settings.head_shows_open and branch.open) or branch.head
    return Reply.of(
        {"id": name, "rid": branch.rid, "transactionRid": head.rid if head else None}
        | {"ancestorBranchIds": [], "creationTime": None}
    )


@endpoint("GET", CATALOG + "/{rid}/branches2/{branch}")
def get_branch(call: Call, rid: str, branch: str) -> Reply:
    """B2."""
    dataset = call.state.dataset(rid)
    if branch not in dataset.branches:
        raise NothingError
    return branch_reply(dataset, branch)


@endpoint("POST", CATALOG + "/{rid}/branchesUnrestricted2/{branch}", writes=True)
def add_branch(call: Call, rid: str, branch: str) -> Reply:
    """B4."""
    dataset = call.state.dataset(rid)
    dataset.add_branch(branch, call.json.get("parentRef") or call.json.get("parentBranchId"))
    return branch_reply(dataset, branch)


def transaction_reply(dataset: Dataset, found: Transaction) -> dict[str, Any]:
    """T3."""
    return {
        "rid": found.rid,
        "type": found.type,
        "status": found.status,
        "startTime": stamp(found.started),
        "closeTime": stamp(found.closed),
        "record": found.record if dataset.settings.echoes_record else None,
        "filePathType": "MANAGED_FILES",
        "attribution": {"userId": f"id-of-{found.user}", "time": stamp(found.started)},
        "datasetRid": dataset.rid,
        "permissionPath": None,
        "metadata": None,
        "isDataDeleted": False,
        "isDeletionComplete": False,
        "provenance": None,
    }


@endpoint("POST", CATALOG + "/{rid}/transactions", writes=True)
def start(call: Call, rid: str) -> Reply:
    """T1, T2, T3; an unknown dataset has a name of its own here (E2)."""
    dataset = call.state.dataset(rid, "Default:InvalidArgument")
    kind = call.json.get("startTransactionType", "APPEND")
    made = dataset.start(
        call.field("branchId"), call.json.get("record") or {}, call.user.name, kind
    )
    return Reply.of(transaction_reply(dataset, made))


@endpoint("POST", CATALOG + "/{rid}/transactions/{transaction}", writes=True)
def set_type(call: Call, rid: str, transaction: str) -> Reply:
    """T2: the body is a string in JSON."""
    call.state.dataset(rid).set_type(transaction, call.json)
    return NOTHING


@endpoint("POST", CATALOG + "/{rid}/transactions/{transaction}/commit", writes=True)
def commit(call: Call, rid: str, transaction: str) -> Reply:
    """V2, T4, T6."""
    _same(call, transaction)
    call.state.dataset(rid).commit(transaction, call.json.get("record") or {})
    return NOTHING


@endpoint("POST", CATALOG + "/{rid}/transactions/{transaction}/abortWithMetadata", writes=True)
def abort(call: Call, rid: str, transaction: str) -> Reply:
    """V2, T6."""
    _same(call, transaction)
    call.state.dataset(rid).abort(transaction)
    return NOTHING


def _same(call: Call, transaction: str) -> None:
    """Refuse a body that speaks of another transaction than the path."""
    if call.field("transactionRid") != transaction:
        raise RefusedError("Default:InvalidArgument", transactionRid=transaction)


@endpoint("GET", CATALOG + "/{rid}/transactions/{ref}")
def get_transaction(call: Call, rid: str, ref: str) -> Reply:
    """T7."""
    dataset = call.state.dataset(rid)
    return Reply.of(transaction_reply(dataset, dataset.transaction(ref)))


@endpoint("GET", CATALOG + "/{rid}/reverse-transactions2/{ref}")
def history(call: Call, rid: str, ref: str) -> Reply:
    """T8."""
    dataset = call.state.dataset(rid)
    found = dataset.history(ref, with_open=call.says("includeOpenExclusiveTransaction"))
    size = min(int(call.value("pageSize", "100")), call.server.settings.history_cap)
    shown = found[:size]
    values = [{"rid": t.rid, "transaction": transaction_reply(dataset, t)} for t in shown]
    return Reply.of({"values": values, "nextPageToken": None})


@endpoint("PUT", CATALOG + "/{rid}/views/{ref}/files3")
def list_files(call: Call, rid: str, ref: str) -> Reply:
    """F1, F2, F3, F4."""
    dataset, ask = call.state.dataset(rid), call.json
    with_open = ask.get("includeOpenExclusiveTransaction", False)
    end = dataset.end(ref) if with_open else dataset.committed(ref)
    found = view(end, call.value("startTransactionRid") or None)
    names = [name for name in found if _wanted(name, ask)]
    size = min(int(call.value("pageSize", "1000")), call.server.settings.page_cap)
    page, rest = names[:size], names[size:]
    values = [
        {
            "logicalPath": name,
            "pageStartLogicalPath": name,
            "transactionRid": found[name].rid,
            "fileMetadata": {"length": len(found[name].files[name])},
            "isOpen": found[name].status == "OPEN",
            "timeModified": stamp(found[name].closed or found[name].started),
        }
        for name in page
    ]
    return Reply.of({"values": values, "nextPageToken": rest[0] if rest else None})


def _wanted(name: str, ask: dict[str, Any]) -> bool:
    """Whether a listing takes in this file (F4)."""
    within = ask.get("logicalPath")
    if within and name != within and not name.startswith(within.rstrip("/") + "/"):
        return False
    if ask.get("excludeHiddenFiles") and any(part[0] in "._" for part in name.split("/")):
        return False
    return name >= str(ask.get("pageStartLogicalPath", ""))


@endpoint("POST", CATALOG + "/{rid}/transactions/{transaction}/files/remove", writes=True)
def drop_files(call: Call, rid: str, transaction: str) -> Reply:
    """F6."""
    dataset = call.state.dataset(rid)
    dataset.drop(transaction, call.value("logicalPath"), recursive=call.says("recursive"))
    return NOTHING


@endpoint(
    "POST", CATALOG + "/{rid}/transactions/{transaction}/files/addToDeleteTransaction", writes=True
)
def remove_files(call: Call, rid: str, transaction: str) -> Reply:
    """T5."""
    call.state.dataset(rid).remove(transaction, call.field("logicalPaths", list))
    return NOTHING


@endpoint("POST", PROXY + "/{rid}/transactions/{transaction}/putFile", writes=True)
def put_file(call: Call, rid: str, transaction: str) -> Reply:
    """F5."""
    dataset = call.state.dataset(rid, "DataProxy:DatasetNotFound")
    name = call.value("logicalPath")
    if not name or not all(name.split("/")):
        raise RefusedError("Default:InvalidArgument", logicalPath=name)
    dataset.put(transaction, name, call.content, overwrite=call.says("overwrite"))
    return NOTHING


@endpoint("GET", PROXY + "/{rid}/views/{ref}/{path}")
def get_file(call: Call, rid: str, ref: str, path: str) -> Reply:
    """F7: the file, or a range of its bytes."""
    dataset = call.state.dataset(rid, "DataProxy:DatasetNotFound")
    end = dataset.end(ref) if ref in dataset.transactions else dataset.committed(ref)
    found = view(end, call.value("startTransactionRid") or None)
    if path not in found:
        raise RefusedError("DataProxy:FileNotFound", 404, logicalPath=quote(path))
    content = found[path].files[path]
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    return _part(content, *asked.groups()) if asked else Reply.octets(content)


def _part(content: bytes, first: str, last: str) -> Reply:
    """Return the bytes from `first` to `last`, or the last ones if there is no first (F7)."""
    size = len(content)
    begin = int(first) if first else max(0, size - int(last or 0))
    end = min(int(last) + 1, size) if first and last else size
    if begin >= end:
        return Reply(416, headers={"Content-Range": f"bytes */{size}"})
    span = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
    return Reply.octets(content[begin:end], 206, **span)


@endpoint("POST", SCHEMAS, writes=True)
def put_schema(call: Call, rid: str, branch: str) -> Reply:
    """S1."""
    call.field("fieldSchemaList", list)
    ref = call.value("endTransactionRid") or None
    call.state.dataset(rid).put_schema(branch, ref, call.json)
    return NOTHING


@endpoint("GET", SCHEMAS)
def get_schema(call: Call, rid: str, branch: str) -> Reply:
    """S2, S4."""
    dataset = call.state.dataset(rid)
    if branch not in dataset.branches:
        raise NothingError
    ref = call.value("endTransactionRid")
    schema = dataset.schema(dataset.end(ref) if ref else dataset.committed(branch))
    if schema is None:
        raise NothingError
    return Reply.of({"schema": schema, "branchId": branch})


@endpoint("POST", "/foundry-schema-inference/api/datasets/{rid}/branches/{branch}/schema")
def infer_schema(call: Call, rid: str, branch: str) -> Reply:
    """S5, S6."""
    seen = view(call.state.dataset(rid).committed(branch))
    contents = {name: found.files[name] for name, found in seen.items()}
    return Reply.of(infer(contents, call.server.settings.null_columns))
