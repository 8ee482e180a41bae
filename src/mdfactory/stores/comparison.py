"""Comparison of incoming records with stored ones, by digests.

The *comparison digest* of a record is its content digest, followed by the digest of its sidecar
if it has one. It differs if either has changed. Of stored records, only keys, times and digests are
read. All columns are read if the content digest is missing or out of date, or if the record belongs
to an interrupted write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests, record_digest
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Table, digest_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.backend import Backend
from mdfactory.stores.keys import Key, hash_condition, key_batches, keys_of


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """The stored keys among the keys of a write.

    Parameters
    ----------
    digests
        Key of a stored record -> its comparison digest; None if the conflict mode needs none.
    interrupted
        Keys of stored records that belong to an interrupted write.
    """

    digests: dict[Key, str | None] = field(default_factory=dict)
    interrupted: set[Key] = field(default_factory=set)


def incoming_contents(table: Table, rows: pa.RecordBatch) -> list[str]:
    """Return the content digest of each row, from its column ``content`` or else computed."""
    if "content" in rows.schema.names:
        return texts(rows["content"])
    return content_digests(table, rows)


def comparison_digests(rows: pa.RecordBatch, contents: list[str]) -> list[str]:
    """Return the comparison digest of each row, given its content digest."""
    if "digest" not in rows.schema.names:
        return contents
    return list(map("".join, zip(contents, texts(rows["digest"]), strict=True)))


def find_stored_keys(
    backend: Backend, table: Table, keys: Sequence[Key], mode: ConflictMode
) -> StoredKeys:
    """Find the keys that are stored, and the digests that a conflict mode compares.

    Parameters
    ----------
    backend
        The store.
    table
        The table of the records; it must exist.
    keys
        Keys of incoming records.
    mode
        What a write would do with stored keys. Mode ``update`` compares all records; other modes
        compare only those of an interrupted write, to recognise a repetition of that write.
    """
    stored = StoredKeys()
    for keys_batch in key_batches(keys):
        times = _read_times(backend, table, keys_batch)
        interrupted = _find_interrupted(backend, times)
        compared = times.keys() if mode is ConflictMode.update else interrupted
        digests = _read_comparison_digests(
            backend, table, {key: times[key] for key in compared}, interrupted
        )
        stored.digests.update({key: digests.get(key) for key in times})
        stored.interrupted.update(interrupted)
    return stored


def _read_times(backend: Backend, table: Table, keys: Sequence[Key]) -> dict[Key, str]:
    """Return the key of each stored record, of the given keys -> its time."""
    wanted = set(keys)
    query = Query(where=(hash_condition(keys),), columns=(*table.key, table.time))
    rows = backend.values(table, query)
    return {values[:-1]: values[-1] for values in rows if values[:-1] in wanted}


def _find_interrupted(backend: Backend, times: Mapping[Key, str]) -> set[Key]:
    """Return the keys of the records whose time belongs to an interrupted write."""
    interrupted_times = backend.interrupted_times(set(times.values())) if times else ()
    return {key for key, time in times.items() if time in interrupted_times}


def _read_comparison_digests(
    backend: Backend, table: Table, times: Mapping[Key, str], interrupted: Collection[Key]
) -> dict[Key, str]:
    """Return the comparison digests of stored records, given their times.

    For records of an interrupted write, the content digest is computed from the record: the
    write may have stored the digest, but not the record.
    """
    if not times:
        return {}
    trusted_times = {key: time for key, time in times.items() if key not in interrupted}
    contents = _read_trusted_contents(backend, table, trusted_times)
    contents |= _compute_contents(backend, table, [key for key in times if key not in contents])
    sidecars = read_sidecars(backend, table, times, ("digest",))
    return {
        key: content + "".join(sidecars.get((*key, times[key]), ()))
        for key, content in contents.items()
    }


def _read_trusted_contents(
    backend: Backend, table: Table, times: Mapping[Key, str]
) -> dict[Key, str]:
    """Return the stored content digests that still belong to their records.

    If the record digest does not match the time of the record, another program has written the
    record again, and the content digest is out of date.
    """
    return {
        key: content
        for key, content, digest in read_digests(backend, table, list(times))
        if key in times and record_digest(content, times[key]) == digest
    }


def _compute_contents(backend: Backend, table: Table, keys: Sequence[Key]) -> dict[Key, str]:
    """Return the content digests of stored records, computed from the records."""
    contents: dict[Key, str] = {}
    if not keys:
        return contents
    missing = set(keys)
    for rows in backend.scan(table, Query(where=(hash_condition(keys),))):
        computed = zip(keys_of(rows, table.key), content_digests(table, rows), strict=True)
        contents |= {key: content for key, content in computed if key in missing}
        missing -= contents.keys()
    return contents


def read_digests(
    backend: Backend, table: Table, keys: Sequence[Key]
) -> Iterator[tuple[Key, str, str]]:
    """Yield the rows of the digest table for the hashes of the given keys.

    Parameters
    ----------
    backend
        The store.
    table
        The table of the records.
    keys
        Their keys.

    Yields
    ------
    key : tuple of str
        Key of a record; the record may no longer exist.
    content, digest : str
        Its content digest and its record digest.
    """
    digests = digest_table(table.namespace)
    if not keys or not backend.has(digests):
        return
    where = (OneOf("record_table", (table.id,)), hash_condition(keys))
    for values in backend.values(digests, Query(where, (*table.key, "content", "digest"))):
        yield values[:-2], values[-2], values[-1]


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
