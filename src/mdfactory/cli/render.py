"""All that the program prints: tables, JSON, notes, progress and questions."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from mdfactory.errors import DeclinedError, MDFactoryError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.progress import Progress
    from rich.text import Text

    from mdfactory.records.tables import Table

__all__ = ["Terminal"]

SHORT: Final = 12
"""Digits of a hash on a terminal."""

STYLES: Final = {
    "completed": "green",
    "production": "yellow",
    "equilibrated": "cyan",
    "build": "dim",
}

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Terminal:
    """Standard output for results and standard error for all else.

    Parameters
    ----------
    json
        Print one JSON object on standard output instead of tables and sentences.
    quiet
        Keep progress, notes and warnings to ourselves.
    verbose, debug
        Let the log through, in two degrees.
    """

    command: str = ""

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        debug: bool = False,
    ) -> None:
        self._json = json
        self._quiet = quiet
        self._debug = debug
        level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
        logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
        logging.getLogger("mdfactory").setLevel(level)

    def result(self, sentence: str, values: Mapping[str, Any]) -> None:
        """Print what a command did: a sentence, or the values as JSON."""
        if self._json:
            self._object(values)
        elif sentence:
            print(sentence)

    def columns(self, table: Table, *, full: bool) -> tuple[str, ...]:
        """Return the columns to show: a summary, or all that a terminal or a pipe can take."""
        if not full:
            return table.summary
        if self._json or not sys.stdout.isatty():
            return table.columns
        return tuple(name for name in table.columns if name not in table.bulky)

    def rows(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> int:
        """Print records: a fitted table on a terminal, tab-separated values in a pipe.

        Returns
        -------
        int
            The number of records.
        """
        batches = iter(batches)
        # What fails, fails here, before anything is printed.
        first = next(batches, None)
        batches = chain([first], batches) if first is not None else ()
        if self._json:
            return self._json_rows(batches)
        if sys.stdout.isatty():
            return self._table(batches, columns)
        return _tab_separated(batches, columns)

    def note(self, sentence: str) -> None:
        """Say something on standard error that is no result."""
        if not self._quiet:
            _say(sentence)

    def warn(self, sentence: str) -> None:
        """Say on standard error that something is odd."""
        if not self._quiet:
            _say(f"warning: {sentence}")

    def error(self, error: MDFactoryError | str) -> None:
        """Say on standard error why a command failed; with ``--json`` on standard output too."""
        details = error.details if isinstance(error, MDFactoryError) else {}
        if self._json:
            self._object({"error": str(error), **details})
        if self._debug and isinstance(error, MDFactoryError):
            logging.getLogger("mdfactory").debug("failed", exc_info=error)
        _say(f"error: {error}")

    def skipped(self, path: str, reason: str) -> None:
        """Name an item that was passed over; also when told to be quiet."""
        _say(f"skipped: {_printable(path)}: {reason}")

    def confirm(self, question: str, otherwise: str) -> None:
        """Ask a question whose answer is no unless it is yes.

        Raises
        ------
        DeclinedError
            If the answer is no, or nobody can be asked; with `otherwise` as its message.
        """
        if not sys.stdin.isatty():
            raise DeclinedError(f"{otherwise}: there is no terminal to ask. Repeat with --yes")
        print(f"{_printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise DeclinedError(otherwise)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int], None]]:
        """Show progress on standard error while the block lasts, once it takes a second."""
        if self._quiet or not sys.stderr.isatty():
            yield lambda _what, _done: None
            return
        bar = _Progress()
        try:
            yield bar.show
        finally:
            bar.clear()

    def _object(self, values: Mapping[str, Any]) -> None:
        print(json.dumps({"command": self.command, **values}, ensure_ascii=False))

    def _json_rows(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Print one object, its rows as they come, so that memory does not grow with them."""
        total = 0
        print(f'{{"command": {json.dumps(self.command)}, "rows": [', end="")
        for batch in batches:
            for row in batch.to_pylist():
                print(",\n" if total else "\n", json.dumps(row, ensure_ascii=False), sep="", end="")
                total += 1
        print("]}")
        return total

    def _table(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> int:
        from rich.console import Console
        from rich.table import Table as Drawn

        console = Console(highlight=False)
        total = 0
        widths: list[int] = []
        for batch in batches:
            rows = [[_shown(*cell) for cell in row.items()] for row in batch.to_pylist()]
            widths = widths or _fitted(columns, rows, console.width)
            table = Drawn(box=None, pad_edge=False, show_header=not total)
            for name, width in zip(columns, widths, strict=True):
                table.add_column(name, width=width, no_wrap=True, overflow="ellipsis")
            for row in rows:
                table.add_row(
                    *(_cell(text, width) for text, width in zip(row, widths, strict=True))
                )
            console.print(table)
            total += len(rows)
        return total


class _Progress:
    """A live line on standard error, once the work has taken a second."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._bar: Progress | None = None

    def show(self, what: str, done: int) -> None:
        if self._bar is None:
            if time.monotonic() < self._begun + 1:
                return
            self._bar = _bar()
        amount = f" {done:,}" if done else ""
        self._bar.update(self._bar.task_ids[0], description=f"{what}{amount}")

    def clear(self) -> None:
        if self._bar:
            self._bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=None)
    bar.start()
    return bar


def _say(sentence: str) -> None:
    """Print to standard error; control characters, as in the name of a file, are shown."""
    lines = (_printable(line) for line in sentence.split("\n"))
    print("\n".join(lines), file=sys.stderr)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _tab_separated(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> int:
    total = 0
    print("\t".join(columns))
    for batch in batches:
        values = (column.to_pylist() for column in batch.columns)
        for row in zip(*values, strict=True):
            print("\t".join(str(value).translate(ESCAPES) for value in row))
        total += batch.num_rows
    return total


def _shown(column: str, value: object) -> str:
    text = _printable(str(value))
    return text[:SHORT] if column == "hash" else text


def _fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return a width for each column, so that the widest give way until the line fits."""
    widths = [max(len(name), *(len(row[at]) for row in rows)) for at, name in enumerate(columns)]
    room = width - 2 * (len(columns) - 1)
    while sum(widths) > room and max(widths) > SHORT:
        widest = widths.index(max(widths))
        second = max((each for each in widths if each < widths[widest]), default=SHORT)
        widths[widest] = max(SHORT, second, widths[widest] - (sum(widths) - room))
    return widths


def _cell(text: str, width: int) -> Text:
    """Return the text of a cell; a path that is too long loses its beginning."""
    from rich.text import Text

    if len(text) > width and text.startswith("/"):
        text = f"…{text[1 - width :]}"
    return Text(text, style=STYLES.get(text, ""))
