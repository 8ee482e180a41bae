"""Rows in a store that another program writes: each store by its own means, without mdfactory.

A table that is missing is created.
"""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pyarrow as pa

from foundry_server import FoundryServer
from mdfactory.records.arrow import batch
from mdfactory.records.tables import Table
from mdfactory.testing.raw import Rows


def plant_sqlite(file: Path, table: Table, rows: Rows) -> None:
    """Add rows to a table of an SQLite file."""
    names = ", ".join((*table.columns, f"UNIQUE({', '.join(table.key)})"))
    marks = ", ".join("?" * len(table.columns))
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({names})')
        database.executemany(f'INSERT OR REPLACE INTO "{table.name}" VALUES ({marks})', rows)


def plant_csv(file: Path, table: Table, rows: Rows) -> None:
    """Add rows to a CSV file."""
    is_new = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerows([table.columns] * is_new)
        writer.writerows(rows)


def plant_postgres(url: str, table: Table, rows: Rows) -> None:
    """Add rows to a table of a PostgreSQL database."""
    kinds = ("bigint" if pa.types.is_integer(kind) else "text" for kind in table.schema.types)
    columns = [*map(" ".join, zip(table.columns, kinds, strict=True))]
    columns.append(f"PRIMARY KEY ({', '.join(table.key)})")
    marks = ", ".join(["%s"] * len(table.columns))
    with psycopg.connect(url) as database, database.cursor() as cursor:
        cursor.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({", ".join(columns)})'.encode())
        cursor.executemany(f'INSERT INTO "{table.name}" VALUES ({marks})'.encode(), rows)


def plant_foundry(server: FoundryServer, path: str, table: Table, rows: Rows) -> None:
    """Add a file under a random name to a dataset, as existing installations do."""
    server.put_existing(path, pa.Table.from_batches([batch(rows, table.schema)]))
