"""The files that records of artifacts list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

import pyarrow as pa

from mdfactory.filestore.file_store import DIGEST
from mdfactory.records.arrow import texts
from mdfactory.records.tables import Table

ESCAPED: Final = re.compile(r"\\u00([0-9a-fA-F]{2})")
"""A character as JSON may have it."""

Parsed = TypeVar("Parsed", list[Any], dict[Any, Any])

COLUMNS: Final = ("hash", "directory", "files", "checksums")
"""Columns of a record that its files are known from."""


class ListedFile(NamedTuple):
    """A file that a record of an artifact lists.

    Parameters
    ----------
    artifact
        Name of the artifact, as its table spells it.
    hash
        Hash of the simulation.
    directory
        Directory of the simulation, as the record has it.
    path
        Path relative to ``.analysis``, with forward slashes.
    digest
        SHA-256, 64 lower-case digits; empty if the record has none.
    """

    artifact: str
    hash: str
    directory: str
    path: str
    digest: str


def listed_files(table: Table, rows: pa.RecordBatch) -> Iterator[ListedFile]:
    """Yield the files of records, whatever other programs wrote into them.

    Parameters
    ----------
    table
        The table of an artifact.
    rows
        Records with at least `COLUMNS`.
    """
    name = table.name.partition("_")[2]
    columns = (texts(rows[column]) for column in COLUMNS)
    for hash_, directory, files, checksums in zip(*columns, strict=True):
        for path, digest in digests_by_path(files, checksums).items():
            yield ListedFile(name, hash_, directory, path, digest)


def digests_by_path(files: str, checksums: str) -> dict[str, str]:
    """Return the files of a record with their SHA-256; empty texts for those without.

    Parameters
    ----------
    files, checksums
        The columns of the record, valid or not.
    """
    digests = _parse(checksums, dict)
    paths = [path for path in [*_parse(files, list), *digests] if isinstance(path, str)]
    found = {path: str(digests.get(path, "")).lower() for path in paths}
    return {path: digest if DIGEST.fullmatch(digest) else "" for path, digest in found.items()}


def mentioned_digests(checksums: str) -> set[str]:
    """Return all that could be the SHA-256 of a file in a column ``checksums``, valid or not."""
    unescaped = ESCAPED.sub(lambda match: chr(int(match[1], 16)), checksums)
    return set(DIGEST.findall(unescaped.lower()))


def _parse(text: str, kind: type[Parsed]) -> Parsed:
    """Return a value of JSON of a kind; an empty one if the text is another."""
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, kind):
            return value
    return kind()
