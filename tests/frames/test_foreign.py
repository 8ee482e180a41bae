"""Frames of which another program has changed the Arrow data, and made the digests right."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from frames.test_codec import EXACT_AS_TEXT, INEXACT_AS_TEXT
from mdfactory.errors import FrameCorruptError
from mdfactory.frames.codec import Frame, decode, empty_table, encode
from mdfactory.records.arrow import base64, pack, stream, unpack, unpack_batch

COLUMNS = EXACT_AS_TEXT | {name: column for name, (column, _) in INEXACT_AS_TEXT.items()}

MAX_MEGABYTES = 100
"""Memory that a process may take in addition for any number of damaged frames of a few bytes."""


def with_stream(table: pa.Table, data: pa.Buffer) -> Frame:
    return replace(encode(table), arrow_ipc=base64(data))


def outcomes(frames: list[Frame]) -> list[str]:
    """Decode frames in a process of its own, which must not crash or take much memory."""
    lines = "\n".join(json.dumps(asdict(frame)) for frame in frames)
    program = Path(__file__).with_name("foreign.py")
    done = subprocess.run(
        [sys.executable, program], input=lines, capture_output=True, text=True, check=False
    )
    *results, held = done.stdout.split() or [""]
    assert done.returncode == 0, (frames[len(results)], done.stderr[-500:])
    assert int(held) < MAX_MEGABYTES
    return results


def damaged(data: bytes, step: int, random: Random) -> Iterator[bytes]:
    """Yield a stream with other bytes and numbers at every position, or at every few."""
    for position in range(random.randrange(step), len(data), step):
        values = [bytes([data[position] ^ 0xFF]), bytes(1), b"\1", b"\x7f"]
        if position % 4 == 0:
            values += [struct.pack("<i", number) for number in (-1, 1, 2**24, 2**31 - 1)]
        if position % 8 == 0:
            values += [struct.pack("<q", number) for number in (-1, 2**28, 2**33, 2**62)]
        for value in values:
            yield data[:position] + value + data[position + len(value) :]


def damaged_frames(name: str, step: int) -> list[Frame]:
    column = COLUMNS[name]
    table = pa.table({"x": column, "k": list(range(len(column)))})
    frame, random = encode(table), Random(name)  # noqa: S311  # a sample
    schemas = damaged(b64decode(frame.arrow_schema), step, random)
    frames = [replace(frame, arrow_schema=b64encode(data).decode()) for data in schemas]
    for compression in (None, "zstd", "lz4"):
        streams = damaged(bytes(stream(table, compression)), step, random)
        frames += [replace(frame, arrow_ipc=b64encode(data).decode()) for data in streams]
    return frames


def test_damaged_arrow_data_is_refused_or_read() -> None:
    frames = [frame for name in COLUMNS for frame in damaged_frames(name, 211)]
    assert set(outcomes(frames)) == {"refused", "decoded"}


@pytest.mark.long
@pytest.mark.parametrize("name", COLUMNS)
def test_arrow_data_damaged_at_any_position_is_refused_or_read(name: str) -> None:
    assert set(outcomes(damaged_frames(name, 1))) == {"refused", "decoded"}


def large_text(compression: str) -> Frame:
    """Return a frame of some kilobytes with a text of 128 MiB."""
    size = 1 << 27
    offsets = pa.py_buffer(struct.pack("<qq", 0, size))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(bytes(size))])
    return with_stream(pa.table({"a": [b""]}), stream(pa.table({"a": text}), compression))


def shared_metadata() -> Frame:
    """Return a frame whose schema refers to one text of 100 kB a thousand times."""
    metadata = {"long": "x" * 100_000, **{f"key{i:04}": f"value{i:04}" for i in range(1000)}}
    table = pa.table({"a": [b""]})
    data = bytearray(stream(table.replace_schema_metadata(metadata)))
    target = data.index(b"x" * 100_000) - 4
    values = {data.index(b"value%04d" % number) - 4 for number in range(1000)}
    for position in range(0, target, 4):
        (offset,) = struct.unpack_from("<I", data, position)
        if position + offset in values:
            struct.pack_into("<I", data, position, target - position)
    return with_stream(table, pa.py_buffer(bytes(data)))


def split_dictionary() -> Frame:
    sink = pa.BufferOutputStream()
    schema = pa.schema([("a", pa.dictionary(pa.int32(), pa.string()))])
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        for values in (["x"], ["x", "y"]):
            column = pa.array(values).dictionary_encode()
            writer.write_batch(pa.record_batch([column], schema=schema))
    return with_stream(pa.table({"a": ["x", "x", "y"]}), sink.getvalue())


def with_indices(*indices: int) -> Frame:
    """Return a frame of categories with other indices."""
    table = pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()})
    data = bytearray(stream(table))
    struct.pack_into("<3i", data, bytes(data).rindex(struct.pack("<3i", 0, 1, 0)), *indices)
    return with_stream(table, pa.py_buffer(bytes(data)))


def many_rows() -> Frame:
    column = pa.Array.from_buffers(pa.null(), 1 << 30, [None])  # takes no memory
    return with_stream(pa.table({"a": [1]}), stream(pa.table({"a": column})))


def repeated(value: pa.Array) -> Frame:
    """Return a frame of some kilobytes whose column repeats a value of 40 kB 20,000 times."""
    return many(pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), value))


def many(column: pa.Array) -> Frame:
    """Return a frame of which the text shows one character in each row."""
    shown = encode(pa.table({"a": ["x"] * len(column)}))
    return replace(shown, arrow_ipc=base64(stream(pa.table({"a": column}), "zstd")))


def same_views() -> Frame:
    views = pa.py_buffer(struct.pack("<i4sii", 40_000, b"xxxx", 0, 0) * 20_000)
    buffers = [None, views, pa.py_buffer(b"x" * 40_000)]
    return many(pa.Array.from_buffers(pa.string_view(), 20_000, buffers))


def same_lists(depth: int) -> pa.Array:
    """Return 200 lists, each of which is a view of all lists of the next level."""
    items = same_lists(depth - 1) if depth else pa.array(range(200))
    buffers = [None, pa.py_buffer(bytes(800)), pa.py_buffer(struct.pack("<i", 200) * 200)]
    return pa.Array.from_buffers(pa.list_view(items.type), 200, buffers, children=[items])


def empty_items(data_type: pa.DataType) -> Frame:
    """Return a frame with a list of many items that take no memory."""
    offsets = pa.py_buffer(struct.pack("<qq", 0, 1 << 30))
    items = pa.Array.from_buffers(data_type, 1 << 30, [None])
    kind = pa.large_list(data_type)
    return many(pa.Array.from_buffers(kind, 1, [None, offsets], children=[items]))


def many_items() -> Frame:
    """Return a frame with a list whose items are more than a program of Arrow can have written."""
    column = pa.Array.from_buffers(
        pa.large_list_view(pa.null()),
        *(1, [None, pa.py_buffer(bytes(8)), pa.py_buffer(struct.pack("<q", 3))]),
        children=[pa.nulls(7)],
    )
    data = bytes(stream(pa.table({"a": column})))
    lengths = struct.pack("<4q", 1, 0, 7, 7)  # of the column and of its items, and their nulls
    assert data.count(lengths) == 1
    data = data.replace(lengths, struct.pack("<4q", 1, 0, 1 << 60, 1 << 60))
    return replace(encode(pa.table({"a": ["x"]})), arrow_ipc=b64encode(data).decode())


def runs() -> Frame:
    value = pa.array(["x" * 40_000])
    return many(pa.RunEndEncodedArray.from_arrays(pa.array([20_000], pa.int32()), value))


def union() -> Frame:
    kinds, offsets = pa.array([0] * 20_000, pa.int8()), pa.array([0] * 20_000, pa.int32())
    return many(pa.UnionArray.from_dense(kinds, offsets, [pa.array(["x" * 40_000])]))


REFUSED: dict[str, tuple[Callable[[], Frame], str]] = {
    "zstd": (lambda: large_text("zstd"), "bytes of values are announced"),
    "lz4": (lambda: large_text("lz4"), "bytes of values are announced"),
    "metadata": (shared_metadata, "parts of its metadata overlap"),
    "delta": (split_dictionary, "a dictionary is split into parts"),
    "next index": (lambda: with_indices(0, 1, 2), "out of bounds"),
    "negative": (lambda: with_indices(0, -1, 0), "out of bounds"),
    "far index": (lambda: with_indices(1 << 30, 1, 7), "out of bounds"),
    "rows": (many_rows, "its 1,073,741,824 rows have more text"),
    "categories": (lambda: repeated(pa.array(["x" * 40_000])), "its 20,000 rows have more text"),
    "lists as categories": (
        lambda: repeated(pa.array([list(range(5_000))])),
        "categories of type list",
    ),
    "views": (same_views, "its 20,000 rows have more text"),
    "list views": (lambda: many(same_lists(3)), "lists overlap"),
    "nulls": (lambda: empty_items(pa.null()), "its 1 rows have more text"),
    "structs": (lambda: empty_items(pa.struct([])), "its 1 rows have more text"),
    "items": (many_items, "a column has 1,152,921,504,606,846,976 values"),
    "runs": (runs, "no file has the type run_end_encoded"),
    "union": (union, "no file has the type dense_union"),
}
"""Name of a frame that is too large or invalid -> its maker, and the reason of the refusal."""


@pytest.mark.parametrize("name", REFUSED)
def test_decode_refuses_arrow_data_that_is_too_large_or_invalid(name: str) -> None:
    make_frame, reason = REFUSED[name]
    with pytest.raises(FrameCorruptError, match=reason):
        decode(make_frame())


def test_arrow_data_that_is_too_large_or_invalid_takes_little_memory() -> None:
    frames = [make_frame() for make_frame, _ in REFUSED.values()]
    assert outcomes(frames) == ["refused"] * len(frames)


def test_empty_table_refuses_a_schema_with_rows() -> None:
    with pytest.raises(FrameCorruptError, match="has rows"):
        empty_table(base64(stream(pa.table({"a": [1]}))))


def test_empty_table_refuses_compressed_categories() -> None:
    values = pa.array(["x" * 1_000_000])
    empty = pa.DictionaryArray.from_arrays(pa.array([], pa.int8()), values)
    rows = pa.record_batch([empty], names=["a"])
    assert empty_table(base64(stream(rows))).num_rows == 0
    with pytest.raises(FrameCorruptError, match="is compressed"):
        empty_table(base64(stream(rows, "zstd")))


def test_decode_restores_a_table_that_compresses_well() -> None:
    table = pa.table({"a": pa.nulls(70_000, pa.binary(1000)), "b": range(70_000)})
    assert decode(encode(table)).equals(table)


@pytest.mark.parametrize(
    "table",
    [pa.table({"a": ["x", None]}), pa.table({"b": ["x"]}), pa.table({"a": [1]})],
    ids=["null", "name", "type"],
)
def test_unpack_batch_refuses_other_columns(table: pa.Table) -> None:
    schema = pa.schema([("a", pa.string())])
    assert unpack_batch(pack(pa.table({"a": ["x"]})), schema).num_rows == 1
    with pytest.raises(ValueError, match="other columns"):
        unpack_batch(pack(table), schema)


@pytest.mark.parametrize("text", ["", "é", "AAAA", "////", b64encode(b"\xff" * 64).decode()])
def test_unpack_refuses_other_texts(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # base64 and Arrow have their own messages
        unpack(text)
