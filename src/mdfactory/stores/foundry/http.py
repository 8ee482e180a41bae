"""Requests to Foundry: time limits, retries, and the errors of failed requests."""

from __future__ import annotations

import io
import logging
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from foundry_dev_tools.errors.meta import FoundryAPIError
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3 import Retry
from urllib3.exceptions import HTTPError, InvalidHeader, ProtocolError

from mdfactory.errors import MDFactoryError, StoreError, one_line
from mdfactory.stores.foundry.model import ReplyTooLongError, RequestRefusedError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse  # urllib3 1 does not have it

TIMEOUT_SECONDS: Final = (10, 300)
"""Time limits to connect, and to wait for the next bytes of a reply."""

MAX_ATTEMPTS: Final = 6
"""Largest number of times that a request is sent."""

MAX_RETRY_AFTER_SECONDS: Final = 60.0
"""Longest pause before a retry, even if the service asks for a longer one."""

MAX_REPLY_BYTES: Final = 2**26
"""Longest body of a reply, unless `body_limit` sets another limit."""

BODY_BYTES: Final = 2**16
"""Bytes of a body that are read at a time."""

_max_body_bytes: ContextVar[int] = ContextVar("_max_body_bytes", default=MAX_REPLY_BYTES)

MESSAGE_OF_STATUS: Final = {
    401: "the token is invalid or has expired. Get a new token, and set it with: fdt config",
    403: "permission denied. Ask the owner of the project for access",
    429: f"too many requests; {MAX_ATTEMPTS} attempts failed. Try again later",
    503: f"the service is busy; {MAX_ATTEMPTS} attempts failed. Try again later",
}
"""Status code of a reply -> message for the user."""

# urllib3 logs a warning before each retry. Users are told only if the last attempt fails.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


class BoundedRetry(Retry):
    """When to repeat a request, with random pauses; see `RETRIES`."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds of a ``Retry-After`` header, but not too many; None if it is odd."""
        try:
            return min(super().get_retry_after(response) or 0.0, MAX_RETRY_AFTER_SECONDS)
        except (InvalidHeader, ValueError, OverflowError):
            return None

    def get_backoff_time(self) -> float:
        """Return seconds that double after each attempt."""
        return random.uniform(0.5, 1) * 0.1 * 2.0 ** (len(self.history) - 1)  # noqa: S311  # jitter, no secret


# A request with one of these status codes, or without a reply, may have been processed. It is sent
# again in any case, since none of our requests does harm if it is processed twice:
# - GET reads, and so do the PUT that lists files and the POSTs that start a query or get a token;
# - type, schema, file (with `overwrite`), commit and abort concern one open transaction or path,
#   and set it to the same state; `FoundryClient.commit` looks up the status if that is refused;
# - a branch, dataset or folder that exists, and a second open transaction, are refused with an
#   error of their own, which `FoundryClient` and `acquire_lock` interpret.
# A new POST for which nothing of this holds must not be sent through `FoundrySession`.
RETRIES: Final = BoundedRetry(
    total=MAX_ATTEMPTS - 1,
    allowed_methods=None,
    status_forcelist=frozenset({429, 502, 503, 504}),
    raise_on_status=False,
)


class FoundrySession(requests.Session):
    """Session with time limits and retries, whose connections belong to one process.

    A forked process inherits the open connections of its parent. If both wrote to the same
    connection, their requests would be mixed. So the forked process opens its own connections.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process_id = os.getpid()
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(max_retries=RETRIES))

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request, with the default time limits if none are given."""
        if self._process_id != os.getpid():
            self.close()
            self._process_id = os.getpid()
        options |= {"timeout": options.get("timeout") or TIMEOUT_SECONDS, "stream": True}
        retries = RETRIES
        while True:
            response = super().request(*arguments, **options)
            try:
                response.raw = _read_body(response)
            except ProtocolError as error:
                # The reply broke off in its body, which is read outside of urllib3's retries. They
                # would not repeat a request for an error of this class.
                retries = retries.increment(error=ChunkedEncodingError(error))
                retries.sleep()
            else:
                return response


@contextmanager
def body_limit(max_bytes: int) -> Iterator[None]:
    """Set the longest body of the replies to requests in a ``with`` statement."""
    token = _max_body_bytes.set(max_bytes)
    try:
        yield
    finally:
        _max_body_bytes.reset(token)


def _read_body(response: requests.Response) -> io.BytesIO:
    """Return the body of a reply as a file.

    Raises
    ------
    ReplyTooLongError
        If it is too long; the rest is not read.
    """
    body, limit = io.BytesIO(), _max_body_bytes.get()
    for part in response.raw.stream(BODY_BYTES, decode_content=True):
        body.write(part)
        if body.tell() > limit:
            response.close()
            host = urlsplit(response.url).netloc.rpartition("@")[2]
            raise ReplyTooLongError(f"{host}: a reply is longer than {limit:,} bytes")
    body.seek(0)
    return body


@contextmanager
def request_errors(host: str, action: str, *expected: type[FoundryAPIError]) -> Iterator[None]:
    """Turn errors of a request into `StoreError`, except those that the caller interprets.

    The class of an error of foundry-dev-tools is not reliable: if a listing of files fails for any
    reason, the library raises `DatasetNotFoundError`. So failures and denied access are recognised
    by the status.

    Parameters
    ----------
    host
        URL of the service.
    action
        What the request does, for messages, such as ``creating a branch``.
    expected
        Refusals that are raised as they are.

    Raises
    ------
    RequestRefusedError
        If the service refuses the request for another reason.
    StoreError
        If the service cannot be reached, fails, is busy, or denies access.
    """
    try:
        yield
    except MDFactoryError:  # of a request within this one
        raise
    except FoundryAPIError as error:
        status = error.response.status_code if error.response is not None else 0
        has_failed = status in MESSAGE_OF_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if isinstance(error, expected) and not has_failed:
            raise
        name = error.kwargs.get("error_name") or type(error).__name__
        reason = MESSAGE_OF_STATUS.get(status, f"Foundry replied {name} ({status})")
        kind = StoreError if has_failed else RequestRefusedError
        raise kind(f"{host}: {action}: {reason}") from None  # the cause may hold the token
    except (OSError, HTTPError) as error:
        reason = _innermost_reason(error)
        raise StoreError(f"{host} cannot be reached: {action}: {reason}") from error


def _innermost_reason(error: BaseException) -> str:
    """Return the message of the original exception of a chain, on one line."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return one_line(error)
