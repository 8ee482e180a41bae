"""Frames of several simulations as one, with the hash of each in front.

What pandas will read of the whole is decided here, too: it keeps that as JSON in the metadata of
the schema. Nothing here imports pandas, not even through Arrow (see `records.frames`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice, takewhile
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, SchemasDifferError, counted
from mdfactory.frames.pandas_metadata import (
    HASH,
    PANDAS,
    Meaning,
    Pandas,
    column_renamed,
    common_attributes,
    entries_of,
    field_name,
    is_numbered,
    is_range,
    level_renamed,
    meaning_of,
    pandas_of,
    with_hash,
)
from mdfactory.records.arrow import Column, array, nulls

__all__ = ["Stack", "stack"]

SHOWN: Final = 6
"""Differences that a message names, of each group."""

LONGEST: Final = 120
"""Characters of one of them."""

REPEATED: Final = 1 << 16
"""Rows that share one copy of the hash."""

_Told = tuple[list[str], str]
"""Simulations, and what there is to say of their frames."""


@dataclass(frozen=True, slots=True)
class Stack:
    """How frames become one.

    Parameters
    ----------
    schema
        The schema of the whole: ``hash``, then the columns of the frames.
    changes
        What is not as it was in the frames, a line each.
    names
        The names that columns have in the frames.
    by_name
        Whether columns are found by their names; by their positions if not.
    """

    schema: pa.Schema
    changes: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    by_name: bool = False

    def put(self, hash_: str, frame: pa.Table) -> pa.Table:
        """Return a frame as its part of the whole.

        Raises
        ------
        SchemasDifferError
            If a value cannot be said in the type that was found for several frames.
        FrameCorruptError
            If the frame has other columns than the schema that was given for it.
        """
        names = _renamed(frame.schema.names, self.names)
        columns: Sequence[Column] = frame.columns
        if not self._fits(names, frame.schema.types):
            raise FrameCorruptError(f"record {hash_}: the frame and its schema do not fit")
        if self.by_name:
            own = dict(zip(names, frame.columns, strict=True))
            columns = [self._column(one, own.get(one.name), hash_, frame) for one in self._fields]
        return pa.Table.from_arrays(
            [_repeated(hash_, frame.num_rows), *columns], schema=self.schema
        )

    @property
    def _fields(self) -> list[pa.Field[pa.DataType]]:
        return list(self.schema)[1:]

    def _fits(self, names: list[str], types: list[pa.DataType]) -> bool:
        if self.by_name:
            return len(names) == len({*names}) and {*names} <= {*self.schema.names}
        return [names, types] == [self.schema.names[1:], self.schema.types[1:]]

    def _column(
        self,
        one: pa.Field[pa.DataType],
        column: pa.ChunkedArray[Any] | None,
        hash_: str,
        frame: pa.Table,
    ) -> Column:
        if column is None:
            return nulls(frame.num_rows, one.type)
        try:
            return _cast(column, one.type)
        except pa.ArrowException as error:
            what = f"{_shown(one.name)} {column.type}, to become {one.type}"
            raise SchemasDifferError([([hash_], what)], str(error)) from error


def stack(frames: Iterable[tuple[str, pa.Schema | pa.Table]], *, union: bool = False) -> Stack:
    """Decide how frames become one.

    Their schemas are the same if the columns have the same names and types in the same order,
    and pandas would make the same of them; categories whose order means something must have the
    same order.

    Parameters
    ----------
    frames
        Hash of each simulation, and a table like its frame, no rows are needed; or its schema,
        which does not tell the order of categories.
    union
        Whether frames may differ in their columns: types are then promoted by Arrow's rules,
        and columns that a frame does not have are null in its rows.

    Raises
    ------
    SchemasDifferError
        If they differ and `union` does not allow that, or Arrow cannot promote a column.
    """
    groups = _grouped(frames)
    if not groups:
        return Stack(_whole(pa.schema([]), {}, {}))
    if len(groups) > 1 and not union:
        raise SchemasDifferError(_differences(groups))
    names = frozenset(name for group in groups for name in group.schema.names)
    for group in groups:
        group.make_room(names)
    if len(groups) > 1:
        return _united(groups, names)
    (group,) = groups
    whole = _whole(group.schema, group.metadata, group.read_by_pandas())
    return Stack(whole, _left_out(groups, group.lost), names)


def _whole(schema: pa.Schema, metadata: Mapping[bytes, bytes], pandas: Pandas) -> pa.Schema:
    front = pa.field(HASH, pa.string(), nullable=False)
    kept: dict[bytes | str, bytes | str] = dict(metadata.items())
    if pandas:
        kept[PANDAS] = json.dumps(pandas).encode()
    return pa.schema([front, *schema], metadata=kept or None)


def _renamed(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return the names that columns have beside ours, none of them taken."""
    others = {*taken}
    free = (name for number in count(1) if (name := f"{HASH}_{number}") not in others)
    return [next(free) if name == HASH else name for name in names]


