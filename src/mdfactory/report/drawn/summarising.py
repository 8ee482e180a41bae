"""Summarise the frames of an analysis: from the cache what is known, all others from the store."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mdfactory.frames.curves import MAX_POINTS
from mdfactory.frames.plots import Plan, plan
from mdfactory.frames.statistics import Start
from mdfactory.records.tables import Table
from mdfactory.report.drawn.cache import Cache, combined, key_of
from mdfactory.report.drawn.plan_data import plan_from_json, plan_to_json
from mdfactory.report.drawn.stored import StoredFrame
from mdfactory.report.drawn.summaries import restricted, summary_of
from mdfactory.report.plots.frames import (
    PLANNED_FRAMES,
    ReadFrame,
    first_frames,
    read_frames,
    released,
)
from mdfactory.stores.transaction import Transaction

KEY_BYTES: Final = 40
ENTRY: Final = f"<{KEY_BYTES}sI"
"""Each summary of a file: its key, and its length."""

MAX_KEPT_BYTES: Final = 2**27
"""Maximum size of the summaries of one analysis that the cache keeps."""


@dataclass(frozen=True, slots=True)
class Summarised:
    """The frames of an analysis.

    Parameters
    ----------
    plan
        What is drawn.
    summaries
        Hash of a simulation -> summary of its frame, in the order of the simulations; those whose
        frames cannot be read are not among them.
    corrupt
        Hash -> why its frame cannot be read, in the same order.
    """

    plan: Plan
    summaries: dict[str, bytes]
    corrupt: dict[str, str]


def summarise_frames(
    transaction: Transaction,
    table: Table,
    stored: Sequence[StoredFrame],
    start: Start,
    cache: Cache,
) -> Summarised:
    """Return the summaries of the frames of an analysis; no frame is read that the cache knows.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the analysis.
    stored
        The frames.
    start
        What statistics leave out.
    cache
        Where summaries are kept.
    """
    corrupt: dict[str, str] = {}
    first: list[ReadFrame] = []
    name = _plan_key(table, stored)
    planned = _kept_plan(cache, name)
    if planned is None:
        hashes = [frame.hash for frame in stored]
        first = first_frames(read_frames(transaction, table, hashes, corrupt))
        planned = restricted(
            plan(table.result_name, [one.frame for one in first], [one.extras for one in first])
        )
        if name and not corrupt:
            cache.put("plan", name, json.dumps(plan_to_json(planned)).encode())
    key = key_of("summaries", plan_to_json(planned), [start.value, start.unit], MAX_POINTS)
    kept = dict(_entries(cache.get("summaries", key) or b""))
    known = {one.hash: kept[one.digest] for one in stored if one.digest in kept}
    summaries: dict[str, bytes] = {}
    for frame in _frames(transaction, table, stored, first, {*known, *corrupt}, corrupt):
        summaries[frame.hash] = summary_of(planned, frame.frame, frame.extras, start).to_bytes()
    if summaries:
        new = {one.digest: summaries[one.hash] for one in stored if one.hash in summaries}
        used = {one.digest: known[one.hash] for one in stored if one.hash in known}
        cache.put("summaries", key, _joined({**new, **used, **kept}))
    summaries |= known
    in_order = [one.hash for one in stored]
    return Summarised(
        planned,
        {hash_: summaries[hash_] for hash_ in in_order if hash_ in summaries},
        {hash_: corrupt[hash_] for hash_ in in_order if hash_ in corrupt},
    )


def _frames(  # noqa: PLR0917
    transaction: Transaction,
    table: Table,
    stored: Sequence[StoredFrame],
    first: list[ReadFrame],
    known: set[str],
    corrupt: dict[str, str],
) -> Iterator[ReadFrame]:
    """Yield the frames that have no summary yet: those that were read first, then the others."""
    there = known | {frame.hash for frame in first}
    others = [one.hash for one in stored if one.hash not in there]
    yield from (frame for frame in released(first) if frame.hash not in known)
    yield from read_frames(transaction, table, others, corrupt)


def _plan_key(table: Table, stored: Sequence[StoredFrame]) -> str:
    """Return the key of the plan; empty if what it is made of may change without its digest."""
    digests = [frame.digest for frame in stored[:PLANNED_FRAMES]]
    return key_of("plan", table.result_name, combined(digests)) if all(digests) else ""


def _kept_plan(cache: Cache, key: str) -> Plan | None:
    data = cache.get("plan", key) if key else None
    try:
        return plan_from_json(json.loads(data)) if data else None
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _joined(summaries: dict[str, bytes]) -> bytes:
    """Return summaries as bytes, as many as are kept; those without a digest are not."""
    parts: list[bytes] = []
    size = 0
    for digest, data in summaries.items():
        size += struct.calcsize(ENTRY) + len(data)
        if size > MAX_KEPT_BYTES:
            break
        if digest:
            parts += (struct.pack(ENTRY, digest.encode(), len(data)), data)
    return b"".join(parts)


def _entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield digest and bytes of each summary in a file; as many as are whole."""
    place, step = 0, struct.calcsize(ENTRY)
    while place + step <= len(data):
        digest, length = struct.unpack_from(ENTRY, data, place)
        place += step
        if place + length > len(data):
            return
        yield digest.decode("ascii", "replace"), data[place : place + length]
        place += length
