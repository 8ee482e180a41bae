"""Lines of text for records: tables that fit a terminal, and tab-separated values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from mdfactory.cli.columns import (
    COLUMN_GAP,
    HASH_DIGITS,
    Column,
    fit_columns,
    fit_with_short_paths,
    measure,
)
from mdfactory.files import escape_undecoded

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

BOLD: Final = "1"
GREEN: Final = "32"
RED: Final = "1;31"
YELLOW: Final = "33"

STATUS_COLOURS: Final[Mapping[str, str]] = {
    "completed": GREEN,
    "production": YELLOW,
    "equilibrated": "36",
    "build": "2",
}
"""Status of a simulation -> its style, a code of ECMA-48 (Select Graphic Rendition)."""

OUTCOMES: Final = ("inserted", "updated", "unchanged", "skipped", "removed")
"""Outcomes of an operation, in the order in which every command shows their counts."""

FIELD_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
"""Name of a column that is a dotted path."""

MAX_NAME_WIDTH: Final = 40
"""Width to which the names are padded that stand before values: one may have a megabyte."""

MEASURED_ROWS: Final = 1000
"""Number of records that are read before the first is printed, to measure the columns."""

HASH_FOLDER: Final = re.compile(
    rf"(/[0-9A-Fa-f]{{{HASH_DIGITS}}})[0-9A-Fa-f]{{{40 - HASH_DIGITS}}}"
)
"""Folder in a path whose name is a hash; the group ends after the first digits of the hash."""

TSV_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def format_counts(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    """Return counts as text, such as ``8 inserted, 2 skipped``; by default without zeros."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number or zeros)


def change_lines(
    changes: Mapping[str, Mapping[str, int]],
    created: Sequence[str] = (),
    dropped: Sequence[str] = (),
) -> list[str]:
    """Return a line for each table whose counts are not all 0, and for tables that come and go."""
    lines = [
        f"{table}: {format_counts(dict(sorted(counts.items(), key=_outcome_rank)))}"
        for table, counts in changes.items()
        if any(counts.values())
    ]
    tables = {"created": created, "dropped": dropped}
    return lines + [f"{verb}: {', '.join(names)}" for verb, names in tables.items() if names]


def _outcome_rank(outcome: tuple[str, int]) -> int:
    """Return the position of an outcome with its count; those of newer versions come last."""
    return OUTCOMES.index(outcome[0]) if outcome[0] in OUTCOMES else len(OUTCOMES)


def format_time(time: str) -> str:
    """Return an ISO 8601 time in UTC without the parts of a second."""
    return f"{time[:19].replace('T', ' ')} UTC"


def tsv_lines(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[str]:
    r"""Yield a header and one line of tab-separated values for each record.

    Tabs, line ends and backslashes in names and values are escaped as ``\t``, ``\n``, ``\r`` and
    ``\\``.
    """
    yield "\t".join(name.translate(TSV_ESCAPES) for name in columns)
    for batch in batches:
        values = (column.to_pylist() for column in batch.columns)
        for row in zip(*values, strict=True):
            yield "\t".join(
                "" if value is None else str(value).translate(TSV_ESCAPES) for value in row
            )


def table_lines(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str],
    width: int,
    *,
    colour: bool,
    required: Collection[str] = (),
    wanted: Collection[str] = (),
    blocks: bool = False,
    leave_out: Callable[[Sequence[str]], None] = lambda _: None,
) -> Iterator[str]:
    """Yield the lines of a table that is no wider than a terminal: a line for each record.

    Columns that do not fit are shortened, then left out.

    Parameters
    ----------
    batches
        The records. Only the first ones determine the widths, see `MEASURED_ROWS`.
    columns
        Names of the columns of `batches`.
    width
        Characters in a line of the terminal.
    colour
        Whether to use colours.
    required
        Names of columns that are never left out.
    wanted
        Names of columns that are left out after all others.
    blocks
        Whether each value gets a line of its own if the columns do not fit.
    leave_out
        Function that is called at the end with the names of the columns that were left out.

    Yields
    ------
    str
        A line; none if there are no batches.
    """
    batches = iter(batches)
    first = _first_batches(batches)
    if not first:
        return
    columns = list(map(printable, columns))
    parts = zip(*map(_text_columns, first), strict=True)
    texts = [list(chain.from_iterable(part)) for part in parts]
    measured = [
        measure(index, name, values)
        for index, (name, values) in enumerate(zip(columns, texts, strict=True))
    ]
    if blocks and not fit_with_short_paths(measured, width):
        yield from _value_lines(chain(first, batches), columns)
        return
    fitted = fit_columns(measured, width, required, wanted)
    header_styles = dict.fromkeys(columns, BOLD) if colour else {}
    styles = STATUS_COLOURS if colour else {}
    yield _table_line(columns, fitted, header_styles)
    for batch in chain(first, batches):
        for row in _text_rows(batch):
            yield _table_line(row, fitted, styles)
    left_out = [column.name for column in measured if column not in dict(fitted)]
    if left_out:
        leave_out(left_out)


