"""Lists of molecules: which molecules each simulation has, once for all fields of these.

A column of a field of a molecule has values of the simulations that have the molecule, not of all:
of a campaign with a hundred species, a simulation has a few.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mdfactory.report.campaign.species import Molecule, MoleculeList, molecules_of
from mdfactory.report.payload import Column, clean, to_column, values_of_column

if TYPE_CHECKING:
    import numpy as np


def _rows() -> array[int]:
    return array("i")


@dataclass(slots=True)
class Present:
    """The simulations that have a molecule.

    Parameters
    ----------
    number
        Number of the path of the molecule.
    list_path
        Path of its list.
    rows, kinds
        The simulations in ascending order, and the number of the molecule in each.
    """

    number: int
    list_path: str
    rows: array[int] = field(default_factory=_rows)
    kinds: array[int] = field(default_factory=_rows)


@dataclass(slots=True)
class MoleculeLists:
    """The molecules of simulations, which are added one after the other.

    Parameters
    ----------
    lists
        Path of each list -> the simulations that have it, be it empty.
    present
        Path of each molecule -> the simulations that have it.
    kinds
        The molecules, by their numbers. A path has several if its SMILES differ.
    by_simulation
        The numbers of the molecules of each simulation, in the order of its BuildInput.
    """

    lists: dict[str, array[int]] = field(default_factory=dict)
    present: dict[str, Present] = field(default_factory=dict)
    kinds: list[Molecule] = field(default_factory=list)
    by_simulation: list[tuple[int, ...]] = field(default_factory=list)
    _numbers: dict[Molecule, int] = field(default_factory=dict)
    _known: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)

    def add(self, lists: Iterable[MoleculeList]) -> None:
        """Add the lists of the next simulation."""
        row = len(self.by_simulation)
        numbers: list[int] = []
        for list_path, paths, molecules in lists:
            self.lists.setdefault(list_path, _rows()).append(row)
            for molecule in molecules_of(paths, molecules):
                numbers.append(self._number(molecule))
                present = self.present.get(molecule[0])
                if present is None:
                    present = self.present[molecule[0]] = Present(len(self.present), list_path)
                if not present.rows or present.rows[-1] != row:
                    present.rows.append(row)
                    present.kinds.append(numbers[-1])
        key = tuple(numbers)
        self.by_simulation.append(self._known.setdefault(key, key))

    def _number(self, molecule: Molecule) -> int:
        number = self._numbers.setdefault(molecule, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(molecule)
        return number

    def rows(self, path: str) -> np.ndarray:
        """Return the simulations that have a molecule."""
        import numpy as np

        return np.asarray(self.present[path].rows)

    def smiles(self, path: str) -> list[str]:
        """Return the SMILES of a molecule in each of the simulations that have it."""
        shown = {number: clean(self.kinds[number][2]) for number in {*self.present[path].kinds}}
        return [shown[number] for number in self.present[path].kinds]

    def lacking(self, path: str) -> int:
        """Return how many simulations have the list of a molecule, but not the molecule."""
        present = self.present[path]
        return len(self.lists[present.list_path]) - len(present.rows)

    def to_json(
        self, shown: Mapping[str, str] | None = None, text: Callable[[str], str] = clean
    ) -> dict[str, Any]:
        """Return the molecules as the page has them.

        Parameters
        ----------
        shown
            Path -> what is shown of it. Default: the path itself.
        text
            Function that returns what is shown of a name.

        Returns
        -------
        dict
            ``lists``: path, and column of 1 for the simulations that have it. ``paths``: number of
            the list, and path of a molecule. ``kinds``: number of the path, name and SMILES of a
            molecule. ``of``: column of lists of the numbers of molecules.
        """
        count, names = len(self.by_simulation), shown or {}
        list_numbers = {path: number for number, path in enumerate(self.lists)}
        return {
            "lists": [
                [names.get(path, path), _column_of(rows, count)]
                for path, rows in self.lists.items()
            ],
            "paths": [
                [list_numbers[present.list_path], names.get(path, path)]
                for path, present in self.present.items()
            ],
            "kinds": [
                [self.present[path].number, text(name), clean(smiles)]
                for path, name, smiles in self.kinds
            ],
            "of": to_column([numbers or None for numbers in self.by_simulation]),
        }


def _column_of(rows: array[int], count: int) -> Column:
    values: list[int | None] = [None] * count
    for row in rows:
        values[row] = 1
    return to_column(values)


class FieldReader:
    """Reads columns of fields as the script of the page does.

    Parameters
    ----------
    count
        Number of simulations.
    molecules
        See `MoleculeLists.to_json`.
    columns
        Path of each field -> its column.
    same
        Path and value of each field that is the same in all.
    """

    def __init__(
        self,
        count: int,
        molecules: Mapping[str, Any],
        columns: Mapping[str, Column],
        same: Iterable[Sequence[Any]] = (),
    ) -> None:
        self._count = count
        self._molecules = molecules
        self._columns = columns
        self._same: dict[str, Any] = dict(map(tuple, same))
        self._kinds: list[dict[int, int]] = [{} for _ in molecules["paths"]]
        for row, numbers in enumerate(values_of_column(molecules["of"], count)):
            for number in numbers or ():
                self._kinds[molecules["kinds"][number][0]].setdefault(row, number)
        self._totals: dict[int, dict[int, int]] = {}

    def values(self, path: str) -> list[Any]:
        """Return the values of a field of all simulations."""
        if path in self._same:
            return [self._same[path]] * self._count
        column = self._columns[path]
        if not is_of_molecule(column):
            return values_of_column(column, self._count)
        own = self._own_values(path)
        if column["absent"] is None:
            return list(map(own.get, range(self._count)))
        list_number, _ = self._molecules["paths"][column["molecule"]]
        _, listed = self._molecules["lists"][list_number]
        has_list = values_of_column(listed, self._count)
        return [
            own.get(row, column["absent"] if has_list[row] else None) for row in range(self._count)
        ]

    def _own_values(self, path: str) -> dict[int, Any]:
        """Return the values of a field of the simulations that have its molecule."""
        column = self._columns[path]
        kinds = self._kinds[column["molecule"]]
        values = dict(zip(kinds, values_of_column(column["values"], len(kinds)), strict=True))
        if not column["derived"]:
            return values
        told = self._smiles if path.endswith(".smiles") else self._shares
        derived = told(column["molecule"])
        return {row: derived[row] if value is True else value for row, value in values.items()}

    def _smiles(self, molecule: int) -> dict[int, Any]:
        kinds = self._molecules["kinds"]
        return {row: kinds[number][2] for row, number in self._kinds[molecule].items()}

    def _shares(self, molecule: int) -> dict[int, Any]:
        list_number, _ = self._molecules["paths"][molecule]
        if list_number not in self._totals:
            self._totals[list_number] = self._total_counts(list_number)
        totals = self._totals[list_number]
        counts = self._counts(molecule)
        return {row: count / totals[row] for row, count in counts.items() if totals.get(row)}

    def _total_counts(self, list_number: int) -> dict[int, int]:
        totals: dict[int, int] = {}
        for molecule, (own_list, _) in enumerate(self._molecules["paths"]):
            for row, count in self._counts(molecule).items() if own_list == list_number else ():
                totals[row] = totals.get(row, 0) + count
        return totals

    def _counts(self, molecule: int) -> dict[int, int]:
        path = f"{self._molecules['paths'][molecule][1]}.count"
        if path in self._same:
            return dict.fromkeys(self._kinds[molecule], self._same[path])
        own = self._own_values(path) if path in self._columns else {}
        return {row: count for row, count in own.items() if isinstance(count, int)}


def is_of_molecule(column: Column) -> bool:
    """Whether a column has values of the simulations that have a molecule only."""
    return isinstance(column, dict) and "molecule" in column
