"""The report at the end of a push."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mdfactory.cli.push_report import report_lines
from mdfactory.config import load
from mdfactory.stores import open_store
from mdfactory.stores.recorder import Logged
from mdfactory.sync.pushed import Pushed

Program = Callable[..., Any]

MAX_LINES = 8

ANALYSES = (
    "box_size_timeseries 4 of 5, density_timeseries 4 of 5, hydrogen_bonds 3 of 5, "
    "rdf_oxygen 4 of 5, system_chemistry 4 of 5"
)
NEXT_PUSH = "mdfactory sync push all campaign --update"
BARE = "0BDC04CC155D"


@pytest.fixture
def lab(mdfactory: Program, campaign: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parent of the campaign, as the working directory, and an initialised store."""
    monkeypatch.chdir(campaign.parent)
    mdfactory("sync", "init", "all")
    return campaign.parent


def test_a_report_says_what_is_there_and_what_is_next(mdfactory: Program, lab: Path) -> None:
    run = lab / "campaign" / "plain"
    run.mkdir()
    (run / "topol.top").touch()
    (run / "md.xtc").touch()
    broken = lab / "campaign" / "broken"
    broken.mkdir()
    (broken / "build.yaml").write_text("a: b\n", encoding="utf-8")
    result = mdfactory("sync", "push", "all", "campaign")
    assert result.code == 3
    counts, place, *lines = result.out.splitlines()
    skipped = "1 skipped (1 invalid, not found or duplicate, named above)"
    ignored = "ignored: 1 GROMACS run without a BuildInput"
    assert counts == f"33 inserted, 0 updated, 0 unchanged, {skipped}; {ignored}"
    location = re.escape(open_store(load()).location)
    undo = "operation 1; to undo it: mdfactory sync undo 1"
    assert re.fullmatch(rf"{location}, \d+\.\d s, {undo}", place)
    assert lines == [
        "8 simulations: 2 build, 1 equilibrated, 1 production, 4 completed",
        f"analyses: {ANALYSES}",
        "artifacts: density_plot 3 of 5, last_frame_pdb 3 of 5",
        f"completed without results in the store: 1 simulation ({BARE})",
        "next: mdfactory sync pull analysis",
        f"to push changes on disk: {NEXT_PUSH}",
    ]
    assert len(result.out.splitlines()) == MAX_LINES


def test_the_report_of_an_unchanged_push_is_the_same(mdfactory: Program, lab: Path) -> None:
    assert lab
    first = mdfactory("sync", "push", "all", "campaign").out.splitlines()
    again = mdfactory("sync", "push", "all", "campaign", "--update").out.splitlines()
    assert again[0] == "0 inserted, 0 updated, 33 unchanged, 0 skipped"
    assert again[1].endswith(": no record changed")
    assert again[2:] == first[2:]


def test_the_coverage_of_a_push_is_that_of_the_store(mdfactory: Program, lab: Path) -> None:
    assert lab
    only = mdfactory("sync", "push", "systems", "campaign").out
    assert "\nanalyses: none in the store yet\n" in only
    assert "completed without results" not in only  # nobody has looked for results on disk
    end = "results were not pushed; to push them, and changes on disk: "
    assert only.endswith(f"\nnext: mdfactory sync pull systems\n{end}{NEXT_PUSH}\n")
    mdfactory("sync", "push", "analysis", "campaign", "--analysis-name", "rdf_oxygen")
    later = mdfactory("sync", "push", "systems", "campaign", "--update").out
    assert "\nanalyses: rdf_oxygen 4 of 5, and 1 more with none yet\n" in later
    assert later.endswith(f": {NEXT_PUSH}\n")


def test_coverage_agrees_with_the_overview(mdfactory: Program, lab: Path) -> None:
    assert lab
    pushed = mdfactory("sync", "push", "all", "campaign", "--json").json
    rows = mdfactory("sync", "pull", "analysis", "--json").json["rows"]
    rows += mdfactory("sync", "pull", "artifacts", "--json").json["rows"]
    for result in pushed["results"]:
        own = [row for row in rows if row["item_name"] == result["item_name"]]
        completed = [row for row in own if row["status"] == "completed"]
        assert result["completed"] == len(completed)
        assert result["completed"] + result["missing"] == 5
    assert pushed["completed_without_results"] == [f"{BARE}827D3BEE561E9C8A023DAF3A3226"]
    assert pushed["simulations"] == {
        "build": 2,
        "equilibrated": 1,
        "production": 1,
        "completed": 4,
    }


def test_the_next_push_has_the_source_and_the_configuration(mdfactory: Program, lab: Path) -> None:
    own = lab / "my lab.ini"
    own.write_text("[sqlite]\nRUN_DB_PATH = a.db\nANALYSIS_DB_PATH = a.db\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", own)
    shutil.move(lab / "campaign", lab / "a b")
    csv = ["--csv", "a b/campaign.csv", "--csv-root", "a b"]
    result = mdfactory("sync", "push", "systems", *csv, "--config", own)
    words = f"mdfactory --config '{own}' sync push all --csv 'a b/campaign.csv' --csv-root 'a b'"
    assert result.out.endswith(f": {words} --update\n")
    assert f"to undo it: mdfactory --config '{own}' sync undo 1\n" in result.out


def test_a_store_without_an_overview_has_no_coverage(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "systems")
    result = mdfactory("sync", "push", "systems", campaign)
    assert [line.split(":")[0] for line in result.out.splitlines()[2:]] == [
        "8 simulations",
        "next",
        "results were not pushed; to push them, and changes on disk",
    ]


def test_a_second_push_without_a_flag_says_that_nothing_is_new(
    mdfactory: Program, lab: Path
) -> None:
    mdfactory("sync", "push", "all", "campaign")
    again = mdfactory("sync", "push", "all", "campaign")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("error: there is nothing new: all records are already in the store")
    assert "add --update" in again.err.splitlines()[-1]
    next((lab / "campaign").glob("*/prod.gro")).unlink()
    changed = mdfactory("sync", "push", "all", "campaign")
    assert (changed.code, changed.out) == (1, "")
    assert changed.err.startswith("error: some records are already in the store")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (200, "3 min 20 s"), (7320, "122 min")]
)
def test_the_time_is_told_in_seconds_and_minutes(seconds: float, text: str) -> None:
    pushed = Pushed({}, logged=Logged(7, can_be_undone=False))
    _, place, *_ = report_lines(pushed, "SQLite store x", seconds, "", has_results=True)
    assert place.startswith(f"SQLite store x, {text}")
    assert place.endswith(", operation 7; it cannot be undone")
