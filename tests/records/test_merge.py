"""Conflict modes: what a write does with each incoming row."""

from __future__ import annotations

import pytest

from mdfactory.records.merge import Counts, Resolution, resolve
from mdfactory.records.vocabulary import ConflictMode

KEYS = ["new", "same", "changed"]
CONTENTS = ["1", "1", "2"]


@pytest.mark.parametrize(
    ("mode", "groups"),
    [
        (ConflictMode.refuse, {"insert": [0], "refuse": [1, 2]}),
        (ConflictMode.skip, {"insert": [0], "skip": [1, 2]}),
        (ConflictMode.force, {"insert": [0], "replace": [1, 2]}),
    ],
)
def test_resolve_groups_rows_that_are_not_compared_by_conflict_mode(
    mode: ConflictMode, groups: dict[str, list[int]]
) -> None:
    existing = {"same": None, "changed": None}
    assert resolve(existing, KEYS, CONTENTS, mode) == Resolution(**groups)


@pytest.mark.parametrize(
    ("mode", "group"),
    [
        (ConflictMode.refuse, "refuse"),
        (ConflictMode.skip, "skip"),
        (ConflictMode.force, "replace"),
        (ConflictMode.update, "replace"),
    ],
)
def test_resolve_leaves_a_row_that_equals_its_stored_record_unchanged(
    mode: ConflictMode, group: str
) -> None:
    existing = {"same": "1", "changed": "1"}
    expected = Resolution(insert=[0], unchanged=[1], **{group: [2]})
    assert resolve(existing, KEYS, CONTENTS, mode) == expected


def test_counts_add_by_field() -> None:
    total = Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40)
    assert total == Counts(inserted=11, updated=22, unchanged=33, skipped=44)
