"""Locks on Foundry datasets: the open transaction of a branch, of which Foundry allows one.

The record of the transaction describes the process that opened it. So a lock that a killed
process has left behind is recognised and aborted.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mdfactory.locking import LockWait, public_command
from mdfactory.platforms import user_name
from mdfactory.stores.foundry.client import FoundryClient
from mdfactory.stores.foundry.model import DatasetTransaction, OpenTransactionError

log = logging.getLogger(__name__)

STALE_LOCK_SECONDS: Final = 3600.0
"""Age above which the lock of a process on another machine counts as abandoned.

Processes of other machines are not visible, so a lock that is older is aborted even if its process
still runs.
"""

RECORD_KEY: Final = "mdfactory"
"""Key in the record of a transaction under which mdfactory describes the holder."""

ATTEMPTS_WITHOUT_PAUSE: Final = 3
"""Number of attempts that follow without a pause after an abandoned lock was aborted."""

LONGEST_PAUSE_SECONDS: Final = 2.0
"""Longest pause between two attempts."""

HELD_TRANSACTIONS: Final[set[str]] = set()
"""Rids of the transactions that this process holds open.

An open transaction whose record names this process, but which is not in this set, is abandoned.
"""


def acquire_lock(
    client: FoundryClient, dataset_rid: str, transaction_type: str, wait: LockWait
) -> str:
    """Open the one transaction of a dataset, and return its rid.

    Parameters
    ----------
    client
        The connection.
    dataset_rid
        The dataset.
    transaction_type
        ``APPEND`` or ``UPDATE``.
    wait
        The wait for another writer, who has a transaction open.

    Raises
    ------
    StoreLockedError
        If another writer does not end in time.
    """
    nonce = uuid4().hex
    record = {RECORD_KEY: _describe_process() | {"nonce": nonce}}
    for attempt in itertools.count():
        try:
            own_rid = client.start_transaction(dataset_rid, record, transaction_type)
            return _take_over(client, dataset_rid, own_rid, transaction_type)
        except OpenTransactionError as error:
            blocking = client.transaction(dataset_rid, error.transaction_rid)
        is_open = blocking.status == "OPEN"
        if is_open and _holder_of(blocking).get("nonce") == nonce:
            # This call has started it, but the reply was lost.
            return _take_over(client, dataset_rid, blocking.rid, transaction_type)
        if is_open and _is_abandoned(blocking):
            log.warning("aborting the abandoned lock of %s", _holder_name(blocking))
            if client.abort(dataset_rid, blocking.rid) and attempt < ATTEMPTS_WITHOUT_PAUSE:
                continue
        wait.pause(partial(_holder_name, blocking), _remedy(blocking, dataset_rid))
    raise AssertionError


def release_lock(client: FoundryClient, dataset_rid: str, transaction_rid: str) -> None:
    """Abort the transaction that locks a dataset, so that the dataset stays unchanged."""
    client.abort(dataset_rid, transaction_rid)
    HELD_TRANSACTIONS.discard(transaction_rid)


def _take_over(
    client: FoundryClient, dataset_rid: str, transaction_rid: str, transaction_type: str
) -> str:
    """Add a transaction that this process started to `HELD_TRANSACTIONS`, and set its type.

    Foundry may start a transaction as APPEND although another type was requested. So the type is
    set by a second request.
    """
    HELD_TRANSACTIONS.add(transaction_rid)
    if transaction_type == "APPEND":
        return transaction_rid
    try:
        client.set_transaction_type(dataset_rid, transaction_rid, transaction_type)
    except BaseException:
        release_lock(client, dataset_rid, transaction_rid)
        raise
    return transaction_rid


def _is_abandoned(transaction: DatasetTransaction) -> bool:
    """Whether an open transaction counts as abandoned, so that it may be aborted.

    A transaction of this machine is abandoned if its process has ended, or no longer holds it. A
    transaction of another machine is abandoned if it is older than `STALE_LOCK_SECONDS`. A
    transaction without a description of its holder may belong to any program. It never counts as
    abandoned.
    """
    holder = _holder_of(transaction)
    if not holder:
        return False
    if holder.get("place") == machine_id():
        return _holder_has_ended(transaction)
    return transaction.age_seconds > STALE_LOCK_SECONDS


def _holder_has_ended(transaction: DatasetTransaction) -> bool:
    """Whether the process on this machine that opened a transaction no longer holds it."""
    holder = _holder_of(transaction)
    process_id, start_time = int(holder.get("process", 0)), holder.get("born")
    if process_id == os.getpid() and start_time == _process_start_time(process_id):
        return transaction.rid not in HELD_TRANSACTIONS
    if start_time:
        return str(start_time) != _process_start_time(process_id)
    try:  # this system does not show when a process started
        os.kill(process_id, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def _holder_of(transaction: DatasetTransaction) -> Mapping[str, Any]:
    """Return the description of the holder from the record of a transaction; empty if absent."""
    holder = transaction.record.get(RECORD_KEY)
    return holder if isinstance(holder, dict) else {}


def _holder_name(transaction: DatasetTransaction) -> str:
    """Return the name of the holder of a transaction, for messages."""
    holder = _holder_of(transaction)
    if not holder:
        return f"the open transaction {transaction.rid}"
    return (
        f"process {holder.get('process')} ({holder.get('command')}) "
        f"of {holder.get('user')} on {holder.get('host')}"
    )


def _remedy(transaction: DatasetTransaction, dataset_rid: str) -> str:
    """Return the advice for a user whose write is blocked by a transaction."""
    if _holder_of(transaction):
        return "Try again later, or wait longer with --wait SECONDS"
    return (
        "The transaction was not opened by mdfactory, or Foundry does not return its record, so "
        f"it was not aborted. If nobody works on the dataset {dataset_rid}, abort the "
        "transaction in Foundry and try again"
    )


def _describe_process() -> dict[str, Any]:
    """Describe this process for other writers."""
    return {
        "process": os.getpid(),
        "born": _process_start_time(os.getpid()),
        "place": machine_id(),
        "host": socket.gethostname(),
        "user": user_name(),
        "command": public_command(),
    }


def machine_id() -> str:
    """Return an id of the set of processes that are visible: host name, boot, PID namespace.

    Process numbers can be compared only within this set. A container has its own PID namespace.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _process_start_time(process_id: int) -> str:
    """Return when a process started, in clock ticks since the boot; empty if unknown.

    A later process may have the same number, but not the same start time. The start time is field
    22 of ``/proc/PID/stat`` (proc(5)). Fields are counted from the last parenthesis, because the
    name of the program in field 2 may contain spaces and parentheses.
    """
    try:
        text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
