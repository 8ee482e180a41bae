"""Widths of the columns of a table that fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

COLUMN_GAP: Final = "  "

HASH_DIGITS: Final = 12
"""Digits of a hash in a table on a terminal."""

PATH_COLUMNS: Final = frozenset({"directory", "files", "checksums", "columns", "data_path"})
"""Columns that are shortened first: their texts are long, and part of them says enough."""

LAST_COLUMNS: Final = frozenset({"hash", "status"})
"""Required columns that get their narrowest width after those that were asked for."""

MIN_COLUMN_WIDTHS: Final = {"status": len("equilibrated")}
"""Column -> its minimum width: values of later batches may be longer than those of the first."""

NUMBER: Final = re.compile(r"[-+0-9.eE]*")
"""Text of a number; that of an absent value is empty."""

TEXT_WIDTH: Final = 16
"""Width to which a text is shortened if the columns do not fit."""

SHORT_PATH_WIDTH: Final = 8
SHORT_TEXT_WIDTH: Final = 10
"""Widths to which paths and texts are shortened further, so that no column is left out."""

NAME_WIDTH: Final = 8
"""Width to which the name of a column is shortened."""

LEAST_WIDTH: Final = 4
"""Width to which required columns are shortened on a very narrow terminal."""

LEAST_STATUS_WIDTH: Final = len("build…")
"""The same of a status."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    index
        Position of the column among all columns.
    name
        Name of the column.
    widths
        The widths that the column may have, from the best to the narrowest, in characters. All
        columns have the same number of widths.
    """

    index: int
    name: str
    widths: tuple[int, ...]


def measure(index: int, name: str, values: Sequence[str]) -> Column:
    """Return a column with the widths that it may have.

    Paths are shortened first, then the names of columns, then texts. A number is never cut.

    Parameters
    ----------
    index, name
        Position and name of the column.
    values
        The texts of its cells.
    """
    content = max([MIN_COLUMN_WIDTHS.get(name, 1), *map(cell_len, values)])
    best = max(len(name), content)
    if name == "hash":
        return Column(index, name, (*[best] * 6, min(best, 2 * LEAST_WIDTH)))
    if name in PATH_COLUMNS:
        long, short = min(best, TEXT_WIDTH), min(best, SHORT_PATH_WIDTH)
        return Column(index, name, (best, long, long, short, short, short, min(best, LEAST_WIDTH)))
    narrow = max(content, min(len(name), NAME_WIDTH))
    if all(map(NUMBER.fullmatch, values)):
        return Column(index, name, (best, best, *[narrow] * 5))
    long, short = min(narrow, TEXT_WIDTH), min(narrow, SHORT_TEXT_WIDTH)
    if name in MIN_COLUMN_WIDTHS:
        long = short = narrow
    least = min(short, LEAST_STATUS_WIDTH if name in MIN_COLUMN_WIDTHS else LEAST_WIDTH)
    return Column(index, name, (best, best, narrow, narrow, long, short, least))


def fit_columns(
    columns: Sequence[Column],
    width: int,
    required: Collection[str] = (),
    wanted: Collection[str] = (),
) -> list[tuple[Column, int]]:
    """Return the columns that fit in a line, with their widths.

    Columns are shortened before one is left out. The last columns are left out first. The columns
    that are wanted are shortened after the others.

    Parameters
    ----------
    columns
        The columns of the table.
    width
        Characters in a line.
    required
        Names of columns that are never left out.
    wanted
        Names of columns that are left out after all others.
    """
    kept = list(columns)
    optional = sorted(
        (column for column in columns if column.name not in required),
        key=lambda column: (column.name in wanted, -column.index),
    )
    for column in optional:
        # Required columns get their narrowest width only in favour of columns that are wanted.
        narrowest = required if column.name in wanted else ()
        choices = [
            _in_turn(each, is_narrowest=each.name in narrowest, is_wanted=each.name in wanted)
            for each in kept
        ]
        widths = _shrink(choices, width)
        if _line_width(widths) <= width or len(kept) == 1:
            return list(zip(kept, widths, strict=True))
        kept.remove(column)
    return list(zip(kept, _shrink([each.widths for each in kept], width), strict=True))


def _in_turn(column: Column, *, is_narrowest: bool, is_wanted: bool) -> tuple[int, ...]:
    """Return the widths of a column in each step of `_shrink`, in which columns take turns.

    The first six steps are those of `measure`. In favour of columns that are wanted, paths and
    then other required columns get their narrowest width next. Hash and status get it before a
    value of the columns that are wanted is shortened.
    """
    best, *_, narrow, long, short, least = column.widths
    if is_wanted:
        return (*[best] * (len(column.widths) + 1), narrow, narrow, long, short)
    if not is_narrowest:
        return (*column.widths[:-1], *[short] * 6)
    if column.name in PATH_COLUMNS:
        return (*column.widths, *[least] * 5)
    if column.name in LAST_COLUMNS:
        return (*column.widths[:-1], *[short] * 3, *[least] * 3)
    return (*column.widths[:-1], short, *[least] * 5)


def fit_with_short_paths(columns: Sequence[Column], width: int) -> bool:
    """Return whether columns fit in a line if only their paths are shortened."""
    return _line_width([column.widths[1] for column in columns]) <= width


def _shrink(choices: Sequence[tuple[int, ...]], width: int) -> list[int]:
    """Return a width for each column: the best one, made narrower in steps until all fit."""
    widths = [choice[0] for choice in choices]
    for step in range(1, len(choices[0])):
        for index, choice in enumerate(choices):
            excess = max(0, _line_width(widths) - width)
            widths[index] = max(min(widths[index], choice[step]), widths[index] - excess)
    return widths


def _line_width(widths: Sequence[int]) -> int:
    return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)
