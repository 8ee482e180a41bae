"""Statistics of frames against numpy, and errors of means against series of known error."""

from __future__ import annotations

from dataclasses import fields
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from frames.plotted import planned
from mdfactory.errors import QueryError
from mdfactory.frames.curves import draw
from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.frames.plots import plan
from mdfactory.frames.reduction.blocks import error_of_mean
from mdfactory.frames.statistics import (
    Start,
    Statistic,
    draw_and_summarise,
    parse_start,
    start_note,
    summarise,
)
from mdfactory.testing.frames import MODERATE

SERIES = Plan(PlotKind.timeseries, x=("time",), y=("y",), units={"time": "ps"})
PROFILE = Plan(PlotKind.profile, x=("r",), y=("y",))
EXAMPLES = Path(__file__).parents[2] / "examples" / "water_methanol"


def only(plan: Plan, start: str = "0", **columns: object) -> Statistic:
    (statistic,) = summarise(plan, pa.table(columns), parse_start(start))
    return statistic


def figures(statistic: Statistic) -> dict[str, float]:
    names = [field.name for field in fields(statistic)][2:]
    values = {name: getattr(statistic, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def correlated(length: int, correlation: float, series: int, seed: int = 1) -> np.ndarray:
    """Return AR(1) series of variance 1, of shape (series, length)."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(length, series)) * sqrt(1 - correlation**2)
    values = np.empty_like(noise)
    values[0] = random.normal(size=series)
    for row in range(1, length):
        values[row] = correlation * values[row - 1] + noise[row]
    return np.ascontiguousarray(values.T)


def known_error(length: int, correlation: float) -> float:
    """Return the standard error of the mean of an AR(1) series of variance 1."""
    lags = np.arange(1, length)
    return sqrt((1 + 2 * np.sum((1 - lags / length) * correlation**lags)) / length)


def test_summarise_of_a_series_equals_numpy() -> None:
    random = np.random.default_rng(5)
    time = np.arange(300) * 0.2
    y = 3 + 0.01 * time + random.normal(size=300)
    statistic = only(SERIES, time=time, y=y)
    slope = np.polyfit(time, y, 1)[0]
    expected = {
        "mean": y.mean(),
        "deviation": y.std(ddof=1),
        "last": y[-1],
        "minimum": y.min(),
        "maximum": y.max(),
        "drift": slope * (time[-1] - time[0]) / y.std(ddof=1),
    }
    actual = figures(statistic)
    assert {name: actual.pop(name) for name in expected} == pytest.approx(expected, rel=1e-12)
    assert set(actual) == {"error", "levelled"}


def test_summarise_leaves_gaps_out() -> None:
    random = np.random.default_rng(6)
    y = random.normal(size=50)
    time = np.arange(50.0)
    gappy = y.copy()
    gappy[[0, 7, 20, 49]] = [np.nan, np.inf, -np.inf, np.nan]
    present = np.isfinite(gappy)
    whole = only(SERIES, time=time[present], y=y[present])
    assert only(SERIES, time=time, y=gappy) == whole
    assert whole.last == y[48]


def test_summarise_sorts_a_series_by_time() -> None:
    time, y = np.arange(40.0), np.random.default_rng(7).normal(size=40)
    order = np.random.default_rng(8).permutation(40)
    assert only(SERIES, time=time[order], y=y[order]) == only(SERIES, time=time, y=y)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.99])
def test_error_of_mean_agrees_with_series_of_known_error(correlation: float) -> None:
    errors = [error_of_mean(y) for y in correlated(10_000, correlation, 24)]
    mean = np.mean([error[0] for error in errors if error])
    assert mean == pytest.approx(known_error(10_000, correlation), rel=0.2)
    assert sum(error[1] for error in errors if error) >= 20


def test_error_of_mean_is_the_largest_of_blocks_of_doubling_sizes() -> None:
    y = correlated(300, 0.8, 1)[0]
    errors = []
    for size in (1, 2, 4, 8, 16, 32):  # 9 blocks of 32
        blocks = y[: len(y) // size * size].reshape(-1, size).mean(axis=1)
        errors.append(blocks.std(ddof=1) / sqrt(len(blocks)))
    error = error_of_mean(y)
    assert error
    assert error[0] == pytest.approx(max(errors))


@pytest.mark.parametrize(
    ("length", "correlation", "share"), [(36, 0.9, 0.05), (500, 0.95, 0.05), (2000, 0.998, 0.05)]
)
def test_error_of_mean_has_not_levelled_in_series_too_short_for_their_correlation(
    length: int, correlation: float, share: float
) -> None:
    errors = [error_of_mean(y) for y in correlated(length, correlation, 100)]
    assert np.mean([error[1] for error in errors if error]) <= share


@pytest.mark.parametrize(("length", "correlation"), [(100, 0.0), (2000, 0.9), (500, 0.5)])
def test_error_of_mean_has_levelled_in_series_worth_a_hundred_points(
    length: int, correlation: float
) -> None:
    errors = [error_of_mean(y) for y in correlated(length, correlation, 100)]
    assert np.mean([error[1] for error in errors if error]) >= 0.9


def test_error_of_mean_has_not_levelled_in_a_random_walk() -> None:
    walk = np.random.default_rng(1).normal(size=4000).cumsum()
    error = error_of_mean(walk)
    assert error
    assert not error[1]


def test_summarise_gives_no_error_below_16_points() -> None:
    y = np.random.default_rng(9).normal(size=16)
    short = only(SERIES, time=np.arange(15.0), y=y[:15])
    assert (short.error, short.levelled) == (None, None)
    assert only(SERIES, time=np.arange(16.0), y=y).error is not None


def test_summarise_of_a_constant_has_no_drift() -> None:
    statistic = only(SERIES, time=np.arange(20.0), y=np.full(20, 2.5))
    assert figures(statistic) == {
        "mean": 2.5,
        "deviation": 0,
        "error": 0,
        "levelled": True,
        "last": 2.5,
        "minimum": 2.5,
        "maximum": 2.5,
    }
    rounded = only(SERIES, time=np.arange(20.0), y=0.1 + np.arange(20) % 3 * 1e-17)
    assert rounded.drift is None


def test_summarise_of_one_point_has_no_deviation() -> None:
    statistic = only(SERIES, time=[0.0], y=[4])
    assert figures(statistic) == {"mean": 4, "last": 4, "minimum": 4, "maximum": 4}


def test_summarise_of_a_series_at_one_time_has_no_drift() -> None:
    assert only(SERIES, time=[1.0, 1.0], y=[1, 2]).drift is None


@pytest.mark.parametrize("kind", ["timeseries", "profile", "bars"])
def test_summarise_of_gaps_alone_has_no_figures(kind: str) -> None:
    plan = Plan(PlotKind(kind), x=("x",) if kind != "bars" else (), y=("y",))
    assert figures(only(plan, x=[0, 1], y=pa.array([None, None], pa.float64()))) == {}


def test_summarise_of_the_largest_floats_leaves_out_what_overflows() -> None:
    statistic = only(SERIES, time=[0, 1], y=[1.7e308, -1.7e308])
    assert figures(statistic) == {
        "mean": 0,
        "last": -1.7e308,
        "minimum": -1.7e308,
        "maximum": 1.7e308,
    }


def test_summarise_returns_each_quantity_and_group_and_then_the_scalars() -> None:
    plan = Plan(
        PlotKind.timeseries,
        x=("t",),
        y=("a", "b"),
        groups=("g",),
        scalars=("n",),
        first_group="all",
    )
    frame = pa.table(
        {
            "t": [0, 0, 1, 1],
            "g": ["up", "all", "up", "all"],
            "a": [1, 2, 3, 4],
            "b": [5, 6, 7, 9],
            "n": [64, 128, 64, 128],
        }
    )
    statistics = summarise(plan, frame)
    means = {
        ("a", ("all",)): 3,
        ("a", ("up",)): 2,
        ("b", ("all",)): 7.5,
        ("b", ("up",)): 6,
        ("n", ("all",)): 128,
        ("n", ("up",)): 64,
    }
    assert [(each.quantity, each.group) for each in statistics] == list(means)
    assert [each.mean for each in statistics] == list(means.values())
    assert figures(statistics[-1]) == {"mean": 64}


def test_summarise_of_a_profile_has_its_peak_and_its_first_minimum_but_no_mean() -> None:
    r = np.linspace(0, 1, 201)
    g_r = 1 + np.exp(-4 * r) * np.sin(2 * np.pi * r / 0.3)
    statistic = only(PROFILE, r=r, y=g_r)
    peak = g_r.argmax()
    low = peak + g_r[peak : peak + 40].argmin()
    assert figures(statistic) == pytest.approx(
        {
            "maximum": g_r[peak],
            "maximum_at": r[peak],
            "first_minimum": g_r[low],
            "first_minimum_at": r[low],
            "integral": ((g_r[1:] + g_r[:-1]) * np.diff(r)).sum() / 2,
        }
    )


def test_summarise_takes_no_noise_after_a_peak_for_its_minimum() -> None:
    random = np.random.default_rng(10)
    r = np.linspace(0, 1, 201)
    smooth = 1 + 2 * np.exp(-(((r - 0.28) / 0.06) ** 2)) - 0.3 * np.exp(-(((r - 0.6) / 0.1) ** 2))
    for _ in range(20):
        statistic = only(PROFILE, r=r, y=smooth + 0.01 * random.normal(size=201))
        assert statistic.maximum_at == pytest.approx(0.28, abs=0.02)
        assert statistic.first_minimum_at == pytest.approx(0.6, abs=0.05)


def test_summarise_finds_a_weak_minimum_of_a_smooth_profile() -> None:
    r = np.linspace(0, 12, 1201)
    statistic = only(PROFILE, r=r, y=np.exp(-2 * r) * np.cos(2 * r) + 1)
    assert statistic.maximum_at == 0
    assert statistic.first_minimum_at == pytest.approx(3 * np.pi / 8, abs=0.02)


def test_summarise_of_a_profile_that_only_falls_has_no_minimum() -> None:
    statistic = only(PROFILE, r=[3, 2, 1, 0], y=[0, 1, 2, 4])
    assert figures(statistic) == {"maximum": 4, "maximum_at": 0, "integral": 5}


def test_summarise_of_a_profile_over_texts_has_no_places() -> None:
    assert figures(only(PROFILE, r=["A", "B", "C", "D"], y=[1, 3, 0, 2])) == {
        "maximum": 3,
        "first_minimum": 0,
    }


def test_summarise_finds_the_first_shell_of_water() -> None:
    for path in sorted(EXAMPLES.glob("*/.analysis/rdf_oxygen.parquet")):
        plan = Plan(PlotKind.profile, x=("r_nm",), y=("g_r",))
        (statistic,) = summarise(plan, pq.read_table(path))
        assert statistic.maximum_at == pytest.approx(0.28, abs=0.02)
        assert statistic.first_minimum_at == pytest.approx(0.34, abs=0.05)


def test_summarise_of_a_profile_in_time_takes_the_mean_after_the_start() -> None:
    plan = Plan(PlotKind.profile, x=("z",), y=("y",), mean_over="time", units={"time": "ns"})
    columns = {"time": [0, 0, 1, 1, 2, 2], "z": [0, 1] * 3, "y": [9, 9, 1, 2, 3, 4]}
    assert only(plan, "500ps", **columns).maximum == 3
    assert only(plan, "50%", **columns).maximum == 3
    assert only(plan, **columns).maximum == 5


def test_summarise_of_a_profile_over_the_rows_has_its_mean() -> None:
    values = [3.0, 1.0, 2.0, 2.0]
    frame = pa.table({"rg": values})
    (statistic,) = summarise(plan("rg", [frame]), frame)
    assert (statistic.mean, statistic.minimum, statistic.maximum) == (2.0, 1.0, 3.0)
    assert statistic.integral is None


@pytest.mark.parametrize("start", ["0", "50%"])
def test_draw_and_summarise_returns_what_both_return(start: str) -> None:
    frame = pa.table({"time_ps": np.arange(100.0), "v": np.arange(100.0) ** 2})
    own = plan("v", [frame])
    drawing, statistics = draw_and_summarise(own, frame, parse_start(start))
    assert statistics == summarise(own, frame, parse_start(start))
    assert_equal(drawing.curves[0].y, draw(own, frame).curves[0].y)


def test_summarise_of_a_map_is_over_its_cells() -> None:
    plan = Plan(PlotKind.map, x=("i", "j"), y=("h",), mean_over="time")
    columns = {"time": [0, 1, 0, 0], "i": [0, 0, 0, 1], "j": [0, 0, 1, 1], "h": [1, 3, 5, None]}
    assert figures(only(plan, **columns)) == {
        "mean": 3.5,
        "deviation": pytest.approx(np.std([2, 5], ddof=1)),
        "minimum": 2,
        "maximum": 5,
    }


def test_summarise_of_a_population_is_over_the_means_of_its_members() -> None:
    plan = Plan(PlotKind.population, x=("t",), y=("rg",), groups=("name",), entity="resid")
    frame = pa.table(
        {
            "t": [0, 0, 0, 1, 1, 1, 2],
            "name": ["A", "A", "B", "A", "A", "B", "A"],
            "resid": [1, 2, 1, 1, 2, 1, 1],
            "rg": [1.0, 6.0, 7.0, 2.0, None, 9.0, 3.0],
        }
    )
    first, second = summarise(plan, frame)
    assert (first.group, figures(first)) == (("A",), {"mean": 4, "deviation": sqrt(8)})
    assert (second.group, figures(second)) == (("B",), {"mean": 8})


def test_summarise_of_bars_has_the_error_of_the_table() -> None:
    plan = Plan(PlotKind.bars, y=("y", "z"), groups=("g",), errors={"y": "y_err"})
    frame = pa.table({"g": ["a", "b"], "y": [1.3, 2.0], "y_err": [0.1, None], "z": [5, 6]})
    assert [figures(each) for each in summarise(plan, frame)] == [
        {"mean": 1.3, "error": 0.1},
        {"mean": 2},
        {"mean": 5},
        {"mean": 6},
    ]


@pytest.mark.parametrize("kind", ["chemistry", "table", "empty"])
def test_summarise_has_no_statistics_of_what_is_no_plot(kind: str) -> None:
    assert summarise(Plan(PlotKind(kind), y=("y",)), pa.table({"y": [1]})) == []


def test_summarise_has_no_statistics_of_a_frame_without_rows() -> None:
    frame = pa.table({"time": pa.array([], pa.float64()), "y": pa.array([], pa.float64())})
    assert summarise(SERIES, frame, parse_start("20%")) == []


def test_summarise_starts_at_a_share_of_the_time_range() -> None:
    time = np.arange(10, 21) * 0.1
    assert only(SERIES, "20%", time=time, y=range(11)).minimum == 2
    assert only(SERIES, "25%", time=time, y=range(11)).minimum == 3
    assert only(SERIES, "99.5%", time=time, y=range(11)).minimum == 10
    assert only(SERIES, "20%", time=time[::-1], y=range(10, -1, -1)).minimum == 2


@pytest.mark.parametrize("start", ["200ps", "0.2ns", "0.2 ns", "200000fs", "0.0002us", "0.0002µs"])
def test_summarise_starts_at_a_time(start: str) -> None:
    time = np.arange(10) * 100.0
    assert only(SERIES, start, time=time, y=range(10)).minimum == 2


def test_summarise_starts_at_the_time_of_the_trajectory() -> None:
    assert only(SERIES, "200ps", time=[100, 200, 300], y=[1, 2, 3]).minimum == 2


def test_summarise_starts_at_a_time_of_durations() -> None:
    times = pa.array([0, 100, 200, 300], pa.duration("ns"))
    plan = Plan(PlotKind.timeseries, x=("time",), y=("y",))
    assert only(plan, "0.2us", time=times, y=range(4)).minimum == 2


def test_summarise_after_the_end_has_no_statistics() -> None:
    assert summarise(SERIES, pa.table({"time": [0, 1], "y": [1, 2]}), parse_start("2ps")) == []


def test_summarise_starts_all_groups_at_one_time() -> None:
    plan = Plan(PlotKind.timeseries, ("t",), ("y",), ("g",), scalars=("n",))
    frame = pa.table({"t": [0, 1, 2, 9], "g": ["a", "a", "b", "b"], "y": range(4), "n": [5] * 4})
    statistics = summarise(plan, frame, parse_start("50%"))
    assert [(each.quantity, each.group, each.mean) for each in statistics] == [
        ("y", ("b",), 3),
        ("n", ("b",), 5),
    ]


@pytest.mark.parametrize(
    ("plan", "time", "start", "note"),
    [
        (SERIES, [0.0], "200ps", ""),
        (SERIES, [0.0], "0", ""),
        (Plan(PlotKind.timeseries, ("time",), ("y",)), [0], "20%", ""),
        (
            Plan(PlotKind.timeseries, ("time",), ("y",)),
            [0],
            "200ps",
            "the start 200 ps has no effect: time has no unit of time",
        ),
        (
            SERIES,
            pa.array([0], pa.timestamp("s")),
            "0.2ns",
            "the start 0.2 ns has no effect: time is a date; give a share",
        ),
        (
            Plan(PlotKind.profile, ("time",), ("y",)),
            [0],
            "20%",
            "the start 20% has no effect: there is no time",
        ),
        (Plan(PlotKind.profile, ("y",), ("y",), mean_over="time"), [0], "20%", ""),
    ],
)
def test_start_note_says_why_a_start_has_no_effect(
    plan: Plan, time: object, start: str, note: str
) -> None:
    frame = pa.table({"time": time, "y": [1]})
    assert start_note(plan, frame, parse_start(start)) == note
    if note:
        assert summarise(plan, frame, parse_start(start)) == summarise(plan, frame)


def test_parse_start_reads_shares_and_times() -> None:
    assert parse_start("20%") == Start(20, "%")
    assert parse_start(" 12.5 % ") == Start(12.5, "%")
    assert parse_start(".5ns") == Start(0.5, "ns")
    assert parse_start("0") == parse_start("0%") == Start()
    assert [str(parse_start(text)) for text in ("20%", "200ps")] == ["20%", "200 ps"]


@pytest.mark.parametrize("text", ["", "20", "-5%", "ps", "1 hour", "5%%", "1e3ps", "nan%", "٣ps"])
def test_parse_start_says_what_it_expects(text: str) -> None:
    with pytest.raises(QueryError, match=r"expected a share .* 20%, or a time, such as 200ps"):
        parse_start(text)


@pytest.mark.parametrize("text", ["100%", "250%"])
def test_parse_start_refuses_a_share_that_leaves_nothing(text: str) -> None:
    with pytest.raises(QueryError, match="a share of 100% or more leaves nothing"):
        parse_start(text)


@MODERATE
@given(planned(), st.sampled_from(["0", "20%", "1ps", "0.5us"]))
def test_summarise_of_any_frame_raises_nothing(case: tuple[Plan, pa.Table], start: str) -> None:
    plan, frame = case
    for statistic in summarise(plan, frame, parse_start(start)):
        for name, value in figures(statistic).items():
            assert isinstance(value, bool if name == "levelled" else float)
            assert np.isfinite(value)
        if statistic.mean is not None and statistic.minimum is not None:
            assert statistic.maximum is not None
            rounding = 1e-12 * max(abs(statistic.minimum), abs(statistic.maximum))
            assert statistic.minimum - rounding <= statistic.mean <= statistic.maximum + rounding
