"""Specifications of plans, and the rows that fill them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from mdfactory.errors import QueryError
from mdfactory.frames.curves import draw
from mdfactory.frames.plots import Plan, PlotKind, plan
from mdfactory.frames.statistics import summarise
from mdfactory.report.plots.axes import time_scale
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.fill import PICTURE, SCREEN, fill
from mdfactory.report.plots.panels import Member, shown_quantities
from mdfactory.report.plots.render import to_svg
from mdfactory.report.plots.specification import specification, with_data
from mdfactory.report.plots.themes import OTHER, themed
from mdfactory.report.plots.view import ColourKind, View, hash_colour, view_of

CHANCE = np.random.default_rng(7)
NEUTRAL = {
    *[
        "bin",
        "colour",
        "curve",
        "group",
        "high",
        "level",
        "low",
        "name",
        "offset",
        "panel",
        "text",
        "value",
        "x",
        "x2",
        "y",
        "y2",
        "z",
    ]
}


def hash_of(number: int) -> str:
    return f"{number:08X}" + "0" * 32


def members(planned: Plan, frames: Sequence[pa.Table]) -> list[Member]:
    return [
        Member(hash_of(number), draw(planned, frame), summarise(planned, frame))
        for number, frame in enumerate(frames)
    ]


def colour(number: int, values: Sequence[float | str | None] = ()) -> Colour:
    given = values or np.linspace(0.0, 0.5, number).tolist()
    hashes = [*map(hash_of, range(number))]
    is_number = not any(isinstance(value, str) for value in given)
    path = "system.species.MEO.fraction"
    return Colour(path, dict(zip(hashes, given, strict=True)), is_number=is_number)


def filled(
    name: str, frames: Sequence[pa.Table], values: Sequence[float | str | None] = (), **more: Any
) -> tuple[View, dict[str, Any]]:
    """Return a view, and the specification with its data."""
    planned = plan(name, frames, more.get("extras", ()))
    drawn = members(planned, frames)
    own = hash_colour(colour(len(frames), values), [member.hash for member in drawn])
    view = view_of(name, planned, drawn, own, shown_quantities(planned, more.get("y")))
    rows = fill(view, drawn, own, {}, more.get("limits", SCREEN))
    made = specification(planned, view)
    assert {*rows} <= {*made["datasets"]}
    return view, made | {"datasets": made["datasets"] | rows}


def density(number: int, rows: int = 40) -> list[pa.Table]:
    time = np.arange(rows) * 1.0
    return [
        pa.table({"time_ps": time, "density_g_cm3": 1 - place / number + CHANCE.normal(size=rows)})
        for place in range(number)
    ]


def parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all objects in a specification."""
    if isinstance(value, Mapping):
        yield value
        for child in value.values():
            yield from parts(child)
    elif isinstance(value, list):
        for child in value:
            yield from parts(child)


