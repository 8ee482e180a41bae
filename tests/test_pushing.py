"""The push of the Python API."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import mdfactory
from mdfactory.cli.app import run
from mdfactory.errors import (
    ConflictError,
    InvalidNameError,
    MDFactoryError,
    NotInitialisedError,
    SourceError,
    UsageError,
)
from mdfactory.records.merge import Counts
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.sync.log import history

FIRST = "9696455838C189BE031418DE5280D6042B243D8D"


@pytest.fixture
def source(campaign: Path) -> Path:
    """The example campaign, and an initialised store in the configured place."""
    assert run(["sync", "init", "all", "--quiet"]) == 0
    return campaign


def test_a_push_does_what_the_command_does(source: Path, capsys: Any) -> None:
    pushed = mdfactory.push(source)
    assert pushed.counts == Counts(inserted=8 + 19 + 6)
    assert repr(pushed) == "<Pushed: 33 inserted, 0 updated, 0 unchanged, 0 skipped>"
    assert len(mdfactory.open_store().systems()) == 8
    again = mdfactory.push(str(source), mode="update")
    assert again.counts == Counts(unchanged=33)
    capsys.readouterr()
    assert run(["sync", "push", "all", str(source), "--update", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["tables"] == {name: asdict(counts) for name, counts in again.tables.items()}


@pytest.mark.parametrize(
    ("kind", "names", "inserted"),
    [
        ("systems", (), 8),
        ("analysis", (), 19),
        ("artifacts", (), 6),
        ("analysis", "RDF_oxygen", 4),
        ("artifacts", ["density_plot"], 3),
    ],
)
def test_the_kind_and_the_names_select_records(
    source: Path, kind: Any, names: Any, inserted: int
) -> None:
    assert mdfactory.push(source, kind=kind, names=names).counts == Counts(inserted=inserted)


@pytest.mark.parametrize(
    ("mode", "counts"),
    [
        ("diff", Counts(skipped=33)),
        ("skip", Counts(skipped=33)),
        ("update", Counts(unchanged=33)),
        ("force", Counts(updated=33)),
        (ConflictMode.force, Counts(updated=33)),
    ],
)
def test_the_mode_decides_about_stored_records(source: Path, mode: Any, counts: Counts) -> None:
    mdfactory.push(source)
    assert asdict(mdfactory.push(source, mode=mode).counts) == asdict(counts)


def test_a_conflict_is_an_error_that_names_the_arguments(source: Path) -> None:
    mdfactory.push(source)
    with pytest.raises(ConflictError, match='again and again, add mode="update"') as caught:
        mdfactory.push(source)
    next(source.glob("*/prod.gro")).unlink()
    with pytest.raises(ConflictError, match='with mode="diff" to add .* mode="update"') as changed:
        mdfactory.push(source)
    for error in (caught, changed):
        assert "--" not in str(error.value)
        assert len(error.value.conflicts["RUN_DATABASE"]) == 8


def test_a_dry_run_writes_nothing_and_says_so(source: Path) -> None:
    pushed = mdfactory.push(source, dry_run=True)
    assert repr(pushed) == "<Pushed (dry run): 33 inserted, 0 updated, 0 unchanged, 0 skipped>"
    assert mdfactory.open_store().systems().empty


def test_skipped_items_are_data_and_a_warning(source: Path) -> None:
    for number in range(5):
        (source / f"bad{number}").mkdir()
        (source / f"bad{number}" / "build.yaml").write_text("system: 1\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="skipped") as caught:
        pushed = mdfactory.push(source, kind="systems")
    assert pushed.counts == Counts(inserted=8, skipped=5)
    assert [Path(item.path).name for item in pushed.skipped] == [f"bad{n}" for n in range(5)]
    (warning,) = caught
    lines = str(warning.message).splitlines()
    assert lines[0].startswith("5 items skipped")
    assert lines[1] == f"  {source / 'bad0'}: {pushed.skipped[0].reason}"
    assert lines[4:] == ["  and 2 more"]
    assert warning.filename == __file__


def test_the_warnings_of_a_push_are_warnings(source: Path) -> None:
    shutil.copytree(source / FIRST, source / "copy" / FIRST)
    with (
        pytest.warns(UserWarning, match="1 simulation found in more than one folder"),
        pytest.warns(UserWarning, match=f"1 item skipped.*\n.*is also in {source / FIRST}"),
    ):
        mdfactory.push(source, mode="update")


def test_a_campaign_csv_is_pushed_with_its_root(source: Path) -> None:
    assert mdfactory.push(source / "campaign.csv", csv_root=source).counts.inserted == 33
    with pytest.raises(SourceError, match="a campaign CSV is given with csv_root="):
        mdfactory.push(source / "campaign.csv")


def test_the_store_is_that_of_the_url_or_the_configuration(campaign: Path, tmp_path: Path) -> None:
    config = tmp_path / "lab.ini"
    config.write_text(
        "[database]\nTYPE = csv\n"
        "[csv]\nRUN_DB_PATH = lab/runs.csv\nANALYSIS_DB_PATH = lab/analysis\n"
        "[catalogue]\nMIXEDBOX_ANALYSES = viscosity\n",
        encoding="utf-8",
    )
    assert run(["sync", "init", "all", "--quiet", "--config", str(config)]) == 0
    assert mdfactory.push(campaign, config=config).counts.inserted == 33
    overview = mdfactory.open_store(config=config).overview(item_type="analysis")
    assert "viscosity" in set(overview["item_name"])
    assert (
        mdfactory.push(campaign, mode="update", url=f"csv:///{tmp_path}/lab").counts.unchanged == 33
    )
    with pytest.raises(NotInitialisedError, match="Run: mdfactory sync init all$"):
        mdfactory.push(campaign)
    config.write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    with pytest.raises(NotInitialisedError, match=f"sync init all --config {config}$"):
        mdfactory.push(campaign, config=config)


def test_a_push_can_be_found_in_the_log(source: Path) -> None:
    mdfactory.push(source, kind="analysis", names=["rdf_oxygen"], mode="force")
    latest = history(mdfactory.open_store().store)[0]
    assert latest.entries[0].command == (
        f"mdfactory.push({str(source)!r}, kind='analysis', mode='force', names=['rdf_oxygen'])"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "analyses"}, UsageError, "kind='analyses': expected one of all, systems"),
        ({"mode": "overwrite"}, UsageError, "mode='overwrite': expected one of refuse"),
        ({"names": ["rdf"]}, UsageError, "give kind='analysis' or kind='artifacts'"),
        ({"names": ["a b"], "kind": "analysis"}, InvalidNameError, "not a valid name"),
        ({"source": "nowhere"}, SourceError, "there is no such folder"),
        ({"source": ""}, SourceError, "is an empty text"),
        ({"source": ["a", "b"]}, UsageError, r"source=\['a', 'b'\]: expected one path or pattern"),
        ({"source": None}, UsageError, "source=None: expected one path or pattern"),
        ({"kind": ["systems"]}, UsageError, r"kind=\['systems'\]: expected one of all, systems"),
    ],
)
def test_a_wrong_argument_is_an_error_and_nothing_is_written(
    source: Path, arguments: dict[str, Any], error: type[MDFactoryError], message: str
) -> None:
    with pytest.raises(error, match=message):
        mdfactory.push(**{"source": source, **arguments})
    assert mdfactory.open_store().systems().empty
