"""A digest changes with every column of a record, a content digest with all but the time."""

from __future__ import annotations

import hashlib

import pytest

from mdfactory.records.digests import PIECE_CHARACTERS, content_digests, digest, record_digest
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.testing.records import LATE_TIME, overview, records, run


def _content_digest(row: dict[str, str]) -> str:
    return content_digests(SIMULATIONS, records(SIMULATIONS, row))[0]


def test_record_digest_is_as_documented() -> None:
    row = overview("A", "rdf", directory="/é", row_count=12)
    content_bytes = b"1:A8:mixedbox3:/\xc3\xa98:analysis3:rdf11:not_yet_run2:121:0"
    content = hashlib.sha256(content_bytes).hexdigest()
    assert content_digests(OVERVIEW, records(OVERVIEW, row)) == [content]
    expected = hashlib.sha256((content + str(row["updated_at"])).encode()).hexdigest()
    assert record_digest(content, str(row["updated_at"])) == expected


@pytest.mark.parametrize("column", SIMULATIONS.columns)
def test_content_digest_covers_every_column_but_the_time(column: str) -> None:
    changed = run("A") | {column: LATE_TIME}
    assert (_content_digest(changed) == _content_digest(run("A"))) is (column == SIMULATIONS.time)


def test_content_digest_changes_if_text_moves_to_the_next_column() -> None:
    before = run("A", engine="ab", parametrization="c")
    after = run("A", engine="a", parametrization="bc")
    assert _content_digest(before) != _content_digest(after)


@pytest.mark.parametrize("text", ["0.1,2\n", "ä,2\n", "\U0001f9ea"])
@pytest.mark.parametrize("extra", [0, 1, PIECE_CHARACTERS // 2])
def test_digest_of_long_text_in_pieces_equals_that_of_the_whole(text: str, extra: int) -> None:
    long = (text * PIECE_CHARACTERS)[: PIECE_CHARACTERS + extra]
    expected = hashlib.sha256(b"1:A" + b"%d:" % len(long.encode()) + long.encode())
    assert digest(("A", long)) == expected.hexdigest()
