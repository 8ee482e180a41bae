"""Synthetic frames, of the shapes that analyses of simulations have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

LARGEST = 20 * 10**6
"""Bytes of the largest frame."""

SAMPLE = 1000

Columns = Mapping[str, object]


def frame(analysis: str, rows: int, seed: int) -> pa.Table:
    """Return a frame of an analysis."""
    return pa.table(ANALYSES[analysis](rows, np.random.default_rng(seed)))


def large_frame(analysis: str, most: int, seed: int) -> pa.Table:
    """Return a frame of at most `most` bytes and at most 20 MB."""
    size = np.random.default_rng(seed).integers(LARGEST // 20, LARGEST)
    per_row = frame(analysis, SAMPLE, seed).nbytes / SAMPLE
    return frame(analysis, max(1, int(min(size, most) / per_row)), seed)


def _series(rows: int) -> dict[str, object]:
    numbers = np.arange(rows)
    return {"frame": numbers, "time_ns": np.round(numbers * 0.01, 6)}


def _residues(rows: int, chance: np.random.Generator) -> pa.Array:
    return pa.array(["POPC", "CHOL", "DPPE", "SOL"]).take(pa.array(chance.integers(0, 4, rows)))


def _area_per_lipid(rows: int, chance: np.random.Generator) -> Columns:
    upper, lower = chance.normal(0.65, 0.02, (2, rows))
    return {**_series(rows), "upper": upper, "lower": lower}


def _box_size(rows: int, chance: np.random.Generator) -> Columns:
    box = chance.normal(8, 0.05, (3, rows)).astype(np.float32)
    return {**_series(rows), **dict(zip(("Lx", "Ly", "Lz"), box, strict=True))}


def _density(rows: int, chance: np.random.Generator) -> Columns:
    z = np.linspace(-5, 5, rows)
    return {"z": z, "resname": _residues(rows, chance), "density": np.abs(chance.normal(size=rows))}


def _radius(rows: int, chance: np.random.Generator) -> Columns:
    rg = chance.normal(0.8, 0.1, rows)
    return {**_series(rows), "resname": _residues(rows, chance), "rg": rg}


def _leaflets(rows: int, chance: np.random.Generator) -> Columns:
    return {
        "frame": np.arange(rows),
        "resname": _residues(rows, chance),
        "upper": chance.integers(0, 2, rows).astype(bool),
        "neighbours": chance.integers(3, 9, rows),
    }


ANALYSES: dict[str, Callable[[int, np.random.Generator], Columns]] = {
    "area_per_lipid": _area_per_lipid,
    "box_size_timeseries": _box_size,
    "density_distribution": _density,
    "lipid_rg": _radius,
    "leaflet_distribution": _leaflets,
}
"""Name of an analysis -> the columns of its frame."""