def _repeated(hash_: str, rows: int) -> pa.ChunkedArray[Any]:
    """Return a column of one hash; a single array holds no more than 2 GiB of text."""
    some = pa.repeat(array([hash_], pa.string())[0], min(rows, REPEATED))
    full, rest = divmod(rows, REPEATED)
    return pa.chunked_array([*[some] * full, some.slice(0, rest)], pa.string())


def _cast(column: Column, kind: pa.DataType) -> Column:
    if column.type == kind:
        return column
    return nulls(len(column), kind) if pa.types.is_null(column.type) else column.cast(kind)


@dataclass(slots=True)
class _Group:
    """Simulations whose frames have one schema.

    Parameters
    ----------
    schema
        The columns, with the metadata that they have in all frames.
    pandas
        What pandas keeps of one of the frames; its attributes if they are those of all.
    meaning
        What pandas makes of it.
    metadata
        What else all schemas have in their metadata.
    ordered
        Of each column the categories as text, if their order means something.
    hashes
        The simulations.
    lost
        What some frames have in their metadata, and others do not.
    numbered
        Whether a frame has an index that is a range of numbers, and not that of its rows.
    entries
        What pandas keeps of each column.
    """

    schema: pa.Schema
    pandas: Pandas
    meaning: Meaning
    metadata: dict[bytes, bytes]
    ordered: tuple[str, ...]
    hashes: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    numbered: bool = False
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, hash_: str, schema: pa.Schema, pandas: Pandas) -> None:
        self.hashes.append(hash_)
        self.metadata = _common(self.metadata, _metadata(schema), self.lost)
        self.pandas = common_attributes(self.pandas, pandas, self.lost)
        self.numbered |= is_numbered(pandas.get("index_columns", ()))
        bare = schema.remove_metadata()
        if not bare.equals(self.schema, check_metadata=True):
            pairs = zip(self.schema, bare, strict=True)
            self.schema = pa.schema([_field(pair, self.lost) for pair in pairs])

    def make_room(self, names: frozenset[str]) -> None:
        """Rename what is called ``hash``, here and for pandas."""
        *free, spare = _renamed([*self.schema.names, HASH], names)
        pairs = list(zip(self.schema, free, strict=True))
        own = next((name for one, name in pairs if one.name == HASH), spare)
        self.schema = pa.schema([one.with_name(name) for one, name in pairs])
        if self.pandas:
            columns = [column_renamed(one, own, spare) for one in self.pandas["columns"]]
            index = [level_renamed(one, own, spare) for one in self.pandas["index_columns"]]
            self.pandas = {**self.pandas, "columns": columns, "index_columns": index}
        self.entries = entries_of(self.pandas)
        self.meaning = meaning_of(self.schema, self.pandas)

    def read_by_pandas(self) -> Pandas:
        """Return what pandas keeps of the whole if all frames are in this group."""
        if not self.pandas:
            return {}
        alone, index = len(self.hashes) == 1, self.pandas["index_columns"]
        # numbers of rows are those of one frame, and not of the whole
        index = [one for one in index if alone or not is_range(one)]
        return with_hash({**self.pandas, "index_columns": index})

    def order(self, name: str) -> str | None:
        """Return the categories of a column in their order; None if there is no such column."""
        at = self.schema.get_field_index(name)
        return None if at < 0 else self.ordered[at]

    def part(self, name: str) -> tuple[str, str] | None:
        """Return what pandas makes of a column; None if there is no such column."""
        at = self.schema.get_field_index(name)
        return None if at < 0 else self.meaning.columns[at]


