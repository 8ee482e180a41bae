"""Check Arrow IPC streams of other programs before Arrow reads them.

Arrow trusts the sizes in a stream: it allocates what a compressed buffer announces, and copies a
text as often as the metadata refers to it. `check_stream` therefore adds up all sizes first. The
formats are https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format and
https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

SPARE_BYTES: Final = 1 << 26
MAX_RATIO: Final = 32
"""A table may take `SPARE_BYTES`, and `MAX_RATIO` times the bytes with which it is stored."""

CONTINUATION: Final = 0xFFFFFFFF
"""The first four bytes of each message."""

FORMAT_VERSION: Final = 4
"""The version V5 of the format. In earlier ones, sizes may be in other places."""

SCHEMA, DICTIONARY_BATCH = 1, 2
"""Kinds of messages."""

MIN_TABLE_BYTES: Final = 16
"""Bytes that a field or a pair of key and value takes in the metadata, without its texts."""

TIMESTAMP: Final = 10
"""Number of the type of times that may have a zone."""

MAX_SMALL_BYTES: Final = 1 << 12
"""Size of metadata whose parts may overlap, since this takes only some megabytes at most."""


class _Table:
    """A table of a flatbuffer: its fields are at offsets that a vtable lists.

    Parameters
    ----------
    data
        The flatbuffer.
    position
        Position of an offset to the table.
    """

    __slots__ = ("_data", "_position", "_vtable", "_vtable_bytes")

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position + _read("I", data, position)
        self._vtable = self._position - _read("i", data, self._position)
        self._vtable_bytes = _read("H", data, self._vtable)

    def position(self, field: int) -> int:
        """Return the position of a field; 0 if the table lacks it."""
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_bytes:
            return 0
        offset = _read("H", self._data, self._vtable + entry)
        return self._position + offset if offset else 0

    def number(self, field: int, code: str) -> int:
        """Return a field that is a number in the format `code` of `struct`."""
        position = self.position(field)
        return _read(code, self._data, position) if position else 0

    def table(self, field: int) -> _Table | None:
        """Return a field that is a table; None if this table lacks it."""
        position = self.position(field)
        return _Table(self._data, position) if position else None

    def vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Return position and number of items of a field that is a vector or a text."""
        position = self.position(field)
        if not position:
            return 0, 0
        start = position + _read("I", self._data, position)
        length = _read("I", self._data, start)
        if start + 4 + length * item_bytes > len(self._data):
            raise ValueError("a vector of its metadata is cut off")
        return start + 4, length

    def tables(self, field: int) -> Iterator[_Table]:
        """Yield the items of a field that is a vector of tables."""
        start, length = self.vector(field, 4)
        for position in range(start, start + 4 * length, 4):
            yield _Table(self._data, position)

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Return the items of a field that is a vector of pairs of 64-bit integers."""
        start, length = self.vector(field, 16)
        return list(struct.iter_unpack("<qq", self._data[start : start + 16 * length]))


def _read(code: str, data: memoryview, position: int) -> int:
    """Return the number at a position."""
    if not 0 <= position <= len(data) - struct.calcsize(code):
        raise ValueError("its metadata refers to a position outside")
    value: int = struct.unpack_from(f"<{code}", data, position)[0]
    return value


def max_bytes(stored: int) -> int:
    """Return the memory that a table may take which is stored with a number of bytes."""
    return SPARE_BYTES + MAX_RATIO * stored


def table_bytes(stream: memoryview) -> int:
    """Return the bytes of all buffers of an IPC stream, decompressed.

    Raises
    ------
    ValueError
        If the stream is malformed, or of a kind that Arrow does not write by default.
    """
    size = metadata_bytes = 0
    for message, metadata_size, body in _messages(stream):
        if metadata_size > MAX_SMALL_BYTES:
            for part_bytes in _metadata_parts(message):
                metadata_bytes += part_bytes
                if metadata_bytes > len(stream):
                    raise ValueError("parts of its metadata overlap")
        if message.number(1, "B") != SCHEMA:
            size += _batch_bytes(message, body)
    return size


def check_stream(stream: memoryview, stored: int) -> None:
    """Check that a table does not take much more memory than its stored form.

    Parameters
    ----------
    stream
        The IPC stream.
    stored
        Bytes with which the table is stored: the stream, and the text of the same table.

    Raises
    ------
    ValueError
        If the table would take more than ``max_bytes(stored)``, or the stream is malformed.
    """
    if (size := table_bytes(stream)) > max_bytes(stored):
        raise ValueError(f"{size:,} bytes of values are announced in {stored:,} stored bytes")


def _messages(stream: memoryview) -> Iterator[tuple[_Table, int, memoryview]]:
    """Yield the metadata of each message, the bytes of the metadata, and the body."""
    position = 0
    while position < len(stream):  # a schema alone has no mark of its end
        if _read("I", stream, position) != CONTINUATION:
            raise ValueError("a message begins with other bytes than those of Arrow")
        start, size = position + 8, _read("i", stream, position + 4)
        if not size:
            return
        metadata = stream[start : start + size] if size > 0 else stream[:0]
        message = _Table(metadata, 0)
        body = start + size
        body_bytes = message.number(3, "q")
        position = body + body_bytes
        if message.number(0, "h") != FORMAT_VERSION or not body <= position <= len(stream):
            raise ValueError("a message is cut off, or of another version of the format")
        yield message, size, stream[body:position]


def _batch_bytes(message: _Table, body: memoryview) -> int:
    """Return the bytes of all buffers of a batch, decompressed."""
    batch = message.table(2)
    if message.number(1, "B") == DICTIONARY_BATCH and batch:
        if batch.number(2, "?"):
            raise ValueError("a dictionary is split into parts")
        batch = batch.table(1)
    if batch is None:
        raise ValueError("a batch is missing")
    buffers = batch.pairs(2)
    if not batch.position(3):
        return sum(length for _, length in buffers)
    size = 0
    for start, length in buffers:
        announced = _read("q", body, start) if length else 0
        # -1 announces a buffer that is not compressed
        size += length if announced == -1 else announced
        if announced < -1:
            raise ValueError("a buffer has a negative size")
    return size


def _metadata_parts(message: _Table) -> Iterator[int]:
    """Yield the bytes of each part of the metadata of a message, without its fixed parts.

    A flatbuffer may refer to the same part many times, but Arrow writes none that does.
    """
    schema = _schema(message)
    yield from _pairs_bytes(message, 4)
    yield from _pairs_bytes(schema, 2) if schema else ()
    for field in _fields(message):
        yield MIN_TABLE_BYTES + field.vector(0, 1)[1]
        yield from _pairs_bytes(field, 6)
        if field.number(2, "B") == TIMESTAMP and (timestamp := field.table(3)):
            yield timestamp.vector(1, 1)[1]


def _pairs_bytes(table: _Table, field: int) -> Iterator[int]:
    """Yield the bytes of each pair of key and value."""
    for pair in table.tables(field):
        yield MIN_TABLE_BYTES + pair.vector(0, 1)[1] + pair.vector(1, 1)[1]


def _schema(message: _Table) -> _Table | None:
    """Return the schema in a message; None if the message is of another kind."""
    return message.table(2) if message.number(1, "B") == SCHEMA else None


def _fields(message: _Table) -> Iterator[_Table]:
    """Yield all fields of a schema, children included; none if the message is no schema."""
    schema = _schema(message)
    waiting = [schema.tables(1)] if schema else []
    while waiting:
        field = next(waiting[-1], None)
        if field is None:
            waiting.pop()
        else:
            yield field
            waiting.append(field.tables(5))