def encodings(made: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [part["encoding"] for part in parts(made) if "encoding" in part]


def test_a_series_has_a_row_for_each_curve_and_its_mean_with_an_error() -> None:
    frames = density(4)
    view, made = filled("density_timeseries", frames)
    rows = made["datasets"]
    assert (view.panels[0].y_title, view.x_title) == ("density (g/cm³)", "time (ps)")
    assert view.colour_title == "MEO fraction"
    for row, frame in zip(rows["curves"], frames, strict=True):
        assert_allclose(row["x"], frame["time_ps"])
        assert_allclose(row["y"], frame["density_g_cm3"], atol=1e-3)
    values = [row["y"] for row in rows["statistics"]]
    assert_allclose(values, [frame["density_g_cm3"].to_numpy().mean() for frame in frames])
    assert all(row["low"] < row["y"] < row["high"] for row in rows["statistics"])
    assert [row["value"] for row in rows["statistics"]] == [row["colour"] for row in rows["curves"]]
    assert rows["bands"] == rows["far"] == []


def test_a_profile_shows_its_maximum_since_its_mean_says_nothing() -> None:
    r = np.linspace(0.01, 1, 50)
    frames = [pa.table({"r_nm": r, "g_r": np.sin(r * 6) + place}) for place in range(3)]
    view, made = filled("rdf_oxygen", frames)
    assert view.statistic.format(view.panels[0].y_title) == "maximum of g(r)"
    values = [row["y"] for row in made["datasets"]["statistics"]]
    assert_allclose(values, [frame["g_r"].to_numpy().max() for frame in frames])


@pytest.mark.parametrize(
    ("longest", "unit", "shown", "factor"),
    [
        (50, "ps", "ps", 1),
        (2000, "ps", "ps", 1),
        (2001, "ps", "ns", 1e-3),
        (0.05, "ns", "ps", 1e3),
        (0.001, "ps", "fs", 1e3),
        (5e7, "ns", "µs", 1e-3),
        (1.5, "us", "ns", 1e3),
        (5.0, "min", "min", 1),
        (5.0, "", "", 1),
    ],
)
def test_a_time_is_shown_in_the_smallest_unit_that_suits_the_longest_run(
    longest: float, unit: str, shown: str, factor: float
) -> None:
    found, scale = time_scale(unit, longest)
    assert found == shown
    assert scale == pytest.approx(factor)


def test_times_are_drawn_in_the_shown_unit() -> None:
    frames = [pa.table({"time_ps": [0.0, 5000.0, 10000.0], "temperature": [1.0, 2.0, 3.0]})]
    view, made = filled("temperature", frames)
    assert view.x_title == "time (ns)"
    assert made["datasets"]["curves"][0]["x"] == [0.0, 5.0, 10.0]
    frames = [pa.table({"time_ns": [0.0, 1.0], "temperature": [1.0, 2.0]})]
    view, made = filled("temperature", frames)
    assert (view.x_title, view.ticks) == ("time (ps)", ((),))
    assert ">600<" in to_svg(themed(made))


def test_a_constant_has_an_axis_of_one_percent() -> None:
    frames = [pa.table({"time_ps": [0.0, 1.0, 2.0], "temperature": [300.0] * 3}) for _ in range(2)]
    view, made = filled("temperature", frames)
    panel = view.panels[0]
    assert (panel.y_range.low, panel.y_range.high) == pytest.approx((297, 303))
    domain = [panel.y_range.low, panel.y_range.high]
    assert {"domain": domain, "nice": False, "zero": False} in [*parts(made)]


def test_above_120_curves_there_are_bands_and_the_farthest_curves() -> None:
    few, many = density(120), density(121)
    assert len(filled("density", few)[1]["datasets"]["curves"]) == 120
    _, made = filled("density", many)
    rows = made["datasets"]
    assert rows["curves"] == []
    assert len(rows["bands"]) == 5
    assert len(rows["far"]) == 20
    assert len(rows["statistics"]) == 121
    assert [row["colour"] for row in rows["bands"]] == sorted(
        row["colour"] for row in rows["bands"]
    )
    for row in rows["bands"]:
        assert all(
            low <= y <= high for low, y, high in zip(row["low"], row["y"], row["high"], strict=True)
        )


def test_a_picture_has_fewer_curves_and_points() -> None:
    frames = density(60, 300)
    rows = filled("density", frames, limits=PICTURE)[1]["datasets"]
    assert [len(row["x"]) for row in rows["curves"]] == [60] * 60
    assert filled("density", density(61), limits=PICTURE)[1]["datasets"]["curves"] == []


def test_categories_have_colours_of_their_own_and_the_others_share_one() -> None:
    frames = density(12)
    texts = [*"aabbccddeefg"]
    view, made = filled("density", frames, texts)
    assert view.colour_kind is ColourKind.category
    assert view.categories == tuple("abcdefg")
    many = [*"aabbccddefgh", "i"]
    view, made = filled("density", density(13), many)
    assert view.categories[-1] == "other"
    assert {row["colour"] for row in made["datasets"]["curves"]} == {*view.categories}


def test_a_simulation_without_the_field_is_grey_and_still_drawn() -> None:
    view, made = filled("density", density(3), [0.1, None, 0.3])
    assert [row["colour"] for row in made["datasets"]["curves"]] == [0.1, None, 0.3]
    assert view.colour_kind is ColourKind.number
    assert "#8a8a8a" in to_svg(themed(made))


def test_simulations_that_are_the_same_are_told_apart_by_their_hashes() -> None:
    view, made = filled("density", density(3), [0.1] * 3)
    assert view.categories == tuple(sorted(row["name"] for row in made["datasets"]["curves"]))
    view, _ = filled("density", density(30), [0.1] * 30)
    assert view.colour_kind is ColourKind.none
    assert not view.has_statistics


def lipids(species: Sequence[str]) -> pa.Table:
    leaflets, times = ("upper", "lower"), range(20)
    rows = [(time, leaflet, name) for time in times for leaflet in leaflets for name in species]
    time, leaflet, name = zip(*rows, strict=True)
    apl = CHANCE.normal(0.6, 0.01, len(rows))
    return pa.table(
        {"time_ns": [*map(float, time)], "leaflet": leaflet, "species": name, "apl": apl}
    )


def test_each_group_has_a_panel() -> None:
    frames = [lipids(["POPC", "CHOL"]) for _ in range(3)]
    view, made = filled("area_per_lipid", frames)
    titles = ["upper · POPC", "upper · CHOL", "lower · POPC", "lower · CHOL"]
    assert sorted(panel.title for panel in view.panels) == sorted(titles)
    assert len(made["datasets"]["curves"]) == 12
    assert len(made["datasets"]["statistics"]) == 12


def test_the_groups_named_all_are_shown_first_and_the_others_are_named() -> None:
    view, _ = filled("area_per_lipid", [lipids(["POPC", "CHOL", "all"]) for _ in range(3)])
    assert sorted(panel.title for panel in view.panels) == ["lower · all", "upper · all"]
    assert any("of 6 groups" in note for note in view.notes)


def test_the_groups_of_one_simulation_share_a_panel() -> None:
    view, made = filled("area_per_lipid", [lipids(["POPC", "CHOL"])])
    assert len(view.panels) == 1
    assert {row["colour"] for row in made["datasets"]["curves"]} == {*view.categories}
    assert len(view.categories) == len(made["datasets"]["statistics"]) == 4


def test_quantities_of_one_kind_share_a_plot() -> None:
    box = {name: CHANCE.normal(3, 0.1, 20) for name in ("Lx", "Ly", "Lz")}
    frames = [pa.table({"time_ps": np.arange(20.0), **box}) for _ in range(2)]
    extras = [{"length_unit": "nm"}] * 2
    view, _ = filled("box_size", frames, extras=extras)
    assert [panel.y_title for panel in view.panels] == ["Lx (nm)", "Ly (nm)", "Lz (nm)"]
    view, _ = filled("box_size", frames, extras=extras, y=["Lz"])
    assert [panel.quantity for panel in view.panels] == ["Lz"]


def test_an_unknown_quantity_is_an_error_that_lists_them() -> None:
    planned = plan("density", density(1))
    with pytest.raises(QueryError, match="has no such quantity.*it has density_g_cm3"):
        shown_quantities(planned, "pressure")
    with pytest.raises(QueryError, match="did you mean 'density_g_cm3'"):
        shown_quantities(planned, ["density_g_cm"])


def test_maps_are_those_of_some_simulations_over_the_range_of_the_field() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(6.0), np.arange(4.0)))
    frames = [pa.table({"x": x, "y": y, "thickness": x + place}) for place in range(9)]
    extras = [{"plot": {"kind": "map", "x": ["x", "y"], "y": ["thickness"]}}] * 9
    view, made = filled("thickness_map", frames, extras=extras)
    assert view.kind is PlotKind.map
    assert [panel.title for panel in view.panels][:: len(view.panels) - 1] == [
        "MEO fraction 0",
        "MEO fraction 0.5",
    ]
    cells = [row for row in made["datasets"]["cells"] if row["panel"] == 0]
    assert len(cells) == 24
    assert {(row["x"], row["x2"]) for row in cells} == {(k - 0.5, k + 0.5) for k in range(6)}
    assert all(row["z"] == (row["x"] + row["x2"]) / 2 for row in cells)
    assert len(made["datasets"]["statistics"]) == 9


