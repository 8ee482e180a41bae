"""Campaign CSV files: a row is a BuildInput, a column the path of a field."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import BuildInputError, SourceError
from mdfactory.files import UnreadableError, open_regular_file

SPECIES_COLUMN: Final = re.compile(
    r"((?:(?!species\.)[^.]*\.)*species)\.([^.]+)\.(smiles|count|fraction)"
)
"""Column of a species, such as ``system.species.SOL.count``: list, resname and field. A list of
species is not part of another one."""

MAX_LINE_CHARACTERS: Final = 2**20
"""Length of a line; a row of a campaign has a few hundred characters."""

MAX_COLUMN_LEVELS: Final = 16
"""Levels of a column's path; the deepest path of a BuildInput has five."""

NUMBERED_SPECIES: Final = re.compile(r"((?:\w+\.)*species)\.(\d+)")
"""Part of a field name that gives a species by its position, such as ``system.species.0``."""


@dataclass(frozen=True, slots=True)
class Row:
    """A valid row of a campaign CSV.

    Parameters
    ----------
    number
        Number of the row, from 1; the header and blank rows do not count.
    line
        Line of the file where the row ends.
    build_input
        BuildInput of the row.
    """

    number: int
    line: int
    build_input: BuildInput


class RowProblem(NamedTuple):
    """An invalid row of a campaign CSV.

    Parameters
    ----------
    number, line
        Number and line of the row, as in `Row`.
    reason
        Why the row is invalid, in one line.
    """

    number: int
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Content of a campaign CSV.

    Parameters
    ----------
    rows
        The valid rows; no two have the same hash.
    problems
        The invalid rows.
    warnings
        One-line warnings about the file.
    """

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    warnings: tuple[str, ...]


def read_rows(file: Path) -> Rows:
    """Read and validate a campaign CSV.

    Parameters
    ----------
    file
        CSV file in UTF-8, with a header and commas.

    Returns
    -------
    Rows
        The valid and the invalid rows.

    Raises
    ------
    SourceError
        If the file cannot be read as CSV, its header is invalid, or it has no rows.
    """
    try:
        handle = open_regular_file(file)
        with os.fdopen(handle, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_read_lines(stream), strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = _parse_rows(reader, len(header), _parse_header(file, header))
    except UnreadableError as error:
        raise SourceError(str(file), f"cannot be read as CSV: it {error}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(str(file), f"cannot be read as CSV: {reason}") from error
    if not (rows.rows or rows.problems):
        raise SourceError(str(file), "has no rows below its header")
    return rows


def _read_lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines; a line that is too long is an error before it is completely in memory."""
    while line := stream.readline(MAX_LINE_CHARACTERS + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise csv.Error(f"a line has more than {MAX_LINE_CHARACTERS:,} characters")
        yield line


def _parse_header(file: Path, header: Sequence[str]) -> dict[int, str]:
    """Return position -> dotted path of each column.

    Without the columns that pandas names ``Unnamed``, and its index: a first column without a name.
    """
    columns = {
        position: _normalise_column(name)
        for position, name in enumerate(header)
        if not name.startswith("Unnamed") and (name or position)
    }
    names = list(columns.values())
    if "simulation_type" not in names:
        hint = "; its values are separated by ';', not ','" if ";" in "".join(header) else ""
        raise SourceError(str(file), f"no column 'simulation_type' in the header{hint}")
    if problem := _header_problem(names):
        raise SourceError(str(file), problem)
    return columns


def _header_problem(names: Sequence[str]) -> str:
    """Return why the dotted paths of the columns are invalid, or an empty text."""
    for name in names:
        if not name:
            return "a column without a name in the header"
        if name.count(".") >= MAX_COLUMN_LEVELS:
            return f"the column {name!r:.80} nests more than {MAX_COLUMN_LEVELS} levels"
        if "species" in name.split(".") and not SPECIES_COLUMN.fullmatch(name):
            return (
                f"invalid column {name!r}; the columns of a species are "
                "system.species.<RESNAME>.<smiles|count|fraction>"
            )
    # Sorted by their parts, a path comes right before the paths below it.
    for path, next_path in pairwise(sorted(name.split(".") for name in names)):
        name = ".".join(path)
        if path == next_path:
            return f"duplicate column {name!r:.200} in the header"
        if path == next_path[: len(path)]:
            below = next(other for other in names if other.startswith(f"{name}."))
            return f"conflicting columns {name!r} and {below!r}: one contains the other"
    return ""


def _normalise_column(name: str) -> str:
    """Return a column's path with its resname in upper case."""
    species = SPECIES_COLUMN.fullmatch(name)
    return f"{species[1]}.{species[2].upper()}.{species[3]}" if species else name


def _parse_rows(reader: Iterator[list[str]], width: int, columns: Mapping[int, str]) -> Rows:
    rows: dict[str, Row] = {}
    problems: list[RowProblem] = []
    cells: list[str]
    number = 0
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        number += 1
        line = reader.line_num  # type: ignore[attr-defined]  # of csv.reader
        try:
            row = Row(number, line, _parse_row(cells, width, columns))
        except BuildInputError as error:
            problems.append(RowProblem(number, line, str(error)))
            continue
        if (earlier := rows.setdefault(row.build_input.hash, row)) is not row:
            reason = f"the same simulation as row {earlier.number}"
            problems.append(RowProblem(number, line, reason))
    unknown = {path.partition(".")[0] for path in columns.values()} - set(BuildInput.model_fields)
    warnings = (f"ignored unknown columns: {', '.join(sorted(unknown))}",) if unknown else ()
    return Rows(tuple(rows.values()), tuple(problems), warnings)


def _parse_row(cells: Sequence[str], width: int, columns: Mapping[int, str]) -> BuildInput:
    if len(cells) != width:
        raise BuildInputError([("", f"{len(cells)} values, but the header has {width} columns")])
    values: dict[str, Any] = {}
    lists: dict[str, dict[str, dict[str, str]]] = {}  # path -> resname -> fields of the species
    for position, path in columns.items():
        cell = cells[position].strip()
        if cell and (column := SPECIES_COLUMN.fullmatch(path)):
            list_path, resname, name = column.groups()
            species = lists.setdefault(list_path, {})
            species.setdefault(resname, {"resname": resname})[name] = cell
        elif cell:
            _set_value(values, path, cell)
    for list_path, species in lists.items():
        _set_value(values, list_path, list(species.values()))

    def name_species(match: re.Match[str]) -> str:
        return f"{match[1]}.{list(lists[match[1]])[int(match[2])]}"

    try:
        return BuildInput.parse(values)
    except BuildInputError as error:
        problems = [
            (NUMBERED_SPECIES.sub(name_species, field), reason) for field, reason in error.problems
        ]
        raise BuildInputError(problems) from error


def _set_value(values: dict[str, Any], path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[name] = value
