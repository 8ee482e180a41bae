"""Colours of the simulations of a report, and samples that are spread over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mdfactory.report.campaign.snapshot import Snapshot
from mdfactory.report.drawn.entries import Simulations
from mdfactory.report.payload import clean
from mdfactory.report.plots.colour import Colour


def colour_of(snapshot: Snapshot, path: str | None) -> Colour:
    """Return the field that colours the simulations, with the values that the page has of it.

    Parameters
    ----------
    snapshot
        The simulations.
    path
        The field, or a column. None: there is no colour.
    """
    if path is None:
        return Colour()
    values = _values(snapshot, path)
    path = snapshot.shown_paths.get(path, path)
    shown = {
        hash_: _colour_value(value) for hash_, value in zip(snapshot.hashes, values, strict=True)
    }
    present = [value for value in shown.values() if value is not None]
    if all(isinstance(value, float) for value in present):
        return Colour(path, shown, is_number=True)
    return Colour(path, {hash_: _as_text(value) for hash_, value in shown.items()})


def spread_over(
    hashes: Sequence[str], simulations: Simulations, count: int | None
) -> Sequence[str]:
    """Return some simulations, spread over the statuses and over the values of the colour.

    Parameters
    ----------
    hashes
        The simulations to choose from.
    simulations
        Their statuses and colours.
    count
        Maximum number; all if None.

    Returns
    -------
    Sequence of str
        The chosen ones, in the given order.
    """
    if count is None or len(hashes) <= count:
        return hashes
    statuses, values = simulations.statuses, simulations.colour.values

    def rank(hash_: str) -> tuple[Any, ...]:
        value = values.get(hash_)
        own = (1, 0.0, value) if isinstance(value, str) else (0, value or 0.0, "")
        return (statuses[simulations.numbers[hash_]], value is None, own)

    ordered = sorted(hashes, key=rank)
    step = (len(ordered) - 1) / max(count - 1, 1)
    chosen = {ordered[round(place * step)] for place in range(count)}
    return [hash_ for hash_ in hashes if hash_ in chosen]


def _values(snapshot: Snapshot, path: str) -> Sequence[Any]:
    """Return the values of a field or column of all simulations."""
    count = len(snapshot.hashes)
    columns: dict[str, Sequence[Any]] = {
        "hash": snapshot.hashes,
        "simulation_type": snapshot.types,
        "status": snapshot.statuses,
        "directory": snapshot.directories,
        "timestamp_utc": snapshot.times,
        "composition": snapshot.compositions,
        **snapshot.others,
    }
    if path in columns:
        return [value and snapshot.privacy.text(value) for value in columns[path]]
    return snapshot.values_of(path) or [None] * count


def _colour_value(value: Any) -> float | str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return float(value) if isinstance(value, int | float) else clean(str(value))


def _as_text(value: float | str | None) -> str | None:
    return None if value is None else str(value)
