"""The columns of a campaign CSV: the paths of fields, and the values in their cells."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from mdfactory.errors import BuildInputError, SourceError, suggestion

SPECIES_COLUMN: Final = re.compile(
    r"((?:(?!species\.)[^.]*\.)*species)\.([^.]+)\.(smiles|count|fraction|concentration)"
)
"""Column of a species, such as ``system.species.SOL.count``: list, resname and field. A list of
species is not part of another one."""

OPEN_MAPPINGS: Final = ("tags", "system.protein.protonation_states")
"""Mappings of text to text: the rest of a column's path is one key, dots included."""

IONIZATION: Final = "system.ionization"
"""Field that a row gives as a whole (null or false), or by its fields."""

NO_IONS: Final = frozenset({"none", "no", "nan", "n/a", "off"})
"""Cells that mean no ions, as spreadsheets and other languages spell that."""

PDB_PATH: Final = "system.protein.pdb_path"

BOND: Final = re.compile(r"\s*-\s*(?=[^\W\d_])")
"""The hyphen of a disulfide bond: that before a letter, not that of a negative residue number."""

SPREADSHEETS: Final = frozenset({".xlsx", ".xls", ".ods", ".numbers"})
"""Suffixes of files that must be saved as CSV first."""

SEPARATORS: Final = {";": "semicolons", "\t": "tabs"}
"""Characters that spreadsheets write in place of commas -> what they are called."""

SAVE_COMMAS: Final = "not commas: save it with commas as separators and points as decimal marks"

MAX_COLUMN_LEVELS: Final = 16
"""Levels of a column's path; the deepest path of a BuildInput has five."""


class Column(NamedTuple):
    """A column of a campaign CSV.

    Parameters
    ----------
    path
        Names of the fields from the top to the field of the column.
    species
        Path of a list of species, resname and field, if it is the column of a species.
    """

    path: tuple[str, ...]
    species: tuple[str, str, str] | None = None

    @property
    def name(self) -> str:
        """The path with dots."""
        return ".".join(self.path)


def parse_header(file: Path, header: Sequence[str]) -> dict[int, Column]:
    """Return position -> column of a campaign CSV.

    Without the columns that pandas names ``Unnamed``, and its index: a first column without a name.

    Raises
    ------
    SourceError
        If the header is invalid.
    """
    if "simulation_type" not in header:
        hint = suggestion("simulation_type", header)
        if file.suffix.lower() in SPREADSHEETS:
            hint = "; it is a spreadsheet, save it as CSV"
        elif separator := next(filter("".join(header).__contains__, SEPARATORS), ""):
            hint = f"; its values are separated by {SEPARATORS[separator]}, {SAVE_COMMAS}"
        raise SourceError(str(file), f"no column 'simulation_type' in the header{hint}")
    try:
        columns = {
            position: _parse_column(name)
            for position, name in enumerate(header)
            if not name.startswith("Unnamed") and (name or position)
        }
        _check_conflicts(list(columns.values()))
    except ValueError as error:
        raise SourceError(str(file), str(error)) from error
    return columns


def _parse_column(name: str) -> Column:
    """Return the column of a name in the header; its resname in upper case.

    Raises
    ------
    ValueError
        If the name is invalid.
    """
    if not name:
        raise ValueError("a column without a name in the header")
    if name.endswith("."):
        raise ValueError(f"the column {name!r:.80} ends with a dot")
    for mapping in OPEN_MAPPINGS:
        if name.startswith(f"{mapping}."):
            return Column((*mapping.split("."), name.removeprefix(f"{mapping}.")))
    if name.count(".") >= MAX_COLUMN_LEVELS:
        raise ValueError(f"the column {name!r:.80} nests more than {MAX_COLUMN_LEVELS} levels")
    if species := SPECIES_COLUMN.fullmatch(name):
        list_path, resname, field = species[1], species[2].upper(), species[3]
        return Column((*list_path.split("."), resname, field), (list_path, resname, field))
    path = tuple(name.split("."))
    if "species" in path:
        hint = suggestion(path[-1], ("smiles", "count", "fraction", "concentration"))
        raise ValueError(
            f"invalid column {name!r}{hint}; the columns of a species are "
            "system.species.<RESNAME>.<smiles|count|fraction|concentration>"
        )
    return Column(path)


def _check_conflicts(columns: Sequence[Column]) -> None:
    """Raise a `ValueError` if two columns are the same, or one contains the other."""
    # Sorted by their parts, a path comes right before the paths below it.
    for path, next_path in pairwise(sorted(column.path for column in columns)):
        name = ".".join(path)
        if path == next_path:
            raise ValueError(f"duplicate column {name!r:.200} in the header")
        if path == next_path[: len(path)] and name != IONIZATION:
            below = next(column.name for column in columns if column.name.startswith(f"{name}."))
            raise ValueError(f"conflicting columns {name!r} and {below!r}: one contains the other")


def read_cell(column: Column, cell: str, folder: str) -> object:
    """Return the value of a cell that is not blank.

    Parameters
    ----------
    column
        Its column.
    cell
        Its text, without outer blanks.
    folder
        Folder of the campaign CSV, to which a relative path of a structure is relative.

    Raises
    ------
    BuildInputError
        If the text is no value of the column.
    """
    try:
        if is_relative_path(column, cell):
            return os.path.realpath(os.path.join(folder, cell))
        return READERS.get(column.name, str)(cell)
    except ValueError as error:
        raise BuildInputError([(column.name, f"{error} (got {cell!r:.80})")]) from error


def is_relative_path(column: Column, cell: str) -> bool:
    """Whether a cell is the path of a structure, relative to the folder of the campaign CSV."""
    return column.name == PDB_PATH and not cell.startswith("/")


def _read_ionization(cell: str) -> object:
    if cell.lower() in NO_IONS:
        raise ValueError("write null if there are no ions")
    return {"null": None, "false": False}.get(cell.lower(), cell)


def _split_list(cell: str) -> list[str]:
    entries = [entry.strip() for entry in cell.split(";")]
    if not all(entries):
        raise ValueError("has an empty entry")
    return entries


def _read_bonds(cell: str) -> list[list[str]]:
    return [BOND.split(entry) for entry in _split_list(cell)]


READERS: Final[Mapping[str, Callable[[str], object]]] = {
    IONIZATION: _read_ionization,
    "system.protein.chains": _split_list,
    "system.protein.disulfide_bonds": _read_bonds,
}
"""Column -> function that reads its cells; cells of other columns are taken as they are."""