def test_a_large_map_has_the_means_of_blocks() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(100.0), np.arange(100.0)))
    extras = [{"plot": {"kind": "map", "x": ["x", "y"], "y": ["z"]}}]
    _, made = filled("map", [pa.table({"x": x, "y": y, "z": x})], extras=extras)
    cells = made["datasets"]["cells"]
    assert len(cells) <= 40 * 40
    assert_allclose(np.mean([row["z"] for row in cells]), x.mean(), rtol=0.02)


def test_bars_have_a_row_for_each_group_and_bands_of_many_simulations() -> None:
    frames = [pa.table({"pair": ["A", "B"], "energy": [1.0 + k, 2.0 + k]}) for k in range(150)]
    view, made = filled("interaction", frames[:5])
    assert view.kind is PlotKind.bars
    assert len(made["datasets"]["bars"]) == 10
    rows = filled("interaction", frames)[1]["datasets"]["bars"]
    assert len(rows) == 2 * 5
    assert all(row["low"] <= row["y"] <= row["high"] for row in rows)


def test_scalars_are_shown_against_the_field() -> None:
    frames = [pa.table({"D": [1.0 + k], "eta": [2.0]}) for k in range(4)]
    view, made = filled("transport", frames)
    assert view.kind is PlotKind.scalars
    assert [panel.quantity for panel in view.panels] == ["D", "eta"]
    values = [row["y"] for row in made["datasets"]["statistics"] if row["panel"] == 0]
    assert values == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (pa.table({"smiles": ["C", "O"], "count": [1, 2]}), PlotKind.chemistry),
        (
            pa.table({"time": pa.array([], pa.float64()), "x": pa.array([], pa.float64())}),
            PlotKind.empty,
        ),
        (pa.table({"note": ["a", "b"]}), PlotKind.table),
    ],
)
def test_what_is_not_drawn_is_a_text(frame: pa.Table, kind: PlotKind) -> None:
    view, made = filled("chemistry", [frame])
    assert view.kind is kind
    assert made["datasets"] == {}
    assert made["usermeta"]["mdfactory"]["x"] is None
    assert view.lines[0] in to_svg(themed(made))


