"""Client of Foundry: requests for datasets, transactions, files, schemas and SQL queries.

If a reply is lost, the request is repeated, and errors of foundry-dev-tools become errors of this
package; see `stores.foundry.http`. A failure of the service never counts as a missing resource.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import pyarrow as pa
import requests
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.config.config import get_config_dict, parse_general_config
from foundry_dev_tools.config.token_provider import JWTTokenProvider
from foundry_dev_tools.errors import compass, dataset
from foundry_dev_tools.errors.config import FoundryConfigError

from mdfactory.errors import ConfigError, StoreError, one_line
from mdfactory.stores.foundry.http import (
    MAX_REPLY_BYTES,
    TIMEOUT_SECONDS,
    FoundrySession,
    body_limit,
    request_errors,
)
from mdfactory.stores.foundry.model import (
    UNLISTED_TRANSACTION,
    CommitStatusUnknownError,
    DatasetTransaction,
    OpenTransactionError,
    QueryFailedError,
    ReplyTooLongError,
    RequestRefusedError,
    parse_transaction,
)

log = logging.getLogger(__name__)

BRANCH: Final = "master"
"""Branch of each dataset that holds the records."""

MAX_COMMIT_ATTEMPTS: Final = 3
"""Largest number of times that a commit is sent while its transaction stays open."""

TRANSACTIONS_PER_PAGE: Final = 100

MAX_RESULT_BYTES: Final = 2**29
"""Longest result of a query: it is held in memory, while files are read from the disk."""

QUERY_POLL_SECONDS: Final = 0.2
"""Pause between two requests for the status of a query."""


class FoundryClient:
    """Connection to Foundry, configured by the files of ``fdt config`` and ``FDT_*`` variables.

    Datasets, folders and transactions are named by their resource identifiers (``rid``). Every
    method raises `StoreError` if a request fails.

    Raises
    ------
    ConfigError
        If credentials are missing or invalid.
    """

    def __init__(self) -> None:
        try:
            config = parse_general_config(get_config_dict())
            config.requests_session = FoundrySession()
            config.requests_session.verify = config.requests_ca_bundle or True
            self._context = FoundryContext(config)
        except (FoundryConfigError, AttributeError, TypeError, ValueError, OSError) as error:
            raise ConfigError(
                f"credentials for Foundry are missing or invalid: {one_line(error)} Set "
                "FDT_CREDENTIALS__DOMAIN and FDT_CREDENTIALS__JWT, or configure them",
                command="fdt config",
            ) from None  # the cause may hold the token
        self.host = self._context.host.url
        if not re.fullmatch(r"https?://[\w.-]+(:\d+)?/?", self.host):
            raise ConfigError(
                "the domain of Foundry is not a host name, such as lab.palantirfoundry.com",
                command="fdt config",
            )
        self._request = partial(request_errors, self.host)
        self._catalog = self._context.catalog
        provider = self._context.token_provider
        # The error of `requests` for an invalid header would show the token.
        if isinstance(provider, JWTTokenProvider) and not re.fullmatch(r"[!-~]+", provider.token):
            raise ConfigError(
                "the token for Foundry is empty, or has a space, a newline or another character "
                "that no token has",
                command="fdt config",
            )

    def close(self) -> None:
        """Close all connections."""
        self._context.client.close()

    # Resources

    def user_name(self) -> str:
        """Return the name of the user whose token is used."""
        with self._request("reading the user of the token"):
            return str(self._context.multipass.api_me().json()["username"])

    def find_usable_resource(self, path: str) -> str:
        """Return the rid of the dataset or folder at a path; empty if the path does not exist.

        Raises
        ------
        StoreError
            If it is in the trash: somebody has deleted it, so it is neither used nor replaced.
        """
        get = self._context.compass.api_get_resource_by_path
        missing = (compass.ResourceNotFoundError, compass.PathNotFoundError)
        try:
            with self._request(f"looking up {path}", *missing):
                reply = get(path, decoration={"path", "inTrash"}).json()
        except missing:
            return ""
        if reply.get("directlyTrashed") or reply.get("inTrash"):
            raise StoreError(f"{path} is in the trash. Restore it, or delete it permanently")
        return str(reply["rid"])

    def create_dataset(self, path: str) -> str:
        """Create a dataset, its branch and missing parent folders, and return its rid."""
        create = partial(self._create, path, self._catalog.api_create_dataset, path)
        try:
            rid = create()
        except RequestRefusedError:  # usually because the folder is missing
            self._create_folder(path.rpartition("/")[0])
            rid = create()
        self.create_branch(rid)
        return rid

    def _create(self, path: str, create: Callable[..., requests.Response], *arguments: str) -> str:
        """Create a folder or dataset unless it exists, and return its rid."""
        exists = (dataset.DatasetAlreadyExistsError, compass.DuplicateNameError)
        try:
            with self._request(f"creating {path}", *exists):
                return str(create(*arguments).json()["rid"])
        except exists:
            # Another program may have created it, or an earlier attempt whose reply was lost.
            if rid := self.find_usable_resource(path):
                return rid
            raise StoreError(f"{path} exists in Foundry, but cannot be found") from None

    def create_branch(self, dataset_rid: str) -> None:
        """Create the branch that holds the records, unless it exists."""
        exists = dataset.BranchesAlreadyExistError
        with suppress(exists), self._request("creating a branch", exists):
            self._catalog.api_create_branch(dataset_rid, BRANCH)

    def _create_folder(self, path: str) -> str:
        if rid := self.find_usable_resource(path):
            return rid
        parent_path, _, name = path.rpartition("/")
        if not parent_path:
            raise StoreError(
                f"{path} does not exist on {self.host}. Create this project in Foundry first"
            )
        create = self._context.compass.api_create_folder
        return self._create(path, create, name, self._create_folder(parent_path))

    # Views: the files of a dataset as of one transaction

    def transactions(
        self, dataset_rid: str, ref: str, *, with_open: bool = False
    ) -> list[DatasetTransaction]:
        """Return one page of the transactions of a dataset, newest first.

        Parameters
        ----------
        dataset_rid
            The dataset.
        ref
            Branch or transaction at which the page begins.
        with_open
            Whether to include the open transaction.

        Returns
        -------
        list
            At most `TRANSACTIONS_PER_PAGE` transactions; empty if the branch does not exist.
        """
        list_page = self._catalog.api_get_reverse_transactions2
        try:
            with self._request("reading transactions", dataset.BranchNotFoundError):
                page = list_page(
                    dataset_rid,
                    ref,
                    TRANSACTIONS_PER_PAGE,
                    include_open_exclusive_transaction=with_open,
                )
                if page.status_code == requests.codes.no_content:
                    return []
                return [parse_transaction(each["transaction"]) for each in page.json()["values"]]
        except dataset.BranchNotFoundError:
            return []

    def transaction(self, dataset_rid: str, transaction_rid: str) -> DatasetTransaction:
        """Return a transaction of a dataset, or a stand-in without a status if the rid is empty."""
        if not transaction_rid:
            return UNLISTED_TRANSACTION
        with self._request(f"reading transaction {transaction_rid}"):
            reply = self._catalog.api_get_transaction(dataset_rid, transaction_rid)
            return parse_transaction(reply.json(), reply.headers.get("Date", ""))

    def files(self, dataset_rid: str, ref: str, *, with_open: bool = False) -> dict[str, int]:
        """Return the path and the size in bytes of each file of a view.

        Parameters
        ----------
        dataset_rid
            The dataset.
        ref
            Branch, or last transaction of the view.
        with_open
            Whether to include the files of the open transaction.
        """
        with self._request(f"listing the files of {dataset_rid}"):
            entries = self._catalog.list_dataset_files(
                dataset_rid, ref, include_open_exclusive_transaction=with_open
            )
        return {entry["logicalPath"]: int(entry["fileMetadata"]["length"]) for entry in entries}

    def read_file(self, dataset_rid: str, ref: str, path: str, size: int) -> bytes:
        """Return the content of a file of a view; one that is longer than its size is an error."""
        # the reply to a failed request may be longer than a short file
        limit = max(size, MAX_REPLY_BYTES)
        with body_limit(limit), self._request(f"reading {path} of {dataset_rid}"):
            return self._context.data_proxy.api_get_file_in_view(dataset_rid, ref, path).content

    def has_schema(self, dataset_rid: str, transaction_rid: str) -> bool:
        """Whether the view that ends with a transaction has a schema."""
        missing = dataset.DatasetHasNoSchemaError
        try:
            with self._request(f"reading the schema of {dataset_rid}", missing):
                self._context.metadata.api_get_dataset_schema(dataset_rid, BRANCH, transaction_rid)
        except missing:
            return False
        return True

    # SQL

    def query(self, text: str) -> pa.RecordBatchReader:
        """Return the result of a query in the SQL dialect of Spark.

        Raises
        ------
        QueryFailedError
            If the query fails although the service works, or its result is not in Arrow format, or
            longer than `MAX_RESULT_BYTES`. The files can be read then.
        """
        sql = self._context.foundry_sql_server
        deadline = time.monotonic() + TIMEOUT_SECONDS[1]
        try:
            with self._request("starting a query"):
                query = sql.api_queries_execute(text, BRANCH).json()
            query_id, status = query["queryId"], query["status"]
            while status["type"] == "running":
                if time.monotonic() > deadline:
                    raise QueryFailedError("the query takes too long")
                time.sleep(QUERY_POLL_SECONDS)
                with self._request("reading the status of a query"):
                    status = sql.api_queries_status(query_id).json()["status"]
            if status["type"] != "ready":
                raise QueryFailedError(str(status.get("failed", {}).get("errorMessage", status)))
            with body_limit(MAX_RESULT_BYTES), self._request("reading the result of a query"):
                content = sql.api_queries_results(query_id).content
            if content[:1] != b"A":  # the marker of an Arrow stream
                raise QueryFailedError("the result is not in Arrow format")
            return pa.ipc.open_stream(pa.py_buffer(content).slice(1))
        except (RequestRefusedError, ReplyTooLongError, pa.ArrowInvalid) as error:
            raise QueryFailedError(one_line(error)) from error

    # Transactions

    def start_transaction(
        self, dataset_rid: str, record: Mapping[str, Any], transaction_type: str
    ) -> str:
        """Start a transaction, create the branch if it is missing, and return the rid.

        Raises
        ------
        OpenTransactionError
            If a transaction is open. It may be of an earlier attempt whose reply was lost.
        """
        start: Callable[..., requests.Response] = self._catalog.api_start_transaction
        options = {"record": dict(record), "start_transaction_type": transaction_type}
        is_open = dataset.DatasetHasOpenTransactionError
        try:
            with self._request("starting a transaction", is_open):
                try:
                    reply = start(dataset_rid, BRANCH, **options)
                except dataset.BranchNotFoundError:
                    self.create_branch(dataset_rid)
                    reply = start(dataset_rid, BRANCH, **options)
                return str(reply.json()["rid"])
        except is_open as error:
            rid = error.kwargs.get("open_transaction_rid", "")
            if not rid:
                transactions = self.transactions(dataset_rid, BRANCH, with_open=True)
                rid = next((each.rid for each in transactions if each.status == "OPEN"), "")
            raise OpenTransactionError(rid) from error

    def set_transaction_type(
        self, dataset_rid: str, transaction_rid: str, transaction_type: str
    ) -> None:
        """Set the type of an open transaction."""
        set_type: Callable[..., requests.Response] = self._catalog.api_set_transaction_type
        with self._request("setting the type of a transaction"):
            set_type(dataset_rid, transaction_rid, transaction_type)

    def put_file(self, dataset_rid: str, transaction_rid: str, path: str, content: bytes) -> None:
        """Upload a file to an open transaction; a file with the same path is replaced."""
        put = self._context.data_proxy.api_put_file
        with self._request(f"writing {path} of {dataset_rid}"):
            put(dataset_rid, transaction_rid, path, content, overwrite=True)

    def put_schema(self, dataset_rid: str, transaction_rid: str, schema: dict[str, Any]) -> bool:
        """Set the schema of the view that ends with a transaction.

        Returns
        -------
        bool
            False if the service refuses the schema, for example because the transaction is open.
        """
        put = self._context.metadata.api_upload_dataset_schema
        try:
            with self._request("writing a schema"):
                put(dataset_rid, transaction_rid, schema, BRANCH)
        except RequestRefusedError as error:
            log.debug("no schema for %s: %s", transaction_rid, error)
            return False
        return True

    def commit(self, dataset_rid: str, transaction_rid: str) -> str:
        """Commit a transaction, and return its status afterwards.

        After a failure the outcome is unknown: an attempt whose reply was lost may have committed
        the transaction, and the next one is refused for that reason. So the status is read.

        Returns
        -------
        str
            ``COMMITTED``, or ``ABORTED`` if another program has aborted the transaction.

        Raises
        ------
        CommitStatusUnknownError
            If the commit fails and the status cannot be read.
        StoreError
            If the commit fails, and the transaction is still open.
        """
        for attempt in range(1, MAX_COMMIT_ATTEMPTS + 1):
            try:
                with self._request("committing"):
                    self._catalog.api_commit_transaction(dataset_rid, transaction_rid)
                    break
            except StoreError:
                status = self._status_after_failure(dataset_rid, transaction_rid)
                if status != "OPEN":
                    return status
                if attempt == MAX_COMMIT_ATTEMPTS:
                    raise
        return "COMMITTED"

    def _status_after_failure(self, dataset_rid: str, transaction_rid: str) -> str:
        try:
            return self.transaction(dataset_rid, transaction_rid).status
        except StoreError as error:
            raise CommitStatusUnknownError(
                f"it is unknown whether transaction {transaction_rid} of {dataset_rid} was "
                f"committed: {one_line(error)}"
            ) from error

    def abort(self, dataset_rid: str, transaction_rid: str) -> bool:
        """Abort a transaction, and return whether that succeeded; errors are only logged."""
        try:
            with self._request("aborting"):
                self._catalog.api_abort_transaction(dataset_rid, transaction_rid)
        except StoreError as error:
            log.debug("could not abort %s: %s", transaction_rid, error)
            return False
        return True