def _grouped(frames: Iterable[tuple[str, pa.Schema | pa.Table]]) -> list[_Group]:
    """Return the groups, in the order of their first frames."""
    groups: list[_Group] = []
    alike: dict[object, list[_Group]] = {}
    for hash_, frame in frames:
        schema = frame if isinstance(frame, pa.Schema) else frame.schema
        pandas, ordered = pandas_of(schema), _ordered(frame)
        meaning, types = meaning_of(schema, pandas), schema.types
        those = alike.setdefault((tuple(schema.names), meaning, ordered), [])
        group = next((one for one in those if one.schema.types == types), None)
        if group is None:
            bare, metadata = schema.remove_metadata(), _metadata(schema)
            group = _Group(bare, pandas, meaning, metadata, ordered)
            groups.append(group)
            those.append(group)
        group.add(hash_, schema, pandas)
    return groups


def _ordered(frame: pa.Schema | pa.Table) -> tuple[str, ...]:
    """Return of each column the categories as text, if their order means something."""
    if isinstance(frame, pa.Schema):
        return ("",) * len(frame)
    return tuple(map(_order, frame.columns))


def _order(column: pa.ChunkedArray[Any]) -> str:
    first = column.chunks[0] if column.num_chunks else None
    if isinstance(first, pa.DictionaryArray) and column.type.ordered:
        return str(first.dictionary.to_pylist())
    return ""


def _metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    return {key: value for key, value in (schema.metadata or {}).items() if key != PANDAS}


def _common(
    one: dict[bytes, bytes], other: dict[bytes, bytes], lost: set[str], of: str = ""
) -> dict[bytes, bytes]:
    """Return the metadata that both have."""
    if one == other:
        return one
    keys = {key for key, _ in one.items() ^ other.items()}
    lost |= {_shown(key.decode(errors="replace")) + of for key in keys}
    return {key: value for key, value in one.items() if key not in keys}


def _field(those: Iterable[pa.Field[pa.DataType]], lost: set[str]) -> pa.Field[pa.DataType]:
    """Return one column for those that have its name and type."""
    one, *others = those
    metadata, nullable = dict(one.metadata or {}), one.nullable
    for other in others:
        more = dict(other.metadata or {})
        metadata = _common(metadata, more, lost, f" of {_shown(one.name)}")
        nullable = nullable or other.nullable
    one = one.with_nullable(nullable)
    return one.with_metadata(dict(metadata.items())) if metadata else one.remove_metadata()


def _united(groups: Sequence[_Group], names: frozenset[str]) -> Stack:
    _require_distinct(groups)
    lost = {what for group in groups for what in group.lost}
    schema = _joined(groups, lost)
    metadata = groups[0].metadata
    for group in groups[1:]:
        metadata = _common(metadata, group.metadata, lost)
    pandas, differing = _agreed(groups, schema, lost)
    changes = (*_promotions(groups, schema), *differing, *_left_out(groups, lost))
    return Stack(_whole(schema, metadata, pandas), changes, names, by_name=True)


def _require_distinct(groups: Sequence[_Group]) -> None:
    """Refuse columns that share a name, since a union finds them by name."""
    told = []
    for group in groups:
        many = Counter(group.schema.names)
        twice = [f"{_shown(name)} more than once" for name in many if many[name] > 1]
        told += [(group, twice)] if twice else []
    if told:
        raise SchemasDifferError(_alike(told), "columns of one name cannot be told apart")


