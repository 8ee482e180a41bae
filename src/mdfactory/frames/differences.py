"""Sentences for users: how the schemas of frames differ, and what a union changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

import pyarrow as pa

from mdfactory.errors import counted, displayed
from mdfactory.frames.groups import SchemaGroup, distinct_types, fields_by_name

SHOWN_DIFFERENCES: Final = 6
"""Maximum number of differences that a message names for each group."""

MAX_DIFFERENCE_CHARACTERS: Final = 120

Description = tuple[list[str], str]
"""Hashes of simulations, and a description of their frames."""

Trait = tuple[str, str]
"""A property of a schema: its kind, such as ``column``, and the name of a column."""


def schema_differences(groups: Sequence[SchemaGroup]) -> list[Description]:
    """Describe for each group how it differs from the others, the largest group first."""
    orders = _column_orders(groups)
    traits = [_traits(group, order) for group, order in zip(groups, orders, strict=True)]
    counts = Counter(item for group_traits in traits for item in group_traits.items())
    differing = dict.fromkeys(trait for (trait, _), n in counts.items() if n < len(groups))
    descriptions = []
    for group, group_traits in zip(groups, traits, strict=True):
        own = (text for trait, text in group_traits.items() if trait in differing)
        missing = (f"no {displayed(trait[1])}" for trait in differing if trait not in group_traits)
        descriptions.append((group.hashes, _shortened(chain(own, missing))))
    return _largest_first(descriptions)


def _traits(group: SchemaGroup, order: str) -> dict[Trait, str]:
    """Describe each column, and the column order."""
    texts: defaultdict[Trait, list[str]] = defaultdict(list)  # several columns may have one name
    for column, categories in zip(group.schema, group.ordered, strict=True):
        note = f" (in the order {categories})" if categories else ""
        texts["column", column.name].append(f"{displayed(column.name)} {column.type}{note}")
    traits = {trait: ", ".join(parts) for trait, parts in texts.items()}
    return traits | {("order", ""): order}


def _column_orders(groups: Sequence[SchemaGroup]) -> list[str]:
    """Describe for each group the order of the shared columns, from the first difference on."""
    names = [dict.fromkeys(group.schema.names) for group in groups]
    counts = Counter(name for group_names in names for name in group_names)
    shared = [
        [name for name in group_names if counts[name] == len(groups)] for group_names in names
    ]
    rows = enumerate(zip(*shared, strict=True))
    start = next((position for position, row in rows if len({*row}) > 1), 0)
    return [
        f"{', '.join(map(displayed, order[start : start + 2]))}, ... in order" for order in shared
    ]


def duplicate_columns(groups: Iterable[SchemaGroup]) -> list[Description]:
    """Describe the groups in which several columns have the same name."""
    duplicates = []
    for group in groups:
        counts = Counter(group.schema.names)
        texts = [f"{displayed(name)} more than once" for name in counts if counts[name] > 1]
        duplicates += [(group, texts)] if texts else []
    return _merged(duplicates)


def types_of_columns(groups: Iterable[SchemaGroup], names: Iterable[str]) -> list[Description]:
    """Describe each group by the types of given columns, for example ``x int64, no y``.

    Parameters
    ----------
    groups
        The groups.
    names
        Names of the columns; not an iterator, since they are read once for each group.
    """

    def text(types: Mapping[str, pa.DataType], name: str) -> str:
        shown = displayed(name)
        return f"{shown} {types[name]}" if name in types else f"no {shown}"

    return _merged(
        (group, [text(types, name) for name in names])
        for group in groups
        for types in [dict(zip(group.schema.names, group.schema.types, strict=True))]
    )


def describe_promotions(groups: Sequence[SchemaGroup], schema: pa.Schema) -> Iterator[str]:
    """Yield a sentence for each column that a union changes, and one for a changed order.

    Parameters
    ----------
    groups
        The groups.
    schema
        The columns of the union.
    """
    total = sum(len(group.hashes) for group in groups)
    columns = {*chain.from_iterable(zip(g.schema.names, g.ordered, strict=True) for g in groups)}
    orders = Counter(name for name, _ in columns)
    owned = [{*group.schema.names} for group in groups]
    for name, fields in fields_by_name(groups).items():
        types = [str(data_type) for data_type in distinct_types(fields)]
        missing = sum(
            len(group.hashes)
            for group, names in zip(groups, owned, strict=True)
            if name not in names
        )
        parts = []
        if len(types) > 1:
            enumerated = f"{', '.join(types[:-1])} and {types[-1]}"
            parts.append(f"{enumerated} were promoted to {schema.field(name).type}")
        if orders[name] > 1:
            parts.append("the order of its categories differs and has no meaning in the result")
        if missing:
            parts.append(f"missing in {missing:,} of {counted(total, 'simulation')}, null there")
        if parts:
            yield f"{displayed(name)}: {'; '.join(parts)}"
    position_of = {name: position for position, name in enumerate(schema.names)}
    positions = [[position_of[name] for name in group.schema.names] for group in groups]
    if any(own != sorted(own) for own in positions):
        yield "the order of columns differs: the columns have the order of the first simulation"


def describe_dropped(dropped: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each piece of metadata that the frames don't share."""
    own = {*dropped} - {"PANDAS_ATTRS"}  # pandas stores its attributes there a second time
    return tuple(f"{name}: differs between simulations, dropped" for name in sorted(own))


def _merged(texts: Iterable[tuple[SchemaGroup, Iterable[str]]]) -> list[Description]:
    """Join the groups that have the same texts into one description, the largest first."""
    hashes_by_text: dict[str, list[str]] = {}
    for group, parts in texts:
        hashes_by_text.setdefault(_shortened(parts), []).extend(group.hashes)
    return _largest_first((hashes, text) for text, hashes in hashes_by_text.items())


def _largest_first(descriptions: Iterable[Description]) -> list[Description]:
    return sorted(descriptions, key=lambda description: -len(description[0]))


def _shortened(parts: Iterable[str]) -> str:
    """Join the first parts, each truncated if it is long."""
    first = list(islice(parts, SHOWN_DIFFERENCES + 1))
    shown = [
        part if len(part) <= MAX_DIFFERENCE_CHARACTERS else f"{part[:MAX_DIFFERENCE_CHARACTERS]}..."
        for part in first[:SHOWN_DIFFERENCES]
    ]
    return ", ".join([*shown, "..."] if len(first) > SHOWN_DIFFERENCES else shown)
