"""Lines of text for records: tables that fit a terminal, and tab-separated values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from mdfactory.files import escape_undecoded

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

HASH_DIGITS: Final = 12
"""Digits of a hash in a table on a terminal."""

BOLD: Final = "1"
GREEN: Final = "32"

STATUS_COLOURS: Final[Mapping[str, str]] = {
    "completed": GREEN,
    "production": "33",
    "equilibrated": "36",
    "build": "2",
}
"""Status of a simulation -> its style, a code of ECMA-48 (Select Graphic Rendition)."""

COLUMN_GAP: Final = "  "

MIN_COLUMN_WIDTHS: Final = {"status": max(map(len, STATUS_COLOURS))}
"""Column -> its minimum width: values of later batches may be longer than those of the first."""

SHRUNK_COLUMN_WIDTHS: Final = {
    "directory": 16,
    "files": 16,
    "checksums": 16,
    "columns": 16,
    "data_path": 16,
}
"""Column that may be narrower than its values -> its minimum width."""

MAX_NAME_WIDTH: Final = 40
"""Width to which the names are padded that stand before values: one may have a megabyte."""

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
        f"{table}: {format_counts(counts)}"
        for table, counts in changes.items()
        if any(counts.values())
    ]
    tables = {"created": created, "dropped": dropped}
    return lines + [f"{verb}: {', '.join(names)}" for verb, names in tables.items() if names]


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
    batches: Iterable[pa.RecordBatch], columns: Sequence[str], width: int, *, colour: bool
) -> Iterator[str]:
    """Yield the lines of a table that is no wider than a terminal.

    If the columns are too wide for one line, each value gets a line of its own.

    Parameters
    ----------
    batches
        The records. The first batch is printed at once: it alone determines the widths.
    columns
        Names of the columns of `batches`.
    width
        Characters in a line of the terminal.
    colour
        Whether to use colours.

    Yields
    ------
    str
        A line; none if there are no batches.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    columns = list(map(printable, columns))
    widths = _fit_widths(columns, list(_text_rows(first)), width)
    if widths is None:
        yield from _value_lines(chain([first], batches), columns)
        return
    header_styles = dict.fromkeys(columns, BOLD) if colour else {}
    styles = STATUS_COLOURS if colour else {}
    yield _table_line(columns, widths, header_styles)
    for batch in chain([first], batches):
        for row in _text_rows(batch):
            yield _table_line(row, widths, styles)


def _value_lines(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[str]:
    """Yield a line for each value, and an empty line after each record."""
    width = min(MAX_NAME_WIDTH, max(map(len, columns)))
    for batch in batches:
        for row in _text_rows(batch, shorten=False):
            for name, value in zip(columns, row, strict=True):
                yield f"{name:{width}}  {value}"
            yield ""


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
    columns = [
        ["" if value is None else printable(str(value)) for value in column.to_pylist()]
        for column in batch.columns
    ]
    for index, name in enumerate(batch.schema.names if shorten else ()):
        if name == "hash":
            columns[index] = [value[:HASH_DIGITS] for value in columns[index]]
        if name == "directory":
            columns[index] = [HASH_FOLDER.sub(r"\1…", value) for value in columns[index]]
    yield from map(list, zip(*columns, strict=True))


def _fit_widths(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[int] | None:
    """Return a width for each column, or None if the columns do not fit in a line."""
    widths = [
        max(MIN_COLUMN_WIDTHS.get(name, 0), len(name), *(cell_len(row[index]) for row in rows))
        for index, name in enumerate(columns)
    ]
    excess = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) - width
    for index, name in enumerate(columns):
        if excess > 0 and name in SHRUNK_COLUMN_WIDTHS:
            shrunk = max(SHRUNK_COLUMN_WIDTHS[name], widths[index] - excess)
            excess -= widths[index] - shrunk
            widths[index] = shrunk
    return None if excess > 0 else widths


def _table_line(cells: Sequence[str], widths: Sequence[int], styles: Mapping[str, str]) -> str:
    """Return one line; `styles` maps the text of a cell to its style."""
    padded = (
        _cell(text, width, styles.get(text, "")) for text, width in zip(cells, widths, strict=True)
    )
    return COLUMN_GAP.join(padded).rstrip()


def _cell(text: str, width: int, style: str) -> str:
    """Pad or cut a text to the width of its column; paths are cut at the beginning."""
    if cell_len(text) > width:
        text = f"…{text[1 - width :]}" if text.startswith("/") else f"{text[: width - 1]}…"
    text = set_cell_size(text, width)
    return styled(text, style) if style else text


def styled(text: str, style: str) -> str:
    """Return a text with the escape codes of a style, which have no width on a terminal."""
    return f"\x1b[{style}m{text}\x1b[0m"
