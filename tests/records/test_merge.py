"""Conflict modes, decided purely."""

from __future__ import annotations

import pytest

from mdfactory.records.merge import Counts, resolve
from mdfactory.records.vocabulary import ConflictMode

EXISTING = {"same": "1", "changed": "1"}
KEYS = ["new", "same", "changed"]
CONTENTS = ["1", "1", "2"]


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        (ConflictMode.refuse, {"insert": [0], "refuse": [1, 2]}),
        (ConflictMode.skip, {"insert": [0], "skip": [1, 2]}),
        (ConflictMode.force, {"insert": [0], "replace": [1, 2]}),
        (ConflictMode.update, {"insert": [0], "unchanged": [1], "replace": [2]}),
    ],
)
def test_a_mode_decides_what_becomes_of_each_row(
    mode: ConflictMode, parts: dict[str, list[int]]
) -> None:
    resolution = resolve(EXISTING, KEYS, CONTENTS, mode)
    for part in ("insert", "replace", "unchanged", "skip", "refuse"):
        assert getattr(resolution, part) == parts.get(part, [])


def test_counts_add_up() -> None:
    total = Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40)
    assert total == Counts(inserted=11, updated=22, unchanged=33, skipped=44)
