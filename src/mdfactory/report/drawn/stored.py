"""Stored frames: which simulations have an analysis, and the digests of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from mdfactory.records.query import Query
from mdfactory.records.tables import Table
from mdfactory.stores.keys import key_batches
from mdfactory.stores.transaction import Transaction


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
