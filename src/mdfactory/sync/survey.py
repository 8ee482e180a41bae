"""Survey: which fields the simulations of a store have, and of which kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import QueryError, displayed, listed
from mdfactory.records.fields import (
    COMPOSITION,
    LACKING,
    Field,
    flatten,
    is_molecules,
    parse_field,
    short_paths,
)
from mdfactory.records.query import Condition, Query
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.records.vocabulary import ResultType
from mdfactory.records.where import Comparison, kind_of
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.search import Judge, Search, Subject

MAX_NAMED_FIELDS: Final = 12
"""Maximum number of fields that an error names."""

MAX_MEANT_FIELDS: Final = 3
"""Maximum number of fields that an error suggests."""

MEANT_ENDINGS: Final = ("fraction", "count")
"""Last names of the fields that are suggested before others."""

MAX_COMPARED_FIELDS: Final = 10_000
"""Maximum number of fields that are compared with one that no simulation has."""

MAX_INTEGER: Final = 2**63

SIMULATION_COLUMNS: Final = frozenset({"hash", "simulation_type"})
"""Columns of all record tables that say the same of a simulation."""


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """A field as a column.

    Parameters
    ----------
    field
        The field.
    type
        The type of its values.
    """

    field: Field
    type: pa.DataType

    @property
    def arrow(self) -> pa.Field[Any]:
        """The column in a schema."""
        return pa.field(self.field.text, self.type)

    def cell(self, value: Any) -> Any:
        """Return a value as the type of the column requires."""
        if value is None or self.type != pa.string() or isinstance(value, str):
            return value
        return json.dumps(value)


@dataclass(frozen=True, slots=True)
class Survey:
    """The columns of a search.

    Parameters
    ----------
    columns
        Columns of the fields that are shown; a field with subfields has a column for each.
    order
        The column of the field by which records are sorted, if any.
    """

    columns: tuple[FieldColumn, ...]
    order: FieldColumn | None


def survey(
    transaction: Transaction,
    table: Table,
    search: Search,
    *,
    order: Field | None = None,
    where: tuple[Condition, ...] = (),
    others: Sequence[Subject] = (),
) -> Survey:
    """Check the fields of a search, and return its columns.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table that is read; its own columns come before fields.
    search
        The search.
    order
        The field by which records are sorted.
    where
        Conditions of the query. Only the fields of simulations that meet them become columns.
    others
        Simulations that the store does not have, whose fields count, too.

    Raises
    ------
    QueryError
        If no simulation has a field, or a field is compared with a value of another kind.
    """
    surveyor = _Surveyor(transaction, table, others)
    surveyor.needed |= {comparison.field.text for comparison in search.where}
    surveyor.check_comparisons(search.where)
    if order is not None:
        surveyor.check_order(order)
    fields = (*search.fields, *([order] if order else ()))
    kinds = surveyor.kinds_by_path(fields, search, where)
    columns = {
        column.field.text: column
        for field in search.fields
        for column in surveyor.columns(field, kinds)
    }
    if order is None:
        return Survey(tuple(columns.values()), None)
    first = next(iter(surveyor.columns(order, kinds)))
    return Survey(tuple(columns.values()), FieldColumn(order, first.type))


class _Surveyor:
    """One survey; see `survey`."""

    def __init__(
        self, transaction: Transaction, table: Table, others: Sequence[Subject] = ()
    ) -> None:
        self._others = others
        self.needed = {"hash", INPUT_COLUMN}
        self._transaction = transaction
        self._table = table

    def check_comparisons(self, comparisons: Iterable[Comparison]) -> None:
        """Check that simulations have the fields of conditions, and of which kinds."""
        remaining, kinds = [], {}
        for comparison in comparisons:
            kind = self._column_kind(comparison.field)
            if kind:
                comparison.check_kinds({kind})
            else:
                remaining.append(comparison)
                kinds[comparison.text] = set[str]()
        compared, is_empty = list(remaining), True
        for subject in self._subjects() if remaining else ():
            is_empty = False
            for comparison in list(remaining):
                found = set(_kinds(subject, comparison.field))
                kinds[comparison.text] |= found
                if any(map(comparison.accepts, found)):
                    remaining.remove(comparison)
            if not remaining:
                return
        for comparison in () if is_empty else compared:
            if not kinds[comparison.text]:
                self._fail(comparison.field, f"--where {comparison.text!r:.200}: ")
            comparison.check_kinds(kinds[comparison.text], self._inner_fields(comparison))

    def _inner_fields(self, comparison: Comparison) -> list[str]:
        """Return the fields inside that of a condition which its value can be compared with."""
        paths: dict[str, None] = {}
        for subject in self._subjects():
            for value in subject.values(comparison.field):
                if isinstance(value, dict) or (value and is_molecules(value)):
                    inner = flatten(value, comparison.field.text)
                    paths.update(
                        (path, None) for path, v in inner if comparison.accepts(kind_of(v))
                    )
            if paths:
                break
        return _best(paths)

    def check_order(self, field: Field) -> None:
        """Check that a simulation has the field by which records are sorted."""
        is_path = len(field.parts) > 1 or field.text == COMPOSITION
        if self._column_kind(field) or self._is_known(field, if_empty=is_path):
            return
        name, columns = self._table.name, ", ".join(self._table.columns)
        self._fail(field, f"{name} has no column {field.text!r}; it has {columns}; and ")

    def kinds_by_path(
        self, fields: Sequence[Field], search: Search, where: tuple[Condition, ...]
    ) -> dict[str, dict[str, set[str]]]:
        """Return field -> path of each of its subfields, or its own -> kinds of the values."""
        kinds: dict[str, dict[str, set[str]]] = {COMPOSITION: {COMPOSITION: {"text"}}}
        by_path = [
            field for field in fields if not (self._column_kind(field) or field.text in kinds)
        ]
        kinds |= {field.text: {} for field in by_path}
        if not by_path:
            return kinds
        own = self._table.columns if self._table.id != SIMULATIONS.id else ()
        conditions = tuple(part for part in search.where if part.field.text not in own)
        judge = Judge(replace(search, where=conditions))
        columns = SIMULATIONS.columns if not own else SIMULATION_COLUMNS
        for subject in self._subjects(tuple(part for part in where if part.column in columns)):
            if not judge(subject):
                continue
            for field in by_path:
                paths = kinds[field.text]
                for path, kind in _typed_paths(subject, field):
                    paths.setdefault(path, set()).add(kind)
        for field in by_path:
            if not kinds[field.text] and not self._is_known(field):
                self._fail(field, "")
        return kinds

    def columns(self, field: Field, kinds: dict[str, dict[str, set[str]]]) -> Iterator[FieldColumn]:
        """Yield the columns of a field."""
        if self._column_kind(field):
            schema = self._table.schema if field.text in self._table.columns else SIMULATIONS.schema
            yield FieldColumn(field, schema.field(field.text).type)
            return
        paths = kinds[field.text]
        for path, types in (paths or {field.text: {"null"}}).items():
            yield FieldColumn(parse_field(path), _arrow_type(types - {"null"}))

    def _column_kind(self, field: Field) -> str:
        """Return the kind of a column of the records; empty if there is none of this name."""
        for table in (self._table, SIMULATIONS):
            if field.text in table.columns:
                kind = table.schema.field(field.text).type
                return "number" if pa.types.is_integer(kind) else "text"
        return ""

    def _subjects(self, where: tuple[Condition, ...] = ()) -> Iterator[Subject]:
        """Yield the simulations of the store that meet conditions, after the others."""
        yield from self._others
        if not self._transaction.has(SIMULATIONS):
            return
        names = tuple(name for name in SIMULATIONS.columns if name in self.needed)
        for row in self._transaction.values(SIMULATIONS, Query(where, names)):
            yield Subject(dict(zip(names, row, strict=True)))

    def _is_known(self, field: Field, *, if_empty: bool = True) -> bool:
        """Whether a simulation of the store has a field; `if_empty` if it has no simulations."""
        is_empty = True
        for subject in self._subjects():
            if any(True for _ in _kinds(subject, field)):
                return True
            is_empty = False
        return is_empty and if_empty

    def _fail(self, field: Field, prefix: str) -> None:
        """Raise an error that names the fields that are alike."""
        from difflib import get_close_matches

        if self._is_in_frames(field.text):
            raise QueryError(
                f"{prefix}{field.text} is a column of the tables of {self._table.result_name}, and "
                "no field of simulations. To select rows, write the tables to a file (--data "
                "--output FILE), and filter that"
            )
        paths: dict[str, None] = {}
        first: list[str] = []
        for subject in self._subjects():
            with subject.reading():
                own = [*_paths(subject.document)]
            first = first or own
            paths.update(dict.fromkeys(own))
            if len(paths) > MAX_COMPARED_FIELDS:
                break
        names = dict.fromkeys([*paths, *self._table.columns, *SIMULATIONS.columns, COMPOSITION])
        beside = _beside(field.text, paths)
        alike = get_close_matches(field.text, beside or names, 5, 0.7) or _best(beside)
        meant = _with_name(field.text, paths)
        if meant:
            known = f"did you mean {' or '.join(map(displayed, meant))}?"
        elif alike:
            known = f"there are {', '.join(map(displayed, alike))}"
            if len(alike) == 1:
                known = f"did you mean {displayed(alike[0])}?"
        else:
            shown = listed([*map(displayed, first)], MAX_NAMED_FIELDS)
            known = f"the first has {', '.join(shown)}"
        raise QueryError(f"{prefix}no simulation has a field {field.text!r}; {known}")

    def _is_in_frames(self, name: str) -> bool:
        """Whether frames of the analysis that is read have a column of this name."""
        if self._table.result_type is not ResultType.analysis:
            return False
        query = Query(columns=("columns",))
        lists = {text for (text,) in self._transaction.values(self._table, query)}
        return any(json.dumps(name) in text for text in lists)


def _with_name(name: str, paths: Iterable[str]) -> list[str]:
    """Return the paths that contain a single name, such as that of a molecule; the best first.

    A short path stands for the long ones.
    """
    found = [path for path in paths if name.lower() in path.lower().split(".")]
    short = [path for path in found if path.startswith("species.")]
    return _best(short or found)


def _beside(name: str, paths: Iterable[str]) -> list[str]:
    """Return the paths of the other fields of what a field is said to be of, such as a molecule."""
    parent, dot, _ = name.lower().rpartition(".")
    return [path for path in paths if dot and path.lower().rpartition(".")[0] == parent]


def _best(paths: Iterable[str]) -> list[str]:
    """Return the first fields to suggest: those that are asked for most, before others."""

    def rank(path: str) -> int:
        ending = path.rpartition(".")[2]
        return MEANT_ENDINGS.index(ending) if ending in MEANT_ENDINGS else len(MEANT_ENDINGS)

    return sorted(paths, key=rank)[:MAX_MEANT_FIELDS]


def _paths(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of all fields of a simulation, then the short ones."""
    yield from chain((path for path, _ in flatten(document)), short_paths(document))


