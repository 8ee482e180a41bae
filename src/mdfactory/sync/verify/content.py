"""Content: check that a record is as it was written, and that its values are valid.

The digests of a record show a change of even one character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha1
from operator import ne
from string import printable
from typing import Any, Final, NamedTuple

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import FrameCorruptError, one_line
from mdfactory.records.digests import RecordDigests, record_digest
from mdfactory.records.tables import SIMULATIONS, Table, enumerations_of
from mdfactory.records.tags import split_tags
from mdfactory.records.vocabulary import ResultType, SimulationType
from mdfactory.sync.frames import frame_of
from mdfactory.sync.verify.finding import Row

DIGEST_CHANGED: Final = "its stored digest was changed"

JSON_BLANKS: Final = re.compile(r'("(?:[^"\\]|\\.)*+"?)|\s+', re.DOTALL)
"""A text of a JSON document, which is captured, or blanks between its values."""


class Problem(NamedTuple):
    """An invalid or inconsistent value of a record.

    Parameters
    ----------
    text
        What is wrong, in one line.
    is_error
        False for a known peculiarity of other programs, which needs no action.
    """

    text: str
    is_error: bool = True


def damage_of(content: str, time: str, stored: RecordDigests | None) -> str | None:
    """Compare a record with its stored digests.

    The record digest is computed from the content digest and the time. If only one of content,
    time, content digest and record digest was changed, the other three still match, and so show
    which one. If another program has rewritten the record, both content and time differ.

    Parameters
    ----------
    content
        Content digest of the record as it is now.
    time
        Time of the record as it is now.
    stored
        Its stored digests; None if it has none.

    Returns
    -------
    str or None
        What is wrong; empty if nothing is. None if another program wrote the record: it then has
        no valid digests, and cannot be checked.
    """
    if stored is None:
        return None
    if stored.is_valid(time):
        return "" if stored.content == content else "it was changed after it was written"
    expected = record_digest(content, time)
    if expected == stored.digest:
        return DIGEST_CHANGED
    if stored.content != content:
        return None
    # The time and the record digest do not match. A difference in one character of either is
    # damage. Otherwise, another program has written the same content at another time.
    if len(expected) == len(stored.digest) and sum(map(ne, expected, stored.digest)) == 1:
        return DIGEST_CHANGED
    is_time = any(record_digest(content, text) == stored.digest for text in _similar_texts(time))
    return "its time was changed after it was written" if is_time else None


def _similar_texts(text: str) -> Iterator[str]:
    """Yield all texts that differ from the given one in at most one printable character."""
    for position in range(len(text)):
        for character in printable:
            yield f"{text[:position]}{character}{text[position + 1 :]}"


def unknown_values(table: Table, row: Row) -> Iterator[str]:
    """Yield a text for each value of a record that this version does not know.

    A newer version of mdfactory may have written them.
    """
    for column, known in enumerations_of(table).items():
        if row[column] not in set(known):
            yield f"this version does not know the {column} {row[column]!r:.40}"


def problems_of(table: Table, row: Row, damage: str | None) -> Iterator[Problem]:
    """Yield the problems of a record.

    Parameters
    ----------
    table
        The table of the record.
    row
        The record, with its sidecar if the table has sidecars.
    damage
        The result of `damage_of` for the record.
    """
    if damage:
        yield Problem(damage)
    # A record with valid digests may be the copy of a record that another program wrote. So what
    # other programs may write is no error, whoever wrote the record. A change shows as damage.
    if not _is_time(row[table.time]):
        text = f"{table.time} is not a time with an offset: {row[table.time]!r:.40}"
        yield Problem(text, is_error=False)
    if table.id == SIMULATIONS.id:
        yield from _check_simulation(row)
    elif table.result_type is ResultType.analysis:
        yield from _check_analysis(table, row)
    elif table.result_type is ResultType.artifact:
        yield from _check_artifact(row)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_simulation(row: Row) -> Iterator[Problem]:
    """Check that the hash of a simulation is the hash of its input.

    The hash is that of a text. So it can be checked without knowledge of the simulation type.
    """
    text = row["input_data"]
    if row["hash"] in map(_hash, _hashed_texts(text)):
        return
    # Another program may have written the same BuildInput as another JSON text.
    try:
        input_hash = BuildInput.parse(json.loads(text)).hash
    except (ValueError, RecursionError) as error:
        reason = f"is not valid for this version: {one_line(error)}"
        yield Problem(f"its hash is not that of its input_data, which {reason}")
        return
    if input_hash != row["hash"]:
        is_known = row["simulation_type"] == SimulationType.lnp
        reason = ": another program recorded this lnp" if is_known else ""
        yield Problem(f"its hash is not that of its input_data, {input_hash}{reason}", not is_known)


def is_known_input(text: str) -> bool:
    """Whether a text is the JSON of a BuildInput that is valid for this version."""
    try:
        BuildInput.parse(json.loads(text))
    except (ValueError, RecursionError):
        return False
    return True


def _hash(text: str) -> str:
    return sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def _hashed_texts(text: str) -> Iterator[str]:
    """Yield the texts that a hash may cover, given the JSON of a BuildInput.

    They are the text itself, and the text without blanks, without its tags.
    """
    yield text
    yield split_tags(JSON_BLANKS.sub(r"\1", text))[0]


def _check_analysis(table: Table, row: Row) -> Iterator[Problem]:
    """Check that the frame can be decoded, and has the rows and columns that the record lists."""
    names = parse_json(row["columns"], list)
    if names is None or not all(isinstance(name, str) for name in names):
        yield Problem("columns is not a list of names")
    try:
        frame = frame_of(table, row)
    except FrameCorruptError as error:
        yield Problem(one_line(str(error.__cause__ or error)))
        return
    if frame.num_rows != row["row_count"]:
        yield Problem(f"row_count is {row['row_count']:,}, the frame has {frame.num_rows:,} rows")
    if names is not None and frame.column_names != names:
        yield Problem("columns does not list the columns of the frame")


def _check_artifact(row: Row) -> Iterator[Problem]:
    """Check that the lists of files and checksums are valid and consistent."""
    files, checksums = parse_json(row["files"], list), parse_json(row["checksums"], dict)
    if files is None or checksums is None:
        yield Problem("files is not a JSON list, or checksums is not a JSON object")
        return
    if len(files) != row["file_count"]:
        yield Problem(f"file_count is {row['file_count']:,}, files lists {len(files):,}")
    if not all(isinstance(file, str) for file in files) or set(files) != set(checksums):
        yield Problem("files and checksums do not list the same files")


def parse_json(text: str, expected: type) -> Any:
    """Parse a JSON value; return None if it is invalid or not of the expected type."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, expected) else None
