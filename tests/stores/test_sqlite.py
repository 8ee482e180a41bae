"""The SQLite store: the contract, and what is its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mdfactory.records.tables import Place, Table
from mdfactory.stores.base import Store
from mdfactory.stores.sqlite import SqliteStore
from mdfactory.testing import StoreTests
from mdfactory.testing.stores import Rows


class RawSqlite:
    """Reaches the files with the sqlite3 module alone."""

    files: dict[Place, Path]

    def raw_rows(self, table: Table) -> Rows:
        with closing(sqlite3.connect(self.files[table.place])) as database:
            return database.execute(f'SELECT * FROM "{table.name}"').fetchall()

    def raw_put(self, table: Table, rows: Rows) -> None:
        marks = ", ".join("?" * len(table.columns))
        with closing(sqlite3.connect(self.files[table.place])) as database, database:
            database.executemany(f'INSERT OR REPLACE INTO "{table.name}" VALUES ({marks})', rows)


class TestSqlite(RawSqlite, StoreTests):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.files = {Place.runs: tmp_path / "runs.db", Place.results: tmp_path / "analysis.db"}

    def opened(self, *, wait: float = 60.0) -> Store:
        return SqliteStore(self.files[Place.runs], self.files[Place.results], wait=wait)
