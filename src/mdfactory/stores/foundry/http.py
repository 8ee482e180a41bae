"""Requests to Foundry: time limits, retries, and the errors of failed requests."""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import requests
from foundry_dev_tools.errors.meta import FoundryAPIError

from mdfactory.errors import MDFactoryError, StoreError, one_line

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = (10, 300)
"""Time limits to connect, and to wait for the next bytes of a reply."""

MAX_ATTEMPTS: Final = 6
"""Largest number of times that a request is sent."""

MAX_RETRY_AFTER_SECONDS: Final = 60.0
"""Longest pause before a retry, even if the service asks for a longer one."""

BUSY_STATUSES: Final = frozenset({429, 503})
"""Status codes of requests that were not processed, so that each of them may be repeated."""

GATEWAY_STATUSES: Final = frozenset({502, 504})
"""Status codes of requests that may have been processed, so that only some may be repeated."""

T = TypeVar("T")


class FoundrySession(requests.Session):
    """Session with time limits, whose connections belong to one process.

    A forked process inherits the open connections of its parent. If both wrote to the same
    connection, their requests would be mixed. So the forked process opens its own connections.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process_id = os.getpid()

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request, with the default time limits if none are given."""
        if self._process_id != os.getpid():
            self.close()
            self._process_id = os.getpid()
        if options.get("timeout") is None:
            options["timeout"] = TIMEOUT_SECONDS
        return super().request(*arguments, **options)


class RequestSender:
    """Sends requests, and repeats failed requests if that is safe.

    The arguments of `json` and `send` are a function of foundry-dev-tools that sends one request,
    and the arguments of that function.

    Parameters
    ----------
    host
        URL of the service, for messages.
    """

    def __init__(self, host: str) -> None:
        self.host = host

    def json(
        self,
        action: str,
        call: Callable[..., requests.Response],
        *arguments: Any,
        repeatable: bool = True,
        **options: Any,
    ) -> Any:
        """Send a request, and return the JSON of the reply; see `send`."""
        return self._retry(
            action, lambda: parse_json(call(*arguments, **options)), repeatable=repeatable
        )

    def send(
        self,
        action: str,
        call: Callable[..., requests.Response],
        *arguments: Any,
        repeatable: bool = True,
        **options: Any,
    ) -> requests.Response:
        """Send a request, and return the reply.

        Parameters
        ----------
        action
            What the request does, for messages, such as ``creating a branch``.
        call
            Sends the request once.
        *arguments, **options
            Arguments of `call`.
        repeatable
            Whether the request may be processed twice.

        Raises
        ------
        StoreError
            If the service cannot be reached, fails, is busy, or denies access.
        LostReplyError
            If the request may have been processed, and is not repeatable.
        FoundryAPIError
            If the service refused the request for another reason.
        """
        return self._retry(action, lambda: call(*arguments, **options), repeatable=repeatable)

    def _retry(self, action: str, send_once: Callable[[], T], *, repeatable: bool) -> T:
        """Send a request, and repeat it as long as it fails and may be repeated."""
        for attempt in range(MAX_ATTEMPTS):
            is_last = attempt == MAX_ATTEMPTS - 1
            try:
                return send_once()
            except FoundryAPIError as error:
                status = status_of(error)
                can_retry = status in BUSY_STATUSES or (repeatable and status in GATEWAY_STATUSES)
                if is_last or not can_retry:
                    raise self._refusal_error(action, error, repeatable=repeatable) from error
                sleep_before_retry(attempt, error.response)
            except (requests.RequestException, MalformedReplyError) as error:
                if not (repeatable or _never_sent(error)):
                    raise LostReplyError(_innermost_reason(error)) from error
                if is_last:
                    raise self._unreachable_error(action, error) from error
                log.debug("%s: %s; trying again", action, type(error).__name__)
                sleep_before_retry(attempt)
        raise AssertionError

    def _refusal_error(self, action: str, error: FoundryAPIError, *, repeatable: bool) -> Exception:
        """Return the error to raise for a reply with an error status.

        Callers interpret the class of an error of foundry-dev-tools, for example as a missing
        dataset. But that class is not reliable: if a listing of files fails for any reason, the
        library raises `DatasetNotFoundError`. So failures of the service and denied access are
        recognised by the status, and raised as `StoreError`.
        """
        status = status_of(error)
        if status in GATEWAY_STATUSES and not repeatable:
            return LostReplyError(f"status {status}")
        if status in {401, 403} or status in BUSY_STATUSES or status >= 500:  # noqa: PLR2004
            reason = MESSAGE_OF_STATUS.get(status, f"status {status}")
            return StoreError(f"{self.host}: {action}: {reason}")
        return error

    def _unreachable_error(self, action: str, error: Exception) -> StoreError:
        return StoreError(f"{self.host} cannot be reached: {action}: {_innermost_reason(error)}")


