"""Curves as bytes: 16 bits a value in the range of its own curve, which a browser reads at once.

The bytes are the length of a header, the header in JSON, zeros up to a multiple of four, and the
values, little-endian. The value v of a range from a to b is stored as (v - a) / (b - a) times
`STEPS`, rounded; `GAP` stands for what is no number. Whole numbers, as those of counters, have a
range of `STEPS`, so that they are exact. An axis of texts has no range: its values are numbers of
the header's labels.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mdfactory.frames.reduction.thinning import shown_points
from mdfactory.report.payload import clean, to_json

if TYPE_CHECKING:
    import numpy as np

STEPS: Final = 65_534
"""Number of steps of a range; the error of a value is half a step at most."""

GAP: Final = 65_535

LARGEST_EXACT: Final = 2.0**48
"""Whole numbers below it are exact in the sums by which they are read."""

POINTS: Final = 3
FIRST_END: Final = 5
MAP_ROW: Final = 11
"""Places in the row of a curve: its number of points, the first end of its axis; and the length of
the row of a map.
"""


class PackedCurve(NamedTuple):
    """A curve of the page.

    Parameters
    ----------
    simulation, quantity, group
        Numbers of the simulation, of the quantity, and of the group among all groups.
    x
        One array of the axis, of numbers or texts; two of a map.
    y
        The values.
    low, high
        The band; None without one.
    """

    simulation: int
    quantity: int
    group: int
    x: Sequence[np.ndarray]
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def pack_curves(
    curves: Iterable[PackedCurve],
    *,
    sample: bool = False,
    bands: Mapping[str, Any] | None = None,
) -> bytes:
    """Return curves as the bytes of the page.

    Parameters
    ----------
    curves
        The curves.
    sample
        Whether they are those of a sample of the simulations.
    bands
        Bands of all simulations, if they are a sample.
    """
    rows: list[list[Any]] = []
    values: list[bytes] = []
    labels: dict[str, int] = {}
    for curve in curves:
        first, *others = (_axis(axis, labels) for axis in curve.x)
        band = () if curve.low is None or curve.high is None else (curve.low, curve.high)
        parts = (curve.y, *band)
        ends = _range(parts)
        places = [curve.simulation, curve.quantity, curve.group, len(curve.y), int(bool(band))]
        rows.append([*places, *first[0], *ends, *(end for axis in others for end in axis[0])])
        values += (data for _, data in (first, *others))
        values += (_packed(part, ends) for part in parts)
    header = {"curves": rows, "sample": sample, "bands": bands, "labels": list(labels)}
    return _joined(header, values)


def unpack_curves(data: bytes, quantities: Container[int] | None = None) -> Iterator[PackedCurve]:
    """Yield the curves of `pack_curves`, as the script of the page reads them.

    Parameters
    ----------
    data
        What `pack_curves` returned.
    quantities
        Numbers of the quantities whose curves are wanted. Default: all.
    """
    header, values = _parts(data)
    labels = header["labels"]
    start = 0
    for row in header["curves"]:
        simulation, quantity, group, points, has_band, *ends = row
        arrays = _arrays(row)
        steps = values[start : start + arrays * points].reshape(arrays, points)
        start += arrays * points
        if quantities is not None and quantity not in quantities:
            continue
        axes = arrays - 1 - 2 * has_band
        pairs = (ends[:2], ends[4:])[:axes]
        x = [_unpacked(own, pair, labels) for own, pair in zip(steps, pairs, strict=False)]
        y, *band = (_unpacked(own, ends[2:4], labels) for own in steps[axes:])
        yield PackedCurve(simulation, quantity, group, x, y, *band)


def with_labels(data: bytes, shown: Callable[[str], str]) -> bytes:
    """Return the bytes of curves with other texts on their axes.

    Parameters
    ----------
    data
        What `pack_curves` returned; or no bytes.
    shown
        Function that returns what is shown of a text.
    """
    if not data:
        return data
    header, steps = _parts(data)
    labels = list(map(shown, header["labels"]))
    return (
        data
        if labels == header["labels"]
        else _joined({**header, "labels": labels}, [steps.tobytes()])
    )


def merge_curves(
    parts: Iterable[tuple[int, Sequence[int], bytes]],
    points: int | None = None,
    *,
    sample: bool = False,
    bands: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the curves of several simulations as the bytes of the page; no value is rounded again.

    Parameters
    ----------
    parts
        Number of a simulation, numbers of its groups among all groups, and what `pack_curves`
        returned for it.
    points
        Maximum number of points of a curve; all if None. Maps keep all cells.
    sample, bands
        As for `pack_curves`.
    """
    rows: list[list[Any]] = []
    values: list[bytes] = []
    labels: dict[str, int] = {}
    for simulation, groups, data in parts:
        header, steps = _parts(data)
        numbers = [labels.setdefault(label, len(labels)) for label in header["labels"]]
        start = 0
        for row in header["curves"]:
            size = _arrays(row) * row[POINTS]
            own = steps[start : start + size].reshape(-1, row[POINTS])
            start += size
            if points is not None and row[POINTS] > points and len(row) < MAP_ROW:
                own = own[:, _shown(own, row, points)]
            if row[FIRST_END] is None:
                own = _relabelled(own, numbers)
            rows.append([simulation, row[1], groups[row[2]], own.shape[1], *row[POINTS + 1 :]])
            values.append(own.tobytes())
    header = {"curves": rows, "sample": sample, "bands": bands, "labels": list(labels)}
    return _joined(header, values)


