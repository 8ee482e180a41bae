"""A store in one file of JSON lines, written from `stores.backend` and `stores.store` alone.

It shows how little a new store needs: the six operations, and a transaction around them.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from mdfactory.locking import LockWait
from mdfactory.records.query import Query, apply
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import BATCH_ROWS, Backend
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.testing import StoreTests
from mdfactory.testing.raw import Rows

Row = dict[str, str | int]


class JsonLinesBackend(Backend):
    """The tables of one file, which is read whole. The first line of each table has no row."""

    def __init__(self, path: Path) -> None:
        self.location = f"JSON lines {path}"
        self._path = path
        self._rows: dict[tuple[str, str], list[Row]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for namespace, name, *row in map(json.loads, lines):
            self._rows.setdefault((namespace, name), []).extend(row)

    def names(self, namespace: Namespace) -> Collection[str]:
        return [name for parent, name in self._rows if parent == namespace]

    def make(self, table: Table) -> None:
        self._rows[table.namespace.value, table.name] = []

    def drop(self, table: Table) -> None:
        del self._rows[self._stored(table)]

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_pylist(self._rows[self._stored(table)], table.schema)
        selected = apply(query, rows)
        has_large_cells = not set(table.large).isdisjoint(selected.column_names)
        yield from selected.to_batches(max_chunksize=1 if has_large_cells else BATCH_ROWS)

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        added: list[Row] = rows.to_pylist()
        self.remove(table, [self._key(table, row) for row in added])
        self._rows[self._stored(table)] += added

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        removed, stored = set(keys), self._stored(table)
        self._rows[stored] = [
            row for row in self._rows[stored] if self._key(table, row) not in removed
        ]

    def commit(self) -> None:
        """Replace the file atomically."""
        staged = self._path.with_suffix(".staged")
        with staged.open("w", encoding="utf-8") as file:
            for table, rows in self._rows.items():
                file.writelines(
                    json.dumps(line) + "\n" for line in [table, *([*table, row] for row in rows)]
                )
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self._path)

    def _stored(self, table: Table) -> tuple[str, str]:
        """Return namespace and name of a table, as the file spells them."""
        return next(
            (namespace, name)
            for namespace, name in self._rows
            if namespace == table.namespace and name.lower() == table.id
        )

    @staticmethod
    def _key(table: Table, row: Row) -> tuple[str | int, ...]:
        return tuple(row[name] for name in table.key)


class JsonLinesStore(Store):
    """Records in one file of JSON lines, with a lock file next to it."""

    def __init__(self, path: Path, *, wait: float = 60.0) -> None:
        self.location = f"JSON lines {path}"
        self._path = path
        self._wait = wait

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        if not write:
            yield JsonLinesBackend(self._path)
            return
        wait = LockWait(self.location, self._wait)
        with self._path.with_suffix(".lock").open("w") as lock:
            while not _try_lock(lock.fileno()):
                wait.pause(lambda: "another program")
            backend = JsonLinesBackend(self._path)
            yield backend
            backend.commit()


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class TestJsonLines(StoreTests):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.jsonl"

    def opened(self, *, wait: float = 60.0) -> Store:
        return JsonLinesStore(self.path, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        lines = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        return [
            tuple(row.values()) for _, name, *rows in lines for row in rows if name == table.name
        ]

    def raw_put(self, table: Table, rows: Rows) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for row in rows:
                line = [table.namespace, table.name, dict(zip(table.columns, row, strict=True))]
                file.write(json.dumps(line) + "\n")
