"""Client of Foundry: requests for datasets, transactions, files, schemas and SQL queries.

If a reply is lost, the request is repeated where that is safe; otherwise its outcome is looked up.
A failure of the service is an error; it never counts as a missing resource.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
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
    MAX_ATTEMPTS,
    TIMEOUT_SECONDS,
    FoundrySession,
    LostReplyError,
    RequestSender,
    parse_json,
    request_failed,
    sleep_before_retry,
)
from mdfactory.stores.foundry.model import (
    CommitStatusUnknownError,
    DatasetFile,
    DatasetTransaction,
    OpenTransactionError,
    QueryFailedError,
    Resource,
    parse_transaction,
)

log = logging.getLogger(__name__)

BRANCH: Final = "master"
"""Branch of each dataset that holds the records."""

MAX_COMMIT_ATTEMPTS: Final = 3
"""Largest number of times that a commit is sent while its transaction stays open."""

TRANSACTIONS_PER_PAGE: Final = 100

FILES_PER_PAGE: Final = 1000

QUERY_POLL_SECONDS: Final = 0.2
"""Pause between two requests for the status of a query."""


class FoundryClient:
    """Connection to Foundry, configured by the files of ``fdt config`` and ``FDT_*`` variables.

    Datasets, folders and transactions are named by their resource identifiers (``rid``). Every
    method raises `StoreError` if the service cannot be reached, fails or denies access. It raises
    the `FoundryAPIError` of foundry-dev-tools if the service refuses a request for another reason.

    Raises
    ------
    ConfigError
        If credentials are missing or invalid.
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
                f"credentials for Foundry are missing or invalid: {one_line(error)} Set "
                "FDT_CREDENTIALS__DOMAIN and FDT_CREDENTIALS__JWT, or configure them",
                command="fdt config",
            ) from None  # the cause may hold the token
        self.host = self._context.host.url
        _check_token(self._context.token_provider)
        self._sender = RequestSender(self.host)

    def close(self) -> None:
        """Close all connections."""
        self._context.client.close()

    # Resources

    def user_name(self) -> str:
        """Return the name of the user whose token is used."""
        user = self._sender.json("reading the user of the token", self._context.multipass.api_me)
        return str(user["username"])

    def find_resource(self, path: str) -> Resource | None:
        """Return the dataset or folder at a path, or None if the path does not exist."""
        get = self._context.compass.api_get_resource_by_path
        action = f"looking up {path}"
        try:
            reply = self._sender.json(action, get, path, decoration={"path", "inTrash"})
        except (ResourceNotFoundError, PathNotFoundError):
            return None
        is_trashed = bool(reply.get("directlyTrashed") or reply.get("inTrash"))
        return Resource(reply["rid"], is_trashed)

    def find_usable_resource(self, path: str) -> Resource | None:
        """Return the dataset or folder at a path, unless it is in the trash.

        Raises
        ------
        StoreError
            If it is in the trash: somebody has deleted it, so it is neither used nor replaced.
        """
        resource = self.find_resource(path)
        if resource and resource.is_trashed:
            raise StoreError(f"{path} is in the trash. Restore it, or delete it permanently")
        return resource

    def create_dataset(self, path: str) -> str:
        """Create a dataset, its branch and missing parent folders, and return its rid."""
        create = self._context.catalog.api_create_dataset
        try:
            rid = self._create(path, create, path)
        except PathNotFoundError:
            self._create_folder(path.rpartition("/")[0])
            rid = self._create(path, create, path)
        self.create_branch(rid)
        return rid

    def _create(self, path: str, create: Callable[..., requests.Response], *arguments: str) -> str:
        """Create a folder or dataset unless it exists, and return its rid."""
        action = f"creating {path}"
        for attempt in range(MAX_ATTEMPTS):
            try:
                reply = self._sender.json(action, create, *arguments, repeatable=False)
                return str(reply["rid"])
            except (DatasetAlreadyExistsError, DuplicateNameError, LostReplyError) as error:
                # Another program may have created it, or an earlier attempt whose reply was lost.
                resource = self.find_resource(path)
                if resource:
                    return resource.rid
                if attempt == MAX_ATTEMPTS - 1 or isinstance(error, FoundryAPIError):
                    raise request_failed(action, error) from error
                sleep_before_retry(attempt)
        raise AssertionError

    def create_branch(self, dataset_rid: str) -> None:
        """Create the branch that holds the records, unless it exists."""
        create = self._context.catalog.api_create_branch
        try:
            self._sender.send("creating a branch", create, dataset_rid, BRANCH)
        except BranchesAlreadyExistError:
            log.debug("%s has its branch", dataset_rid)

    def _create_folder(self, path: str) -> str:
        resource = self.find_resource(path)
        if resource:
            return resource.rid
        parent_path, _, name = path.rpartition("/")
        if not parent_path:
            raise StoreError(
                f"{path} does not exist on {self.host}. Create this project in Foundry first"
            )
        parent_rid = self._create_folder(parent_path)
        return self._create(path, self._context.compass.api_create_folder, name, parent_rid)

    # Views: the files of a dataset as of one transaction

    def transactions(self, dataset_rid: str, ref: str) -> list[DatasetTransaction]:
        """Return one page of the closed transactions of a dataset, newest first.

        Parameters
        ----------
        dataset_rid
            The dataset.
        ref
            Branch or transaction at which the page begins.

        Returns
        -------
        list
            At most `TRANSACTIONS_PER_PAGE` transactions; empty if the branch does not exist.
        """
        get = self._context.catalog.api_get_reverse_transactions2
        try:
            response = self._sender.send(
                "reading transactions", get, dataset_rid, ref, TRANSACTIONS_PER_PAGE
            )
        except BranchNotFoundError:
            return []
        if response.status_code == requests.codes.no_content:
            return []
        return [parse_transaction(entry["transaction"]) for entry in parse_json(response)["values"]]

    def transaction(self, dataset_rid: str, transaction_rid: str) -> DatasetTransaction:
        """Return a transaction of a dataset."""
        get = self._context.catalog.api_get_transaction
        action = f"reading transaction {transaction_rid}"
        response = self._sender.send(action, get, dataset_rid, transaction_rid)
        return parse_transaction(parse_json(response), response.headers.get("Date"))

    def files(self, dataset_rid: str, ref: str, *, with_open: bool = False) -> list[DatasetFile]:
        """Return the files of a view.

        Parameters
        ----------
        dataset_rid
            The dataset.
        ref
            Branch, or last transaction of the view.
        with_open
            Whether to include the files of the open transaction.
        """
        files: list[DatasetFile] = []
        page_token: str | None = None
        while True:
            page = self._sender.json(
                f"listing the files of {dataset_rid}",
                self._context.catalog.api_get_dataset_view_files3,
                dataset_rid,
                ref,
                FILES_PER_PAGE,
                page_start_logical_path=page_token,
                include_open_exclusive_transaction=with_open,
            )
            files += [
                DatasetFile(entry["logicalPath"], int(entry["fileMetadata"]["length"]))
                for entry in page["values"]
            ]
            previous_token, page_token = page_token, page.get("nextPageToken")
            if not page_token or page_token == previous_token:
                return files

    def read_file(self, dataset_rid: str, ref: str, file: DatasetFile) -> bytes:
        """Return the content of a file of a view."""
        get = self._context.data_proxy.api_get_file_in_view

        def get_complete() -> requests.Response:
            response: requests.Response = get(dataset_rid, ref, file.path)
            if len(response.content) != file.length:
                raise requests.ConnectionError(
                    f"received {len(response.content)} of {file.length} bytes"
                )
            return response

        return self._sender.send(f"reading {file.path} of {dataset_rid}", get_complete).content

    def has_schema(self, dataset_rid: str, transaction_rid: str) -> bool:
        """Whether the view that ends with a transaction has a schema."""
        get = self._context.metadata.api_get_dataset_schema
        action = f"reading the schema of {dataset_rid}"
        try:
            self._sender.send(action, get, dataset_rid, BRANCH, transaction_rid)
        except DatasetHasNoSchemaError:
            return False
        return True

    # SQL

    def query(self, text: str) -> pa.RecordBatchReader:
        """Return the result of a query in the SQL dialect of Spark.

        Raises
        ------
        QueryFailedError
            If the query fails although the service works, or its result is not in Arrow format.
        """
        get = self._context.foundry_sql_server.api_queries_results
        try:
            response = self._sender.send("reading the result of a query", get, self._execute(text))
        except FoundryAPIError as error:
            raise QueryFailedError(type(error).__name__) from error
        if response.content[:1] != b"A":  # the marker of an Arrow stream
            raise QueryFailedError("the result is not in Arrow format")
        try:
            return pa.ipc.open_stream(pa.py_buffer(response.content).slice(1))
        except pa.ArrowInvalid as error:
            raise QueryFailedError(one_line(error)) from error

    def _execute(self, text: str) -> str:
        """Execute a query, wait until its result is ready, and return its identifier."""
        sql = self._context.foundry_sql_server
        query = self._sender.json("starting a query", sql.api_queries_execute, text, BRANCH)
        query_id, status = query["queryId"], query["status"]
        deadline = time.monotonic() + TIMEOUT_SECONDS[1]
        while status["type"] == "running":
            if time.monotonic() > deadline:
                raise QueryFailedError("the query takes too long")
            time.sleep(QUERY_POLL_SECONDS)
            action = "reading the status of a query"
            status = self._sender.json(action, sql.api_queries_status, query_id)["status"]
        if status["type"] != "ready":
            raise QueryFailedError(str(status.get("failed", {}).get("errorMessage", status)))
        return str(query_id)

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
        try:
            return self._start_transaction(dataset_rid, record, transaction_type)
        except BranchNotFoundError:
            self.create_branch(dataset_rid)
            return self._start_transaction(dataset_rid, record, transaction_type)

    def _start_transaction(
        self, dataset_rid: str, record: Mapping[str, Any], transaction_type: str
    ) -> str:
        start = self._context.catalog.api_start_transaction
        try:
            reply = self._sender.json(
                "starting a transaction",
                start,
                dataset_rid,
                BRANCH,
                record=dict(record),
                start_transaction_type=transaction_type,
            )
        except DatasetHasOpenTransactionError as error:
            open_rid = error.kwargs.get("open_transaction_rid")
            raise OpenTransactionError(str(open_rid or self._open_rid(dataset_rid))) from error
        return str(reply["rid"])

    def _open_rid(self, dataset_rid: str) -> str:
        """Return the rid of the open transaction of a dataset; empty if none is listed."""
        reply = self._sender.json(
            "looking up the open transaction",
            self._context.catalog.api_get_reverse_transactions2,
            dataset_rid,
            BRANCH,
            TRANSACTIONS_PER_PAGE,
            include_open_exclusive_transaction=True,
        )
        transactions = (parse_transaction(entry["transaction"]) for entry in reply["values"])
        return next((each.rid for each in transactions if each.status == "OPEN"), "")

    def set_transaction_type(
        self, dataset_rid: str, transaction_rid: str, transaction_type: str
    ) -> None:
        """Set the type of an open transaction."""
        self._sender.send(
            "setting the type of a transaction",
            self._context.catalog.api_set_transaction_type,
            dataset_rid,
            transaction_rid,
            transaction_type,
        )

    def put_file(self, dataset_rid: str, transaction_rid: str, path: str, content: bytes) -> None:
        """Upload a file to an open transaction; a file with the same path is replaced."""
        self._sender.send(
            f"writing {path} of {dataset_rid}",
            self._context.data_proxy.api_put_file,
            dataset_rid,
            transaction_rid,
            path,
            content,
            overwrite=True,
        )

    def put_schema(self, dataset_rid: str, transaction_rid: str, schema: Mapping[str, Any]) -> bool:
        """Set the schema of the view that ends with a transaction.

        Returns
        -------
        bool
            False if the service refuses the schema, for example because the transaction is open.
        """
        put = self._context.metadata.api_upload_dataset_schema
        try:
            self._sender.send(
                "writing a schema", put, dataset_rid, transaction_rid, dict(schema), BRANCH
            )
        except FoundryAPIError as error:
            log.debug("no schema for %s: %s", transaction_rid, type(error).__name__)
            return False
        return True

    def commit(self, dataset_rid: str, transaction_rid: str) -> str:
        """Commit a transaction, and return its status afterwards.

        After a lost reply the outcome is unknown. So the status is read after every failure.

        Returns
        -------
        str
            ``COMMITTED``, or ``ABORTED`` if another program has aborted the transaction.

        Raises
        ------
        CommitStatusUnknownError
            If the commit fails and the status cannot be read.
        StoreError
            If the service refuses the commit. The transaction is still open.
        """
        commit = self._context.catalog.api_commit_transaction
        for attempt in range(MAX_COMMIT_ATTEMPTS):
            is_last = attempt == MAX_COMMIT_ATTEMPTS - 1
            try:
                self._sender.send(
                    "committing", commit, dataset_rid, transaction_rid, repeatable=False
                )
            except (LostReplyError, FoundryAPIError, StoreError) as error:
                status = self._status_after_failure(dataset_rid, transaction_rid)
                if status != "OPEN":
                    return status
                if isinstance(error, FoundryAPIError):
                    raise request_failed("committing", error) from error
                if is_last and isinstance(error, LostReplyError):
                    raise request_failed("committing", error) from error
                if is_last:
                    raise
                sleep_before_retry(attempt)
            else:
                return "COMMITTED"
        raise AssertionError

    def _status_after_failure(self, dataset_rid: str, transaction_rid: str) -> str:
        try:
            return self.transaction(dataset_rid, transaction_rid).status
        except (FoundryAPIError, StoreError) as error:
            raise CommitStatusUnknownError(
                f"it is unknown whether transaction {transaction_rid} of {dataset_rid} was "
                f"committed: {one_line(request_failed('reading its status', error))}"
            ) from error

    def abort(self, dataset_rid: str, transaction_rid: str) -> bool:
        """Abort a transaction, and return whether that succeeded; errors are only logged."""
        abort = self._context.catalog.api_abort_transaction
        try:
            self._sender.send("aborting", abort, dataset_rid, transaction_rid)
        except (FoundryAPIError, MDFactoryError) as error:
            log.debug(
                "could not abort %s of %s: %s", transaction_rid, dataset_rid, type(error).__name__
            )
            return False
        return True


def _check_token(provider: TokenProvider) -> None:
    """Refuse a token that is no valid HTTP header; the error of `requests` would show the token."""
    if not isinstance(provider, JWTTokenProvider):
        return
    token = str(provider.token)
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError(
            "the token for Foundry is empty, or has a space, a newline or another character that "
            "no token has",
            command="fdt config",
        )
