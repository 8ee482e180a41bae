"""The contract of all stores, on PostgreSQL."""

from __future__ import annotations

import psycopg

from mdfactory.records.tables import Table
from mdfactory.stores.sql.postgres import PostgresStore
from mdfactory.stores.store import Store
from mdfactory.testing import StoreTests
from mdfactory.testing.raw import Rows
from planting import plant_postgres


class PostgresContract(StoreTests):
    """The contract of all stores, on a PostgreSQL store."""

    url: str
    """URL of the store."""

    server_url: str
    """URL of the same database, as other programs connect to it."""

    def opened(self, *, wait: float = 60.0) -> Store:
        return PostgresStore(self.url, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        with psycopg.connect(self.server_url) as database:
            return database.execute(f'SELECT * FROM "{table.name}"').fetchall()

    def raw_put(self, table: Table, rows: Rows) -> None:
        plant_postgres(self.server_url, table, rows)
