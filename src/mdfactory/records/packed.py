"""Arrow data as text: what a store keeps in a cell that only this program reads."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Literal

import pyarrow as pa

__all__ = ["base64", "pack", "stream", "unpack"]


def stream(
    rows: pa.Table | pa.RecordBatch, compression: Literal["lz4", "zstd"] | None = None
) -> pa.Buffer:
    """Return rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write(rows)
    return sink.getvalue()


def base64(data: pa.Buffer) -> str:
    """Return bytes as text."""
    return b64encode(data).decode()


def pack(rows: pa.Table | pa.RecordBatch) -> str:
    """Return rows as a compressed Arrow IPC stream in base64."""
    return base64(stream(rows, "zstd"))


def unpack(text: str) -> pa.RecordBatchReader:
    """Return the rows of a text, packed or not compressed.

    Raises
    ------
    ValueError
        If the text is no base64.
    pyarrow.ArrowException
        If it is no stream.
    """
    return pa.ipc.open_stream(b64decode(text, validate=True))
