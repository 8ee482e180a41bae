"""Plans as data, so that the cache can keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.plots import Plan, PlotKind


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as values of JSON."""
    return {field.name: _plain(getattr(plan, field.name)) for field in fields(plan)}


def plan_from_json(values: Mapping[str, Any]) -> Plan:
    """Return the plan of which `plan_to_json` made values of JSON.

    Raises
    ------
    ValueError, TypeError, KeyError
        If the values are those of no plan.
    """
    own = {name: _tuples(value) for name, value in values.items()}
    columns = {name: ColumnKind(kind) for name, kind in own.pop("columns").items()}
    return Plan(PlotKind(own.pop("kind")), columns=columns, **own)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
