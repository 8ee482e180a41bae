"""The overview as a matrix of simulations and results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mdfactory.cli.layout import BOLD, COLUMN_GAP, GREEN, HASH_DIGITS, printable, styled

if TYPE_CHECKING:
    import pyarrow as pa

CHECK_MARK: Final = "✓"

RESULT_MARKS: Final = {True: CHECK_MARK, False: "·", None: ""}
"""Whether a result is in the store -> its mark in the matrix; None: it is not expected."""


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
    overview = _read_overview(batches)
    named = _Grid.of_names(overview)
    if named.width <= width:
        foot = named.line(overview.total, overview.counts)
        return [*named.lines(overview, colour=colour), foot]
    numbered = _Grid.of_numbers(overview)
    if numbered.width <= width:
        return [*numbered.lines(overview, colour=colour), "", *_legend_lines(overview)]
    return []


@dataclass(frozen=True, slots=True)
class _Overview:
    """The overview, grouped by simulation.

    Parameters
    ----------
    simulations
        Simulation type and hash -> name of the result -> whether it is in the store.
    results
        Names of all results.
    """

    simulations: dict[tuple[str, str], dict[str, bool]]
    results: list[str]

    @property
    def labels(self) -> list[str]:
        """Short hash and type of each simulation."""
        return [f"{hash_[:HASH_DIGITS]}  {type_}" for type_, hash_ in self.simulations]

    @property
    def total(self) -> str:
        """The number of simulations, as text."""
        return f"{len(self.simulations):,} simulations"

    @property
    def counts(self) -> list[str]:
        """For each result, text such as ``4 of 8``: simulations with it, of those listed for it."""
        columns = (
            [results[name] for results in self.simulations.values() if name in results]
            for name in self.results
        )
        return [f"{sum(column):,} of {len(column):,}" for column in columns]


@dataclass(frozen=True, slots=True)
class _Grid:
    """The columns of a matrix: one of labels, and one for each result.

    Parameters
    ----------
    headings
        Lines of the heading of each result, from top to bottom.
    label_width
        Characters in the column of labels.
    widths
        Characters in the column of each result.
    """

    headings: list[list[str]]
    label_width: int
    widths: list[int]

    @classmethod
    def of_names(cls, overview: _Overview) -> _Grid:
        """Return columns that are headed by the words of the results' names."""
        headings = [name.split("_") for name in overview.results]
        cells = zip(headings, overview.counts, strict=True)
        widths = [max(map(len, [*heading, count])) for heading, count in cells]
        return cls(headings, _label_width(overview), widths)

    @classmethod
    def of_numbers(cls, overview: _Overview) -> _Grid:
        """Return columns that are headed by numbers."""
        headings = [[str(number)] for number in range(1, 1 + len(overview.results))]
        return cls(headings, _label_width(overview), [len(number) for [number] in headings])

    @property
    def width(self) -> int:
        """Characters in a line."""
        return self.label_width + sum(len(COLUMN_GAP) + width for width in self.widths)

    def line(self, label: str, cells: Sequence[str]) -> str:
        """Return one line: a label, and a cell for each result."""
        padded = (cell.ljust(width) for cell, width in zip(cells, self.widths, strict=True))
        return COLUMN_GAP.join([label.ljust(self.label_width), *padded]).rstrip()

    def lines(self, overview: _Overview, *, colour: bool) -> Iterator[str]:
        """Yield the heading, and a line for each simulation."""
        height = max(map(len, self.headings), default=0)
        # Headings of fewer lines are aligned at the bottom, next to the marks.
        columns = [[""] * (height - len(heading)) + heading for heading in self.headings]
        for row in range(height):
            label = "hash" if row == height - 1 else ""
            text = self.line(label, [column[row] for column in columns])
            yield styled(text, BOLD) if colour else text
        mark = styled(CHECK_MARK, GREEN) if colour else CHECK_MARK
        for label, results in zip(overview.labels, overview.simulations.values(), strict=True):
            marks = [RESULT_MARKS[results.get(name)] for name in overview.results]
            # The codes of colours are added after the padding: they have no width on a terminal.
            yield self.line(label, marks).replace(CHECK_MARK, mark)


def _read_overview(batches: Iterable[pa.RecordBatch]) -> _Overview:
    """Group the rows of the overview by simulation, in the order of type and hash."""
    simulations: dict[tuple[str, str], dict[str, bool]] = {}
    results: dict[str, None] = {}  # a set in the order of the overview
    columns = ("simulation_type", "hash", "item_name", "status")
    for batch in batches:
        for row in zip(*(batch[column].to_pylist() for column in columns), strict=True):
            type_, hash_, result, status = map(printable, row)
            simulations.setdefault((type_, hash_), {})[result] = status == "completed"
            results[result] = None
    return _Overview(dict(sorted(simulations.items())), list(results))


def _label_width(overview: _Overview) -> int:
    return max(map(len, [overview.total, *overview.labels]))


def _legend_lines(overview: _Overview) -> Iterator[str]:
    """Yield a line for each result: number, name and count."""
    width = max(map(len, overview.results))
    columns = zip(overview.results, overview.counts, strict=True)
    for number, (name, count) in enumerate(columns, start=1):
        yield f"{number:>3}  {name:{width}}  {count}"
