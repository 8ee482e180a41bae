"""Frames of every type come back from every store, drawn by the hundred."""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given

from mdfactory.frames.codec import Frame, decode, encode
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import store_at
from mdfactory.testing.frames import MODERATE, assert_same, tables
from mdfactory.testing.records import DENSITY, analysis_with_sidecar, records


@pytest.mark.long
def test_any_frame_comes_back_exactly(url: str) -> None:
    store = store_at(url)
    store.create(DENSITY)

    @MODERATE
    @given(frame=tables())
    def comes_back(frame: pa.Table) -> None:
        encoded = asdict(encode(frame))
        store.write(
            [(DENSITY, records(DENSITY, analysis_with_sidecar("A", **encoded)))], ConflictMode.force
        )
        with store.transaction() as transaction:
            (rows,) = transaction.read_with_sidecars(DENSITY)
        (row,) = rows.to_pylist()
        assert_same(decode(Frame(**{name: row[name] for name in encoded})), frame)

    comes_back()
