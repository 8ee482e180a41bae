"""Plots of analyses in stores."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

import mdfactory
from mdfactory import Records, Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.errors import OutputError, QueryError, UnknownNameError, UsageError
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.report.plots.plot import Plot
from mdfactory.stores import store_at
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push

METHANOL = "system.species.MEO.fraction"
ALL = Scope(simulations=True, results=list(ResultType))
KINDS = {
    "density_timeseries": ("timeseries", "time_ps", ["density_g_cm3"]),
    "box_size_timeseries": ("timeseries", "time_ns", ["Lx", "Ly", "Lz"]),
    "hydrogen_bonds": ("timeseries", "frame", ["count"]),
    "rdf_oxygen": ("profile", "r_nm", ["g_r"]),
    "system_chemistry": ("chemistry", None, []),
}


@pytest.fixture
def campaign(pushed: Callable[[str], Path]) -> Path:
    """The example campaign, after a push into the configured store."""
    return pushed("all")


@pytest.fixture
def records(campaign: Path) -> Records:
    """The example campaign in the configured store."""
    assert campaign
    return mdfactory.open_store()


def record(
    records: Records, campaign: Path, name: str, frames: Mapping[str, Any], **said: Any
) -> None:
    """Record frames of simulations, by hash, and push them."""
    for hash_, frame in frames.items():
        Simulation.open(campaign / hash_).results.record_analysis(name, frame, **said)
    push(records.store, str(campaign), ConflictMode.update, ALL)


def meta(plot: Plot) -> dict[str, Any]:
    found: dict[str, Any] = plot.specification["usermeta"]["mdfactory"]
    return found


@pytest.mark.parametrize("name", KINDS)
def test_each_analysis_of_the_campaign_has_its_plot(records: Records, name: str) -> None:
    plot = records.plot(name)
    plan = meta(plot)
    assert (plan["kind"], plan["x"], plan["y"]) == KINDS[name]
    assert plan.keys() == {"kind", "x", "y", "groups", "entity", "notes"}
    assert plot.specification["title"]["text"] == name
    assert repr(plot).startswith(f"<Plot of {name}: {plan['kind']}")


def test_the_statistics_are_the_means_of_the_frames(records: Records) -> None:
    plot = records.plot("density_timeseries", colour=METHANOL)
    rows = plot.specification["datasets"]["statistics"]
    frame = records.analysis("density_timeseries", fields=[METHANOL])
    means = frame.groupby(METHANOL)["density_g_cm3"].mean()
    found = {row["value"]: row["y"] for row in rows}
    assert_allclose([found[fraction] for fraction in means.index], means)


def test_the_colour_is_a_fraction_that_varies(
    records: Records, campaign: Path, hashes: list[str]
) -> None:
    frame = pd.DataFrame({"time_ps": [0.0, 1.0], "pressure": [1.0, 2.0]})
    record(records, campaign, "pressure", dict.fromkeys(hashes, frame))
    rows = records.plot("pressure").specification["datasets"]["curves"]
    fractions = records.systems(fields=[METHANOL])[METHANOL]
    assert sorted(row["colour"] for row in rows) == sorted(fractions)


def test_columns_and_texts_colour_by_category(
    records: Records, campaign: Path, hashes: list[str]
) -> None:
    frame = pd.DataFrame({"time_ps": [0.0, 1.0], "pressure": [1.0, 2.0]})
    record(records, campaign, "pressure", dict.fromkeys(hashes, frame))
    rows = records.plot("pressure", colour="status").specification["datasets"]["curves"]
    assert sorted(row["colour"] for row in rows) == sorted(records.systems()["status"])


def test_filters_choose_simulations(records: Records) -> None:
    frame = records.analysis("density_timeseries")
    first = frame["hash"].iloc[0]
    plot = records.plot("density_timeseries", hash=first[:6])
    (row,) = plot.specification["datasets"]["curves"]
    assert first.startswith(row["name"])
    plot = records.plot("density_timeseries", where=["species.MEO.fraction < 0.25"])
    assert len(plot.specification["datasets"]["curves"]) == 2
    plot = records.plot("density_timeseries", where=["species.MEO.fraction > 0.9"])
    assert plot.specification["datasets"] == {}


def test_unknown_names_are_errors_that_list_what_there_is(records: Records) -> None:
    with pytest.raises(UnknownNameError, match="density_timeseries.*rdf_oxygen"):
        records.plot("density")
    with pytest.raises(QueryError, match=r"no simulation has a field.*system\.total_count"):
        records.plot("rdf_oxygen", colour="system.temperature")
    with pytest.raises(QueryError, match=r"colour='system\.species' is no single value.*MEO"):
        records.plot("rdf_oxygen", colour="system.species")
    with pytest.raises(QueryError, match="it has g_r"):
        records.plot("rdf_oxygen", y="g")
    with pytest.raises(QueryError, match="expected a share of the time range"):
        records.plot("density_timeseries", start="soon")


def test_the_start_is_left_out_of_the_statistics_and_said(records: Records) -> None:
    plot = records.plot("density_timeseries", start="20ps")
    frame = records.analysis("density_timeseries")
    means = frame[frame["time_ps"] >= 20].groupby("hash")["density_g_cm3"].mean()
    rows = plot.specification["datasets"]["statistics"]
    assert_allclose(sorted(row["y"] for row in rows), sorted(means))
    assert any("20 ps" in note for note in meta(plot)["notes"])


def test_a_start_without_effect_leaves_nothing_out(records: Records) -> None:
    notes = records.plot("hydrogen_bonds", start="10ps").specification["usermeta"]["mdfactory"]
    assert any("has no effect" in note for note in notes["notes"])
    assert not any("leave out" in note for note in notes["notes"])


def test_no_simulation_with_the_analysis_is_said(records: Records) -> None:
    others = {*records.systems()["hash"]} - {*records.analysis("density_timeseries")["hash"]}
    for hash_ in sorted(others)[:1]:
        drawn = records.plot("density_timeseries", hash=hash_).specification
        assert "No simulation that is selected has this analysis." in json.dumps(drawn)
        assert "no rows" not in json.dumps(drawn)


def test_frames_that_differ_or_are_corrupt_are_named_and_all_else_is_drawn(
    records: Records, campaign: Path, hashes: list[str]
) -> None:
    frames = {
        hash_: pd.DataFrame({"time_ps": [0.0, 1.0], "pressure": [1.0, float(place)]})
        for place, hash_ in enumerate(hashes)
    }
    frames[hashes[0]] = pd.DataFrame({"time_ps": [0.0, 1.0], "volume": [1.0, 2.0]})
    record(records, campaign, "pressure", frames)
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    with closing(sqlite3.connect(data / "analysis.db")) as results, results:
        results.execute(
            "UPDATE ANALYSIS_pressure SET data_csv = 'a\n1\n' WHERE hash = ?", (hashes[1],)
        )
    plot = records.plot("pressure")
    assert len(plot.specification["datasets"]["curves"]) == len(hashes) - 2
    notes = " ".join(meta(plot)["notes"])
    assert f"1 of {len(hashes)}" in notes
    assert "1 frame cannot be read" in notes
    assert hashes[1] in notes


def test_what_was_said_beats_names(records: Records, campaign: Path, hashes: list[str]) -> None:
    frame = pd.DataFrame({"a": [3.0, 1.0, 2.0], "b": [1.0, 2.0, 3.0], "c": [0.0, 0.0, 1.0]})
    said = {"kind": "profile", "x": "a", "y": ["c"]}
    record(records, campaign, "own", dict.fromkeys(hashes[:2], frame), plot=said, units={"a": "nm"})
    plot = records.plot("own")
    assert (meta(plot)["kind"], meta(plot)["x"], meta(plot)["y"]) == ("profile", "a", ["c"])
    assert plot.specification["datasets"]["curves"][0]["x"] == [1.0, 2.0, 3.0]


def test_dates_are_an_axis_of_dates(records: Records, campaign: Path, hashes: list[str]) -> None:
    dates = pd.date_range("2024-01-01", periods=3, freq="D", tz="Europe/Berlin")
    frame = pd.DataFrame({"when": dates, "pressure": [1.0, 2.0, 3.0]})
    record(records, campaign, "own", dict.fromkeys(hashes[:2], frame))
    plot = records.plot("own")
    assert plot.specification["datasets"]["curves"][0]["x"] == [
        date.timestamp() * 1000 for date in dates
    ]
    assert '"type": "temporal"' in json.dumps(plot.specification)


def test_scalars_can_be_shown(records: Records, campaign: Path, hashes: list[str]) -> None:
    time = np.arange(20.0)
    frames = {
        hash_: pa.table({"time_ps": time, "apl": time + place, "n_lipids": [100 + place] * 20})
        for place, hash_ in enumerate(hashes)
    }
    record(records, campaign, "apl", frames)
    plot = records.plot("apl", y="n_lipids")
    values = [row["y"] for row in plot.specification["datasets"]["statistics"]]
    assert sorted(values) == [100.0 + place for place in range(len(hashes))]
    assert meta(plot)["kind"] == "timeseries"


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        ("png", b"\x89PNG"),
        ("svg", b"<svg"),
        ("pdf", b"%PDF"),
        ("json", b"{"),
        ("html", b"<!DOCTYPE"),
    ],
)
def test_a_plot_is_saved_by_its_ending(
    records: Records, tmp_path: Path, ending: str, start: bytes
) -> None:
    file = tmp_path / f"density.{ending.upper()}"
    file.write_text("old")
    plot = records.plot("density_timeseries")
    plot.save(file)
    content = file.read_bytes()
    assert content.startswith(start)
    plot.save(str(file), dark=True)
    assert file.read_bytes() != content
    assert [path.name for path in tmp_path.glob("*density*")] == [file.name]


def test_the_saved_specification_is_that_of_the_plot(records: Records, tmp_path: Path) -> None:
    plot = records.plot("density_timeseries")
    plot.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == plot.specification


@pytest.mark.parametrize("name", ["density", "density.gif", "density.svg.gz", ""])
def test_other_endings_are_refused_with_the_list(
    records: Records, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf, \.json, \.html"):
        records.plot("system_chemistry").save(f"{tmp_path}/{name}")
    assert not (tmp_path / name).is_file()


def test_a_file_that_cannot_be_written_is_named(records: Records, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        records.plot("system_chemistry").save(tmp_path / "nowhere" / "a.svg")


@pytest.mark.parametrize("kind", ["csv", "postgres"])
def test_all_stores_give_the_same_plot(
    records: Records, campaign: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    is_csv = kind == "csv"
    url = f"csv:///{tmp_path}/store" if is_csv else request.getfixturevalue("database_url")
    store = store_at(url)
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    for name in KINDS:
        assert Records(store).plot(name).specification == records.plot(name).specification


def test_pictures_are_the_same_each_time(records: Records, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.html", "b.html"):
        records.plot("rdf_oxygen").save(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_notebook_gets_the_specification_and_a_picture(records: Records) -> None:
    plot = records.plot("density_timeseries")
    bundle = plot._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["application/vnd.vegalite.v6+json"] == plot.specification
    assert plot.specification["$schema"].endswith("/v6.json")
    assert bundle["text/plain"] == repr(plot)


def test_texts_of_records_run_nothing_and_end_no_process(
    records: Records, campaign: Path, hashes: list[str], tmp_path: Path
) -> None:
    evil = "</script><script>alert(1)</script>\x00\ufffe\u202e'\"\\"
    frame = pa.table(
        {"time_ps": [0.0, 0.0, 1.0, 1.0], evil: [evil, "b"] * 2, "y": [1.0, 2.0, 3.0, 4.0]}
    )
    record(records, campaign, "own", dict.fromkeys(hashes[:2], frame), units={"y": evil})
    plot = records.plot("own")
    assert meta(plot)["groups"] == [evil]
    for ending in ("svg", "html", "png"):
        plot.save(tmp_path / f"a.{ending}")
    ET.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))  # noqa: S314  # our own
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<script>") == page.count("</script>") == 2
    assert "http" not in page.rpartition("vegaEmbed(")[2].replace("https://vega.github.io", "")


@pytest.mark.parametrize("library", ["vl_convert", "numpy"])
def test_without_the_extra_the_error_names_it(library: str) -> None:
    script = (
        "import sys, mdfactory.stores as s\n"
        "from mdfactory.report.plots.analysis import plot_analysis\n"
        f"sys.modules[{library!r}] = None\n"
        "plot_analysis(s.store_at('sqlite:///nowhere'), 'density')"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "Run: pip install 'mdfactory[report]'" in result.stderr
