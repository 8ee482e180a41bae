"""Curves of frames: groups, order, gaps, means, bands, and what thinning leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames.plotted import planned
from mdfactory.frames.curves import Curve, Drawing, draw, thin
from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.testing.frames import MODERATE

SERIES = Plan(PlotKind.timeseries, x=("time",), y=("y",))
PROFILE = Plan(PlotKind.profile, x=("r",), y=("y",))
NAN = float("nan")


def xy(curve: Curve) -> list[list[object]]:
    return [*(places.tolist() for places in curve.x), curve.y.tolist()]


def only(plan: Plan, **columns: object) -> Curve:
    (curve,) = draw(plan, pa.table(columns)).curves
    return curve


def equal(actual: np.ndarray | None, expected: Sequence[float]) -> bool:
    return actual is not None and np.allclose(actual, expected, equal_nan=True)


def notes(plan: Plan, **columns: object) -> tuple[str, ...]:
    return draw(plan, pa.table(columns)).notes


def test_draw_returns_a_series_as_it_stands() -> None:
    frame = pa.table({"time": [0.0, 0.5, 1.0], "y": [3, 1, 2]})
    drawing = draw(SERIES, frame)
    (curve,) = drawing.curves
    assert (curve.quantity, curve.group, curve.low, curve.high) == ("y", (), None, None)
    assert xy(curve) == [[0.0, 0.5, 1.0], [3.0, 1.0, 2.0]]
    assert (drawing.scalars, drawing.notes) == ({}, ())


def test_draw_sorts_a_series_whose_times_are_in_no_order() -> None:
    assert xy(only(SERIES, time=[2, 0, 1], y=[20, 0, 10])) == [[0, 1, 2], [0, 10, 20]]
    assert notes(SERIES, time=[2, 0, 1], y=[20, 0, 10]) == ()


def test_draw_keeps_the_order_of_rows_whose_time_repeats() -> None:
    columns = {"time": [0, 1, 2, 1, 2, 3], "y": [0, 1, 2, 3, 4, 5]}
    assert xy(only(SERIES, **columns)) == [columns["time"], columns["y"]]
    assert notes(SERIES, **columns) == ("time repeats (restart?)",)


def test_draw_orders_each_group_by_itself() -> None:
    plan = Plan(PlotKind.timeseries, x=("time",), y=("y",), groups=("g",))
    columns = {"time": [1, 0, 0, 0, 2], "g": ["a", "a", "b", "b", "b"], "y": [1, 2, 3, 4, 5]}
    drawing = draw(plan, pa.table(columns))
    assert [(curve.group, xy(curve)) for curve in drawing.curves] == [
        (("a",), [[0, 1], [2, 1]]),
        (("b",), [[0, 0, 2], [3, 4, 5]]),
    ]
    assert drawing.notes == ("time repeats (restart?)",)


def test_draw_keeps_gaps_and_counts_them() -> None:
    columns = {"time": [0, 1, 2, 3, 4], "y": [1.0, None, NAN, float("inf"), 2.0]}
    assert equal(only(SERIES, **columns).y, [1, NAN, NAN, NAN, 2])
    assert notes(SERIES, **columns) == ("y: 3 of 5 values are gaps",)
    assert notes(SERIES, time=[0, 1], y=[1.0, None]) == ("y: 1 of 2 values is a gap",)


def test_draw_leaves_out_rows_without_a_time() -> None:
    columns = {"time": [0.0, None, 2.0], "y": [1, 2, 4]}
    assert xy(only(SERIES, **columns)) == [[0, 2], [1, 4]]
    assert notes(SERIES, **columns) == ("1 row without a value of time left out",)


def test_draw_says_what_is_constant() -> None:
    assert notes(SERIES, time=[0, 1], y=[0, 0]) == ("y: constant",)
    assert notes(SERIES, time=[0, 1], y=[5.0, 5.0 + 4e-9]) == ("y: constant",)
    assert notes(SERIES, time=[0, 1], y=[5.0, 5.0 + 6e-9]) == ()
    assert notes(SERIES, time=[0, 1, 2], y=[-7.0, None, -7.0])[1:] == ("y: constant",)
    assert notes(SERIES, time=[0], y=[5.0]) == ()
    assert notes(SERIES, time=[0, 1], y=[5.0, None]) == ("y: 1 of 2 values is a gap",)


def test_draw_counts_the_groups_in_which_a_quantity_is_constant() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y", "z"), groups=("g",))
    columns = {"t": [0, 1, 0, 1], "g": ["a", "a", "b", "b"], "y": [1, 1, 2, 3], "z": [4, 4, 4, 4]}
    assert notes(plan, **columns) == ("y: constant in 1 of 2 groups", "z: constant")


def test_draw_says_what_is_constant_beside_a_group_of_one_point() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y",), groups=("g",))
    columns = {"t": [0, 1, 0], "g": ["a", "a", "b"], "y": [1, 1, 1]}
    assert notes(plan, **columns) == ("y: constant in 1 of 2 groups",)


def test_draw_leaves_out_ends_of_error_bars_beyond_the_largest_float() -> None:
    plan = Plan(PlotKind.profile, x=("r",), y=("y",), errors={"y": "e"})
    curve = only(plan, r=[0.0], y=[1.5e308], e=[1.5e308])
    assert equal(curve.low, [0])
    assert equal(curve.high, [NAN])


def test_draw_says_the_same_of_several_quantities_once() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("a", "b", "c", "d", "e"))
    constants = {name: [1, 1] for name in "abcde"}
    assert notes(plan, t=[0, 1], **constants) == ("a, b, c, and 2 more: constant",)


def test_draw_gives_the_first_quantity_and_the_first_group_first() -> None:
    plan = Plan(
        PlotKind.timeseries,
        x=("t",),
        y=("b", "a"),
        groups=("leaflet", "species"),
        first_group="all",
    )
    rows = [("upper", "POPC"), ("upper", "all"), ("all", "POPC"), ("all", "all"), ("lower", "all")]
    leaflet, species = zip(*rows, strict=True)
    frame = pa.table(
        {"t": [0] * 5, "leaflet": leaflet, "species": species, "a": range(5), "b": range(5)}
    )
    ordered = [rows[3], rows[1], rows[2], rows[4], rows[0]]
    curves = draw(plan, frame).curves
    assert [(curve.quantity, curve.group) for curve in curves] == [
        (quantity, group) for quantity in ("b", "a") for group in ordered
    ]
    assert [curve.y.tolist() for curve in curves[:5]] == [[3], [1], [2], [4], [0]]


def test_draw_names_groups_as_texts_in_the_order_of_the_rows() -> None:
    def groups(values: object) -> list[str]:
        plan = Plan(PlotKind.bars, y=("y",), groups=("g",))
        frame = pa.table({"g": values, "y": range(len(values))})  # type: ignore[arg-type]
        return [curve.group[0] for curve in draw(plan, frame).curves]

    assert groups(["z", "", None, "a"]) == ["z", "", "no value", "a"]
    assert groups([10, 2, None]) == ["10", "2", "no value"]
    assert groups([True, False]) == ["true", "false"]
    assert groups(pa.array([0.1, 0.25, 1.0], pa.float32())) == ["0.1", "0.25", "1.0"]
    assert groups([Decimal("1.50"), Decimal("0.10")]) == ["1.50", "0.10"]
    assert groups([date(2024, 5, 17)]) == ["2024-05-17"]
    assert groups([[1, 2], [1]]) == ["[1, 2]", "[1]"]
    assert groups(pa.array(["b", "a"]).dictionary_encode()) == ["b", "a"]


def test_draw_joins_groups_whose_texts_are_equal() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y",), groups=("g",))
    parts = [pa.array(["a", "b", "no value"]), pa.array(["b", None, "c"])]
    encoded = pa.chunked_array([part.dictionary_encode() for part in parts])
    frame = pa.table({"t": range(6), "g": encoded, "y": range(6)})
    curves = {curve.group: curve.y.tolist() for curve in draw(plan, frame).curves}
    assert curves == {("a",): [0], ("b",): [1, 3], ("no value",): [2, 4], ("c",): [5]}


def test_draw_reads_categories_in_parts_of_which_one_is_missing() -> None:
    part = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array([None, "a"]))
    column = pa.chunked_array([part, pa.array(["b", "a"]).dictionary_encode()])
    plan = Plan(PlotKind.bars, y=("y",), groups=("g",))
    curves = draw(plan, pa.table({"g": column, "y": [1.0, 2.0, 3.0, 4.0]})).curves
    assert [(curve.group, curve.y.tolist()) for curve in curves] == [
        (("no value",), [1]),
        (("a",), [3]),
        (("b",), [3]),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None], pa.int8()), [1, NAN]),
        (pa.array([2**63, 1], pa.uint64()), [2.0**63, 1]),
        (pa.array([1.5, None], pa.float16()), [1.5, NAN]),
        (pa.array([True, None, False]), [1, NAN, 0]),
        (pa.array([Decimal("1.25"), None], pa.decimal256(70, 9)), [1.25, NAN]),
        (pa.array([datetime(1970, 1, 2, tzinfo=UTC), None]), [86_400, NAN]),
        (pa.array([1500, None], pa.timestamp("ms")), [1.5, NAN]),
        (pa.array([date(1970, 1, 3), None]), [172_800, NAN]),
        (pa.array([date(1970, 1, 3)], pa.date64()), [172_800]),
        (pa.array([timedelta(minutes=2), None]), [120, NAN]),
        (pa.array([90, None], pa.time32("s")), [90, NAN]),
        (pa.array([7, None, 7], pa.int32()).dictionary_encode(), [7, NAN, 7]),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), [4.0, 5.0]), [4, 4, 5]),
        (pa.array([1, 0], pa.int8()).cast(pa.bool8()), [1, 0]),
        (pa.nulls(2), [NAN, NAN]),
        (pa.array(["1", "2"]), [NAN, NAN]),
    ],
)
def test_draw_reads_each_type_of_number(values: pa.Array, expected: list[float]) -> None:
    curve = only(SERIES, time=range(len(values)), y=values)
    assert curve.y.dtype == np.float64
    assert equal(curve.y, expected)


def test_draw_reads_times_of_each_type() -> None:
    times = pa.array([timedelta(seconds=3), timedelta(seconds=1)])
    assert xy(only(SERIES, time=times, y=[3, 1])) == [[1, 3], [1, 3]]


def test_draw_sorts_a_profile_along_its_axis() -> None:
    assert xy(only(PROFILE, r=[0.3, 0.1, 0.2], y=[3, 1, 2])) == [[0.1, 0.2, 0.3], [1, 2, 3]]
    assert xy(only(PROFILE, r=[1, 0, 1], y=[3, 1, 2])) == [[0, 1, 1], [1, 3, 2]]
    assert notes(PROFILE, r=[1, 0, 1], y=[3, 1, 2]) == ("r repeats",)


def test_draw_numbers_the_rows_of_a_profile_without_an_axis() -> None:
    plan = Plan(PlotKind.profile, y=("y",))
    assert xy(only(plan, y=[5, 4, 6])) == [[0, 1, 2], [5, 4, 6]]


def test_draw_reads_an_index_that_is_a_named_range() -> None:
    index = pd.RangeIndex(10, 16, 2, name="frame")
    frame = pa.Table.from_pandas(pd.DataFrame({"y": [1, 2, 3]}, index=index))
    (curve,) = draw(Plan(PlotKind.timeseries, x=("frame",), y=("y",)), frame).curves
    assert xy(curve) == [[10, 12, 14], [1, 2, 3]]


def test_draw_keeps_texts_of_an_axis_in_their_order() -> None:
    assert xy(only(PROFILE, r=["TRP", "ALA", "GLY"], y=[3, 1, 2])) == [
        ["TRP", "ALA", "GLY"],
        [3, 1, 2],
    ]


def test_draw_takes_the_mean_of_a_profile_in_time() -> None:
    plan = Plan(PlotKind.profile, x=("z",), y=("y",), groups=("g",), mean_over="time")
    frame = pa.table(
        {
            "time": [0, 0, 1, 1, 0, 1],
            "z": [1.0, 0.0, 0.0, 1.0, 0.0, 1.0],
            "g": ["a", "a", "a", "a", "b", "b"],
            "y": [4.0, 1.0, 3.0, None, None, 7.0],
        }
    )
    drawing = draw(plan, frame)
    first, second = drawing.curves
    assert xy(first) == [[0, 1], [2, 4]]
    assert second.x[0].tolist() == [0, 1]
    assert equal(second.y, [NAN, 7])
    assert drawing.notes == ("y: 2 of 6 values are gaps",)


def test_draw_takes_places_that_differ_by_rounding_for_one() -> None:
    plan = Plan(PlotKind.profile, x=("z",), y=("y",), mean_over="time")
    columns = {"time": [0, 0, 1, 1], "z": [0.1, 0.3, 0.1, 0.1 + 0.2], "y": [1, 2, 3, 4]}
    assert xy(only(plan, **columns)) == [[0.1, 0.3], [2, 3]]


def test_draw_takes_the_mean_of_bins_that_move_with_the_box() -> None:
    plan = Plan(PlotKind.profile, x=("z",), y=("y",), groups=("g",), mean_over="time")
    box = np.array([4.0, 4.1, 3.9])
    time, group, bins = (part.ravel() for part in np.mgrid[:3, :2, :5])
    order = np.random.default_rng(2).permutation(30)
    columns = {"time": time, "g": group, "z": box[time] * bins + box[time], "y": bins + time}
    frame = pa.table({name: values[order] for name, values in columns.items()})
    drawing = draw(plan, frame)
    for curve in drawing.curves:
        assert equal(curve.x[0], [4, 8, 12, 16, 20])
        assert equal(curve.y, [1, 2, 3, 4, 5])
    assert drawing.notes == ("z moves in time: mean of the bins in their order",)


def test_draw_keeps_places_that_occur_at_one_time_each() -> None:
    plan = Plan(PlotKind.profile, x=("z",), y=("y",), mean_over="time")
    one_time = {"time": [5, 5], "z": [0.0, 1.0], "y": [1, 2]}
    uneven = {"time": [0, 0, 1], "z": [0.0, 1.0, 2.0], "y": [1, 2, 3]}
    for columns in (one_time, uneven):
        assert xy(only(plan, **columns)) == [columns["z"], columns["y"]]
        assert notes(plan, **columns) == ()


def test_draw_gives_each_cell_of_a_map_the_mean_in_time() -> None:
    plan = Plan(PlotKind.map, x=("x", "y"), y=("h",), mean_over="time")
    columns = {
        "time": [0, 0, 0, 1, 1],
        "x": [1.0, 0.0, 0.0, 0.0, 1.0],
        "y": [0.5, 1.5, 0.5, 0.5, 0.5],
        "h": [4, 3, 1, 2, 6],
    }
    assert xy(only(plan, **columns)) == [[0, 0, 1], [0.5, 1.5, 0.5], [1.5, 3, 5]]
    assert notes(plan, **columns) == ()


def test_draw_maps_texts_in_the_order_of_the_rows() -> None:
    plan = Plan(PlotKind.map, x=("i", "j"), y=("contacts",))
    columns = {"i": ["W", "W", "A", "A"], "j": ["W", "A", "W", "W"], "contacts": [9, 2, 3, 5]}
    assert xy(only(plan, **columns)) == [["W", "W", "A"], ["W", "A", "W"], [9, 2, 4]]
    assert notes(plan, **columns) == ("several rows for one value: their mean",)


def test_draw_keeps_all_cells_of_a_map() -> None:
    plan = Plan(PlotKind.map, x=("i", "j"), y=("h",))
    i, j = (part.ravel() for part in np.mgrid[:20, :20])
    assert len(only(plan, i=i, j=j, h=i * j).y) == 400
    assert notes(plan, i=i, j=j, h=i * j) == ()


def test_draw_bands_a_population_at_each_time() -> None:
    plan = Plan(PlotKind.population, x=("time",), y=("rg",), groups=("resname",), entity="resid")
    random = np.random.default_rng(3)
    radii = random.normal(size=(4, 2, 30))  # times, names, members
    radii[1, 0, 5] = np.nan
    radii[2, 1] = np.nan
    time, name, member = (part.ravel() for part in np.mgrid[:4, :2, :30])
    order = random.permutation(time.size)
    frame = pa.table(
        {
            "time": time[order],
            "resname": np.array(["A", "B"], object)[name[order]],
            "resid": member[order],
            "rg": radii.ravel()[order],
        }
    )
    drawing = draw(plan, frame)
    for curve in drawing.curves:
        own = radii[:, "AB".index(curve.group[0])]
        present = [row[np.isfinite(row)] for row in own]
        assert curve.x[0].tolist() == [0, 1, 2, 3]
        assert equal(curve.y, [row.mean() if len(row) else NAN for row in present])
        for end, percent in ((curve.low, 5), (curve.high, 95)):
            expected = [np.percentile(row, percent) if len(row) else NAN for row in present]
            assert equal(end, expected)
    assert drawing.notes == ("rg: 31 of 240 values are gaps",)


def test_draw_says_when_a_member_has_two_rows_at_one_time() -> None:
    plan = Plan(PlotKind.population, x=("t",), y=("rg",), entity="resid")
    columns = {"t": [0, 0, 0], "resid": [1, 2, 1], "rg": [1, 2, 3]}
    assert notes(plan, **columns) == ("time repeats (restart?)",)


def test_draw_gives_a_bar_one_value_a_group() -> None:
    plan = Plan(PlotKind.bars, y=("y",), groups=("g",), errors={"y": "y_err"})
    frame = pa.table({"g": ["a", "b", "a"], "y": [1, 5, 2], "y_err": [0.1, -0.5, 0.3]})
    drawing = draw(plan, frame)
    assert [curve.x for curve in drawing.curves] == [(), ()]
    assert [curve.y.tolist() for curve in drawing.curves] == [[1.5], [5]]
    assert equal(drawing.curves[0].low, [1.3])
    assert equal(drawing.curves[1].high, [5.5])
    assert drawing.notes == ("several rows for one value: their mean",)


def test_draw_gives_scalars_their_values() -> None:
    plan = Plan(PlotKind.scalars, y=("a", "b"))
    drawing = draw(plan, pa.table({"a": [1], "b": [2.5]}))
    assert [(curve.quantity, curve.y.tolist()) for curve in drawing.curves] == [
        ("a", [1]),
        ("b", [2.5]),
    ]


def test_draw_makes_error_bars_of_a_column_of_errors() -> None:
    plan = Plan(PlotKind.profile, x=("r",), y=("y",), errors={"y": "y_std"})
    curve = only(plan, r=[2, 1], y=[20.0, 10.0], y_std=[2.0, None])
    assert equal(curve.low, [NAN, 18])
    assert equal(curve.high, [NAN, 22])


def test_draw_returns_the_one_value_of_a_scalar_in_each_group() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y",), groups=("g",), scalars=("n", "m"))
    frame = pa.table(
        {
            "t": [0, 0, 1, 1],
            "g": ["a", "b", "a", "b"],
            "y": [1, 2, 3, 4],
            "n": [0.1, None, 0.1, None],
            "m": [1, 7, 2, 7],
        }
    )
    scalars = {("n", ("a",)): 0.1, ("m", ("a",)): 1.5, ("m", ("b",)): 7}
    assert draw(plan, frame).scalars == scalars
    of_bars = Plan(PlotKind.bars, y=("y",), groups=("g",), scalars=("n", "m"))
    assert draw(of_bars, frame).scalars == scalars


@pytest.mark.parametrize("kind", ["chemistry", "table", "empty"])
def test_draw_has_no_curves_of_what_is_no_plot(kind: str) -> None:
    plan = Plan(PlotKind(kind), y=("y",), scalars=("y",))
    assert draw(plan, pa.table({"y": [1, 2]})) == Drawing((), {}, ())


@pytest.mark.parametrize("groups", [(), ("g",)])
def test_draw_has_no_curves_of_a_frame_without_rows(groups: tuple[str, ...]) -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y",), groups=groups, scalars=("y",))
    frame = pa.table({"t": [0.0], "g": ["a"], "y": [1.0]})
    assert draw(plan, frame.slice(0, 0)) == Drawing((), {}, ())
    assert draw(plan, frame.schema.empty_table()) == Drawing((), {}, ())


def test_draw_thins_long_curves_and_says_so() -> None:
    plan = Plan(PlotKind.timeseries, x=("t",), y=("y",), errors={"y": "e"})
    t = np.arange(1000.0)
    frame = pa.table({"t": t, "y": np.sin(t), "e": t})
    drawing = draw(plan, frame)
    (curve,) = drawing.curves
    assert 190 <= len(curve.y) <= 200
    assert drawing.notes == ("thinned: at most 200 of 1,000 points",)
    places = curve.x[0]
    assert equal(curve.y, np.sin(places))
    assert equal(curve.low, np.sin(places) - places)
    assert equal(curve.high, np.sin(places) + places)
    assert len(draw(plan, frame, points=60).curves[0].y) <= 60
    assert draw(plan, frame, points=1000).notes == ()


def test_thin_refuses_fewer_points_than_the_ends_and_extremes_of_a_curve() -> None:
    with pytest.raises(ValueError, match="at least 8 points, got 7"):
        thin(Curve("y", (), (np.arange(9.0),), np.arange(9.0)), 7)


def test_thin_divides_the_points_into_buckets_of_equal_numbers() -> None:
    y = np.zeros(202)
    y[1::2] = np.arange(101)
    thinned = thin(Curve("y", (), (np.arange(202.0),), y), 22).x[0].astype(int)
    assert len(thinned) == 22
    inner = np.histogram(thinned[1:-1], np.arange(1, 202, 20))[0]
    assert inner.tolist() == [2] * 10


VALUES = st.one_of(
    st.floats(-1e300, 1e300),
    st.just(NAN),
    st.sampled_from([0.0, 1.0, -1.0]),
)


@MODERATE
@given(st.lists(VALUES, min_size=1, max_size=120), st.integers(8, 130))
def test_thin_keeps_the_ends_the_extremes_and_the_order(values: list[float], points: int) -> None:
    y, x = np.array(values), np.arange(float(len(values)))
    thinned = thin(Curve("y", (), (x,), y, low=y - 1, high=y + 1), points)
    places = thinned.x[0].astype(int)
    assert len(places) <= points
    assert (len(places) == len(y)) or len(y) > points
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, len(y) - 1)
    for whole, own in ((y, thinned.y), (y - 1, thinned.low), (y + 1, thinned.high)):
        assert own is not None
        assert np.array_equal(own, whole[places], equal_nan=True)
    if np.isfinite(y).any():
        assert np.nanmin(thinned.y) == np.nanmin(y)
        assert np.nanmax(thinned.y) == np.nanmax(y)


@MODERATE
@given(st.lists(VALUES, min_size=1, max_size=120), st.integers(8, 60))
def test_thin_joins_no_points_that_a_gap_divides(values: list[float], points: int) -> None:
    y = np.array(values)
    thinned = thin(Curve("y", (), (np.arange(float(len(y))),), y), points)
    places = thinned.x[0].astype(int)
    for start, end in pairwise(places):
        joined = np.isfinite(y[[start, end]]).all()
        assert not (joined and np.isnan(y[start:end]).any())


@MODERATE
@given(planned())
def test_draw_of_any_frame_raises_nothing(case: tuple[Plan, pa.Table]) -> None:
    plan, frame = case
    drawing = draw(plan, frame, points=8)
    keys = [(curve.quantity, curve.group) for curve in drawing.curves]
    assert len(set(keys)) == len(keys)
    for curve in drawing.curves:
        assert curve.y.dtype == np.float64
        assert not np.isinf(curve.y).any()
        ends = [end for end in (curve.low, curve.high) if end is not None]
        assert not any(np.isinf(end).any() for end in ends)
        assert all(places.shape == curve.y.shape for places in (*curve.x, *ends))


@MODERATE
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab"), VALUES), max_size=80),
    st.sampled_from([PlotKind.timeseries, PlotKind.profile]),
)
def test_draw_leaves_every_value_of_a_series_within_its_curve(
    rows: list[tuple[int, str, float]], kind: PlotKind
) -> None:
    plan = Plan(kind, x=("t",), y=("y",), groups=("g",))
    t, g, y = (list(part) for part in zip(*rows, strict=True)) if rows else ([], [], [])
    frame = pa.table({"t": pa.array(t, pa.int64()), "g": pa.array(g, pa.string()), "y": y})
    curves = {curve.group: curve for curve in draw(plan, frame, points=8).curves}
    assert set(curves) == {(name,) for name in g}
    for _, name, value in rows:
        curve = curves[name,]
        assert np.isnan(value) or np.nanmin(curve.y) <= value <= np.nanmax(curve.y)
