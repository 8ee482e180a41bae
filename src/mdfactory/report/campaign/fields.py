"""Fields: the values of the BuildInputs of all simulations as columns, in one pass over them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mdfactory.records.fields import (
    LACKING,
    QUANTITIES,
    Field,
    as_cell,
    flatten,
    is_number,
    values_of,
)
from mdfactory.report.campaign.species import SMILES, molecule_lists
from mdfactory.report.payload import Column, clean, column_of_codes
from mdfactory.report.plots.colour import FRACTION, colour_rank

LARGEST_EXACT: Final = 2**53
"""Numbers beyond it are texts: the page would round them."""

Clean = Callable[[str], str]
"""Function that cleans a text of a record."""


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """A field of all simulations.

    Parameters
    ----------
    path
        Dotted path of the field.
    kind
        ``number``, ``text`` or ``bool``.
    varies
        Whether simulations of one type differ in it, or types have different values.
    distinct
        Number of its distinct values, null excluded.
    mean
        Mean of a number, where null counts as 0; 0 of other kinds.
    column
        The values; see `payload.to_column`.
    """

    path: str
    kind: str
    varies: bool
    distinct: int
    mean: float
    column: Column

    @property
    def is_fraction(self) -> bool:
        """Whether it is the fraction of a molecule."""
        return _last(self.path) == FRACTION


@dataclass(slots=True)
class _Cells:
    """Cells of one field.

    Parameters
    ----------
    molecules
        Path of the list of molecules that it belongs to; empty for other fields.
    at, codes
        The simulations that have it, and for each the number of its value.
    numbers
        Type and value -> number: True and 1 are equal in Python.
    """

    molecules: str
    at: array[int] = field(default_factory=lambda: array("i"))
    codes: array[int] = field(default_factory=lambda: array("i"))
    numbers: dict[tuple[type, Any], int] = field(default_factory=dict)

    def add(self, index: int, value: Any) -> None:
        """Add the value of a simulation."""
        self.at.append(index)
        self.codes.append(self.numbers.setdefault((type(value), value), len(self.numbers)))


class FieldCollector:
    """Collects the fields of BuildInputs, one simulation after the other.

    A quantity of a molecule that a simulation lacks is 0 where it has such a list, as in a search.

    Parameters
    ----------
    clean
        Function that cleans texts.
    asked
        A field that somebody asks for, which may be short for several paths.
    """

    def __init__(self, clean: Clean, asked: Field | None = None) -> None:
        self._clean = clean
        self._asked = asked
        self._types: list[str] = []
        self._cells: dict[str, _Cells] = {}
        self._lists: dict[str, array[int]] = {}

    def add(self, simulation_type: str, document: Mapping[str, Any]) -> None:
        """Add the BuildInput of the next simulation.

        Raises
        ------
        ValueError
            If the path of a field is too long; nothing is added.
        """
        own: dict[str, list[Any]] = {}
        for path, value in flatten({name: document[name] for name in document if name != "tags"}):
            own.setdefault(path, []).append(value)
        if self._asked and self._asked.text not in own:
            own |= self._asked_values(document, self._asked)
        lists = [*molecule_lists(document)]  # from here on there is no error
        index = len(self._types)
        self._types.append(simulation_type)
        owners: dict[str, str] = {}
        for prefix, names, molecules in lists:
            self._lists.setdefault(prefix, array("i")).append(index)
            for name, molecule in zip(names, molecules, strict=True):
                owners |= {f"{name}.{key}": prefix for key in (*molecule, *QUANTITIES)}
                for quantity in sorted(QUANTITIES - molecule.keys()):
                    own.setdefault(f"{name}.{quantity}", []).append(None)
        for path, values in own.items():
            cells = self._cells.get(path)
            if cells is None:
                cells = self._cells[path] = _Cells(owners.get(path, ""))
            cells.add(index, _joined(path, values))

    def _asked_values(self, document: Mapping[str, Any], asked: Field) -> dict[str, list[Any]]:
        """Return the field that somebody asks for, if a simulation has it."""
        values = values_of(document, asked)
        if values and all(value is LACKING for value in values):
            return {asked.text: [0]} if asked.is_quantity else {}
        values = [value for value in values if value is not LACKING]
        has_fields = any(isinstance(value, dict) and value for value in values)
        return {asked.text: values} if values and not has_fields else {}

    def columns(self) -> tuple[list[FieldColumn], list[tuple[str, Any]]]:
        """Return the fields, and those that have one value over all simulations.

        Returns
        -------
        columns : list of FieldColumn
            Those that vary first, of these fractions of molecules first, then numbers.
        same : list of tuple
            Path and value.
        """
        columns: list[FieldColumn] = []
        same: list[tuple[str, Any]] = []
        lists = {cells.molecules for cells in self._cells.values()}
        for path, cells in self._cells.items():
            if path in lists:  # an empty list of molecules, which others have filled
                continue
            built = self._column(path, cells)
            if isinstance(built, FieldColumn):
                columns.append(built)
            elif built is not None:
                same.append(built)
        kinds = ("number", "text", "bool")
        columns.sort(key=lambda one: (not one.varies, not one.is_fraction, kinds.index(one.kind)))
        return columns, same

    def _column(self, path: str, cells: _Cells) -> FieldColumn | tuple[str, Any] | None:
        """Return a field; its path and value if it has one value; None if it has none."""
        import numpy as np

        given = [value for _, value in cells.numbers]
        kind = _kind(given)
        if not kind:
            return None
        is_smiles = path.endswith(f".{SMILES}")
        convert = _converter(kind, clean if is_smiles else self._clean)
        numbers: dict[Any, int] = {None: 0}
        shown = [value if value is None else convert(value) for value in given]
        own = np.array([numbers.setdefault(value, len(numbers)) for value in shown])
        codes = np.zeros(len(self._types), dtype=np.int64)
        if cells.molecules and kind == "number" and _last(path) in QUANTITIES:
            codes[np.asarray(self._lists[cells.molecules])] = numbers.setdefault(0, len(numbers))
        codes[np.asarray(cells.at)] = own[np.asarray(cells.codes)]
        used = np.bincount(codes, minlength=len(numbers)) > 0
        values = list(numbers)
        distinct = int(used[1:].sum())
        if distinct == 1 and not used[0]:
            return path, values[int(codes[0])]
        varies = distinct > 1 or (not cells.molecules and self._differs_within_a_type(codes))
        order = np.cumsum(used) - 1  # values that no simulation has are left out
        kept = [value for value, is_used in zip(values, used.tolist(), strict=True) if is_used]
        column = column_of_codes(kept, order[codes].tolist())
        mean = 0.0
        if kind == "number":
            floats = np.array([value or 0 for value in values], dtype=np.float64)
            mean = float(floats[codes].mean())
        return FieldColumn(path, kind, varies, distinct, mean, column)

    def _differs_within_a_type(self, codes: Any) -> bool:
        """Whether only some simulations of a type have a field."""
        pairs = {*zip(self._types, (codes > 0).tolist(), strict=True)}
        return len(pairs) > len({type_ for type_, _ in pairs})


def default_colour(columns: Sequence[FieldColumn]) -> str | None:
    """Return the field that colours curves if none is given; None if no number varies."""
    ranks = (
        colour_rank(one.path, _last(one.path), one.distinct, one.mean)
        for one in columns
        if one.kind == "number"
    )
    best = min(filter(None, ranks), default=None)
    return best[-1] if best else None


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _joined(path: str, values: Sequence[Any]) -> Any:
    """Return the value of a field of one simulation; several if a molecule comes twice."""
    if len(values) == 1:
        return as_cell(values) if isinstance(values[0], list | dict) else values[0]
    numbers = [value for value in values if is_number(value)]
    if _last(path) in QUANTITIES and numbers:
        return sum(numbers)
    return as_cell([value for index, value in enumerate(values) if value not in values[:index]])


def _kind(values: Sequence[Any]) -> str:
    """Return the kind of a field; empty if it has no value at all."""
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return ""
    if types == {bool}:
        return "bool"
    if types <= {int, float} and all(map(_is_exact, values)):
        return "number"
    return "text"


def _is_exact(value: Any) -> bool:
    """Whether a number is finite, and the page does not round it."""
    if value is None:
        return True
    return bool(abs(value) < (float("inf") if isinstance(value, float) else LARGEST_EXACT))


def _converter(kind: str, clean: Clean) -> Callable[[Any], Any]:
    """Return the function that makes the cell of a value that is not null."""
    if kind != "text":
        return lambda value: value
    return lambda value: clean(value if isinstance(value, str) else _json(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except ValueError:  # Python writes no whole number of thousands of digits
        return "a number of too many digits"