def _joined(groups: Sequence[_Group], lost: set[str]) -> pa.Schema:
    """Return all columns, each in the type that Arrow promotes its types to."""
    fields, refused = [], {}
    for name, those in _by_name(groups).items():
        try:
            kind = _promoted(_distinct(those))
        except pa.ArrowException as error:
            refused[name] = error
            continue
        one = _field([one.with_type(kind) for one in those], lost)
        fields.append(one.with_nullable(one.nullable or len(those) < len(groups)))
    if not refused:
        return pa.schema(fields)
    told = _alike((group, _types(group, refused)) for group in groups)
    first, why = next(iter(refused.items()))
    more = f", and {counted(len(refused) - 1, 'other column')}" if len(refused) > 1 else ""
    raise SchemasDifferError(told, f"Arrow has no type for {_shown(first)}{more}: {why}") from why


def _types(group: _Group, names: Iterable[str]) -> list[str]:
    has = {one.name: str(one.type) for one in group.schema}
    return [
        f"{_shown(name)} {has[name]}" if name in has else f"no {_shown(name)}" for name in names
    ]


def _by_name(groups: Iterable[_Group]) -> dict[str, list[pa.Field[pa.DataType]]]:
    columns: dict[str, list[pa.Field[pa.DataType]]] = {}
    for group in groups:
        for one in group.schema:
            columns.setdefault(one.name, []).append(one)
    return columns


def _distinct(those: Iterable[pa.Field[pa.DataType]]) -> list[pa.DataType]:
    types: list[pa.DataType] = []
    for one in those:
        types += [] if one.type in types else [one.type]
    return types


