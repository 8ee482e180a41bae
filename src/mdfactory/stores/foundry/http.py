"""Sending requests to Foundry: what is repeated, what is asked about, and what is an error."""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import requests
from foundry_dev_tools.errors.meta import FoundryAPIError

from mdfactory.errors import StoreError, one_line

__all__ = [
    "TIMEOUT",
    "TRIES",
    "FoundrySession",
    "GarbledError",
    "LostError",
    "Sender",
    "parsed",
    "pause",
    "said",
]

log = logging.getLogger(__name__)

TIMEOUT: Final = (10, 300)
"""Seconds to connect, and to wait for the next bytes."""

TRIES: Final = 6
"""How often a request is sent at most."""

PATIENCE: Final = 60.0
"""Seconds that the service may ask us to wait before we ask again, at most."""

BUSY: Final = frozenset({429, 503})
"""Answers that say that nothing was done: any request may be repeated."""

GATEWAY: Final = frozenset({502, 504})
"""Answers after which nobody knows: only what may be done twice is repeated."""

T = TypeVar("T")


class FoundrySession(requests.Session):
    """A session that waits for no answer for ever, and has connections of its process alone.

    Those that a forked process finds open are its parent's: what one says there, and what it
    leaves unsaid when it is killed, the other would go on with.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process = os.getpid()

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request, with time limits."""
        if self._process != os.getpid():
            self.close()
            self._process = os.getpid()
        if options.get("timeout") is None:
            options["timeout"] = TIMEOUT
        return super().request(*arguments, **options)


class Sender:
    """Sends requests, each of which is done, or fails loudly.

    Parameters
    ----------
    host
        The service, for messages.
    """

    def __init__(self, host: str) -> None:
        self.host = host

    def json(
        self,
        what: str,
        action: Callable[..., requests.Response],
        *arguments: Any,
        again: bool = True,
        **options: Any,
    ) -> Any:
        """Send a request, and return the JSON that comes back."""
        return self._tried(what, lambda: parsed(action(*arguments, **options)), again=again)

    def send(
        self,
        what: str,
        action: Callable[..., requests.Response],
        *arguments: Any,
        again: bool = True,
        **options: Any,
    ) -> requests.Response:
        """Send a request, and return the answer."""
        return self._tried(what, lambda: action(*arguments, **options), again=again)

    def _tried(self, what: str, action: Callable[[], T], *, again: bool) -> T:
        """Do something, again if it failed in a way that allows it.

        Parameters
        ----------
        what
            What is done, for messages.
        action
            Sends one request.
        again
            Whether it may be done twice.

        Raises
        ------
        StoreError
            If the service cannot be reached or is not well, or does not let us.
        LostError
            If it may have been done, and may not be done twice.
        FoundryAPIError
            If the service refused it for a reason that has a name.
        """
        for attempt in range(TRIES):
            try:
                return action()
            except FoundryAPIError as error:
                status = status_of(error)
                if not (status in BUSY or (again and status in GATEWAY)) or attempt == TRIES - 1:
                    raise self._refused(what, error, again=again) from error
                pause(attempt, error.response)
            except (requests.RequestException, GarbledError) as error:
                if _never_sent(error) or again:
                    if attempt == TRIES - 1:
                        raise self._unreachable(what, error) from error
                    log.debug("%s: %s; trying again", what, type(error).__name__)
                    pause(attempt)
                    continue
                raise LostError(_reason(error)) from error
        raise AssertionError

    def _refused(self, what: str, error: FoundryAPIError, *, again: bool) -> Exception:
        """Return what to raise: the error itself only if it says something of what was asked."""
        status = status_of(error)
        if status in GATEWAY and not again:
            return LostError(f"status {status}")
        if status in {401, 403} or status in BUSY or status >= 500:  # noqa: PLR2004
            return StoreError(f"{self.host}: {what}: {MEANINGS.get(status, f'status {status}')}")
        return error

    def _unreachable(self, what: str, error: Exception) -> StoreError:
        return StoreError(f"{self.host} cannot be reached: {what}: {_reason(error)}")


MEANINGS: Final = {
    401: "the token is not valid, or no longer. Get a new one, and: fdt config",
    403: "you may not do that there. Ask the owner of the project for the right to it",
    429: "too many requests, for longer than we may wait. Try again later",
    503: "the service is busy, for longer than we may wait. Try again later",
}
"""Status of an answer -> what it means for the user."""


class LostError(Exception):
    """The answer to a request was lost: it may have been done."""


class GarbledError(Exception):
    """An answer is not what it should be, as if a part were missing."""


def said(what: str, error: Exception) -> StoreError:
    """Return a failure as an error of ours, without what the client would show of the request."""
    name = getattr(error, "error_name", None) if isinstance(error, FoundryAPIError) else error
    return StoreError(f"Foundry refused {what}: {name or type(error).__name__}")


def status_of(error: FoundryAPIError) -> int:
    """Return the status of the answer, whatever the client made of it."""
    return error.response.status_code if error.response is not None else 0


def parsed(response: requests.Response) -> Any:
    """Return the JSON of an answer.

    Raises
    ------
    GarbledError
        If it is none, as if a part were missing.
    """
    try:
        return response.json()
    except requests.exceptions.JSONDecodeError as error:
        raise GarbledError("the answer is no JSON") from error


def _never_sent(error: Exception) -> bool:
    """Whether the connection was not even made."""
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def _reason(error: Exception) -> str:
    """Return the innermost reason, on one line."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return one_line(inner)


def pause(attempt: int, response: requests.Response | None = None) -> None:
    """Wait as long as the service asks, up to a minute, or a little longer each time."""
    asked = _asked(response.headers.get("Retry-After", "")) if response is not None else None
    if asked is None:
        asked = random.uniform(0.5, 1) * 0.1 * 2**attempt  # noqa: S311  # jitter, no secret
    time.sleep(min(max(asked, 0.0), PATIENCE))


def _asked(text: str) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if math.isfinite(seconds) else None
