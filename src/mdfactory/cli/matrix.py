"""The overview as a matrix of simulations and results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from mdfactory.cli.layout import BOLD, COLUMN_GAP, GREEN, HASH_DIGITS, printable, styled

if TYPE_CHECKING:
    import pyarrow as pa

CHECK_MARK: Final = "✓"

RESULT_MARKS: Final = {True: CHECK_MARK, False: "·", None: ""}
"""Whether a result is in the store -> its mark in the matrix; None: it is not expected."""

Simulations = list[tuple[str, dict[str, bool]]]
"""For each simulation its short hash and type, and for each result whether it is in the store."""


def matrix_lines(batches: Iterable[pa.RecordBatch], width: int, *, colour: bool) -> list[str]:
    """Return the overview as a matrix: a row for each simulation, a column for each result.

    The columns are headed by the names of the results. The last line has the number of simulations
    with each result. If the names are too wide, the columns are numbered, and a legend with names
    and counts follows.

    Parameters
    ----------
    batches
        Rows of the overview, with ``hash``, ``simulation_type``, ``item_name``, ``status``.
    width
        Characters in a line of the terminal.
    colour
        Whether to use colours.

    Returns
    -------
    list of str
        The lines; none if numbered columns are too wide as well.
    """
    simulations, names = _read_overview(batches)
    counts = [_count(simulations, name) for name in names]
    foot = [f"{len(simulations):,} simulations", *counts]
    label_width = max(len(foot[0]), *(len(label) for label, _ in simulations))
    words = [name.split("_") for name in names]
    cells = zip(words, counts, strict=True)
    widths = [label_width, *(max(map(len, [*heading, count])) for heading, count in cells)]
    if _width(widths) <= width:
        grid = _grid_lines(simulations, names, words, widths, colour=colour)
        return [*grid, _line(foot, widths)]
    numbers = [[str(number)] for number in range(1, 1 + len(names))]
    widths = [label_width, *(len(number) for [number] in numbers)]
    if _width(widths) <= width:
        grid = _grid_lines(simulations, names, numbers, widths, colour=colour)
        return [*grid, "", *_legend_lines(names, counts)]
    return []


def _read_overview(batches: Iterable[pa.RecordBatch]) -> tuple[Simulations, list[str]]:
    """Group the rows by simulation, in the order of type and hash; also return all results."""
    simulations: dict[tuple[str, str], dict[str, bool]] = {}
    names: dict[str, None] = {}  # a set in the order of the overview
    columns = ("simulation_type", "hash", "item_name", "status")
    for batch in batches:
        for row in zip(*(batch[column].to_pylist() for column in columns), strict=True):
            type_, hash_, name, status = map(printable, row)
            simulations.setdefault((type_, hash_), {})[name] = status == "completed"
            names[name] = None
    labelled = [
        (f"{hash_[:HASH_DIGITS]}  {type_}", results)
        for (type_, hash_), results in sorted(simulations.items())
    ]
    return labelled, list(names)


def _count(simulations: Simulations, name: str) -> str:
    """Return text such as ``4 of 8``: simulations with a result, of those listed for it."""
    column = [results[name] for _, results in simulations if name in results]
    return f"{sum(column):,} of {len(column):,}"


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return COLUMN_GAP.join(padded).rstrip()


def _grid_lines(
    simulations: Simulations,
    names: Sequence[str],
    headings: Sequence[Sequence[str]],
    widths: Sequence[int],
    *,
    colour: bool,
) -> Iterator[str]:
    """Yield the lines of the heading, and a line for each simulation."""
    height = max(map(len, headings))
    # Headings of fewer lines are aligned at the bottom, next to the marks.
    columns = [[""] * (height - len(heading)) + [*heading] for heading in (["hash"], *headings)]
    for row in zip(*columns, strict=True):
        yield styled(_line(row, widths), BOLD) if colour else _line(row, widths)
    mark = styled(CHECK_MARK, GREEN) if colour else CHECK_MARK
    for label, results in simulations:
        marks = [RESULT_MARKS[results.get(name)] for name in names]
        # The codes of colours are added after the padding: they have no width on a terminal.
        yield _line([label, *marks], widths).replace(CHECK_MARK, mark)


def _legend_lines(names: Sequence[str], counts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each result: number, name and count."""
    width = max(map(len, names))
    for number, (name, count) in enumerate(zip(names, counts, strict=True), start=1):
        yield f"{number:>3}  {name:{width}}  {count}"
