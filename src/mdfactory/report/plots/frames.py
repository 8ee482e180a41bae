"""Frames of an analysis in a store: read one by one, the first ones for a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, one_line
from mdfactory.frames.extras import extras_of
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import Table
from mdfactory.stores.keys import hash_condition, key_batches
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.frames import frame_of

PLANNED_FRAMES: Final = 50
"""Maximum number of frames of which a plan is made."""

PLANNED_BYTES: Final = 2**26
"""Maximum size of the frames of which a plan is made."""


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


def first_frames(frames: Iterator[ReadFrame]) -> list[ReadFrame]:
    """Return the frames of which a plan is made."""
    first: list[ReadFrame] = []
    size = 0
    for frame in islice(frames, PLANNED_FRAMES):
        first.append(frame)
        size += frame.frame.nbytes
        if size > PLANNED_BYTES:
            break
    return first


def released(frames: list[ReadFrame]) -> Iterator[ReadFrame]:
    """Yield frames, and let each go."""
    frames.reverse()
    while frames:
        yield frames.pop()
