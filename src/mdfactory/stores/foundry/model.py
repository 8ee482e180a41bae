"""Resources, transactions and files of Foundry, and errors that concern them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from mdfactory.errors import StoreError


class OpenTransactionError(Exception):
    """A transaction cannot be started, because the dataset has an open one.

    Parameters
    ----------
    transaction_rid
        Rid of the open transaction; empty if Foundry lists none, for example since it has ended.
    """

    def __init__(self, transaction_rid: str) -> None:
        self.transaction_rid = transaction_rid


class RequestRefusedError(StoreError):
    """Foundry works, but refuses a request."""


class CommitStatusUnknownError(StoreError):
    """A commit failed, and the status of its transaction cannot be read."""


class ReplyTooLongError(StoreError):
    """A reply is longer than any that is expected."""


class QueryFailedError(Exception):
    """An SQL query failed, but the service works; the files can be read instead."""


def is_dataset(rid: str) -> bool:
    """Whether a resource is a dataset and not a folder, according to its identifier."""
    return ".dataset." in rid


@dataclass(frozen=True, slots=True)
class DatasetTransaction:
    """A transaction of a dataset.

    Parameters
    ----------
    rid
        Resource identifier.
    type
        ``SNAPSHOT``, ``APPEND``, ``UPDATE`` or ``DELETE``.
    status
        ``OPEN``, ``COMMITTED`` or ``ABORTED``.
    record
        JSON object that the writer attached; empty if the service does not return it.
    age_seconds
        Seconds since the start; 0 if the service does not return the time of the start.
    """

    rid: str
    type: str
    status: str
    record: Mapping[str, Any] = field(default_factory=dict)
    age_seconds: float = 0.0


UNLISTED_TRANSACTION: Final = DatasetTransaction("that Foundry does not list", "", "")
"""Stands for a transaction whose rid is unknown."""


def parse_transaction(values: Mapping[str, Any], now: str = "") -> DatasetTransaction:
    """Return a transaction from a reply of the catalog service.

    Parameters
    ----------
    values
        JSON object of the transaction.
    now
        ``Date`` header of the reply, to compute the age; the local clock is used if it is empty.
    """
    age = 0.0
    with suppress(ValueError, TypeError, OverflowError):
        present = parsedate_to_datetime(now) if now else datetime.now(UTC)
        age = (present - datetime.fromisoformat(values.get("startTime") or "")).total_seconds()
    record = values.get("record") or {}
    return DatasetTransaction(values["rid"], values["type"], values["status"], record, age)
