"""All that the program prints: tables, JSON, notes, progress and questions."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mdfactory.cli.layout import matrix, printable, separated, table
from mdfactory.errors import DeclinedError, MDFactoryError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.progress import Progress

    from mdfactory.records.tables import Table

__all__ = ["Terminal"]


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
        _make_streams()
        self.json = json
        self._quiet = quiet
        self._debug = debug
        logging.basicConfig(format="%(message)s")
        logging.getLogger("mdfactory").setLevel(_level(quiet=quiet, verbose=verbose, debug=debug))

    def result(self, sentence: str, values: Mapping[str, Any]) -> None:
        """Print what a command did: a sentence, or the values as JSON."""
        if self.json:
            self._object(values)
        elif sentence:
            _print(printable(line) for line in sentence.split("\n"))

    def columns(self, kind: Table, *, full: bool) -> tuple[str, ...]:
        """Return the columns to show: a summary, or all that a terminal or a pipe can take."""
        if not full:
            return kind.summary
        if not self.draws:
            return kind.columns
        return tuple(name for name in kind.columns if name not in kind.bulky)

    @property
    def draws(self) -> bool:
        """Whether results go to a person, who sees lines and columns."""
        return not self.json and sys.stdout.isatty()

    def matrix(self, batches: Sequence[pa.RecordBatch]) -> bool:
        """Draw the overview, simulations down and results across, if it fits."""
        width = shutil.get_terminal_size().columns
        lines = matrix(batches, width, colour="NO_COLOR" not in os.environ)
        if lines:
            _print(lines)
        return bool(lines)

    def say(self, sentence: str) -> None:
        """Say on standard error what a question is about; also when told to be quiet."""
        _say(sentence)

    def rows(
        self,
        batches: Iterable[pa.RecordBatch],
        columns: Sequence[str],
        values: Mapping[str, Any] | None = None,
    ) -> bool:
        """Print records: a fitted table on a terminal, tab-separated values in a pipe.

        Parameters
        ----------
        batches
            The records.
        columns
            Names of their columns.
        values
            What else the JSON object holds.

        Returns
        -------
        bool
            Whether there were any.
        """
        batches = iter(batches)
        # What fails, fails here, before anything is printed.
        first = next(batches, None)
        found = [] if first is None else [first]
        if self.json:
            self._json_rows(chain(found, batches), values or {})
        elif not sys.stdout.isatty():
            _print(separated(chain(found, batches), columns))
        else:
            width = shutil.get_terminal_size().columns
            colour = "NO_COLOR" not in os.environ
            _print(table(chain(found, batches), columns, width, colour=colour))
        return bool(found)

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
        if self.json:
            self._object({"error": str(error), **details})
        if self._debug and isinstance(error, MDFactoryError):
            logging.getLogger("mdfactory").debug("failed", exc_info=error)
        _say(f"error: {error}")

    def skipped(self, path: str, reason: str) -> None:
        """Name an item that was passed over; also when told to be quiet."""
        _say(f"skipped: {printable(path)}: {reason}")

    def confirm(self, question: str, otherwise: str) -> None:
        """Ask a question whose answer is no unless it is yes.

        Raises
        ------
        DeclinedError
            If the answer is no, or nobody can be asked; with `otherwise` as its message.
        """
        if sys.stdin is None or not sys.stdin.isatty():
            raise DeclinedError(f"{otherwise}: there is no terminal to ask. Repeat with --yes")
        print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = ""
        try:
            answer = sys.stdin.readline()
        finally:
            if not answer.endswith("\n"):  # interrupted, or the end of the input
                print(file=sys.stderr)
        if answer.strip().lower() not in {"y", "yes"}:
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
        print(json.dumps({"command": self.command, **values}))

    def _json_rows(self, batches: Iterable[pa.RecordBatch], values: Mapping[str, Any]) -> None:
        """Print one object, its rows as they come, so that memory does not grow with them."""
        head = json.dumps({"command": self.command, **values})
        print(f'{head[:-1]}, "rows": [', end="")
        separator = "\n"
        try:
            for batch in batches:
                for row in batch.to_pylist():
                    print(separator, json.dumps(row), sep="", end="")
                    separator = ",\n"
        except MDFactoryError as error:
            print(f'], "error": {json.dumps(str(error))}}}')
            self.json = False  # the object is complete
            raise
        print("]}")


def _make_streams() -> None:
    """Let standard streams take any text, also those that whoever started us has closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _level(*, quiet: bool, verbose: bool, debug: bool) -> int:
    if debug:
        return logging.DEBUG
    if verbose:
        return logging.INFO
    return logging.ERROR if quiet else logging.WARNING


EVERY: Final = 0.1
"""Seconds between two changes of the line that shows progress, as it goes on."""


class _Progress:
    """A live line on standard error, once the work has taken a second."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 1
        self._what = ""
        self._bar: Progress | None = None

    def show(self, what: str, done: int) -> None:
        now = time.monotonic()
        if now < self._next and not (self._bar and what != self._what):
            return
        self._next, self._what = now + EVERY, what
        self._bar = self._bar or _bar()
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
    print("\n".join(printable(line) for line in sentence.split("\n")), file=sys.stderr)
