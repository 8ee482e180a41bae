"""The port to Foundry: about a dozen requests, each of which fails loudly or has been done.

Nothing here knows of tables. A request whose reply is lost is repeated where that is safe, or
what became of it is asked; a failure of the service is never taken for something missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import pyarrow as pa
import requests
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.config.config import (
    get_config_dict,
    parse_credentials_config,
    parse_general_config,
)
from foundry_dev_tools.config.token_provider import JWTTokenProvider, TokenProvider
from foundry_dev_tools.errors.compass import (
    DuplicateNameError,
    PathNotFoundError,
    ResourceNotFoundError,
)
from foundry_dev_tools.errors.config import FoundryConfigError
from foundry_dev_tools.errors.dataset import (
    BranchesAlreadyExistError,
    BranchNotFoundError,
    DatasetAlreadyExistsError,
    DatasetHasNoSchemaError,
    DatasetHasOpenTransactionError,
)
from foundry_dev_tools.errors.meta import FoundryAPIError

from mdfactory.errors import ConfigError, MDFactoryError, StoreError, one_line
from mdfactory.stores.foundry.http import (
    TIMEOUT,
    TRIES,
    FoundrySession,
    LostError,
    Sender,
    parsed,
    pause,
    said,
)

__all__ = [
    "BRANCH",
    "PAGE",
    "DatasetTransaction",
    "DoubtError",
    "File",
    "OpenElsewhereError",
    "Port",
    "QueryFailedError",
    "Resource",
]

log = logging.getLogger(__name__)

BRANCH: Final = "master"

COMMITS: Final = 3
"""How often a commit is tried that the service does not do."""

PAGE: Final = 100
"""Transactions that are asked for together."""

POLL: Final = 0.2
"""Seconds between questions whether a query is done."""


class OpenElsewhereError(Exception):
    """A dataset has an open transaction.

    Parameters
    ----------
    rid
        The transaction.
    """

    def __init__(self, rid: str) -> None:
        super().__init__(rid)
        self.rid = rid


class DoubtError(StoreError):
    """Nobody can tell whether a transaction was committed."""


class QueryFailedError(Exception):
    """SQL cannot answer a query now; the files can."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is at a path."""

    rid: str
    trashed: bool

    @property
    def is_dataset(self) -> bool:
        """Whether it is a dataset, to judge by its identifier."""
        return ".dataset." in self.rid


@dataclass(frozen=True, slots=True)
class DatasetTransaction:
    """A transaction of a dataset.

    Parameters
    ----------
    rid
        Its identifier.
    kind
        ``SNAPSHOT``, ``APPEND``, ``UPDATE`` or ``DELETE``.
    status
        ``OPEN``, ``COMMITTED`` or ``ABORTED``.
    record
        What its writer noted; empty if the service does not tell.
    started
        When it was started, if the service tells.
    age
        Seconds since then, by the service's own clock; negative if it is not known.
    """

    rid: str
    kind: str
    status: str
    record: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    age: float = -1.0


@dataclass(frozen=True, slots=True)
class File:
    """A file of a view, and its length in bytes."""

    path: str
    length: int


