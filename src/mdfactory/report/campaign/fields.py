"""Fields: the values of the BuildInputs of all simulations as columns, in one pass over them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mdfactory.records.fields import (
    LACKING,
    QUANTITIES,
    Field,
    as_cell,
    flatten,
    is_number,
    values_of,
)
from mdfactory.report.campaign.molecule_lists import MoleculeLists
from mdfactory.report.campaign.species import SMILES, molecule_lists
from mdfactory.report.payload import Column, clean, column_of_codes
from mdfactory.report.plots.colour import FRACTION, colour_rank

if TYPE_CHECKING:
    import numpy as np

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
        The values; see `payload.to_column`. Of a field of a molecule, ``{"molecule", "absent",
        "derived", "values"}``: the number of its path; the value where its list lacks the molecule;
        and a column of the simulations that have it. If ``derived``, true stands for the SMILES of
        the molecule, or for its share of the counts in its list.
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
    molecule
        Path of the molecule that it belongs to; empty for other fields.
    at, codes
        The simulations that have it, and for each the number of its value.
    numbers
        Type and value -> number: True and 1 are equal in Python.
    """

    molecule: str
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
        self.molecules = MoleculeLists()

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
        self.molecules.add(lists)
        for _, names, molecules in lists:
            for name, molecule in zip(names, molecules, strict=True):
                owners |= {f"{name}.{key}": name for key in (*molecule, *QUANTITIES)}
                for quantity in sorted(QUANTITIES - molecule.keys()):
                    own.setdefault(f"{name}.{quantity}", []).append(None)
        for path, values in own.items():
            cells = self._cells.get(path)
            if cells is None:
                cells = self._cells[path] = _Cells(owners.get(path, ""))
            if owners.get(path) != cells.molecule:  # elsewhere an object has its name
                cells.molecule = ""
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
        filled = {present.list_path for present in self.molecules.present.values()}
        shares = self._shares()
        for path, cells in self._cells.items():
            if path in filled:  # an empty list of molecules, which others have filled
                continue
            built = self._column(path, cells, shares)
            if isinstance(built, FieldColumn):
                columns.append(built)
            elif built is not None:
                same.append(built)
        kinds = ("number", "text", "bool")
        columns.sort(key=lambda one: (not one.varies, not one.is_fraction, kinds.index(one.kind)))
        return columns, same

    def _column(
        self, path: str, cells: _Cells, shares: Mapping[str, np.ndarray]
    ) -> FieldColumn | tuple[str, Any] | None:
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
        has_zeros = bool(cells.molecule) and kind == "number" and _last(path) in QUANTITIES
        lacking = self.molecules.lacking(cells.molecule) if has_zeros else 0
        zero = numbers.setdefault(0, len(numbers)) if lacking else 0
        codes = self._codes(cells, own)
        counts = np.bincount(codes, minlength=len(numbers))
        counts[zero] += lacking
        counts[0] += len(self._types) - len(codes) - lacking
        values, distinct = list(numbers), int((counts[1:] > 0).sum())
        if distinct == 1 and not counts[0]:
            return path, values[int(counts.argmax())]
        varies = distinct > 1 or (not cells.molecule and self._differs_within_a_type(codes))
        mean = 0.0
        if kind == "number":
            mean = float(np.array([value or 0 for value in values]) @ counts / len(self._types))
        told = self._told(path, cells.molecule, kind, shares)
        column = _column_of(values, codes, told)
        if cells.molecule:
            column = {
                "molecule": self.molecules.present[cells.molecule].number,
                "absent": 0 if has_zeros else None,
                "derived": told is not None,
                "values": column,
            }
        return FieldColumn(path, kind, varies, distinct, mean, column)

    def _codes(self, cells: _Cells, own: np.ndarray) -> np.ndarray:
        """Return the number of the value of each simulation, or of each that has the molecule."""
        import numpy as np

        at = np.asarray(cells.at)
        size = len(self._types)
        if cells.molecule:
            rows = self.molecules.rows(cells.molecule)
            at, size = np.searchsorted(rows, at), len(rows)
        codes = np.zeros(size, dtype=np.int64)
        codes[at] = own[np.asarray(cells.codes)]
        return codes

    def _shares(self) -> dict[str, np.ndarray]:
        """Return the share of each molecule in the counts of its list, where it has one."""
        import numpy as np

        totals = {path: np.zeros(len(self._types)) for path in self.molecules.lists}
        counts = {path: self._counts(path) for path in self.molecules.present}
        parts = [
            (path, totals[present.list_path], self.molecules.rows(path))
            for path, present in self.molecules.present.items()
        ]
        for path, total, rows in parts:
            total[rows] += counts[path]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {path: counts[path] / total[rows] for path, total, rows in parts}

    def _counts(self, molecule: str) -> np.ndarray:
        """Return the count of a molecule in each simulation that has it; NaN if it is no number."""
        import numpy as np

        cells = self._cells.get(f"{molecule}.count", _Cells(molecule))
        given = [value for _, value in cells.numbers]
        numbers = [float(value) if _is_count(value) else np.nan for value in given]
        if _kind(given) != "number" or cells.molecule != molecule:
            return np.full(len(self.molecules.rows(molecule)), np.nan)
        codes = self._codes(cells, np.arange(1, len(numbers) + 1))
        counts: np.ndarray = np.array([np.nan, *numbers])[codes]
        return counts

    def _told(
        self, path: str, molecule: str, kind: str, shares: Mapping[str, np.ndarray]
    ) -> Sequence[Any] | None:
        """Return the values of a field that the page makes of other data; None if it makes none."""
        last = _last(path)
        if molecule and (last, kind) == (FRACTION, "number"):
            return list(shares[molecule])
        if molecule and (last, kind) == (SMILES, "text"):
            return self.molecules.smiles(molecule)
        return None

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


def _column_of(values: list[Any], codes: np.ndarray, told: Sequence[Any] | None) -> Column:
    """Return a column without values that no simulation has; true stands for what is told."""
    import numpy as np

    if told is not None:
        given = [values[code] for code in codes.tolist()]
        is_told = [one is not None and one == other for one, other in zip(given, told, strict=True)]
        codes = np.where(is_told, len(values), codes)
        values = [*values, True]
    used = np.bincount(codes, minlength=len(values)) > 0
    kept = [value for value, is_used in zip(values, used.tolist(), strict=True) if is_used]
    return column_of_codes(kept, (np.cumsum(used) - 1)[codes].tolist())


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


def _is_count(value: Any) -> bool:
    """Whether a value is a whole number whose sums are exact."""
    return isinstance(value, int) and abs(value) <= LARGEST_EXACT >> 12


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
