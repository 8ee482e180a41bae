"""Conflict modes: what a write does with each incoming row."""

from __future__ import annotations

import pytest

from mdfactory.records.merge import Counts, resolve
from mdfactory.records.vocabulary import ConflictMode

EXISTING = {"same": "1", "changed": "1"}
KEYS = ["new", "same", "changed"]
CONTENTS = ["1", "1", "2"]


@pytest.mark.parametrize(
    ("mode", "groups"),
    [
        (ConflictMode.refuse, {"insert": [0], "refuse": [1, 2]}),
        (ConflictMode.skip, {"insert": [0], "skip": [1, 2]}),
        (ConflictMode.force, {"insert": [0], "replace": [1, 2]}),
        (ConflictMode.update, {"insert": [0], "unchanged": [1], "replace": [2]}),
    ],
)
def test_resolve_groups_the_rows_by_conflict_mode(
    mode: ConflictMode, groups: dict[str, list[int]]
) -> None:
    resolution = resolve(EXISTING, KEYS, CONTENTS, mode)
    for group in ("insert", "replace", "unchanged", "skip", "refuse"):
        assert getattr(resolution, group) == groups.get(group, [])


def test_counts_add_by_field() -> None:
    total = Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40)
    assert total == Counts(inserted=11, updated=22, unchanged=33, skipped=44)