class Port:
    """A connection to Foundry, as the files of ``fdt config`` and ``FDT_*`` variables say.

    Raises
    ------
    ConfigError
        If there are no credentials, or they make no sense.
    """

    def __init__(self) -> None:
        try:
            values = get_config_dict()
            config = parse_general_config(values)
            config.requests_session = FoundrySession()
            if config.requests_ca_bundle:
                config.requests_session.verify = config.requests_ca_bundle
            self._context = FoundryContext(config, parse_credentials_config(values))
        except (FoundryConfigError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"there are no credentials for Foundry that can be used: {one_line(error)} Set "
                "FDT_CREDENTIALS__DOMAIN and FDT_CREDENTIALS__JWT, or",
                command="fdt config",
            ) from None
        self.host = self._context.host.url
        _check_token(self._context.token_provider)
        self._ask = Sender(self.host)

    def close(self) -> None:
        """Close all connections."""
        self._context.client.close()

    # What is there

    def user(self) -> str:
        """Return the name of whoever the token belongs to."""
        me = self._ask.json("asking who we are", self._context.multipass.api_me)
        return str(me["username"])

    def find(self, path: str) -> Resource | None:
        """Return what is at a path, or None."""
        ask = self._context.compass.api_get_resource_by_path
        try:
            found = self._ask.json(f"looking for {path}", ask, path, decoration={"path", "inTrash"})
        except (ResourceNotFoundError, PathNotFoundError):
            return None
        return Resource(found["rid"], bool(found.get("directlyTrashed") or found.get("inTrash")))

    def create_dataset(self, path: str) -> str:
        """Make a dataset with an empty branch, and the folders above it; return its rid."""
        create = self._context.catalog.api_create_dataset
        try:
            rid = self._made(path, create, path)
        except PathNotFoundError:
            self._create_folder(path.rpartition("/")[0])
            rid = self._made(path, create, path)
        self.create_branch(rid)
        return rid

    def _made(self, path: str, make: Callable[..., requests.Response], *arguments: str) -> str:
        """Make a folder or a dataset, unless it is there, and return its rid."""
        for attempt in range(TRIES):
            try:
                return str(self._ask.json(f"making {path}", make, *arguments, again=False)["rid"])
            except (DatasetAlreadyExistsError, DuplicateNameError, LostError) as error:
                there = self.find(path)
                if there:
                    return there.rid
                if attempt == TRIES - 1 or isinstance(error, FoundryAPIError):
                    raise said(f"making {path}", error) from error
                pause(attempt)
        raise AssertionError

    def create_branch(self, rid: str) -> None:
        """Make the branch that all is kept on, if it is missing."""
        try:
            self._ask.send(
                "making a branch", self._context.catalog.api_create_branch, rid, BRANCH, again=True
            )
        except BranchesAlreadyExistError:
            log.debug("%s has its branch", rid)

    def _create_folder(self, path: str) -> str:
        there = self.find(path)
        if there:
            return there.rid
        parent, _, name = path.rpartition("/")
        if not parent:
            raise StoreError(f"{path} does not exist on {self.host}: projects are made there")
        above = self._create_folder(parent)
        return self._made(path, self._context.compass.api_create_folder, name, above)

    def history(self, rid: str, ref: str) -> list[DatasetTransaction]:
        """Return transactions of a dataset that are not open, newest first, from one of them on.

        There may be more of them; a dataset without its branch has none.
        """
        ask = self._context.catalog.api_get_reverse_transactions2
        try:
            found = self._ask.send("reading transactions", ask, rid, ref, PAGE)
        except BranchNotFoundError:
            return []
        if found.status_code == requests.codes.no_content:
            return []
        values = parsed(found)["values"]
        return [_transaction(one["transaction"]) for one in values]

    def transaction(self, rid: str, transaction: str) -> DatasetTransaction:
        """Return a transaction of a dataset."""
        ask = self._context.catalog.api_get_transaction
        response = self._ask.send(f"asking for {transaction}", ask, rid, transaction)
        return _transaction(parsed(response), response.headers.get("Date"))

    def files(self, rid: str, end: str, *, with_open: bool = False) -> list[File]:
        """Return the files of a view that ends with a transaction."""
        ask = self._context.catalog.api_get_dataset_view_files3
        found: list[File] = []
        token: str | None = None
        while True:
            page = self._ask.json(
                f"listing the files of {rid}",
                ask,
                rid,
                end,
                1000,
                page_start_logical_path=token,
                include_open_exclusive_transaction=with_open,
            )
            found += [
                File(one["logicalPath"], int(one["fileMetadata"]["length"]))
                for one in page["values"]
            ]
            last, token = token, page.get("nextPageToken")
            if not token or token == last:
                return found

    def read(self, rid: str, end: str, file: File) -> bytes:
        """Return the bytes of a file of a view."""
        ask = self._context.data_proxy.api_get_file_in_view

        def whole() -> requests.Response:
            response: requests.Response = ask(rid, end, file.path)
            if len(response.content) != file.length:
                raise requests.ConnectionError(
                    f"{len(response.content)} bytes of {file.length} came"
                )
            return response

        return self._ask.send(f"reading {file.path} of {rid}", whole).content

    def has_schema(self, rid: str, end: str) -> bool:
        """Whether the view that ends with a transaction has a schema."""
        ask = self._context.metadata.api_get_dataset_schema
        try:
            self._ask.send(f"reading the schema of {rid}", ask, rid, BRANCH, end)
        except DatasetHasNoSchemaError:
            return False
        return True

    def query(self, text: str) -> pa.RecordBatchReader:
        """Return the answer to a query in Spark's SQL.

        Raises
        ------
        QueryFailedError
            If SQL cannot answer it, for a reason that says nothing of the service's health.
        """
        sql = self._context.foundry_sql_server
        try:
            begun = self._ask.json("starting a query", sql.api_queries_execute, text, BRANCH)
            status, deadline = begun["status"], time.monotonic() + TIMEOUT[1]
            while status["type"] == "running":
                if time.monotonic() > deadline:
                    raise QueryFailedError("it takes too long")
                time.sleep(POLL)
                asked = self._ask.json(
                    "asking for a query", sql.api_queries_status, begun["queryId"]
                )
                status = asked["status"]
            if status["type"] != "ready":
                raise QueryFailedError(str(status.get("failed", {}).get("errorMessage", status)))
            answer = self._ask.send("reading a query", sql.api_queries_results, begun["queryId"])
        except FoundryAPIError as error:
            raise QueryFailedError(type(error).__name__) from error
        if answer.content[:1] != b"A":
            raise QueryFailedError("the answer is not in Arrow")
        try:
            return pa.ipc.open_stream(pa.py_buffer(answer.content).slice(1))
        except pa.ArrowInvalid as error:
            raise QueryFailedError(one_line(error)) from error

    # Transactions

    def start(self, rid: str, record: Mapping[str, Any], kind: str) -> str:
        """Start a transaction and return its rid.

        Raises
        ------
        OpenElsewhereError
            If one is open; after a reply that was lost, that may be our own.
        """
        try:
            return self._start(rid, record, kind)
        except BranchNotFoundError:
            self.create_branch(rid)
            return self._start(rid, record, kind)

    def _start(self, rid: str, record: Mapping[str, Any], kind: str) -> str:
        begin = self._context.catalog.api_start_transaction
        options = {"record": dict(record), "start_transaction_type": kind}
        what = "starting a transaction"
        try:
            begun = self._ask.json(what, begin, rid, BRANCH, again=True, **options)
        except DatasetHasOpenTransactionError as error:
            named = error.kwargs.get("open_transaction_rid")
            raise OpenElsewhereError(str(named or self._open(rid))) from error
        return str(begun["rid"])

    def _open(self, rid: str) -> str:
        """Return the open transaction of a dataset."""
        ask = self._context.catalog.api_get_reverse_transactions2
        found = self._ask.json(
            "looking for the open transaction",
            ask,
            rid,
            BRANCH,
            PAGE,
            include_open_exclusive_transaction=True,
        )
        known = (_transaction(one["transaction"]) for one in found["values"])
        return next((one.rid for one in known if one.status == "OPEN"), "")

    def set_kind(self, rid: str, transaction: str, kind: str) -> None:
        """Make a transaction one of this kind."""
        change = self._context.catalog.api_set_transaction_type
        self._ask.send("preparing a transaction", change, rid, transaction, kind, again=True)

    def put(self, rid: str, transaction: str, path: str, content: bytes) -> None:
        """Put a file into an open transaction, in the place of one of that name."""
        send = self._context.data_proxy.api_put_file
        what = f"writing {path} of {rid}"
        self._ask.send(what, send, rid, transaction, path, content, overwrite=True, again=True)

    def put_schema(self, rid: str, transaction: str, schema: Mapping[str, Any]) -> bool:
        """Give a view its schema; return False if the service wants the transaction done first."""
        put = self._context.metadata.api_upload_dataset_schema
        try:
            self._ask.send(
                "writing a schema", put, rid, transaction, dict(schema), BRANCH, again=True
            )
        except FoundryAPIError as error:
            log.debug("no schema for %s: %s", transaction, type(error).__name__)
            return False
        return True

    def commit(self, rid: str, transaction: str) -> str:
        """Commit a transaction, and return what became of it: its status, in any case.

        Raises
        ------
        DoubtError
            If nobody can tell.
        StoreError
            If the service refuses it: the transaction is still open.
        """
        commit = self._context.catalog.api_commit_transaction
        for attempt in range(COMMITS):
            try:
                self._ask.send("committing", commit, rid, transaction, again=False)
            except (LostError, FoundryAPIError, StoreError) as error:
                status = self._status(rid, transaction)
                if status != "OPEN":
                    return status
                if isinstance(error, StoreError) and attempt == COMMITS - 1:
                    raise
                if isinstance(error, FoundryAPIError) or attempt == COMMITS - 1:
                    raise said("committing", error) from error
                pause(attempt)
            else:
                return "COMMITTED"
        raise AssertionError

    def _status(self, rid: str, transaction: str) -> str:
        try:
            return self.transaction(rid, transaction).status
        except (FoundryAPIError, StoreError) as error:
            raise DoubtError(
                f"whether {transaction} of {rid} was committed is not known: "
                f"{one_line(said('asking for it', error))}"
            ) from error

    def abort(self, rid: str, transaction: str) -> bool:
        """Abort a transaction; return whether it has ended."""
        abort = self._context.catalog.api_abort_transaction
        try:
            self._ask.send("aborting", abort, rid, transaction, again=True)
        except (FoundryAPIError, MDFactoryError) as error:
            log.debug("could not abort %s of %s: %s", transaction, rid, type(error).__name__)
            return False
        return True


def _check_token(provider: TokenProvider) -> None:
    """Refuse a token that no header can hold, before an error shows it."""
    if isinstance(provider, JWTTokenProvider):
        token = str(provider.token)
        if not (token and token.isascii() and token.isprintable() and " " not in token):
            raise ConfigError(
                "the token for Foundry is empty, or has a space, a newline or another character "
                "in it that no token has",
                command="fdt config",
            )


def _transaction(values: Mapping[str, Any], now: str | None = None) -> DatasetTransaction:
    started = str(values.get("startTime") or "")
    age = -1.0
    if started and now:
        try:
            age = (parsedate_to_datetime(now) - datetime.fromisoformat(started)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            log.debug("no age from %s and %s", started, now)
    return DatasetTransaction(
        str(values["rid"]),
        str(values["type"]),
        str(values["status"]),
        values.get("record") or {},
        started,
        age,
    )
