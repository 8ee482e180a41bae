"""Bounded reads of frames: a frame is refused only if no store could accept it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, reject

from mdfactory.campaign.parquet import read_frame
from mdfactory.errors import FrameTooLargeError
from mdfactory.frames.codec import encode
from mdfactory.records.parquet import MAX_FOOTER_BYTES
from mdfactory.testing.frames import MODERATE, tables


@given(table=tables())
@MODERATE
def test_read_frame_accepts_every_frame_whose_text_fits(
    tmp_path_factory: pytest.TempPathFactory, table: pa.Table
) -> None:
    path = tmp_path_factory.getbasetemp() / "frame.parquet"
    try:
        pq.write_table(table, path)
    except pa.ArrowException:  # Parquet does not support all types of Arrow
        reject()
    text = encode(pq.ParquetFile(path).read()).data_csv.encode()
    assert read_frame(path, len(text)).num_rows == pq.ParquetFile(path).metadata.num_rows


def test_read_frame_counts_structures_as_one_column(tmp_path: Path) -> None:
    fields = pa.struct([(f"field_{number}", pa.int8()) for number in range(300)])
    pq.write_table(pa.table({"x": pa.nulls(1_000, fields)}), tmp_path / "x.parquet")
    assert read_frame(tmp_path / "x.parquet", 1_000).num_rows == 1_000
    with pytest.raises(FrameTooLargeError, match="has 1,000 rows of 1 columns"):
        read_frame(tmp_path / "x.parquet", 999)


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_read_frame_reads_no_page_that_is_longer_than_any_text(
    tmp_path: Path, *, use_dictionary: bool
) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"x": ["x" * 2**27]})
    pq.write_table(table, path, compression="zstd", use_dictionary=use_dictionary)
    assert path.stat().st_size < 2**16
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(FrameTooLargeError):
            read_frame(path, 2**20)
    finally:
        pa.set_memory_pool(default)
    assert pool.max_memory() < 2**20


def test_a_footer_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    note = {"note": "x" * MAX_FOOTER_BYTES}
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata(note), path)
    with pytest.raises(ValueError, match="its footer takes more than 32 MiB"):
        read_frame(path, 2**20)