MESSAGE_OF_STATUS: Final = {
    401: "the token is invalid or has expired. Get a new token, and set it with: fdt config",
    403: "permission denied. Ask the owner of the project for access",
    429: f"too many requests; {MAX_ATTEMPTS} attempts failed. Try again later",
    503: f"the service is busy; {MAX_ATTEMPTS} attempts failed. Try again later",
}
"""Status code of a reply -> message for the user."""


class LostReplyError(Exception):
    """The reply to a request was lost, and the request may have been processed."""


class MalformedReplyError(Exception):
    """A reply is not valid JSON, for example because its end is missing."""


def request_failed(action: str, error: Exception) -> StoreError:
    """Return the `StoreError` for a failed request; its message does not show the token."""
    reason = getattr(error, "error_name", None) if isinstance(error, FoundryAPIError) else error
    return StoreError(f"a request to Foundry failed: {action}: {reason or type(error).__name__}")


@contextmanager
def as_store_errors(location: str, failure: str) -> Iterator[None]:
    """Turn errors of the service and the system into `StoreError`.

    Parameters
    ----------
    location
        The store.
    failure
        Predicate of the message, such as ``cannot be read``.
    """
    try:
        yield
    except FoundryAPIError as error:
        name = error.kwargs.get("error_name") or type(error).__name__
        status = error.response.status_code if error.response is not None else "no reply"
        raise StoreError(
            f"the {location} {failure}: Foundry replied {name} ({status})"
        ) from None  # the cause may hold the token
    except OSError as error:
        if isinstance(error, MDFactoryError):
            raise
        raise StoreError(f"the {location} {failure}: {one_line(error)}") from error


def status_of(error: FoundryAPIError) -> int:
    """Return the status code of the reply to a failed request; 0 if there was no reply."""
    return error.response.status_code if error.response is not None else 0


def parse_json(response: requests.Response) -> Any:
    """Return the JSON of a reply.

    Raises
    ------
    MalformedReplyError
        If the reply is not valid JSON.
    """
    try:
        return response.json()
    except requests.exceptions.JSONDecodeError as error:
        raise MalformedReplyError("the reply is not valid JSON") from error


def _never_sent(error: Exception) -> bool:
    """Whether a request failed before it was connected to the service."""
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def _innermost_reason(error: Exception) -> str:
    """Return the message of the original exception of a chain, on one line."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return one_line(inner)


def sleep_before_retry(attempt: int, response: requests.Response | None = None) -> None:
    """Sleep as long as ``Retry-After`` requests, or else for a time that doubles each attempt."""
    seconds = None
    if response is not None:
        seconds = _parse_retry_after(response.headers.get("Retry-After", ""))
    if seconds is None:
        seconds = random.uniform(0.5, 1) * 0.1 * 2**attempt  # noqa: S311  # jitter, no secret
    time.sleep(min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS))


def _parse_retry_after(text: str) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which is a number or a date."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if math.isfinite(seconds) else None