def _joined(header: Mapping[str, Any], values: Iterable[bytes]) -> bytes:
    """Return a header and values as the bytes of the page."""
    text = to_json(header)
    padding = bytes(-(4 + len(text)) % 4)
    return b"".join([struct.pack("<I", len(text)), text, padding, *values])


def _parts(data: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """Return the header and the values of curves."""
    import numpy as np

    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    return header, np.frombuffer(data, "<u2", offset=4 + length + -(4 + length) % 4)


def _arrays(row: Sequence[Any]) -> int:
    """Return the number of arrays of a curve: one or two axes, values, and a band."""
    return 2 + int(len(row) >= MAP_ROW) + 2 * int(row[POINTS + 1])


def _shown(steps: np.ndarray, row: Sequence[Any], points: int) -> np.ndarray:
    """Return the points of a curve that are shown, as `frames.curves.thin` chooses them."""
    import numpy as np

    y = steps[-1 - 2 * row[POINTS + 1]]
    return shown_points(np.where(y == GAP, np.nan, y), points)


def _relabelled(steps: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Return the arrays of a curve, with other numbers of the labels of its axis."""
    import numpy as np

    axis = np.asarray(numbers)[steps[0]] if len(numbers) else steps[0]
    return np.concatenate([np.minimum(axis, STEPS)[None].astype("<u2"), steps[1:]])


def _axis(
    axis: np.ndarray, labels: dict[str, int]
) -> tuple[tuple[float | None, float | None], bytes]:
    """Return the ends of an axis and its bytes; texts become numbers of labels."""
    import numpy as np

    if axis.dtype.kind in "fiub":
        ends = _range([axis])
        return ends, _packed(axis, ends)
    numbers = [labels.setdefault(clean(str(text)), len(labels)) for text in axis.tolist()]
    return (None, None), np.minimum(numbers, STEPS).astype("<u2").tobytes()


def _range(parts: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the range of some arrays: their smallest and largest finite numbers; 0 without any."""
    import numpy as np

    values = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    is_exact = high - low <= STEPS and max(abs(low), abs(high)) < LARGEST_EXACT
    if is_exact and (np.rint(finite) == finite).all():
        return low, low + STEPS
    return low, high


def _packed(values: np.ndarray, ends: tuple[float, float]) -> bytes:
    import numpy as np

    low, high = ends
    numbers = np.asarray(values, dtype=np.float64)
    is_finite = np.isfinite(numbers)
    # Halves, since the difference of the ends may be too large for a float.
    span = high / 2 - low / 2
    shares = (np.where(is_finite, numbers, low) / 2 - low / 2) / (span or 1.0)
    steps = np.where(is_finite, np.rint(shares.clip(0, 1) * STEPS), GAP)
    return steps.astype("<u2").tobytes()


def _unpacked(steps: np.ndarray, ends: Sequence[float | None], labels: Sequence[str]) -> np.ndarray:
    import numpy as np

    low, high = ends
    if low is None or high is None:
        return np.array([labels[number] for number in steps], dtype=object)
    present = np.where(steps == GAP, np.nan, steps)
    if high - low == STEPS:
        return low + present
    share = present / STEPS
    return low * (1 - share) + high * share
