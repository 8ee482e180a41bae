"""How an analysis is drawn by what its registry entry says: the extra ``plot``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from mdfactory.errors import ResultError
from mdfactory.frames.planning.plan import MAX_AXES, PlotKind

PLOT_KEYS: Final = ("kind", "x", "y", "groups", "entity")

MAX_LISTED_LABELS: Final = 12


@dataclass(frozen=True, slots=True)
class Said:
    """A recorded plot.

    Parameters
    ----------
    kind
        Kind of the plot; None if it is not said.
    x, y, groups, entity
        As in `frames.planning.plan.Plan`; empty where they are not said.
    """

    kind: PlotKind | None = None
    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    entity: str = ""


def checked_plot(plot: Any, names: Mapping[Any, str]) -> dict[str, Any]:
    """Return a recorded plot with Arrow names in place of labels.

    Parameters
    ----------
    plot
        What a caller records, or what a registry entry holds.
    names
        Label or Arrow name -> Arrow name of each column and index level.

    Raises
    ------
    ResultError
        If it is no dictionary, or names an unknown key, kind or column.
    """
    expected = f"expected a dictionary with some of {', '.join(PLOT_KEYS)}"
    if not isinstance(plot, Mapping):
        raise ResultError(f"plot is a {type(plot).__name__}; {expected}")
    if unknown := [key for key in plot if key not in PLOT_KEYS]:
        raise ResultError(f"plot has {listed_labels(unknown)}; {expected}")
    values = dict(plot)
    if "kind" in values and values["kind"] not in [*PlotKind]:
        raise ResultError(f"plot: no kind {values['kind']!r}; there are {', '.join(PlotKind)}")
    for key in values.keys() - {"kind"}:
        labels = values[key]
        values[key] = (
            [column_named(label, names, f"plot: {key}") for label in labels]
            if isinstance(labels, list)
            else column_named(labels, names, f"plot: {key}")
        )
    return values


def column_named(label: Any, names: Mapping[Any, str], what: str) -> str:
    """Return the Arrow name of a column or an index level.

    Raises
    ------
    ResultError
        If the frame has none with that label.
    """
    with suppress(TypeError, KeyError):  # lists are no keys
        return names[label]
    known = listed_labels(dict.fromkeys(names.values())) or "no columns"
    raise ResultError(
        f"{what}: no column or index level {listed_labels([label])}; the frame has {known}"
    )


def listed_labels(labels: Iterable[Any]) -> str:
    """Return labels as messages show them."""
    shown = [repr(plain_scalar(label)) for label in labels]
    more = ["..."] if len(shown) > MAX_LISTED_LABELS else []
    return ", ".join([*shown[:MAX_LISTED_LABELS], *more])


def plain_scalar(name: Any) -> Any:
    """Return a name as JSON can hold it, if it is a number of numpy."""
    return name.item() if hasattr(name, "item") else name


def said_of(plot: Any, names: Mapping[Any, str]) -> Said:
    """Return a recorded plot.

    Raises
    ------
    ResultError
        As `checked_plot`; or if it is contradictory.
    """
    values = checked_plot(plot, names)
    groups = _names(values.get("groups")) if "groups" in values else None
    kind = PlotKind(values["kind"]) if "kind" in values else None
    x, y, entity = (_names(values.get(key)) for key in ("x", "y", "entity"))
    said = Said(kind, x, y, groups, *entity[:1])
    used = [*x, *y, *(groups or ()), *entity]
    if len({*used}) < len(used):
        raise ResultError("plot: a column is named twice")
    if len(entity) > 1 or len(x) > MAX_AXES:
        raise ResultError("plot: at most two columns of x, and one of entity")
    return said


def _names(value: str | list[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
