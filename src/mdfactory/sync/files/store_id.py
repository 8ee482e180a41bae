"""The id of a store, and its marker in the file store that it uses."""

from __future__ import annotations

import re
from typing import Final
from uuid import uuid4

from mdfactory.filestore.file_store import FileStore
from mdfactory.records.arrow import batch
from mdfactory.records.query import Query
from mdfactory.records.tables import STORE_IDS, Namespace
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

ID: Final = re.compile("[0-9a-f]{32}")


def read_id(transaction: Transaction) -> str:
    """Return the id of a store; empty if it has none yet."""
    if not transaction.has(STORE_IDS):
        return ""
    ids = (str(id_) for (id_,) in transaction.values(STORE_IDS, Query()))
    return next(filter(ID.fullmatch, ids), "")


def leave_marker(store: Store, files: FileStore) -> None:
    """Leave the marker of a store in a file store, before it sends the first file there.

    A store whose marker names another place was copied, with its id: it gets an id of its own.

    Raises
    ------
    StoreError, FileStoreError
        If the store or the file store cannot be read or written.
    """
    with store.transaction() as transaction:
        id_, home = read_id(transaction), transaction.backend.home()
    marked = files.marker(id_) if id_ else None
    if marked == home:
        return
    if not id_ or marked is not None:
        id_, home = _renew_id(store, id_)
    files.mark(id_, home)


def _renew_id(store: Store, old: str) -> tuple[str, str]:
    """Give a store a new id, unless another program has done so; return it and its home."""
    with store.transaction(write=True, create={Namespace.results}) as transaction:
        current, home = read_id(transaction), transaction.backend.home()
        if current != old:
            return current, home
        new = uuid4().hex
        if not transaction.has(STORE_IDS):
            transaction.backend.make(STORE_IDS)
        transaction.backend.remove(STORE_IDS, [(old,)])
        transaction.backend.put(STORE_IDS, batch([(new,)], STORE_IDS.schema))
        return new, home
