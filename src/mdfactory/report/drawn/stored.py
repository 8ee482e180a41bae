"""Stored frames: which simulations have an analysis, and its frames, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, one_line
from mdfactory.frames.extras import extras_of
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import Table
from mdfactory.stores.keys import hash_condition, key_batches
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.frames import frame_of


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame of a store that was not read.

    Parameters
    ----------
    hash
        Hash of its simulation.
    digest
        Digest of its content and of its registry entry; empty if another program wrote them, so
        that they may change without it.
    """

    hash: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A frame that was read.

    Parameters
    ----------
    hash
        Hash of its simulation.
    frame
        The frame.
    extras
        The extras of its registry entry.
    """

    hash: str
    frame: pa.Table
    extras: Mapping[str, Any]


def stored_frames(
    transaction: Transaction, table: Table, hashes: Mapping[str, int]
) -> list[StoredFrame]:
    """Return the frames of an analysis, in the order of their simulations.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the analysis.
    hashes
        Hash of each simulation of the report -> its number.
    """
    query = Query(columns=("hash", table.time))
    times = {
        str(hash_): str(time) for hash_, time in transaction.values(table, query) if hash_ in hashes
    }
    digests: dict[str, str] = {}
    for keys in key_batches([(hash_,) for hash_ in times]):
        sidecars = transaction.sidecars(table, keys, ("digest",))
        for digest in transaction.digests(table, keys):
            hash_ = digest.key[0]
            time = times.get(hash_, "")
            if hash_ in times and digest.is_valid(time):
                (sidecar,) = sidecars.get((hash_, time), ("",))
                digests[hash_] = sha256(f"{digest.content} {sidecar}".encode()).hexdigest()[:40]
    return [
        StoredFrame(hash_, digests.get(hash_, ""))
        for hash_ in sorted(times, key=hashes.__getitem__)
    ]


def read_frames(
    transaction: Transaction, table: Table, hashes: Sequence[str], corrupt: dict[str, str]
) -> Iterator[ReadFrame]:
    """Yield the frames of simulations, in the order of their hashes; each is let go by its reader.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the analysis.
    hashes
        The simulations, sorted.
    corrupt
        Takes a sentence for each frame that cannot be read, by the hash of its simulation.
    """
    for keys in key_batches([(hash_,) for hash_ in hashes]):
        query = Query((hash_condition(keys),), sort=Sort("hash"))
        for rows in transaction.read_with_sidecars(table, query):
            for position in range(rows.num_rows):
                (row,) = rows.slice(position, 1).to_pylist()
                try:
                    frame = frame_of(table, row)
                except FrameCorruptError as error:
                    corrupt[row["hash"]] = one_line(error)
                    continue
                units, others = extras_of(row["entry"])
                yield ReadFrame(row["hash"], frame, {**others, "units": units})