def _kinds(subject: Subject, field: Field) -> Iterator[str]:
    return (kind_of(value) for value in subject.values(field) if value is not LACKING)


def _typed_paths(subject: Subject, field: Field) -> Iterator[tuple[str, str]]:
    """Yield the path of each subfield, or of the field itself, and the type of its value."""
    values = [value for value in subject.values(field) if value is not LACKING]
    for value in values:
        if isinstance(value, dict) or (value and is_molecules(value)):
            with subject.reading():
                paths = dict(flatten(value, field.text))
            yield from ((path, _type_name(child)) for path, child in paths.items())
        else:
            yield field.text, _type_name(value) if len(values) == 1 else "text"


def _type_name(value: Any) -> str:
    """Return the kind of a value; numbers are ``int``, if Arrow has it, or ``float``."""
    kind = kind_of(value)
    if kind != "number":
        return kind
    if isinstance(value, float):
        return "float"
    return "int" if -MAX_INTEGER <= value < MAX_INTEGER else "text"


def _arrow_type(types: set[str]) -> pa.DataType:
    """Return the type of a column whose values have these types; text if they are mixed."""
    if types == {"int"}:
        return pa.int64()
    if types and types <= {"int", "float"}:
        return pa.float64()
    return pa.bool_() if types == {"bool"} else pa.string()
