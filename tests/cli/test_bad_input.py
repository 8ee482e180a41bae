"""A campaign with invalid items: they are named, and all others are pushed, on every store."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus import Member, Placed, members, write
from mdfactory.config import load
from mdfactory.records.tables import OVERVIEW
from mdfactory.records.vocabulary import ResultStatus
from mdfactory.stores import open_store

from .conftest import STORE_KINDS

Program = Callable[..., Any]
Done = subprocess.CompletedProcess[str]

HERE = Path(__file__).parent.parent
MEMORY, TIME = 800, 200
"""Limits of the program: megabytes of memory, of which libraries take a hundred; CPU seconds."""

RECORDS = 33
"""Number of records of the example campaign."""


def _limited(*arguments: object, rights: bool) -> Done:
    """Run the program with limits of memory and time, as a user without rights of root."""
    launcher = [*([] if rights else [HERE / "rightless.py"]), HERE / "limited.py", MEMORY, TIME]
    command = [sys.executable, *map(str, launcher), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=environment, text=True, capture_output=True, timeout=280, check=False
    )


def _stored() -> tuple[dict[str, set[str]], int]:
    """Return folder -> tables with a record of it, and the number of records."""
    store, tables, records = open_store(load()), defaultdict(set), 0
    for table in store.tables():
        for rows in store.read(table):
            if table.name == OVERVIEW.name:
                completed = [row["status"] == ResultStatus.completed for row in rows.to_pylist()]
                records -= sum(completed)
                continue
            for row in rows.to_pylist():
                tables[row["directory"]].add(table.name)
                records += 1
    return tables, records


def _assert_named(placed: Sequence[Placed], skipped: Sequence[dict[str, str]]) -> None:
    """Assert that each bad member, and no other, is named on one line with its reason."""
    reasons = defaultdict(list)
    for item in skipped:
        assert len(item["reason"].splitlines()) == 1, item
        reasons[item["path"]].append(item["reason"])
    for entry in placed:
        named = reasons.pop(entry.named, [])
        assert len(named) == len(entry.member.reasons), (entry.member.name, named)
        for expected, reason in zip(entry.member.reasons, named, strict=True):
            assert re.search(expected, reason), (entry.member.name, reason)
    assert not reasons


def _sample(members: Sequence[Member]) -> Sequence[Member]:
    """Return ten members of different kinds."""
    return members[3 :: len(members) // 10][:10]


@pytest.mark.parametrize(
    ("kind", "chosen", "again"),
    [
        ("sqlite", list, False),
        *((kind, _sample, True) for kind in STORE_KINDS[1:]),
        *(pytest.param(kind, list, True, marks=pytest.mark.long) for kind in STORE_KINDS),
    ],
    indirect=["kind"],
)
def test_bad_input_is_named_and_all_else_is_pushed(
    mdfactory: Program,
    campaign: Path,
    kind: str,
    chosen: Callable[[Sequence[Member]], Sequence[Member]],
    *,
    again: bool,
    record_property: Callable[[str, object], None],
) -> None:
    # The server of the tests may run as another user, whose socket is closed to us without rights.
    rights = kind == "postgres"
    placed = write(
        chosen([member for member in members() if not (rights and member.rights)]), campaign / "bad"
    )
    push = ("sync", "push", "all", campaign, "--update", "--debug")
    mdfactory("sync", "init", "all")
    result = _limited(*push, "--json", rights=rights)
    assert result.returncode == 3, result.stderr[-2_000:]
    report = json.loads(result.stdout)
    _assert_named(placed, report["skipped"])
    assert "Traceback" not in result.stderr
    *lines, peak = result.stderr.splitlines()
    assert len([line for line in lines if line.startswith("skipped: ")]) == len(report["skipped"])
    tables, missing = _stored()
    for entry in placed:
        folder = os.fsencode(entry.folder).decode(errors="replace")
        assert tables.pop(folder, set()) == entry.member.stored, entry.member.name
    assert set(tables) == {str(path) for path in campaign.iterdir() if len(path.name) == 40}
    assert sum(map(len, tables.values())) == RECORDS
    good = sum(len(entry.member.stored) for entry in placed)
    assert report["counts"]["inserted"] == RECORDS + good
    assert missing == len([entry for entry in placed if entry.member.stored]) + 8
    if again:
        result = _limited(*push, rights=rights)
        assert result.returncode == 3
        assert "Traceback" not in result.stderr
        assert f"{RECORDS + good} unchanged" in result.stdout
    bad = sum(bool(entry.member.reasons) for entry in placed)
    record_property(
        "figure", f"bad input, {kind}: {len(placed)} members, {bad} of them named, {peak}"
    )
