"""Plans as data, so that the cache can keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.report.campaign.privacy import different_texts


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


def with_names(plan: Plan, text: Callable[[str], str]) -> Plan:
    """Return a plan whose columns have the names that are shown."""
    shown = different_texts((*plan.columns, *sorted(plan.drawn)), text) | {"": ""}
    if all(name == text for name, text in shown.items()):
        return plan

    def named(value: Any) -> Any:
        if isinstance(value, str):
            return shown.get(value, value)
        return tuple(map(named, value))

    own = ("x", "y", "groups", "entity", "mean_over", "scalars", "together", "single")
    return replace(
        plan,
        **{name: named(getattr(plan, name)) for name in own},
        errors={named(name): named(error) for name, error in plan.errors.items()},
        units={named(name): unit for name, unit in plan.units.items()},
        columns={named(name): kind for name, kind in plan.columns.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
