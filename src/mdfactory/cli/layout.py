"""Records as lines of text: tables that fit a terminal, and tab-separated values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["matrix", "printable", "separated", "table"]

SHORT: Final = 12
"""Digits of a hash on a terminal."""

STYLES: Final = {"completed": "32", "production": "33", "equilibrated": "36", "build": "2"}
"""Word -> its colour (ECMA-48, select graphic rendition)."""

DONE: Final = "✓"

MARKS: Final = {True: DONE, False: "·", None: ""}
"""Whether a result is there -> what the matrix shows; nothing where it is not expected."""

GAP: Final = "  "

LEAST: Final = {"status": max(map(len, STYLES))}
"""Column -> the width that it has at least, whatever the first records hold."""

LONG: Final = {"directory": 16, "files": 16, "checksums": 16, "columns": 16, "data_path": 16}
"""Column that may be cut -> the width that it keeps."""

HASH_FOLDER: Final = re.compile(rf"(.*/[0-9A-Fa-f]{{{SHORT}}})[0-9A-Fa-f]{{{40 - SHORT}}}")

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def separated(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[str]:
    """Yield tab-separated lines, one a record, that a script can take apart without doubt."""
    yield "\t".join(columns)
    for batch in batches:
        values = (column.to_pylist() for column in batch.columns)
        for row in zip(*values, strict=True):
            yield "\t".join("" if value is None else str(value).translate(ESCAPES) for value in row)


def table(
    batches: Iterable[pa.RecordBatch], columns: Sequence[str], width: int, *, colour: bool
) -> Iterator[str]:
    """Yield the lines of a table that is no wider than a terminal.

    The widths come from the first batch: later ones are not waited for. Columns that do not
    fit beside each other come below each other.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    widths = _fitted(columns, list(_shown(first)), width)
    if widths is None:
        yield from _blocks(chain([first], batches), columns)
        return
    yield _line(columns, widths, lambda _: "1" if colour else "")
    for batch in chain([first], batches):
        for row in _shown(batch):
            yield _line(row, widths, lambda text: STYLES.get(text, "") if colour else "")


def matrix(batches: Sequence[pa.RecordBatch], width: int, *, colour: bool) -> list[str]:
    """Return the overview as lines: a simulation each, a column for each result.

    At the foot stands how many simulations have a result, of those that it is expected of.
    Names that do not fit beside each other are numbered.

    Parameters
    ----------
    batches
        Rows of the overview, with ``hash``, ``simulation_type``, ``item_name``, ``status``.
    width
        Columns of the terminal.
    colour
        Whether to use colours.

    Returns
    -------
    list of str
        No lines if even numbers do not fit.
    """
    systems, items = _crossed(batches)
    done = {name: sum(some.get(name, False) for some in systems.values()) for name in items}
    of = {name: sum(name in some for some in systems.values()) for name in items}
    feet = [f"{done[name]:,} of {of[name]:,}" for name in items]
    stubs = [f"{hash_[:SHORT]}  {kind}" for hash_, kind in systems]
    stub = max(len(f"{len(stubs):,} simulations"), *map(len, stubs))
    heads = [name.split("_") for name in items]
    widths = [max(map(len, [*head, foot])) for head, foot in zip(heads, feet, strict=True)]
    numbered = stub + sum(widths) + len(GAP) * len(widths) > width
    if numbered:
        heads = [[str(at)] for at in range(1, 1 + len(items))]
        widths = [len(head[0]) for head in heads]
        if stub + sum(widths) + len(GAP) * len(widths) > width:
            return []

    def bold(text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if colour else text

    def line(first: str, cells: Sequence[str]) -> str:
        spaced = (cell.ljust(wide) for cell, wide in zip(cells, widths, strict=True))
        return GAP.join([first.ljust(stub), *spaced]).rstrip()

    depth = max(map(len, heads), default=0)
    padded = [[""] * (depth - len(head)) + head for head in heads]
    lines = [
        bold(line("" if row < depth - 1 else "hash", [head[row] for head in padded]))
        for row in range(depth)
    ]
    for (hash_, kind), some in systems.items():
        marks = [MARKS[some.get(name)] for name in items]
        shown = line(f"{hash_[:SHORT]}  {kind}", marks)
        lines.append(shown.replace(DONE, f"\x1b[32m{DONE}\x1b[0m") if colour else shown)
    if numbered:
        longest = max(map(len, items))
        lines += [""] + [
            f"{at:>3}  {name:{longest}}  {foot}"
            for at, (name, foot) in enumerate(zip(items, feet, strict=True), start=1)
        ]
    else:
        lines.append(line(f"{len(stubs):,} simulations", feet))
    return lines


def _crossed(
    batches: Sequence[pa.RecordBatch],
) -> tuple[dict[tuple[str, str], dict[str, bool]], list[str]]:
    """Return of each simulation which results are there, and the names of all of them."""
    systems: dict[tuple[str, str], dict[str, bool]] = {}
    items: dict[str, None] = {}
    names = ("hash", "simulation_type", "item_name", "status")
    for batch in batches:
        for row in zip(*(batch[name].to_pylist() for name in names), strict=True):
            hash_, kind, item, status = map(printable, row)
            systems.setdefault((hash_, kind), {})[item] = status == "completed"
            items[item] = None
    return dict(sorted(systems.items(), key=lambda one: one[0][::-1])), list(items)


def _blocks(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[str]:
    """Yield a line for each value, and an empty one after each record."""
    width = max(map(len, columns))
    for batch in batches:
        for row in _shown(batch, whole=True):
            yield from (
                f"{name:{width}}  {value}" for name, value in zip(columns, row, strict=True)
            )
            yield ""


def printable(text: str) -> str:
    """Return a text whose control characters are shown and not obeyed."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _shown(batch: pa.RecordBatch, *, whole: bool = False) -> Iterator[list[str]]:
    values = [
        ["" if value is None else printable(str(value)) for value in column.to_pylist()]
        for column in batch.columns
    ]
    for at, name in enumerate(batch.schema.names):
        if name == "hash" and not whole:
            values[at] = [value[:SHORT] for value in values[at]]
        if name == "directory" and not whole:
            values[at] = [HASH_FOLDER.sub(r"\1…", value) for value in values[at]]
    yield from map(list, zip(*values, strict=True))


def _fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Return a width for each column, or None if they do not fit beside each other."""
    widths = [
        max(LEAST.get(name, 0), len(name), *(cell_len(row[at]) for row in rows))
        for at, name in enumerate(columns)
    ]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for at, name in enumerate(columns):
        if excess > 0 and name in LONG:
            kept = max(LONG[name], widths[at] - excess)
            excess -= widths[at] - kept
            widths[at] = kept
    return None if excess > 0 else widths


def _line(cells: Sequence[str], widths: Sequence[int], style: Callable[[str], str]) -> str:
    padded = [_cell(text, width, style(text)) for text, width in zip(cells, widths, strict=True)]
    return GAP.join(padded).rstrip()


def _cell(text: str, width: int, style: str) -> str:
    """Return a text in its width; a path that is too long loses its beginning."""
    shown = text
    if cell_len(text) > width:
        cut = text[1 - width :] if text.startswith("/") else text[: width - 1]
        shown = f"…{cut}" if text.startswith("/") else f"{cut}…"
    shown = set_cell_size(shown, width)
    return f"\x1b[{style}m{shown}\x1b[0m" if style else shown
