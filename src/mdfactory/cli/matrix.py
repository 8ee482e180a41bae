"""The overview as a matrix of simulations and results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mdfactory.cli.columns import COLUMN_GAP, HASH_DIGITS
from mdfactory.cli.layout import BOLD, GREEN, printable, styled
from mdfactory.errors import counted

if TYPE_CHECKING:
    from mdfactory.sync.completeness import SimulationResults

Marks = Mapping[bool | None, str]
"""Whether a result is in the store -> its mark in the matrix; None: it is not expected."""

MARKS: Final[Marks] = {True: "✓", False: "·", None: ""}

ASCII_MARKS: Final[Marks] = {True: "+", False: "-", None: ""}
"""Marks for a terminal whose locale lacks the others."""

Simulations = list[tuple[str, dict[str, bool]]]
"""For each simulation its short hash and type, and whether its results are in the store."""


def matrix_lines(
    completeness: Iterable[SimulationResults],
    width: int,
    *,
    colour: bool,
    marks: Marks = MARKS,
    is_selection: bool = False,
) -> list[str] | None:
    """Return results as a matrix: a row for each simulation, a column for each result.

    The columns are headed by the names of the results. The line below them has the number of
    simulations that have the result, of those that can have it. If the names are too wide, the
    columns are numbered, and a list of the names follows. The last line explains the marks.

    Parameters
    ----------
    completeness
        The simulations, with results of one type.
    width
        Characters in a line of the terminal.
    colour
        Whether to use colours.
    marks
        The marks in the matrix.
    is_selection
        Whether only results that are done, or only those that are missing, were selected.

    Returns
    -------
    list of str or None
        The lines, an empty list without simulations; None if numbered columns are too wide, too.
    """
    simulations, names = _read(completeness)
    if not simulations:
        return []
    counts = [_count(simulations, name, is_selection=is_selection) for name in names]
    foot = [counted(len(simulations), "simulation"), *counts]
    label_width = max(len(foot[0]), *(len(label) for label, _ in simulations))
    words = [name.split("_") for name in names]
    cells = zip(words, counts, strict=True)
    widths = [label_width, *(max(map(len, [*heading, count])) for heading, count in cells)]
    legend = _legend(simulations, marks, is_selection=is_selection)
    if _width(widths) <= width:
        grid = _grid_lines(simulations, names, words, widths, marks, colour=colour)
        return [*grid, _line(foot, widths), "", legend]
    numbers = [[str(number)] for number in range(1, 1 + len(names))]
    widths = [label_width, *(len(number) for [number] in numbers)]
    if _width(widths) <= width:
        grid = _grid_lines(simulations, names, numbers, widths, marks, colour=colour)
        return [*grid, "", *_name_lines(names, counts), "", legend]
    return None


def _read(completeness: Iterable[SimulationResults]) -> tuple[Simulations, list[str]]:
    """Return the simulations in the order of type and hash, and the names of all results.

    Those that at least one simulation has come first: the others may bury them.
    """
    rows = sorted(
        (printable(simulation_type), printable(hash_), list(results.items()))
        for hash_, simulation_type, results in completeness
    )
    simulations = [
        (
            f"{hash_[:HASH_DIGITS]}  {simulation_type}",
            {printable(name): is_done for (_, name), is_done in results},
        )
        for simulation_type, hash_, results in rows
    ]
    names = {name for _, results in simulations for name in results}
    done = {name for _, results in simulations for name in results if results[name]}
    return simulations, sorted(names, key=lambda name: (name not in done, name.lower()))


def _count(simulations: Simulations, name: str, *, is_selection: bool) -> str:
    """Return text such as ``4 of 5``; of a selection, such as ``1 missing``."""
    column = [results[name] for _, results in simulations if name in results]
    if is_selection:
        return f"{len(column):,} {'done' if all(column) else 'missing'}"
    return f"{sum(column):,} of {len(column):,}"


def _legend(simulations: Simulations, marks: Marks, *, is_selection: bool) -> str:
    """Return the line that explains the marks; a selection has only one of them."""
    words = {True: "done", False: "missing"}
    shown = {is_done for _, results in simulations for is_done in results.values()}
    if not shown:
        return "no result is expected"
    marked = [is_done for is_done in words if is_done in shown or not is_selection]
    blank = [text for is_done, text in words.items() if is_done not in marked]
    texts = [f"{marks[is_done]} {words[is_done]}" for is_done in marked]
    return "  ".join([*texts, f"blank: {' or '.join([*blank, 'not expected'])}"])


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
    marks: Marks,
    *,
    colour: bool,
) -> Iterator[str]:
    """Yield the lines of the heading, and a line for each simulation."""
    height = max(map(len, headings), default=1)
    # Headings of fewer lines are aligned at the bottom, next to the marks.
    columns = [[""] * (height - len(heading)) + [*heading] for heading in (["hash"], *headings)]
    for row in zip(*columns, strict=True):
        yield styled(_line(row, widths), BOLD) if colour else _line(row, widths)
    done = styled(marks[True], GREEN) if colour else marks[True]
    for label, results in simulations:
        line = _line([label, *(marks[results.get(name)] for name in names)], widths)
        # The codes of colours are added after the padding: they have no width on a terminal.
        cells = line[widths[0] :].replace(marks[True], done)
        yield line[: widths[0]] + cells


def _name_lines(names: Sequence[str], counts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each result: number, name and count."""
    width = max(map(len, names), default=0)
    for number, (name, count) in enumerate(zip(names, counts, strict=True), start=1):
        yield f"{number:>3}  {name:{width}}  {count}"
