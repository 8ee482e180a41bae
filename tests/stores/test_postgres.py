"""The PostgreSQL store keeps the contract."""

from __future__ import annotations

import psycopg
import pytest

from mdfactory.records.tables import Table
from mdfactory.stores.base import Store
from mdfactory.stores.postgres import PostgresStore
from mdfactory.testing import StoreTests
from mdfactory.testing.raw import Rows


class TestPostgres(StoreTests):
    @pytest.fixture(autouse=True)
    def _data(self, database: str) -> None:
        self.url = database

    def opened(self, *, wait: float = 60.0) -> Store:
        return PostgresStore(self.url, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        with psycopg.connect(self.url) as database:
            return database.execute(f'SELECT * FROM "{table.name}"').fetchall()

    def raw_put(self, table: Table, rows: Rows) -> None:
        marks = ", ".join(["%s"] * len(table.columns))
        with psycopg.connect(self.url) as database, database.cursor() as cursor:
            cursor.executemany(f'INSERT INTO "{table.name}" VALUES ({marks})', rows)