HOSTILE = [
    "a\x00b",
    "\ufffe\uffff\ud7ff",
    "</script><script>alert(1)</script>",
    "'];alert(1)//\"\\`${x}",
    "datum.x",
    "a.b[c]",
    "\u202eleft",
    "__proto__",
    "constructor",
    "toString",
    "x" * 10_000,
    "\U0010fffe",
    " ",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_groups_are_drawn(text: str) -> None:
    rows = 20
    frames = [
        pa.table(
            {
                "time_ps": np.repeat(np.arange(rows) * 1.0, 2),
                f"{text}y": CHANCE.normal(size=2 * rows),
                text: [text, "other"] * rows,
            }
        )
        for _ in range(3)
    ]
    extras = [{"units": {f"{text}y": text}}] * 3
    view, made = filled("hostile", frames, [text, f"{text}2", None], extras=extras)
    assert view.panels
    svg = to_svg(themed(made))
    assert svg.count("<path") > 6
    assert "<script" not in svg


def test_field_names_are_neutral_and_names_of_columns_stand_nowhere_else() -> None:
    frames = [pa.table({"time_ps": [0.0, 1.0], "evil_name": [1.0, 2.0]}) for _ in range(2)]
    for frame_list in (frames, [lipids(["evil_name", "b"])] * 3):
        _, made = filled("density", frame_list)
        for encoding in encodings(made):
            for channel in encoding.values():
                fields = channel if isinstance(channel, list) else [channel]
                assert {field["field"] for field in fields if "field" in field} <= NEUTRAL
        texts = [part["filter"] for part in parts(made) if "filter" in part]
        assert not [text for text in texts if "evil" in text]


def test_a_specification_has_no_data_of_its_own_and_depends_on_nothing_else() -> None:
    planned = plan("density", density(3))
    drawn = members(planned, density(3))
    view = view_of("density", planned, drawn, colour(3), shown_quantities(planned))
    made = specification(planned, view)
    assert made == specification(planned, replace(view))
    assert made["datasets"] == {"bands": [], "curves": [], "far": [], "statistics": []}
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_layers_without_rows_are_left_out() -> None:
    planned = plan("density", density(3))
    drawn = members(planned, density(3))
    view = view_of("density", planned, drawn, colour(3), shown_quantities(planned))
    empty = specification(planned, view)
    made = with_data(empty, fill(view, drawn, colour(3)))
    assert [layer["data"]["name"] for layer in made["hconcat"][0]["layer"]] == ["curves"]
    assert len(made["datasets"]["curves"]) == 3
    assert empty == specification(planned, view)
    assert len(with_data(empty, {})["hconcat"][0]["layer"]) == len(empty["hconcat"][0]["layer"])


def test_gaps_are_nulls_and_numbers_that_json_lacks_are_not_written() -> None:
    values = [1.0, float("nan"), float("inf"), 2.0]
    frames = [pa.table({"time_ps": np.arange(4.0), "temperature": values}) for _ in range(2)]
    _, made = filled("temperature", frames)
    assert made["datasets"]["curves"][0]["y"] == [1.0, None, None, 2.0]
    assert json.dumps(made, allow_nan=False)


def test_a_unit_that_is_not_recorded_is_said() -> None:
    view, made = filled("energy", [pa.table({"frame": [0, 1, 2], "energy": [1.0, 3.0, 2.0]})] * 2)
    assert "unit not recorded: energy" in view.notes
    assert "unit not recorded: energy" in made["title"]["subtitle"]
    assert "unit not recorded: energy" in made["usermeta"]["mdfactory"]["notes"]


@pytest.mark.parametrize("name", ["count", "g_r", "n_lipids", "is_bound", "order_parameter"])
def test_a_quantity_that_has_no_unit_lacks_none(name: str) -> None:
    values = [True, False, True] if name == "is_bound" else [1.0, 3.0, 2.0]
    view, _ = filled("any", [pa.table({"frame": [0, 1, 2], name: values})] * 2)
    assert not [note for note in view.notes if "unit" in note]


def test_equal_values_are_not_rounded_to_a_whole_number() -> None:
    frames = [pa.table({"v": [1.5], "x": [0.4]}) for _ in range(3)]
    view, made = filled("scalars", frames)
    svg = to_svg(themed(made))
    assert ">1.500<" in svg
    assert ">0.400<" in svg
    assert [panel.statistic_range.low for panel in view.panels] == pytest.approx([1.485, 0.396])


@pytest.mark.parametrize("size", [1e-310, 0.0, 1e300])
def test_values_of_any_size_have_an_axis(size: float) -> None:
    values = CHANCE.normal(size=20) * size
    frames = [pa.table({"time_ps": np.arange(20.0), "v": values}) for _ in range(2)]
    _, made = filled("size", frames)
    assert to_svg(themed(made)).count("<path") > 4


def test_recorded_errors_that_are_not_drawn_do_not_stretch_the_axis() -> None:
    rows = {"time_ps": np.arange(20.0), "v": np.ones(20), "v_err": np.full(20, 1e6)}
    few, _ = filled("v", [pa.table(rows)] * 3)
    many, _ = filled("v", [pa.table(rows)] * 4)
    assert few.has_spread
    assert "bands: the recorded error" in few.notes
    assert not many.has_spread
    assert any("are left out" in note for note in many.notes)
    assert many.panels[0].y_range.high == pytest.approx(1.01)


def numbered(values: Sequence[float]) -> pa.Table:
    """Return series of some values of a number that divides them."""
    times = np.tile(np.arange(10.0), len(values))
    rows = {"time_ps": times, "v": CHANCE.normal(size=len(times))}
    return pa.table(rows | {"window_index": np.repeat([*map(int, values)], 10)})


def test_groups_of_numbers_are_in_their_order_and_have_the_name_of_their_column() -> None:
    view, _ = filled("v", [numbered([10, 2, 7])] * 2)
    assert [panel.title for panel in view.panels] == [f"window index {n}" for n in (2, 7, 10)]


def test_the_groups_that_are_shown_are_the_largest() -> None:
    rows = {
        "time_ps": [0.0, *np.tile(np.arange(5.0), 12)],
        "species": ["small", *np.repeat([f"large {n}" for n in range(12)], 5)],
    }
    frame = pa.table(rows | {"apl": CHANCE.normal(size=61)})
    extras = [{"plot": {"kind": "timeseries", "groups": ["species"]}}] * 2
    view, _ = filled("area", [frame] * 2, extras=extras)
    assert "small" not in [panel.title for panel in view.panels]
    assert "12 of 13 groups are shown" in view.notes


def test_quantities_that_are_left_out_are_counted() -> None:
    columns = {str(n): CHANCE.normal(size=20) for n in range(16)}
    frames = [pa.table({"time_ps": np.arange(20.0), **columns})] * 2
    view, made = filled("windows", frames)
    assert len(view.panels) == 12
    assert "12 of 16 quantities are shown" in view.notes
    assert to_svg(themed(made))
    with pytest.raises(QueryError, match="at most 12"):
        shown_quantities(plan("windows", frames), [*columns])


def test_names_are_points_that_no_line_joins() -> None:
    names = [f"R{n:02}" for n in range(40)]
    frames = [pa.table({"resname": names, "contacts": CHANCE.normal(size=40)}) for _ in range(3)]
    view, made = filled("contacts", frames)
    assert view.names == 40
    curves = made["hconcat"][0]
    assert {layer["mark"]["type"] for layer in curves["layer"]} == {"rule", "point"}
    axes = [part["x"]["axis"] for part in encodings(curves)]
    assert {axis["labelAngle"] for axis in axes} == {-90}


def test_each_group_of_a_simulation_has_its_name_on_the_axis() -> None:
    frames = [lipids(["POPC", "CHOL", "DPPE"])]
    svg = to_svg(themed(filled("area", frames)[1]))
    for name in ("POPC", "CHOL", "DPPE"):
        assert svg.count(f">upper · {name}<") == svg.count(f">lower · {name}<") == 2


def test_a_boolean_is_a_curve_of_steps() -> None:
    frames = [pa.table({"time_ps": np.arange(6.0), "is_bound": [True, False] * 3})] * 2
    _, made = filled("bound", frames)
    lines = [part for part in parts(made["hconcat"][0]) if part.get("type") == "line"]
    assert {line["interpolate"] for line in lines} == {"step-after"}


def test_a_counter_has_ticks_at_whole_numbers() -> None:
    frames = [pa.table({"frame": [0, 1, 2], "energy": [100.0, 300.0, 200.0]})] * 2
    view, made = filled("energy", frames, [7.0, 9.0])
    assert view.ticks == ((0, 1, 2),)
    svg = to_svg(themed(made | {"hconcat": made["hconcat"][:1]}))
    assert ">1<" in svg
    assert ">0.5<" not in svg


def test_large_numbers_have_an_exponent() -> None:
    frames = [pa.table({"time_ps": np.arange(5.0), "energy": np.arange(5.0) * 2e9})] * 2
    svg = to_svg(themed(filled("energy", frames)[1]))
    assert ">8e9<" in svg
    assert ",000,000<" not in svg


def test_error_bars_of_values_that_are_never_negative_end_at_zero() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(5.0), np.arange(5.0)))
    counts = np.where(x == y, 20.0, 0.0)
    extras = [{"plot": {"kind": "map", "x": ["x", "y"], "y": ["count"]}}] * 2
    frames = [pa.table({"x": x, "y": y, "count": counts})] * 2
    _, made = filled("contacts", frames, extras=extras)
    (panel,) = [part for part in made["vconcat"] if part.get("data") == {"name": "statistics"}]
    rule = panel["layer"][0]
    assert rule["mark"]["clip"]
    assert rule["encoding"]["y"]["scale"]["domainMin"] == 0


