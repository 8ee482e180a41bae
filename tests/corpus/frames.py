"""Parquet files that are invalid, that differ from the registry, or that grow when read."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.members import (
    WITHOUT_OWN,
    Member,
    Spoil,
    dangling,
    directory,
    edited,
    empty,
    endless,
    fifo,
    gone,
    instead,
    listening,
    looping,
    unreadable,
)

OWN = ".analysis/own.parquet"
ROWS = 20_000
LONG = "x" * 1_000_000


def _bytes(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / OWN
        path.write_bytes(change(path.read_bytes()))

    return spoil


def _frame(make: Callable[[], pa.Table], **options: object) -> Spoil:
    """Let the frame be another one, of which the registry knows."""

    def spoil(folder: Path) -> None:
        table = make()
        pq.write_table(table, folder / OWN, **options)
        rows = table.num_rows
        edited(lambda values: values["analyses"]["own"].update(row_count=rows))(folder)

    return spoil


def _other_rows(folder: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), folder / OWN)


def _outside(folder: Path) -> None:
    (folder / OWN).rename(folder / "own.parquet")
    (folder / OWN).symlink_to("../own.parquet")


def _scrambled(raw: bytes) -> bytes:
    chance = random.Random(7)  # noqa: S311  # the same each time
    data = bytearray(raw)
    for _ in range(len(data) // 4):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _repeated() -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), [LONG])


def _categories() -> pa.Table:
    return pa.table({"x": _repeated()})


def _list_of_repeated() -> pa.Table:
    return pa.table({"x": pa.ListArray.from_arrays(pa.array([0, ROWS], pa.int32()), _repeated())})


def _map_of_repeated() -> pa.Table:
    keys = pa.array(list(range(ROWS)))
    return pa.table(
        {"x": pa.MapArray.from_arrays(pa.array([0, ROWS], pa.int32()), keys, _repeated())}
    )


def _struct_of_repeated() -> pa.Table:
    return pa.table({"x": pa.StructArray.from_arrays([_repeated()], names=["y"])})


def _shared_beginnings() -> pa.Table:
    return pa.table({"x": pa.array([f"{LONG}{number}" for number in range(300)])})


def _many(values: pa.Array, times: int) -> Spoil:
    """Let the frame be the same values many times over; nobody ever holds them all."""

    def spoil(folder: Path) -> None:
        table = pa.table({"x": values})
        with pq.ParquetWriter(folder / OWN, table.schema) as writer:
            for _ in range(times):
                writer.write_table(table)
        rows = times * len(values)
        edited(lambda values: values["analyses"]["own"].update(row_count=rows))(folder)

    return spoil


MILLION = 1_000_000
ZEROS = pa.array([0] * MILLION, pa.int8())
FLOATS = ZEROS.cast(pa.float64())
LISTS = pa.ListArray.from_arrays(pa.array([0, MILLION], pa.int32()), ZEROS)


def _nulls() -> pa.Table:
    return pa.table({name: pa.nulls(2**27, pa.int8()) for name in "abc"})


CORRUPT: list[tuple[str, Spoil, str]] = [
    ("Parquet cut in half", _bytes(lambda raw: raw[: len(raw) // 2]), "cannot be read"),
    ("Parquet without its end", _bytes(lambda raw: raw[:-1]), "cannot be read"),
    ("Parquet of its marks alone", _bytes(lambda raw: b"PAR1PAR1"), "cannot be read"),
    ("Parquet of one byte", _bytes(lambda raw: b"P"), "cannot be read"),
    ("Parquet of zeros", _bytes(lambda raw: bytes(len(raw))), "cannot be read"),
    ("scrambled Parquet", _bytes(_scrambled), "cannot be read"),
    (
        "Parquet whose pages are zeros",
        _bytes(lambda raw: raw[:4] + bytes(60) + raw[64:]),
        "cannot be read",
    ),
    (
        "Parquet of a giant footer",
        _bytes(lambda raw: raw[:-8] + b"\xff\xff\xff\x7f" + raw[-4:]),
        "cannot be read",
    ),
    ("encrypted Parquet", _bytes(lambda raw: raw[:-4] + b"PARE"), "cannot be read"),
    ("CSV in place of Parquet", _bytes(lambda raw: b"x\n1\n2\n"), "cannot be read"),
    ("Feather in place of Parquet", _bytes(lambda raw: b"ARROW1\0\0ARROW1"), "cannot be read"),
    ("other rows than recorded", _other_rows, "has 1 rows, but 2 are recorded"),
    ("a link out of the results", _outside, "leads outside"),
]

PLACES: list[tuple[str, Callable[[Path], object], str]] = [
    ("nothing", gone, "is missing"),
    ("an empty file", empty, "cannot be read"),
    ("a folder", directory, "cannot be read"),
    ("a FIFO", fifo, "is not a file"),
    ("a socket", listening, "is not a file"),
    ("a dangling link", dangling, "is missing"),
    ("a looping link", looping, "cannot be read"),
    ("an endless device", endless, "leads outside"),
]

LARGE: list[tuple[str, Spoil, str]] = [
    ("categories of 20 GB", _frame(_categories), "256 MiB"),
    ("text of 20 GB", _frame(_categories, store_schema=False), "256 MiB"),
    ("a list of 20 GB", _frame(_list_of_repeated, store_schema=False), "256 MiB"),
    ("a map of 20 GB", _frame(_map_of_repeated, store_schema=False), "256 MiB"),
    ("structures of 20 GB", _frame(_struct_of_repeated, store_schema=False), "256 MiB"),
    (
        "text of shared beginnings",
        _frame(_shared_beginnings, use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY"),
        "256 MiB",
    ),
    ("250 million zeros", _many(ZEROS, 250), "256 MiB"),
    ("250 million floats", _many(FLOATS, 250), "256 MiB"),
    ("100 million floats", _many(FLOATS.cast(pa.float32()), 100), "256 MiB"),
    ("100 million booleans", _many(ZEROS.cast(pa.bool_()), 100), "256 MiB"),
    ("nulls of 2 GB", _many(pa.nulls(100, pa.binary(MILLION)), 20), "cannot be read: .* 1 GiB"),
    ("a list of 200 million zeros", _many(LISTS, 200), "256 MiB"),
    ("400 million nulls", _frame(_nulls), "256 MiB"),
]

MEMBERS = [
    *(
        Member(name, spoil, (f"analysis own: .*{reason}",), WITHOUT_OWN)
        for name, spoil, reason in (*CORRUPT, *LARGE)
    ),
    *(
        Member(
            f"{name} as Parquet", instead(OWN, make), (f"analysis own: .*{reason}",), WITHOUT_OWN
        )
        for name, make, reason in PLACES
    ),
    Member(
        "unreadable Parquet",
        instead(OWN, unreadable),
        ("analysis own: own.parquet cannot be read: .*Permission denied",),
        WITHOUT_OWN,
        rights=True,
    ),
]