def _value_lines(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[str]:
    """Yield a line for each value, and an empty line after each record."""
    width = min(MAX_NAME_WIDTH, max(map(len, columns)))
    for batch in batches:
        for row in _text_rows(batch, shorten=False):
            for name, value in zip(columns, row, strict=True):
                yield f"{name:{width}}  {value}"
            yield ""


def _first_batches(batches: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the first batches, of at least `MEASURED_ROWS` records if there are so many."""
    first: list[pa.RecordBatch] = []
    number = 0
    while number < MEASURED_ROWS and (batch := next(batches, None)) is not None:
        first.append(batch)
        number += batch.num_rows
    return first


def printable(text: str) -> str:
    """Return a text with escapes of control characters, and of bytes that are not UTF-8."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1]
        for character in escape_undecoded(text)
    )


def shell_words(*words: object) -> str:
    """Return words as a shell reads them; those with control characters in the form of bash."""
    return " ".join(map(_shell_word, map(str, words)))


def path_word(path: Path) -> str:
    """Return a path as an argument; one that begins with a hyphen would be an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _shell_word(word: str) -> str:
    if word.isprintable():
        return quote(word)
    escaped = word.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{printable(escaped)}'"


def _text_rows(batch: pa.RecordBatch, *, shorten: bool = True) -> Iterator[list[str]]:
    """Yield the values of each record as texts, by default with shortened hashes."""
    yield from map(list, zip(*_text_columns(batch, shorten=shorten), strict=True))


def _text_columns(batch: pa.RecordBatch, *, shorten: bool = True) -> list[list[str]]:
    """Return the values of each column as texts, by default with shortened hashes."""
    columns = [
        ["" if value is None else printable(str(value)) for value in column.to_pylist()]
        for column in batch.columns
    ]
    for index, name in enumerate(batch.schema.names if shorten else ()):
        if name == "hash":
            columns[index] = [value[:HASH_DIGITS] for value in columns[index]]
        if name == "directory":
            columns[index] = [HASH_FOLDER.sub(r"\1…", value) for value in columns[index]]
    return columns


def _table_line(
    cells: Sequence[str], fitted: Iterable[tuple[Column, int]], styles: Mapping[str, str]
) -> str:
    """Return one line; `styles` maps the text of a cell to its style."""
    line = []
    for column, width in fitted:
        text = cells[column.index]
        # A short hash is a prefix of the hash, so it ends without a sign.
        cut = text[:width] if column.name == "hash" else _cut(text, width)
        cell = set_cell_size(cut, width)
        style = styles.get(text, "")
        line.append(styled(cell, style) if style else cell)
    return COLUMN_GAP.join(line).rstrip()


def _cut(text: str, width: int) -> str:
    """Shorten a text to a width; the end of a path tells more, be it of a folder or a field."""
    if cell_len(text) <= width:
        return text
    is_path = text.startswith("/") or FIELD_PATH.fullmatch(text)
    return f"…{text[1 - width :]}" if is_path else f"{text[: width - 1]}…"


def styled(text: str, style: str) -> str:
    """Return a text with the escape codes of a style, which have no width on a terminal."""
    return f"\x1b[{style}m{text}\x1b[0m"
