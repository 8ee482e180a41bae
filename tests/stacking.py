"""Stacks of frames for tests."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory.errors import SchemasDifferError
from mdfactory.frames.stack import Stack, stack

A, B, C = "A" * 40, "B" * 40, "C" * 40
"""Hashes of simulations."""


def stack_of(*frames: pa.Table, union: bool = False) -> Stack:
    empty = [frame.slice(0, 0) for frame in frames]
    return stack(zip((A, B, C), empty, strict=False), union=union)


def stacked(*frames: pa.Table, union: bool = False) -> pa.Table:
    result = stack_of(*frames, union=union)
    parts = [result.conform(hash_, frame) for hash_, frame in zip((A, B, C), frames, strict=False)]
    assert all(part.schema.equals(result.schema, check_metadata=True) for part in parts)
    return pa.concat_tables(parts)


def parquet(frame: pd.DataFrame) -> pa.Table:
    file = io.BytesIO()
    frame.to_parquet(file)
    return pq.ParquetFile(file).read()


def arrow(**columns_: Any) -> pa.Table:
    return parquet(pd.DataFrame(columns_))


def refused(*frames: pa.Table, union: bool = False) -> SchemasDifferError:
    with pytest.raises(SchemasDifferError) as caught:
        stacked(*frames, union=union)
    return caught.value
