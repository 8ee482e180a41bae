"""Campaign CSV: each row is a BuildInput, each column a dotted path into it."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import BuildInputError, SourceError

__all__ = ["Row", "RowProblem", "Rows", "read_rows"]

SPECIES: Final = re.compile(r"((?:.+\.)?species)\.([^.]+)\.(smiles|count|fraction)")
"""``system.species.SOL.count``: the list, the resname, the field."""

LONGEST_LINE: Final = 2**20
"""Characters of a line; a row of a campaign has a few hundred."""

DEEPEST: Final = 16
"""Levels of a column's path; the deepest of a BuildInput has five."""

NUMBERED: Final = re.compile(r"((?:\w+\.)*species)\.(\d+)")
"""``system.species.0``, as a problem names a species."""


@dataclass(frozen=True, slots=True)
class Row:
    """A valid row.

    Parameters
    ----------
    number
        Its number among the rows, from 1; the header is none.
    line
        The line of the file where it ends.
    build_input
        What it says.
    """

    number: int
    line: int
    build_input: BuildInput


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with a row.

    Parameters
    ----------
    number, line
        Of the row, as in `Row`.
    reason
        What is wrong, in one line.
    """

    number: int
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A campaign CSV.

    Parameters
    ----------
    rows
        The valid rows, no simulation twice.
    problems
        What is wrong with the others.
    warnings
        What is odd about the file, a line each.
    """

    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...]
    warnings: tuple[str, ...]


def read_rows(file: Path) -> Rows:
    """Read and validate a campaign CSV.

    Parameters
    ----------
    file
        Comma-separated values with a header, in UTF-8.

    Raises
    ------
    SourceError
        If it cannot be read as such, or its header is wrong.
    """
    try:
        with _opened(file) as text:
            reader = csv.reader(_lines(text), strict=True)
            header = [name.strip() for name in next(reader, [])]
            columns = _columns(file, header)
            return _read(reader, len(header), columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(str(file), f"cannot be read as CSV: {reason}") from error


def _opened(file: Path) -> TextIO:
    """Open a file, or a pipe: one that nobody writes to is empty, and not waited for."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)  # for whoever does write to it
    return os.fdopen(handle, encoding="utf-8-sig", newline="")


def _lines(text: TextIO) -> Iterator[str]:
    """Yield lines, and refuse one that has no end."""
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise csv.Error(f"a line has more than {LONGEST_LINE:,} characters")
        yield line


def _columns(file: Path, header: Sequence[str]) -> dict[int, str]:
    """Return the columns that count: position -> dotted path."""
    columns = {
        at: _normal(name) for at, name in enumerate(header) if not name.startswith("Unnamed")
    }
    names = list(columns.values())
    if "simulation_type" not in names:
        hint = "; its values are separated by ';', not ','" if ";" in "".join(header) else ""
        raise SourceError(str(file), f"no column 'simulation_type' in its header{hint}")
    times = Counter(names)
    outer: dict[str, str] = {}
    for name in names:
        for dot in re.finditer(r"\.", name) if name.count(".") < DEEPEST else ():
            outer.setdefault(name[: dot.start()], name)
    for name in names:
        if problem := _wrong(name, times, outer):
            raise SourceError(str(file), problem)
    return columns


def _wrong(name: str, times: Mapping[str, int], outer: Mapping[str, str]) -> str:
    """Return what is wrong with a column of the header, or nothing.

    `times` tells how often each stands there, `outer` a column that is inside of a path.
    """
    if not name:
        return "a column without a name in its header"
    if times[name] > 1:
        return f"the column {name!r:.200} stands twice in its header"
    if name.count(".") >= DEEPEST:
        return f"the column {name!r:.80} nests more than {DEEPEST} levels"
    if "species" in name.split(".") and not SPECIES.fullmatch(name):
        return f"no column {name!r}; a species is system.species.<RESNAME>.<smiles|count|fraction>"
    inner = outer.get(name)
    return f"the columns {name!r} and {inner!r} exclude each other" if inner else ""


def _normal(name: str) -> str:
    """Return a column's path with its resname in upper case."""
    species = SPECIES.fullmatch(name)
    return f"{species[1]}.{species[2].upper()}.{species[3]}" if species else name


def _read(reader: Iterator[list[str]], width: int, columns: Mapping[int, str]) -> Rows:
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
            built = _build_input(cells, width, columns)
        except BuildInputError as error:
            problems.append(RowProblem(number, line, str(error)))
            continue
        if built.hash in rows:
            twin = rows[built.hash].number
            problems.append(RowProblem(number, line, f"the same simulation as row {twin}"))
            continue
        rows[built.hash] = Row(number, line, built)
    unknown = {path.partition(".")[0] for path in columns.values()} - set(BuildInput.model_fields)
    warnings = (f"ignored unknown columns: {', '.join(sorted(unknown))}",) if unknown else ()
    return Rows(tuple(rows.values()), tuple(problems), warnings)


def _build_input(cells: Sequence[str], width: int, columns: Mapping[int, str]) -> BuildInput:
    if len(cells) != width:
        raise BuildInputError([("", f"{len(cells)} values, but the header has {width} columns")])
    values: dict[str, Any] = {}
    for at, path in columns.items():
        if cell := cells[at].strip():
            _put(values, path, cell)
    resnames = _list_species(values)
    try:
        return BuildInput.parse(values)
    except BuildInputError as error:
        problems = [(_by_resname(field, resnames), what) for field, what in error.problems]
        raise BuildInputError(problems) from error


def _put(values: dict[str, Any], path: str, cell: str) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[name] = cell


def _list_species(values: dict[str, Any], prefix: str = "") -> dict[str, list[str]]:
    """Turn ``species`` by resname into lists, in place; return the resnames of each list."""
    found: dict[str, list[str]] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if not isinstance(value, dict):
            continue
        if name == "species":
            found[path] = list(value)
            values[name] = [{"resname": resname, **one} for resname, one in value.items()]
        else:
            found |= _list_species(value, f"{path}.")
    return found


def _by_resname(field: str, resnames: Mapping[str, Sequence[str]]) -> str:
    """Name a species as its column does, not by its position."""

    def named(match: re.Match[str]) -> str:
        return f"{match[1]}.{resnames[match[1]][int(match[2])]}"

    return NUMBERED.sub(named, field)
