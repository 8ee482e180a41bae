"""Digests tell every change of a record, and content digests all but that of its time."""

from __future__ import annotations

import hashlib

import pytest

from mdfactory.records.digests import PART, content_digests, digest, record_digest
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.testing.records import LATE_TIME, overview, records, run


def _content(row: dict[str, str]) -> str:
    return content_digests(SIMULATIONS, records(SIMULATIONS, row))[0]


def test_the_digest_of_a_record_is_as_documented() -> None:
    row = overview("A", "rdf", directory="/é", row_count=12)
    framed = b"1:A8:mixedbox3:/\xc3\xa98:analysis3:rdf11:not_yet_run2:121:0"
    content = hashlib.sha256(framed).hexdigest()
    assert content_digests(OVERVIEW, records(OVERVIEW, row)) == [content]
    whole = hashlib.sha256((content + str(row["updated_at"])).encode()).hexdigest()
    assert record_digest(content, str(row["updated_at"])) == whole


@pytest.mark.parametrize("column", SIMULATIONS.columns)
def test_every_column_but_the_time_is_content(column: str) -> None:
    changed = run("A") | {column: LATE_TIME}
    assert (_content(changed) == _content(run("A"))) is (column == SIMULATIONS.time)


def test_text_that_moves_from_one_column_to_the_next_is_a_change() -> None:
    one, other = (
        run("A", engine="ab", parametrization="c"),
        run("A", engine="a", parametrization="bc"),
    )
    assert _content(one) != _content(other)


@pytest.mark.parametrize("text", ["0.1,2\n", "ä,2\n", "\U0001f9ea"])
@pytest.mark.parametrize("more", [0, 1, PART // 2])
def test_long_text_is_digested_in_parts_as_in_one(text: str, more: int) -> None:
    long = (text * PART)[: PART + more]
    whole = hashlib.sha256(b"1:A" + b"%d:" % len(long.encode()) + long.encode())
    assert digest(("A", long)) == whole.hexdigest()
