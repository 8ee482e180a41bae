"""Comparison of incoming records with stored ones, by digests.

The *comparison digest* of a record is its content digest, followed by the digest of its sidecar
if it has one. It differs if either has changed. Of stored records, only keys, times and digests are
read. All columns are read if the content digest is missing or out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from mdfactory.records.arrow import texts
from mdfactory.records.digests import RecordDigests, content_digests
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Table, digest_table
from mdfactory.stores.backend import Backend
from mdfactory.stores.keys import Key, hash_condition, key_batches, keys_of


def incoming_contents(table: Table, rows: pa.RecordBatch) -> list[str]:
    """Return the content digest of each row, from its column ``content`` or else computed."""
    if "content" in rows.schema.names:
        return texts(rows["content"])
    return content_digests(table, rows)


def sidecar_digests(rows: pa.RecordBatch) -> list[str]:
    """Return the digest of the sidecar of each row; empty if it has none."""
    return texts(rows["digest"]) if "digest" in rows.schema.names else [""] * rows.num_rows


def comparison_digests(rows: pa.RecordBatch, contents: list[str]) -> list[str]:
    """Return the comparison digest of each row, given its content digest."""
    return list(map("".join, zip(contents, sidecar_digests(rows), strict=True)))


def find_stored_keys(
    backend: Backend, table: Table, keys: Sequence[Key], *, compare: bool
) -> dict[Key, str | None]:
    """Find the keys that are stored.

    Parameters
    ----------
    backend
        The store.
    table
        The table of the records; it must exist.
    keys
        Keys of incoming records.
    compare
        Whether to read the comparison digests of the stored records.

    Returns
    -------
    dict
        Stored key -> comparison digest of its record; None unless `compare`.
    """
    stored: dict[Key, str | None] = {}
    for keys_batch in key_batches(keys):
        times = _read_times(backend, table, keys_batch)
        digests = _read_comparison_digests(backend, table, times) if compare and times else {}
        stored |= {key: digests.get(key) for key in times}
    return stored


def _read_times(backend: Backend, table: Table, keys: Sequence[Key]) -> dict[Key, str]:
    """Return the key of each stored record, of the given keys -> its time."""
    wanted = set(keys)
    query = Query(where=(hash_condition(keys),), columns=(*table.key, table.time))
    rows = backend.values(table, query)
    return {values[:-1]: values[-1] for values in rows if values[:-1] in wanted}


def _read_comparison_digests(
    backend: Backend, table: Table, times: Mapping[Key, str]
) -> dict[Key, str]:
    """Return the comparison digests of stored records, given their times."""
    contents = {
        row.key: row.content
        for row in read_digests(backend, table, list(times))
        if row.key in times and row.is_valid(times[row.key])
    }
    contents |= _compute_contents(backend, table, [key for key in times if key not in contents])
    sidecars = read_sidecars(backend, table, times, ("digest",))
    return {
        key: content + "".join(sidecars.get((*key, times[key]), ()))
        for key, content in contents.items()
    }


def _compute_contents(backend: Backend, table: Table, keys: Sequence[Key]) -> dict[Key, str]:
    """Return the content digests of stored records, computed from the records."""
    contents: dict[Key, str] = {}
    missing = set(keys)
    query = Query(where=(hash_condition(keys),))
    for rows in backend.scan(table, query) if keys else ():
        computed = zip(keys_of(rows, table.key), content_digests(table, rows), strict=True)
        contents |= {key: content for key, content in computed if key in missing}
        missing -= contents.keys()
    return contents


def read_digests(backend: Backend, table: Table, keys: Sequence[Key]) -> Iterator[RecordDigests]:
    """Yield the rows of the digest table for the hashes of the given keys.

    Parameters
    ----------
    backend
        The store.
    table
        The table of the records.
    keys
        Their keys.
    """
    digests = digest_table(table.namespace)
    if not keys or not backend.has(digests):
        return
    where = (OneOf("record_table", (table.id,)), hash_condition(keys))
    for values in backend.values(digests, Query(where, (*table.key, "content", "digest"))):
        yield RecordDigests(values[:-2], values[-2], values[-1])


def read_sidecars(
    backend: Backend, table: Table, keys: Iterable[Key], columns: tuple[str, ...]
) -> dict[Key, Key]:
    """Return the sidecars of records.

    Parameters
    ----------
    backend
        The store.
    table
        The table of the records.
    keys
        Their keys.
    columns
        Columns to return, of ``table.sidecar_columns``.

    Returns
    -------
    dict
        Key and time of the record, as stored in its sidecar -> values of `columns`.
    """
    if not (table.sidecar and backend.has(table.sidecar)):
        return {}
    identity = (*table.key, table.time)
    where = (OneOf("record_table", (table.id,)), hash_condition(keys))
    rows = backend.values(table.sidecar, Query(where=where, columns=(*identity, *columns)))
    return {row[: len(identity)]: row[len(identity) :] for row in rows}
