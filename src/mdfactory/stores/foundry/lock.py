"""Locks on Foundry datasets: an open transaction, of which there is at most one on a branch.

Who holds it stands in the record of the transaction, so that the lock of a writer that was
killed can be told from that of one that is at work.
"""

from __future__ import annotations

import getpass
import logging
import os
import random
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from mdfactory.errors import StoreLockedError
from mdfactory.stores.foundry.client import DatasetTransaction, OpenElsewhereError, Port
from mdfactory.stores.locking import Patience

__all__ = ["forget", "hold", "place_of", "release"]

log = logging.getLogger(__name__)

STALE: Final = 3600.0
"""Seconds after which the lock of a writer that cannot be looked at is taken from it."""

MARK: Final = "mdfactory"
"""Where in a record ours stands."""

EAGER: Final = 3
"""Tries before there is a word of warning."""

HELD: Final[set[str]] = set()
"""Open transactions of this process: another one that is marked as its own was left behind."""

LONGEST: Final = 2.0
"""Seconds between two tries at the most."""


def hold(port: Port, rid: str, kind: str, patience: Patience, location: str) -> str:
    """Open the one transaction of a dataset, and return its rid.

    Parameters
    ----------
    port
        The connection.
    rid
        The dataset.
    kind
        Kind of the transaction.
    patience
        How long to wait for whoever has one open.
    location
        The store, for messages.

    Raises
    ------
    StoreLockedError
        If another writer does not end in time.
    """
    nonce = uuid4().hex
    record = {MARK: _self() | {"nonce": nonce}}
    attempt = 0
    while True:
        try:
            return _prepared(port, rid, port.start(rid, record, kind), kind)
        except OpenElsewhereError as error:
            other = port.transaction(rid, error.rid)
        theirs = _mark(other)
        if other.status == "OPEN" and theirs.get("nonce") == nonce:  # the answer was lost
            return _prepared(port, rid, other.rid, kind)
        if other.status == "OPEN" and _is_dead(theirs, other):
            log.warning("taking the lock from %s, which has gone", _name(theirs, other))
            if port.abort(rid, other.rid) and attempt < EAGER:
                attempt += 1
                continue
        if time.monotonic() >= patience.deadline:
            raise StoreLockedError(
                f"{location} is held by {_name(theirs, other)}; waited {patience.wait:g} s. "
                + _remedy(theirs, rid)
            )
        if attempt == EAGER:  # after a second or so
            log.warning("waiting for %s", _name(theirs, other))
        _pause(attempt, patience)
        attempt += 1


def release(port: Port, rid: str, transaction: str) -> None:
    """Give a dataset back as it was."""
    port.abort(rid, transaction)
    forget(transaction)


def forget(transaction: str) -> None:
    """Know no longer of a transaction that has ended."""
    HELD.discard(transaction)


def _prepared(port: Port, rid: str, transaction: str, kind: str) -> str:
    """Make a transaction one of this kind: to name it at its start is not enough."""
    HELD.add(transaction)
    if kind == "APPEND":
        return transaction
    try:
        port.set_kind(rid, transaction, kind)
    except BaseException:
        release(port, rid, transaction)
        raise
    return transaction


def _pause(attempt: int, patience: Patience) -> None:
    longest = min(LONGEST, 0.1 * 1.5**attempt, max(0.0, patience.deadline - time.monotonic()))
    time.sleep(random.uniform(0.3, 1) * longest)  # noqa: S311  # jitter, no secret


def _is_dead(theirs: Mapping[str, Any], other: DatasetTransaction) -> bool:
    """Whether a lock is that of a program of ours that has ended without giving it back.

    A transaction without our mark is never touched: nobody knows what it is.
    """
    if not theirs:
        return False
    if theirs.get("place") == place_of():
        return _has_ended(theirs, other)
    age = other.age
    if age < 0 and other.started:
        with suppress(ValueError, TypeError):
            age = (datetime.now(UTC) - datetime.fromisoformat(other.started)).total_seconds()
    return age > STALE


def _has_ended(theirs: Mapping[str, Any], other: DatasetTransaction) -> bool:
    """Whether a writer whose processes we can see has ended, or let go of a transaction."""
    process, born = int(theirs.get("process", 0)), theirs.get("born")
    if process == os.getpid() and born == _born(process):
        return other.rid not in HELD
    if born:
        return str(born) != _born(process)
    try:  # a system that does not tell when a process began
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _mark(transaction: DatasetTransaction) -> Mapping[str, Any]:
    mark = transaction.record.get(MARK)
    return mark if isinstance(mark, dict) else {}


def _name(theirs: Mapping[str, Any], other: DatasetTransaction) -> str:
    if not theirs:
        return f"the open transaction {other.rid}"
    who = f"process {theirs.get('process')} ({theirs.get('command')}) of {theirs.get('user')}"
    return f"{who} on {theirs.get('host')}"


def _remedy(theirs: Mapping[str, Any], rid: str) -> str:
    if theirs:
        return "Try again later, or wait longer with --wait SECONDS"
    return (
        f"It is none of this program's, or Foundry does not say, so it is left alone. If nobody "
        f"works on the dataset {rid}, abort the transaction there, and try again"
    )


def _self() -> dict[str, Any]:
    """Tell others who we are, without what may be secret on our command line."""
    program, *words = sys.argv or [""]
    plain = [word for word in words[:3] if word.isalpha()]
    return {
        "process": os.getpid(),
        "born": _born(os.getpid()),
        "place": place_of(),
        "host": socket.gethostname(),
        "user": getpass.getuser(),
        "command": " ".join([os.path.basename(program) or "python", *plain]),
    }


def place_of() -> str:
    """Name the system whose processes we can see: a host since its start, or a container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _born(process: int) -> str:
    """Tell when a process of this system began, so that a number used again is no match.

    Field 22 of ``/proc/PID/stat`` (proc(5)), after the name, which may hold anything.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
