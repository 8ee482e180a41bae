"""Bands in place of many curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose

from mdfactory.report.plots.bands import (
    bands_of,
    farthest,
    grid_of,
    on_grid,
    quantile_bins,
    quantiles,
)

NUMBERS = st.floats(allow_infinity=False, width=32)


@given(arrays.arrays(np.float64, st.integers(0, 60), elements=NUMBERS))
def test_bins_are_in_the_order_of_the_numbers_and_never_divide_equal_ones(
    values: np.ndarray,
) -> None:
    bins = quantile_bins(values)
    assert {*bins.tolist()} == {*range(len({*bins.tolist()}))}
    assert len({*bins.tolist()}) <= 5
    finite = np.isfinite(values)
    order = np.argsort(values[finite], kind="stable")
    assert (np.diff(bins[finite][order]) >= 0).all()
    for value in values[finite]:
        assert len({*bins[values == value].tolist()}) == 1
    if not finite.all():
        assert {*bins[~finite].tolist()} == {bins.max()}
        assert not {*bins[~finite].tolist()} & {*bins[finite].tolist()}


def test_many_different_numbers_are_divided_evenly() -> None:
    assert np.bincount(quantile_bins(np.arange(1000.0))).tolist() == [200] * 5


def test_few_different_numbers_have_a_bin_each() -> None:
    assert quantile_bins(np.array([0.5, 0.1, 0.5, 0.2])).tolist() == [2, 0, 2, 1]


def test_many_simulations_without_a_species_are_a_bin_of_their_own() -> None:
    bins = quantile_bins(np.array([0.0] * 70 + [*np.linspace(0.1, 0.9, 30)]))
    assert {*bins[:70].tolist()} == {0}
    assert 0 not in bins[70:].tolist()


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).normal(size=(41, 7))
    values[::5, 2] = np.nan
    values[:, 3] = np.nan
    values[1:, 4] = np.nan
    found = quantiles(values)
    for column in (0, 1, 2, 4, 5, 6):
        expected = np.nanquantile(values[:, column], (0.05, 0.5, 0.95))
        assert_allclose(found[:, column], expected)
    assert np.isnan(found[:, 3]).all()


def test_curves_are_interpolated_within_their_range_only() -> None:
    x = np.array([0.0, 1.0, 2.0])
    curves = [(x, x * 10), (x[:2], np.array([1.0, np.nan])), (x[:0], x[:0])]
    values = on_grid(np.array([0.0, 0.5, 1.5, 2.0]), curves)
    assert_allclose(values[0], [0, 5, 15, 20])
    assert values[1][0] == 1.0
    assert np.isnan(values[1][1:]).all()
    assert np.isnan(values[2]).all()


def test_a_band_has_the_median_and_the_farthest_curve_is_found() -> None:
    x = np.linspace(0.0, 10.0, 50)
    curves = [(x, np.full(50, float(number))) for number in range(9)] + [(x, np.full(50, 100.0))]
    bins = np.array([0] * 9 + [0])
    (band,), distances = bands_of(grid_of(curves), curves, bins)
    assert_allclose(band.median, 4.5)
    assert_allclose(band.x[[0, -1]], [0, 10])
    assert farthest(distances, 1) == [9]
    assert farthest(distances, 0) == []


@pytest.mark.parametrize("number", [0, 1])
def test_bands_of_no_curve_or_of_one_are_no_error(number: int) -> None:
    curves = [(np.array([1.0]), np.array([2.0]))][:number]
    bands, distances = bands_of(grid_of(curves), curves, np.zeros(number, dtype=np.int64))
    assert len(bands) == len(distances) == number
    assert farthest(distances, 20) == []
