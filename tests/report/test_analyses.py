"""Analyses of a report: what the page has of them is what the frames of the store have."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

import mdfactory
from corpus.plot_cases import Case
from corpus.plots import CASES
from mdfactory import Simulation
from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.frames.curves import draw
from mdfactory.frames.plots import misfit, plan
from mdfactory.frames.statistics import WHOLE, parse_start, summarise
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.report.analyses import Analyses, Detail, read_analyses
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.report.campaign.snapshot import EVERY_SIMULATION, Filters, Snapshot, read_snapshot
from mdfactory.report.drawn.cache import Cache
from mdfactory.report.drawn.curve_data import PackedCurve, unpack_curves
from mdfactory.report.drawn.entries import Simulations, content_of
from mdfactory.report.drawn.pictured import picture
from mdfactory.report.drawn.summaries import MAX_MAP_CELLS, Summary, restricted, summary_of
from mdfactory.report.payload import encode, to_json
from mdfactory.report.plots.colour import Colour
from mdfactory.stores.store import Store
from mdfactory.sync.push import push

ALL = Scope(simulations=True, results=list(ResultType))
METHANOL = "system.species.MEO.fraction"
DENSITY = "density_timeseries"
NAMES = ["density_timeseries", "box_size_timeseries", "rdf_oxygen", "system_chemistry"]
NO_CACHE = Cache(None)


@pytest.fixture
def campaign(pushed: Callable[[str], Path]) -> Path:
    """The example campaign, after a push into the configured store."""
    return pushed("all")


@pytest.fixture
def store(campaign: Path) -> Store:
    """The example campaign, of which four simulations have analyses, in the configured store."""
    assert campaign
    return mdfactory.open_store().store


def read(
    store: Store,
    *names: str,
    filters: Filters = EVERY_SIMULATION,
    colour: str | None = METHANOL,
    start: str = "0",
    cache: Cache = NO_CACHE,
) -> tuple[Snapshot, Analyses]:
    with store.transaction() as transaction:
        snapshot = read_snapshot(transaction, Catalogue(), filters)
        first = parse_start(start)
        analyses = read_analyses(
            transaction, snapshot, names, colour=colour, start=first, cache=cache
        )
    return snapshot, analyses


def curves_of(analyses: Analyses, detail: Detail = Detail()) -> dict[str, list[PackedCurve]]:  # noqa: B008  # frozen
    return {name: [*unpack_curves(data)] for name, data in analyses.blobs(detail)}


def record(store: Store, campaign: Path, name: str, frames: Mapping[str, Any], **said: Any) -> None:
    for hash_, frame in frames.items():
        Simulation.open(campaign / hash_).results.record_analysis(name, frame, **said)
    push(store, str(campaign), ConflictMode.update, ALL)


def hashes_of(store: Store) -> list[str]:
    return read(store)[0].hashes


def means(snapshot: Snapshot, entry: Mapping[str, Any]) -> dict[str, float]:
    columns = entry["statistics"]
    return {
        snapshot.hashes[number]: mean
        for number, mean in zip(columns["simulation"], columns["mean"], strict=True)
    }


def test_the_statistics_of_a_page_are_those_of_the_frames(store: Store) -> None:
    snapshot, analyses = read(store, DENSITY)
    (entry,) = analyses.entries
    frame = mdfactory.open_store().analysis(DENSITY)
    expected = frame.groupby("hash")["density_g_cm3"].mean().to_dict()
    assert means(snapshot, entry) == pytest.approx(expected, rel=1e-12)
    assert (entry["records"], entry["drawn"], entry["kind"]) == (4, 4, "timeseries")
    assert entry["quantities"] == [
        {"name": "density_g_cm3", "title": "density (g/cm³)", "unit": "g/cm³"}
    ]
    assert entry["x"] == {"title": "time (ps)", "scale": 1.0, "type": "quantitative", "time": True}


def test_the_start_leaves_out_equilibration(store: Store) -> None:
    snapshot, analyses = read(store, DENSITY, start="50%")
    frame = mdfactory.open_store().analysis(DENSITY)
    ends = frame.groupby("hash")["time_ps"].transform("max")
    last = frame[frame["time_ps"] >= ends / 2]
    expected = last.groupby("hash")["density_g_cm3"].mean().to_dict()
    assert means(snapshot, analyses.entries[0]) == pytest.approx(expected, rel=1e-12)


def test_the_curves_of_a_page_are_those_of_the_frames(store: Store) -> None:
    snapshot, analyses = read(store, "rdf_oxygen")
    frame = mdfactory.open_store().analysis("rdf_oxygen")
    (curves,) = curves_of(analyses).values()
    assert len(curves) == analyses.curves == frame["hash"].nunique()
    for curve in curves:
        own = frame[frame["hash"] == snapshot.hashes[curve.simulation]]
        assert len(own) <= 200
        assert_allclose(curve.x[0], own["r_nm"], atol=np.ptp(own["r_nm"]) / 65_534)
        assert_allclose(curve.y, own["g_r"], atol=np.ptp(own["g_r"]) / 65_534)


def test_quantities_that_share_a_plot_have_one_view(store: Store) -> None:
    _, analyses = read(store, "box_size_timeseries")
    (entry,) = analyses.entries
    assert [quantity["name"] for quantity in entry["quantities"]] == ["Lx", "Ly", "Lz"]
    (view,) = entry["views"]
    assert [panel["quantity"] for panel in view["panels"]] == [0, 1, 2]
    assert set(view["specification"]["datasets"]) == {"bands", "curves", "far", "statistics"}
    assert not any(view["specification"]["datasets"].values())


def test_chemistry_is_a_table(store: Store) -> None:
    snapshot, analyses = read(store, "system_chemistry")
    (entry,) = analyses.entries
    assert (entry["kind"], entry["views"], curves_of(analyses)) == ("chemistry", [], {})
    frame = mdfactory.open_store().analysis("system_chemistry").sort_values("hash", kind="stable")
    columns = ["simulation", "resname", "smiles", "count"]
    assert entry["rows"]["columns"][:4] == columns
    shown = [row[:4] for row in entry["rows"]["rows"]]
    frame["hash"] = frame["hash"].str[:8]
    assert shown == frame[["hash", *columns[1:]]].to_numpy().tolist()
    assert len({row[0] for row in shown}) == entry["drawn"]
    assert snapshot.hashes


def test_only_simulations_that_meet_the_filters_are_read(store: Store) -> None:
    one = read(store, DENSITY)[1].contents[0].summaries
    chosen = min(one)
    snapshot, analyses = read(store, DENSITY, filters=Filters(chosen))
    assert snapshot.hashes == [chosen]
    assert analyses.entries[0]["records"] == 1


def test_frames_with_other_columns_are_counted(store: Store, campaign: Path) -> None:
    names = hashes_of(store)
    frames = {hash_: pd.DataFrame({"time_ns": [0.0, 1.0], "rg": [1.0, 2.0]}) for hash_ in names[:5]}
    frames[names[5]] = pd.DataFrame({"time_ns": [0.0, 1.0], "other": [1.0, 2.0]})
    record(store, campaign, "gyration", frames)
    (entry,) = read(store, "gyration")[1].entries
    assert (entry["records"], entry["drawn"]) == (6, 5)
    assert entry["others"] == ["1 of 6 has other columns"]


def test_groups_are_numbered_and_the_first_one_is_shown_first(store: Store, campaign: Path) -> None:
    frame = pd.DataFrame({
        "time_ns": [0.0, 1.0] * 3,
        "species": ["POPC", "POPC", "CHL1", "CHL1", "all", "all"],
        "apl": [0.6, 0.7, 0.3, 0.4, 0.5, 0.6],
    })  # fmt: skip
    names = hashes_of(store)[:3]
    record(store, campaign, "area_per_lipid", dict.fromkeys(names, frame))
    _, analyses = read(store, "area_per_lipid")
    (entry,) = analyses.entries
    assert entry["groups"] == ["species"]
    assert entry["group_values"][0] == ["all"]
    assert sorted(entry["group_values"]) == [["CHL1"], ["POPC"], ["all"]]
    assert entry["views"][0]["panels"] == [{"quantity": 0, "group": 0, "title": ""}]
    columns = entry["statistics"]
    by_group = {
        (simulation, *entry["group_values"][group]): mean
        for simulation, group, mean in zip(
            columns["simulation"], columns["group"], columns["mean"], strict=True
        )
    }
    assert by_group == pytest.approx({
        (number, group): mean
        for number in range(3)
        for group, mean in (("POPC", 0.65), ("CHL1", 0.35), ("all", 0.55))
    })  # fmt: skip
    (curves,) = curves_of(analyses).values()
    first = [curve for curve in curves if entry["group_values"][curve.group] == ["all"]]
    assert [curve.y.round(3).tolist() for curve in first] == [[0.5, 0.6]] * 3


def _damaged(name: str) -> str:
    """Change the text of one frame of an analysis in the configured store; return its hash."""
    (path,) = (Path(mdfactory.open_store().store.location.partition("store ")[2]),)
    files = [path, *path.parent.glob("*.db")]
    for file in files:
        with closing(sqlite3.connect(file)) as database, database:
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            if f"ANALYSIS_{name}" in tables:
                query = f'SELECT min(hash) FROM "ANALYSIS_{name}"'
                ((hash_,),) = database.execute(query).fetchall()
                database.execute(
                    f'UPDATE "ANALYSIS_{name}" SET data_csv = data_csv || ? WHERE hash = ?',
                    ("9,9\n", hash_),
                )
                return str(hash_)
    raise AssertionError(name)


def test_a_frame_that_cannot_be_read_is_named_and_all_others_are_drawn(store: Store) -> None:
    hash_ = _damaged(DENSITY)
    _, analyses = read(store, DENSITY)
    (sentence,) = analyses.skipped
    assert hash_ in sentence
    assert DENSITY in sentence
    (entry,) = analyses.entries
    assert (entry["records"], entry["drawn"]) == (4, 3)
    assert entry["others"] == ["1 frame cannot be read"]


def test_a_sample_is_spread_over_statuses_and_colours(store: Store) -> None:
    snapshot, analyses = read(store, DENSITY)
    whole, sample = (curves_of(analyses, Detail(50, count))["analysis-0"] for count in (None, 2))
    assert (len(whole), len(sample)) == (4, 2)
    statuses = {snapshot.statuses[curve.simulation] for curve in whole}
    assert {snapshot.statuses[curve.simulation] for curve in sample} == statuses
    assert len(statuses) == 2


def test_a_sample_has_the_bands_of_all(store: Store) -> None:
    simulations = _simulations(200)
    frames = [pa.table({"time_ps": [0.0, 1.0], "density": [n, n + 1.0]}) for n in range(200)]
    planned = plan("density", frames[:50])
    summaries = {
        hash_: summary_of(planned, frame, {}, WHOLE).to_bytes()
        for hash_, frame in zip(simulations.numbers, frames, strict=True)
    }
    content = content_of("density", planned, summaries, [], simulations)
    ((_, data),) = Analyses(contents=[content]).blobs(Detail(50, 10))
    assert len([*unpack_curves(data)]) == 10
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    assert header["sample"] is True
    bands = header["bands"]["0"]["bands"]
    assert [band["y"][0] for band in bands] == [19.5, 59.5, 99.5, 139.5, 179.5]
    far = header["bands"]["0"]["far"]
    assert far
    assert all(row["y"][0] == row["row"] for row in far)
    ((_, data),) = Analyses(contents=[content]).blobs(Detail(50))
    (length,) = struct.unpack_from("<I", data)
    assert json.loads(data[4 : 4 + length])["bands"] is None


def test_curves_are_encoded_the_same_with_a_cache(store: Store, tmp_path: Path) -> None:
    details = [Detail(), Detail(50), Detail(50, 2)]
    _, plain = read(store, *NAMES)
    expected = [{name: encode(data) for name, data in plain.blobs(one)} for one in details]
    for _ in range(2):
        _, analyses = read(store, *NAMES, cache=Cache(tmp_path))
        assert [dict(analyses.encoded(one)) for one in details] == expected


def test_fewer_points_keep_the_extremes_without_rounding_again(store: Store) -> None:
    _, analyses = read(store, "rdf_oxygen")
    (whole,) = curves_of(analyses).values()
    (few,) = curves_of(analyses, Detail(50)).values()
    for all_, own in zip(whole, few, strict=True):
        assert len(own.y) <= 50
        assert set(own.y) <= set(all_.y)
        assert (own.y.max(), own.y.min()) == (all_.y.max(), all_.y.min())


def test_without_a_colour_simulations_are_drawn(store: Store) -> None:
    (entry,) = read(store, DENSITY, colour=None)[1].entries
    assert entry["picture"].startswith("data:image/svg+xml;base64,")
    assert entry["drawn"] == 4


def test_paths_in_texts_of_frames_are_not_shown(store: Store, campaign: Path) -> None:
    frame = pd.DataFrame({
        "resname": ["POPC"], "smiles": ["C"], "file": ["/home/ann/campaign/popc.itp"]
    })  # fmt: skip
    record(store, campaign, "molecules", {hashes_of(store)[0]: frame})
    (entry,) = read(store, "molecules")[1].entries
    assert "/home/ann" not in to_json(entry).decode()
    assert entry["rows"]["rows"] == [[hashes_of(store)[0][:8], "POPC", "C", "…/popc.itp"]]


def test_paths_in_names_of_columns_are_not_shown(store: Store, campaign: Path) -> None:
    times = np.arange(20.0)
    frame = pd.DataFrame({
        "time_ns": times, "/home/ann/a/energy": times % 3, "/home/bob/b/energy": times % 5
    })  # fmt: skip
    record(store, campaign, "energies", {hashes_of(store)[0]: frame})
    (entry,) = read(store, "energies")[1].entries
    assert "/home" not in to_json(entry).decode()
    names = ["…/energy", "…/energy (2)"]
    assert [quantity["name"] for quantity in entry["quantities"]] == names
    maxima = zip(entry["statistics"]["quantity"], entry["statistics"]["maximum"], strict=True)
    assert sorted(maxima) == [(0, 2.0), (1, 4.0)]


def test_what_is_left_out_of_frames_is_said(store: Store, campaign: Path) -> None:
    x, y = (axis.ravel() for axis in np.mgrid[:90, :50])
    area = pd.DataFrame({"x": x, "y": y, "thickness": x * 0.1 + y})
    number = np.arange(900)
    many = pd.DataFrame({
        "time_ns": np.tile([0.0, 1.0], 450),
        **{f"g{k}": (number // 2 // 12**k % 12).astype(str) for k in range(3)},
        "value": number,
    })  # fmt: skip
    table = pd.DataFrame({"smiles": ["C"] * 60, **{f"column{k}": ["a"] * 60 for k in range(40)}})
    first, *_ = hashes_of(store)
    for name, frame in {"area": area, "many": many, "molecules": table}.items():
        record(store, campaign, name, {first: frame})
    _, analyses = read(store, "area", "many", "molecules")
    notes = {one["name"]: one["notes"] for one in analyses.entries}
    assert "each cell is the mean of 3 x 2 cells" in notes["area"]
    assert "400 of 450 curves are shown" in notes["many"]
    assert "400 of 450 statistics are shown" in notes["many"]
    assert notes["molecules"] == [
        "30 of 41 columns are shown", "at most 50 rows of a simulation are shown"
    ]  # fmt: skip


def test_a_table_of_many_simulations_says_that_it_is_cut() -> None:
    frame = pa.table({"smiles": ["C"] * 40, "n": [1] * 40})
    chosen = restricted(plan("molecules", [frame]))
    summary = summary_of(chosen, frame, {}, WHOLE).to_bytes()
    simulations = _simulations(20)
    summaries = dict.fromkeys(simulations.numbers, summary)
    entry = content_of("molecules", chosen, summaries, (), simulations).entry()
    assert entry["notes"] == ["the first 500 of 800 rows are shown"]


def _simulations(count: int) -> Simulations:
    hashes = [f"{number:08X}{0:032X}" for number in range(count)]
    colour = Colour(
        METHANOL, {hash_: float(place) for place, hash_ in enumerate(hashes)}, is_number=True
    )
    return Simulations(
        {hash_: place for place, hash_ in enumerate(hashes)},
        colour,
        ["completed"] * count,
        {},
        Privacy([]),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_table_of_the_corpus_is_an_entry_with_its_figures(case: Case) -> None:
    frames = case.frames()
    planned = restricted(plan(case.analysis, frames, [case.extras] * len(frames)))
    simulations = _simulations(len(frames))
    summaries = {
        hash_: summary_of(planned, frame, case.extras, WHOLE).to_bytes()
        for hash_, frame in zip(simulations.numbers, frames, strict=True)
    }
    content = content_of(case.analysis, planned, summaries, [], simulations)
    entry = json.loads(to_json(content.entry() | {"picture": picture(content, NO_CACHE)}))
    assert entry["kind"] == str(planned.kind)
    assert re.match(r"data:image/(svg\+xml|png);base64,[\w+/=]+$", entry["picture"])
    drawn = [frame for frame in frames if not misfit(planned, frame, case.extras)]
    assert entry["drawn"] == len(drawn)
    if entry["views"]:
        _check_figures(entry, planned, drawn)
    shown = {panel["quantity"] for view in entry["views"] for panel in view["panels"]}
    assert shown == set(range(len(entry["quantities"])))


def _check_figures(entry: Mapping[str, Any], planned: Any, drawn: Sequence[pa.Table]) -> None:
    """Check that the statistics of an entry are those of its frames."""
    expected = [
        figure
        for frame in drawn
        for figure in summarise(planned, frame)
        if (figure.mean is not None and np.isfinite(figure.mean))
    ]
    shown = [mean for mean in entry["statistics"].get("mean", []) if mean is not None]
    assert shown == [figure.mean for figure in expected]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_summary_has_the_curves_of_its_frame(case: Case) -> None:
    frames = case.frames()
    planned = restricted(plan(case.analysis, frames, [case.extras] * len(frames)))
    names = (*planned.y, *planned.scalars)
    for frame in frames:
        summary = summary_of(planned, frame, case.extras, WHOLE)
        assert Summary.from_bytes(summary.to_bytes()) == _as_read(summary)
        if summary.misfit or not names:
            continue
        member = summary.member("A", names, names)
        drawn = draw(planned, frame).curves
        assert len(member.drawing.curves) == len(drawn) == summary.count
        for curve, own in zip(drawn, member.drawing.curves, strict=True):
            assert (own.quantity, own.group) == (curve.quantity, curve.group)
            assert len(own.x) == len(curve.x)
            if len(own.y) == len(curve.y):
                ends = [end for end in (curve.low, curve.high) if end is not None]
                values = np.concatenate([curve.y, *ends])
                spread = np.nanmax(values, initial=0) - np.nanmin(values, initial=0)
                assert_allclose(own.y, curve.y, atol=float(spread) / 60_000, equal_nan=True)


def _as_read(summary: Summary) -> Summary:
    """Return a summary as JSON keeps it: with lists in place of tuples."""
    statistics, rows = json.loads(to_json([summary.statistics, summary.rows]))
    values: Iterator[Any] = iter(astuple(summary))
    misfit_, notes, groups, _, _, curves, count = values
    return Summary(misfit_, notes, groups, tuple(statistics), tuple(rows), curves, count)


def test_maps_of_many_cells_are_means_of_blocks() -> None:
    x, y = (places.ravel() for places in np.meshgrid(np.arange(100.0), np.arange(90.0)))
    frame = pa.table({"x": x, "y": y, "thickness": x + 1000 * y})
    planned = plan("thickness_map", [frame])
    (curve,) = (
        summary_of(planned, frame, {}, WHOLE).member("A", planned.y, planned.y).drawing.curves
    )
    assert len(curve.y) <= MAX_MAP_CELLS**2
    assert curve.y[0] == pytest.approx(np.mean([0, 1, 2]) + 1000 * np.mean([0, 1, 2]), abs=2)


HOSTILE = "</script><b>\x00\x1b[31m\u202e\u2028\ufffe'\"\\" + "x" * 10_000


def test_hostile_texts_are_cleaned_and_drawn() -> None:
    frame = pa.table({
        "time_ps": [0.0, 1.0] * 2,
        HOSTILE: ["A" + HOSTILE] * 2 + ["B" + HOSTILE] * 2,
        "y" + HOSTILE: [1.0, float("inf"), 3.0, float("nan")],
    })  # fmt: skip
    planned = plan(HOSTILE, [frame])
    simulations = _simulations(1)
    summary = summary_of(planned, frame, {}, WHOLE).to_bytes()
    hash_ = next(iter(simulations.numbers))
    content = content_of("hostile", planned, {hash_: summary}, [], simulations)
    text = to_json(content.entry()).decode()
    assert re.findall("[\x00-\x1f\x7f\u2028\u202e\ufffe]", text) == []
    assert picture(content, NO_CACHE).startswith("data:image/svg+xml;base64,")
    assert content.entry()["kind"] == "timeseries"


def test_texts_on_axes_and_of_groups_show_no_path() -> None:
    frame = pa.table({
        "file": [f"/home/ann/{name}.xtc" for name in "abcdefghijklmnop"],
        "rmsd": [float(n) for n in range(16)],
    })  # fmt: skip
    simulations = _simulations(1)
    planned = plan("rmsd", [frame])
    (hash_,) = simulations.numbers
    summary = summary_of(planned, frame, {}, WHOLE).to_bytes()
    content = content_of("rmsd", planned, {hash_: summary}, [], simulations)
    ((_, data),) = Analyses(contents=[content]).blobs(Detail())
    assert b"a.xtc" in data
    assert b"ann" not in data
    assert "/home/ann" not in to_json(content.entry()).decode()


def test_of_many_quantities_some_are_shown_and_it_is_said() -> None:
    columns = {f"energy_{number}": [1.0, 2.0] for number in range(50)}
    planned = restricted(plan("energies", [pa.table({"time_ps": [0.0, 1.0], **columns})]))
    assert len(planned.y) == 40
    assert "40 of 50 quantities are shown" in planned.notes
