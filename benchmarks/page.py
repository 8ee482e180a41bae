"""The page of figures: rows of its tables are renewed between marks, all else is kept.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``: first the runs that its rows
come from, a numbered line each, then the rows, each with the number of its run at the end. A row
is known by the text of its first column.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "developers" / "benchmarks.md"

END = "<!-- end -->"


@contextmanager
def table(
    name: str, columns: Sequence[str], *, command: str, repeats: int, page: Path | None
) -> Iterator[Callable[[object], None]]:
    """Print the rows of a table as they come, and in the end renew them in a page.

    Parameters
    ----------
    name
        The table.
    columns
        Its columns.
    command
        What makes the rows, as it is typed.
    repeats
        How often each process is run.
    page
        The page; nothing is renewed if None.

    Yields
    ------
    Callable
        What takes a row, whose text is that of a line.

    Raises
    ------
    LookupError
        If the page has no such table. Nothing was measured then.
    """
    if page:
        renewed(page.read_text(encoding="utf-8"), name, columns, (), "")
    load = os.getloadavg()[0]
    rows: list[str] = []

    def add(row: object) -> None:
        rows.append(str(row))
        print(row, flush=True)

    print(f"\n{name}\n", *_head(columns), sep="\n")
    try:
        yield add
    finally:
        loads = f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after"
        run = f"{_facts(repeats)}; `{command}`; {loads}"
        print(f"\n{run}")
        if page and rows:
            text = renewed(page.read_text(encoding="utf-8"), name, columns, rows, run)
            page.write_text(text, encoding="utf-8")


def renewed(page: str, name: str, columns: Sequence[str], rows: Sequence[str], run: str) -> str:
    """Return a page with some rows of a table renewed, or added at its end.

    Parameters
    ----------
    page
        The text of the page.
    name
        The table.
    columns
        Its columns; rows that the page has under others are not kept.
    rows
        Lines of the table.
    run
        Where they come from, in one line.

    Raises
    ------
    LookupError
        If the page has no such table, or a row in it has the number of no run.
    """
    mark = f"<!-- table: {name} -->\n"
    before, found, rest = page.partition(mark)
    block, ended, after = rest.partition(END)
    if not found or not ended:
        raise LookupError(f"the page has no table between {mark.strip()} and {END}")
    head = _head([*columns, "run"])
    there = _rows(block, head[0]) | {_work(row): (row, run) for row in rows}
    if not there:
        return page
    runs = list(dict.fromkeys(run for _, run in there.values()))
    lines = [f"{number}. {one}" for number, one in enumerate(runs, 1)]
    lines += ["", *head, *(f"{row} {runs.index(one) + 1} |" for row, one in there.values())]
    return "".join((before, mark, "\n".join(lines), f"\n\n{END}", after))


def _rows(block: str, head: str) -> dict[str, tuple[str, str]]:
    """Return the rows under a head by their work, each with the run that it comes from."""
    runs = dict(re.findall(r"^(\d+)\. (.*)$", block, re.MULTILINE))
    _, _, body = block.partition(f"{head}\n")
    rows = {}
    for line in body.splitlines():
        if line.startswith("| "):
            row, _, number = line.removesuffix("|").rpartition("|")
            rows[_work(line)] = (f"{row}|", runs[number.strip()])
    return rows


def _work(row: str) -> str:
    return row.split("|")[1].strip()


def _head(columns: Sequence[str]) -> tuple[str, str]:
    return f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"


def _facts(repeats: int) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{machine}; {repeats} run{'s' if repeats > 1 else ''} of each"