def test_a_map_of_averaged_cells_says_so() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(100.0), np.arange(50.0)))
    extras = [{"plot": {"kind": "map", "x": ["x", "y"], "y": ["z"]}}]
    view, _ = filled("map", [pa.table({"x": x, "y": y, "z": x})], extras=extras)
    assert "each cell is the mean of 3 x 2 cells" in view.notes


def test_a_profile_over_the_rows_shows_its_mean() -> None:
    frames = [pa.table({"rg": CHANCE.normal(size=20)}) for _ in range(3)]
    view, made = filled("rg", frames)
    assert view.statistic == "mean {}"
    values = [row["y"] for row in made["datasets"]["statistics"]]
    assert_allclose(values, [frame["rg"].to_numpy().mean() for frame in frames])


def test_points_of_bars_need_no_zero() -> None:
    frames = [pa.table({"pair": [f"p{n:03}" for n in range(12)], "energy": np.arange(12) + 900.0})]
    view, made = filled("interaction", frames * 2, [0.5, 0.7])
    assert view.kind is PlotKind.bars
    assert ">0<" not in to_svg(themed(made))


def test_titles_of_panels_are_cut_at_their_width() -> None:
    names = [f"{'G' * 70}{n}" for n in range(4)]
    view, made = filled("area", [lipids(names)] * 2)
    assert len(view.panels) == 8
    titles = [part["title"] for part in parts(made) if isinstance(part.get("title"), dict)]
    assert {title["limit"] for title in titles if "limit" in title} == {170}


@pytest.mark.parametrize("values", [(0.1, None, 0.5), ("a", None, "b")])
def test_simulations_without_the_field_of_the_colour_are_grey_and_counted(
    values: Sequence[float | str | None],
) -> None:
    view, made = filled("density_timeseries", density(3), values)
    assert "grey: 1 of 3 simulations without MEO fraction" in view.notes
    drawn = re.findall(rf'<path [^>]*d="M[^"]+L[^>]*stroke="{OTHER}"', to_svg(themed(made)))
    assert len(drawn) == 1
