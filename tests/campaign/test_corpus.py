"""Invalid input: each member of the corpus is reported, and its valid parts are collected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpus import Member, members, place
from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import discover
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.records.vocabulary import ResultType

ALL = Scope(simulations=True, results=list(ResultType))
# That a simulation is in two folders is found by a push, which compares them.
MEMBERS = [
    member for member in members() if not member.rights and member.name != "one simulation twice"
]


@pytest.mark.long  # together they are pushed in each run: tests/cli/test_bad_input.py
@pytest.mark.parametrize("member", MEMBERS, ids=[member.name for member in MEMBERS])
def test_bad_input_is_reported_and_the_rest_is_collected(tmp_path: Path, member: Member) -> None:
    placed = place(member, tmp_path)
    discoveries = list(discover(str(tmp_path)))
    skipped = [item for item in discoveries if isinstance(item, Skipped)]
    simulations = [item for item in discoveries if isinstance(item, Simulation)]
    records = collect(simulations, ALL, "2026-01-01T00:00:00+00:00", skipped.append)
    stored = {
        table.name for table, rows in records if str(placed.folder) in rows["directory"].to_pylist()
    }
    assert stored == member.stored
    assert len(skipped) == len(member.reasons), skipped
    for item, reason in zip(skipped, member.reasons, strict=True):
        assert re.search(reason, item.reason), item.reason
        assert len(item.reason.splitlines()) == 1
        assert item.path == placed.named
