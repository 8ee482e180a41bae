"""Quantities of plots: their order, their errors, and which of them share a plot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from mdfactory.frames.planning.axes import Axes
from mdfactory.frames.planning.names import ERROR_ENDS
from mdfactory.frames.planning.plan import PlotKind
from mdfactory.frames.planning.roles import Roles
from mdfactory.frames.planning.samples import Sample
from mdfactory.frames.planning.units import name_set, split_name

MEAN_ENDS: Final = ("", "_mean", "_avg", "_average")

COMMON_WORDS: Final = name_set("time timeseries serie map profile per by of and the n mean")
"""Words that say nothing about a quantity."""

FIRST_GROUPS: Final = ("all", "total")

COMPONENT: Final = re.compile(r"(?P<stem>.*?)_?(?:[xyz]{1,2}|\d+)|[xyz]_(?P<rest>.+)", re.DOTALL)
"""A name that ends with the letters of an axis or a number, or begins with a letter of an axis."""


def quantities_of(sample: Sample, roles: Roles, axes: Axes) -> list[str]:
    """Return the numbers that axes leave; booleans if there are none, then parts of a key.

    A part of a key is a quantity only if the axes are the key without it.
    """
    used = {*axes.used}
    parts = [*roles.ids, *roles.indices, *roles.coordinates, *roles.single]
    numeric = [name for name in parts if sample.column(name).is_numeric]
    left = ([n for n in part if n not in used] for part in (roles.numbers, roles.booleans, numeric))
    names = next(filter(None, left), [])
    is_part = bool({*names} & {*numeric} - {*roles.numbers})
    return [] if is_part and not sample.is_nearly_key(axes.used) else names


def errors_of(sample: Sample, names: Sequence[str]) -> dict[str, str]:
    """Return the column of the error of each quantity that has one."""
    bases = {name: sample.column(name).base for name in names}
    errors: dict[str, str] = {}
    for end in ERROR_ENDS:
        for name, base in bases.items():
            stem = split_name(base.removesuffix(f"_{end}"))[0] if base.endswith(f"_{end}") else ""
            wanted = {stem + mean for mean in MEAN_ENDS if stem}
            owners = [own for own, other in bases.items() if other in wanted and own != name]
            errors |= {own: name for own in owners[:1] if own not in errors}
    unowned = [name for name in names if bases[name] in ERROR_ENDS]
    owners = [name for name in names if name not in unowned]
    if not errors and len(unowned) == len(owners) == 1:
        return {owners[0]: unowned[0]}
    return errors


def scalars_of(sample: Sample, axes: Axes, names: Sequence[str]) -> list[str]:
    """Return the numbers that have one value in each group of each frame; never all of them."""
    if axes.kind in {PlotKind.bars, PlotKind.scalars}:
        return []
    is_series = axes.kind is PlotKind.timeseries
    scalars = [
        name
        for name in names
        if (sample.column(name).is_integer or not is_series)
        and sample.has_one_value(axes.groups, name)
    ]
    return scalars if len(scalars) < len(names) else []


def in_order(analysis: str, sample: Sample, names: Sequence[str]) -> list[str]:
    """Return quantities, first those that share most words with the name of the analysis."""
    own = _words(split_name(analysis)[0])
    return sorted(names, key=lambda name: -len(own & _words(sample.column(name).base)))


def _words(base: str) -> set[str]:
    return {word.removesuffix("s") for word in base.split("_")} - COMMON_WORDS


def together_of(
    sample: Sample, names: Sequence[str], units: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """Return quantities of one unit whose names differ only in a component or a number."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        base = sample.column(name).base
        if not base.strip("0123456789_"):
            alike.setdefault(("number", units.get(name, "")), []).append(name)
        elif match := COMPONENT.fullmatch(base):
            kind = (match["stem"] or "", match["rest"] or "", units.get(name, ""))
            alike.setdefault(kind, []).append(name)
    return [tuple(same) for same in alike.values() if len(same) > 1]


def first_group_of(sample: Sample, groups: Sequence[str]) -> str:
    """Return the value of a group that stands for all others; empty if there is none."""
    texts = [text for name in groups if sample.is_text(name) for text in sample.texts(name)]
    lower = {text.lower(): text for text in reversed(texts)}
    return next((lower[name] for name in FIRST_GROUPS if name in lower), "")