def _promoted(types: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type that Arrow has for all of these, if it can cast to it."""
    schemas = [pa.schema([("", kind)]) for kind in types]
    (kind,) = pa.unify_schemas(schemas, promote_options="permissive").types
    for one in types:
        _cast(nulls(1, one), kind)
    return kind


def _promotions(groups: Sequence[_Group], schema: pa.Schema) -> Iterator[str]:
    """Say what becomes of columns, where anything does."""
    total = sum(len(group.hashes) for group in groups)
    for name, those in _by_name(groups).items():
        types = [str(kind) for kind in _distinct(those)]
        missing = sum(len(group.hashes) for group in groups if group.part(name) is None)
        parts = []
        if len(types) > 1:
            parts.append(f"{_listed(types)} became {schema.field(name).type}")
        if len({group.order(name) for group in groups} - {None}) > 1:
            parts.append("the order of its categories differs, and means nothing here")
        if missing:
            parts.append(f"missing in {missing:,} of {counted(total, 'simulation')}, null there")
        if parts:
            yield f"{_shown(name)}: {'; '.join(parts)}"
    if any(_in_order(group, schema) != group.schema.names for group in groups):
        yield "the order of the columns: that of the first simulation"


def _in_order(group: _Group, schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if group.part(name)]


def _agreed(
    groups: Sequence[_Group], schema: pa.Schema, lost: set[str]
) -> tuple[Pandas, list[str]]:
    """Return what pandas keeps of what all groups agree on, and say what they do not."""
    pandas: Pandas = groups[0].pandas
    for group in groups[1:]:
        pandas = common_attributes(pandas, group.pandas, lost)
    if not pandas:
        return {}, []
    index, columns, changes = _index(groups), [], []
    once = {name for group in groups for name in group.meaning.index} - {*index}
    if once:
        names = ", ".join(_shown(name) for name in schema.names if name in once)
        changes.append(f"{names}: not the index of all simulations, now like any column")
    for name, those in _by_name(groups).items():
        parts = [part for group in groups if (part := group.part(name))]
        entry = next((group.entries[name] for group in groups if name in group.entries), None)
        if name in once:
            entry, parts = entry and {**entry, "name": name}, [("", dtype) for _, dtype in parts]
        if len({*parts}) > 1:
            said = _listed(sorted({dtype or label for label, dtype in parts} - {""}))
            changes.append(f"{_shown(name)}: {said} to pandas in some simulations only, left out")
        elif entry and (name in index or parts[0] != ("", "") or len(_distinct(those)) == 1):
            columns.append(entry)
    columns.sort(key=lambda entry: field_name(entry) in index)
    # a level of the index that becomes a column has no name of several levels
    agreed = len({group.meaning.levels for group in groups}) == 1
    agreed = agreed and not (once and len(pandas["column_indexes"]) > 1)
    changes += [] if agreed else ["the names of the columns' levels: not the same, left out"]
    levels = pandas["column_indexes"] if agreed else []
    more = {"columns": columns, "index_columns": index, "column_indexes": levels}
    return with_hash({**pandas, **more}), changes


def _index(groups: Sequence[_Group]) -> tuple[str, ...]:
    """Return the columns that are the index of all groups, and mean the same in all."""
    index = groups[0].meaning.index
    means = {(group.meaning.index, *(group.part(name) for name in index)) for group in groups}
    return index if len(means) == 1 else ()


def _left_out(groups: Sequence[_Group], lost: Iterable[str]) -> tuple[str, ...]:
    left_out = [f"{what}: not the same in all simulations, left out" for what in sorted(lost)]
    if any(group.numbered for group in groups) and sum(len(group.hashes) for group in groups) > 1:
        left_out.append("an index that is a range of numbers: left out, rows are counted anew")
    return tuple(left_out)


def _differences(groups: Sequence[_Group]) -> list[_Told]:
    """Say of each group what is not the same in all of them."""
    orders = _orders(groups)
    traits = [_traits(group, order) for group, order in zip(groups, orders, strict=True)]
    found = Counter(trait for each in traits for trait in each.items())
    differing = dict.fromkeys(key for (key, _), many in found.items() if many < len(groups))
    told = []
    for group, each in zip(groups, traits, strict=True):
        has = (text for key, text in each.items() if key in differing)
        lacks = (f"no {_shown(key[1])}" for key in differing if key not in each)
        told.append((group.hashes, _some(chain(has, lacks))))
    return sorted(told, key=_size)


def _traits(group: _Group, in_order: str) -> dict[tuple[str, str], str]:
    """Return what there is to know of a schema: of each column, and of all of them."""
    traits: dict[tuple[str, str], str] = {}
    columns = zip(group.schema, group.meaning.columns, group.ordered, strict=True)
    for one, (name, dtype), order in columns:
        more = [f"pandas {dtype}"] * bool(dtype) + [f"named {name}"] * bool(name)
        more += [f"in the order {order}"] * bool(order)
        text = f"{_shown(one.name)} {one.type}" + (f" ({', '.join(more)})" if more else "")
        key = ("column", one.name)
        traits[key] = f"{traits[key]}, {text}" if key in traits else text
    index, levels = group.meaning.index, group.meaning.levels
    traits["index", "index"] = f"index {', '.join(map(_shown, index))}" if index else "no index"
    traits["levels", "levels"] = f"columns named {levels}" if levels else "columns without a name"
    return {**traits, ("order", "order"): in_order}


def _orders(groups: Sequence[_Group]) -> list[str]:
    """Say in which order the columns are that all groups have, from where it differs."""
    names = [dict.fromkeys(group.schema.names) for group in groups]
    many = Counter(name for each in names for name in each)
    orders = [[name for name in each if many[name] == len(groups)] for each in names]
    same = takewhile(lambda those: len({*those}) == 1, zip(*orders, strict=True))
    start = sum(1 for _ in same)
    return [f"{', '.join(map(_shown, order[start : start + 2]))}, ... in order" for order in orders]


def _alike(told: Iterable[tuple[_Group, Iterable[str]]]) -> list[_Told]:
    """Put simulations together of which there is the same to say."""
    found: dict[str, list[str]] = {}
    for group, parts in told:
        found.setdefault(_some(parts), []).extend(group.hashes)
    return sorted(((hashes, text) for text, hashes in found.items()), key=_size)


def _size(told: _Told) -> int:
    return -len(told[0])


def _some(parts: Iterable[str]) -> str:
    first = list(islice(parts, SHOWN + 1))
    shown = [one if len(one) <= LONGEST else f"{one[:LONGEST]}..." for one in first[:SHOWN]]
    return ", ".join([*shown, "..."] if len(first) > SHOWN else shown)


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _shown(name: str) -> str:
    """Return a name, in quotes if it is not a word that a message can take."""
    return name if re.fullmatch(r"[^\W](\S| \S)*", name) and name.isprintable() else repr(name)
