"""Campaign CSV files: a row is a BuildInput, a column the path of a field."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.build_input.model import IS_MISSING
from mdfactory.campaign.campaign_columns import (
    IONIZATION,
    PDB_PATH,
    SPECIES_COLUMN,
    Column,
    is_relative_path,
    parse_header,
    read_cell,
)
from mdfactory.campaign.campaign_notes import (
    amounts_note,
    first_notes,
    ignored_fields,
    replica_hint,
    row_reason,
)
from mdfactory.errors import BuildInputError, SourceError
from mdfactory.files import UnreadableError, absolute_path, escape_undecoded, open_regular_file

MAX_LINE_CHARACTERS: Final = 2**20
"""Length of a line; a row of a campaign has a few hundred characters."""

NUMBERED_SPECIES: Final = re.compile(r"((?:\w+\.)*species)\.(\d+)")
"""Part of a field name that gives a species by its position, such as ``system.species.0``."""

BOTH_GIVEN: Final = "is given as a whole and by its fields; leave one of them blank in this row"


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
    hint
        For the message that no folder has its hash: why it may have another one; may be empty.
    """

    number: int
    line: int
    build_input: BuildInput
    hint: str = ""


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
    notes
        One-line notes on rows whose counts are not those that other cells ask for.
    hint
        How to make replicas, if rows are the same simulation; else empty.
    """

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    hint: str = ""


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
            columns = parse_header(file, header)
            rows = _parse_rows(reader, len(header), columns, absolute_path(file.parent))
    except UnreadableError as error:
        raise SourceError(str(file), f"cannot be read as CSV: it {error}") from error
    except UnicodeDecodeError as error:
        hint = "it is not UTF-8; save it as UTF-8, in Excel as 'CSV UTF-8'"
        raise SourceError(str(file), f"cannot be read as CSV: {hint}") from error
    except (OSError, csv.Error) as error:
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


def _parse_rows(
    reader: Iterator[list[str]], width: int, columns: Mapping[int, Column], folder: str
) -> Rows:
    rows: dict[str, Row] = {}
    problems: list[RowProblem] = []
    notes: list[str] = []
    hint = ""
    cells: list[str]
    number = 0
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        number += 1
        line = reader.line_num  # type: ignore[attr-defined]  # of csv.reader
        try:
            given = _take_cells(cells, width, columns)
            build, note = _parse_row(given, folder)
            row = Row(number, line, build, _hint(given, folder))
        except BuildInputError as error:
            problems.append(RowProblem(number, line, row_reason(error)))
            continue
        if (earlier := rows.setdefault(row.build_input.hash, row)) is not row:
            reason = f"the same simulation as row {earlier.number}"
            problems.append(RowProblem(number, line, reason))
            hint = hint or replica_hint(build)
        elif note:
            notes.append(f"row {number}: {note}")
    warnings = tuple(_warnings([*columns.values()], [row.build_input for row in rows.values()]))
    return Rows(tuple(rows.values()), tuple(problems), warnings, first_notes(notes), hint)


def _warnings(columns: Sequence[Column], builds: Sequence[BuildInput]) -> Iterator[str]:
    """Yield a warning if columns are ignored."""
    ignored = [column.name for column in columns if column.path[0] not in BuildInput.model_fields]
    if ignored:
        names = [column.name for column in columns]
        yield f"ignored unknown columns: {ignored_fields(ignored, names, builds)}"


def _take_cells(
    cells: Sequence[str], width: int, columns: Mapping[int, Column]
) -> dict[Column, str]:
    """Return the cells of a row that are not blank, without outer blanks."""
    if len(cells) != width:
        raise BuildInputError([("", f"{len(cells)} values, but the header has {width} columns")])
    stripped = ((column, cells[position].strip()) for position, column in columns.items())
    return {column: cell for column, cell in stripped if cell}


def _parse_row(cells: Mapping[Column, str], folder: str) -> tuple[BuildInput, str]:
    """Return the BuildInput of a row and the note on its counts, given its cells without blanks."""
    values: dict[str, Any] = {}
    lists: dict[str, dict[str, dict[str, str]]] = {}  # path -> resname -> fields of the species
    for column, cell in cells.items():
        if column.species:
            list_path, resname, name = column.species
            species = lists.setdefault(list_path, {})
            species.setdefault(resname, {"resname": resname})[name] = cell
        else:
            _set_value(values, column.path, read_cell(column, cell, folder))
    for list_path, species in lists.items():
        _set_value(values, list_path.split("."), list(species.values()))

    def name_species(match: re.Match[str]) -> str:
        return f"{match[1]}.{list(lists[match[1]])[int(match[2])]}"

    try:
        build = BuildInput.parse(values)
    except BuildInputError as error:
        named = [
            (NUMBERED_SPECIES.sub(name_species, field), reason) for field, reason in error.problems
        ]
        problems = [
            (field, f"{reason}{_lone_species(field, reason, lists)}") for field, reason in named
        ]
        raise BuildInputError(problems) from error
    return build, amounts_note(values, build)


def _lone_species(
    field: str, reason: str, lists: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> str:
    """Return the field that was probably meant by a missing one of a species; else nothing.

    It is that of a species of which the row has no other field: one of the names is misspelt.
    """
    if reason != IS_MISSING or not (species := SPECIES_COLUMN.fullmatch(field)):
        return ""
    given = lists.get(species[1], {})
    for resname, fields in given.items():
        if fields.keys() == {"resname", species[3]}:
            name = f"{species[1]}.{resname}.{species[3]}"
            return f" (did you mean '{name}'? {resname} has nothing else)"
    return ""


def _set_value(values: dict[str, Any], path: Sequence[str], value: object) -> None:
    *parents, name = path
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise BuildInputError([(IONIZATION, BOTH_GIVEN)])
    if name in values:
        raise BuildInputError([(IONIZATION, BOTH_GIVEN)])
    values[name] = value


def _hint(cells: Mapping[Column, str], folder: str) -> str:
    """Return the reason why the hash of a row depends on the folder of its file, if it does."""
    paths = [cell for column, cell in cells.items() if is_relative_path(column, cell)]
    if not paths:
        return ""
    return (
        f"; the hash depends on the folder of the file, because {PDB_PATH} is relative to it: "
        f"{paths[0]} in {escape_undecoded(folder)}"
    )
