"""Curves as bytes: what a browser reads is what was drawn, to 16 bits."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mdfactory.report.drawn.curve_data import STEPS, PackedCurve, pack_curves, unpack_curves

VALUES = arrays(np.float64, st.integers(0, 30), elements=st.floats(width=64))


def _close(read: np.ndarray, drawn: np.ndarray) -> bool:
    """Whether values are equal to a step of their range, and gaps are gaps."""
    is_finite = np.isfinite(drawn)
    finite = drawn[is_finite] / 4
    step = (finite.max() - finite.min()) / STEPS if finite.size else 0.0
    largest = np.abs(finite).max(initial=0.0)
    error = np.abs(read[is_finite] / 4 - finite)
    return bool((np.isnan(read) == ~is_finite).all() and (error <= step + 1e-15 * largest).all())


@settings(deadline=None)
@given(VALUES)
@example(np.array([np.inf, np.finfo(float).max]))
def test_values_come_back_to_a_step_of_their_range(values: np.ndarray) -> None:
    curve = PackedCurve(3, 1, 2, [np.arange(len(values), dtype=float)], values)
    [read] = unpack_curves(pack_curves([curve]))
    assert read[:3] == (3, 1, 2)
    assert _close(read.y, values)
    assert _close(read.x[0], curve.x[0])


def test_bands_have_the_range_of_the_values() -> None:
    y = np.array([1.0, 2.0, np.nan])
    curve = PackedCurve(0, 0, 0, [np.arange(3.0)], y, y - 1, y + 1)
    data = pack_curves([curve])
    [read] = unpack_curves(data)
    assert read.low is not None
    assert read.high is not None
    assert np.allclose(read.low, y - 1, atol=1e-4, equal_nan=True)
    assert np.allclose(read.high, y + 1, atol=1e-4, equal_nan=True)
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    assert header["curves"] == [[0, 0, 0, 3, 1, 0.0, STEPS, 0.0, STEPS]]  # whole numbers


def test_maps_have_two_axes_and_several_curves_follow_each_other() -> None:
    x, y = np.meshgrid(np.arange(3.0), np.arange(2.0))
    cells = PackedCurve(1, 0, 0, [x.ravel(), y.ravel()], np.arange(6.0))
    line = PackedCurve(2, 0, 0, [np.arange(4.0)], np.full(4, 7.0))
    first, second = unpack_curves(pack_curves([cells, line], sample=True, bands={"a": [1]}))
    assert np.allclose(first.x[1], cells.x[1])
    assert np.allclose(second.y, 7.0)
    assert (first.simulation, second.simulation) == (1, 2)


@pytest.mark.parametrize("name", ["e", "ee", "eee", "eeee"])
def test_the_values_begin_at_a_multiple_of_four(name: str) -> None:
    bands: dict[str, Any] = {name: name}
    data = pack_curves([PackedCurve(0, 0, 0, [np.arange(2.0)], np.arange(2.0))], bands=bands)
    (length,) = struct.unpack_from("<I", data)
    assert len(data) == (4 + length + 3) // 4 * 4 + 2 * 4
    assert json.loads(data[4 : 4 + length])["bands"] == bands


def test_an_axis_of_texts_has_labels() -> None:
    names = np.array(["POPC", "DOPE", "a\x00b"], dtype=object)
    curves = [
        PackedCurve(0, 0, 0, [names], np.arange(3.0)),
        PackedCurve(1, 0, 0, [names[1:]], np.arange(2.0)),
        PackedCurve(2, 0, 0, [np.array([""])], np.array([5.0])),
    ]
    read = [one.x[0].tolist() for one in unpack_curves(pack_curves(curves))]
    assert read == [["POPC", "DOPE", "a b"], ["DOPE", "a b"], [""]]


def test_no_curves_are_a_header() -> None:
    assert [*unpack_curves(pack_curves([]))] == []
