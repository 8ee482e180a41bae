"""All output of the program: tables, JSON, notes, progress and questions."""

from __future__ import annotations

import json
import locale
import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from mdfactory.cli.layout import RED, YELLOW, printable, styled, table_lines, tsv_lines
from mdfactory.cli.matrix import ASCII_MARKS, MARKS, matrix_lines
from mdfactory.config.passwords import mask_password
from mdfactory.errors import DeclinedError, MDFactoryError, one_line
from mdfactory.files import escape_undecoded
from mdfactory.records.vocabulary import ResultStatus

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.progress import Progress

    from mdfactory.campaign.simulation import Skipped
    from mdfactory.records.tables import Table
    from mdfactory.sync.completeness import SimulationResults


class Terminal:
    """Standard output for results, and standard error for everything else.

    Parameters
    ----------
    json
        Print one JSON object on standard output instead of tables and sentences.
    quiet
        Print no progress and no notes.
    verbose
        Print log messages of level INFO.
    debug
        Print log messages of all levels, and tracebacks of errors.

    Attributes
    ----------
    command
        The command that runs, without its arguments, for the JSON object.
    complete
        Whether the command has written what it was asked to write, so that only its output is
        left to do.
    """

    command: str = ""
    complete: bool = False

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        debug: bool = False,
    ) -> None:
        _prepare_streams()
        self.json = json
        self._quiet = quiet
        self._debug = debug
        messages = logging.StreamHandler()
        messages.setFormatter(_PrintableFormatter("%(message)s"))
        logging.basicConfig(handlers=[messages])
        logging.captureWarnings(capture=True)  # Python would print texts of libraries as they are
        levels = {logging.DEBUG: debug, logging.INFO: verbose}
        level = next((level for level, chosen in levels.items() if chosen), logging.WARNING)
        logging.getLogger("mdfactory").setLevel(level)

    @property
    def interactive(self) -> bool:
        """Whether standard output is a terminal that shows tables."""
        return not self.json and sys.stdout.isatty()

    @property
    def width(self) -> int:
        """Characters in a line of the terminal; without a terminal, more than any text has."""
        return _width() if self.interactive else sys.maxsize

    def result(self, text: str, values: Mapping[str, Any], *, complete: bool = False) -> None:
        """Print the result of a command: as text, or with ``--json`` as an object of `values`.

        A closed pipe is no error: the command ends with its own exit code.

        Parameters
        ----------
        text, values
            The result.
        complete
            Whether the command has written what it was asked to write. With ``--quiet`` the text
            is then not printed.
        """
        self.complete |= complete
        with suppress(BrokenPipeError), _flushed():
            if self.json:
                self._print_object(values)
            elif text and not (complete and self._quiet):
                print(_printable_lines(text))

    def columns(self, table: Table, *, full: bool) -> tuple[str, ...]:
        """Return the columns of a table to show: a summary, or all.

        On a terminal, "all" leaves out the columns that are too large for it.
        """
        if not full:
            return table.summary
        if not self.interactive:
            return table.columns
        return tuple(name for name in table.columns if name not in table.bulky)

    def matrix(self, completeness: Iterable[SimulationResults], status: str | None = None) -> bool:
        """Print results as a matrix on a terminal, or a note if there are none.

        Parameters
        ----------
        completeness
            The simulations, with results of one type.
        status
            The status by which the results were selected, if they were.

        Returns
        -------
        bool
            False if nothing was printed, because the matrix is too wide for the terminal.
        """
        marks = MARKS if _is_in_locale("".join(MARKS.values())) else ASCII_MARKS
        lines = matrix_lines(
            completeness,
            _width(),
            colour=_has_colour(sys.stdout),
            marks=marks,
            is_selection=status is not None,
        )
        if lines is None:
            return False
        _print_lines(lines)
        if not lines:
            self.note(
                "no result is missing" if status == ResultStatus.not_yet_run else "no records"
            )
        return True

    def rows(
        self,
        batches: Iterable[pa.RecordBatch],
        columns: Sequence[str],
        values: Mapping[str, Any] | None = None,
        *,
        required: Collection[str] = ("hash",),
        wanted: Collection[str] = (),
        full: bool | None = None,
        empty: str = "no records",
    ) -> None:
        """Print records: a fitted table on a terminal, tab-separated values in a pipe.

        A note says if there are none.

        Parameters
        ----------
        batches
            The records. They are printed as they come.
        columns
            Names of the columns of `batches`.
        values
            Further members of the JSON object.
        required
            Names of columns that every terminal shows.
        wanted
            Names of columns that a narrow terminal leaves out after all others.
        full
            Whether a narrow terminal shows all columns, in lines of their own; None if the command
            has no such option.
        empty
            Text of the note.
        """
        batches = iter(batches)
        # An error before the first record is raised here, before anything is printed.
        first = next(batches, None)
        if first is not None:
            batches = chain([first], batches)
        if self.json:
            self._print_rows(batches, values or {})
        elif not self.interactive:
            _print_lines(tsv_lines(batches, columns))
        else:
            colour = _has_colour(sys.stdout)
            table = partial(table_lines, batches, columns, _width(), colour=colour)
            hint = "" if full is None else ". --full shows all columns"
            lines = table(
                required=required,
                wanted=wanted,
                blocks=bool(full),
                leave_out=lambda names: self.note(f"{LEFT_OUT}: {', '.join(names)}{hint}"),
            )
            _print_lines(lines)
        if first is None:
            self.note(empty)

    def note(self, text: str) -> None:
        """Print a note, which is no part of the result, on standard error."""
        if not self._quiet:
            _print_error(text)

    def warn(self, text: str) -> None:
        """Print a warning on standard error, also with ``--quiet``."""
        _print_error(text, "warning: ", YELLOW)

    def error(self, error: MDFactoryError | str) -> None:
        """Print an error on standard error, and with ``--json`` an object on standard output."""
        details = error.details if isinstance(error, MDFactoryError) else {}
        if self.json:
            with suppress(OSError), _flushed():
                self._print_object({"error": str(error), **details})
        if self._debug and isinstance(error, MDFactoryError):
            logging.getLogger("mdfactory").debug("failed", exc_info=error)
        _print_error(str(error), "error: ", RED)

    def bug(self, error: Exception) -> None:
        """Print an error that nobody expected: one line, and with ``--debug`` the traceback."""
        if self._debug:
            for lines in traceback.format_exception(error):
                _print_error("\n".join(map(mask_password, lines.rstrip("\n").split("\n"))))
        self.error(f"{_describe(error)}. This is a mistake in the program; --debug shows where")

    def problems(self, warnings: Iterable[str], skipped: Iterable[Skipped] = ()) -> None:
        """Print warnings, and each item that was skipped with the reason, also with ``--quiet``."""
        for warning in warnings:
            self.warn(warning)
        for item in skipped:
            _print_error(f"{printable(item.path)}: {item.reason}", "skipped: ", YELLOW)

    def confirm(self, question: str, outcome: str, *, context: str = "") -> None:
        """Ask a yes-or-no question, whose default is no.

        Parameters
        ----------
        question
            The question.
        outcome
            Message of the error if the answer is no, such as ``nothing was cleared``.
        context
            Lines to print before the question, also with ``--quiet``.

        Raises
        ------
        DeclinedError
            If the answer is no, or standard input is no terminal.
        """
        if context:
            _print_error(context)
        if sys.stdin is None or not sys.stdin.isatty():
            raise DeclinedError(f"{outcome}: no terminal to ask on. Repeat with --yes")
        print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = ""
        try:
            answer = sys.stdin.readline()
        finally:
            if not answer.endswith("\n"):  # interrupted, or the end of the input
                print(file=sys.stderr)
        if answer.strip().lower() not in {"y", "yes"}:
            raise DeclinedError(outcome)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int], None]]:
        """Show progress on standard error during the block, if it takes longer than a second.

        Yields
        ------
        callable
            Function to call with the name of the current step and the number of items done.
        """
        if self._quiet or not sys.stderr.isatty():
            yield lambda _step, _count: None
            return
        with ExitStack() as stack:
            begin = time.monotonic() + PROGRESS_DELAY_SECONDS
            shown: Progress | None = None

            def show(step: str, count: int) -> None:
                nonlocal shown
                if shown is None and time.monotonic() >= begin:
                    shown = stack.enter_context(_spinner())
                if shown is not None:
                    text = f"{step} {count:,}" if count else step
                    shown.update(shown.task_ids[0], description=printable(text))

            yield show

    def _print_object(self, values: Mapping[str, Any]) -> None:
        print(_to_json({"command": self.command, **values}))

    def _print_rows(self, batches: Iterable[pa.RecordBatch], values: Mapping[str, Any]) -> None:
        """Print one object; each row is printed as it comes, so that memory does not grow."""
        head = _to_json({"command": self.command, **values})
        print(f'{head[:-1]}, "rows": [', end="")
        separator = "\n"
        try:
            for batch in batches:
                for row in batch.to_pylist():
                    print(separator, _to_json(row), sep="", end="")
                    separator = ",\n"
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, MDFactoryError):
                raise  # the output cannot be written, most likely
            print(f'], "error": {_to_json(_describe(error))}}}')
            self.json = False  # the object is complete: the error is not printed as another one
            raise
        print("]}")


def report_lost(lost: Any) -> None:
    """Print an error that no code can catch: in a thread, or when an object is released.

    Parameters
    ----------
    lost
        The argument of ``threading.excepthook`` and ``sys.unraisablehook``.
    """
    if isinstance(lost.exc_value, Exception):
        logging.getLogger("mdfactory").debug("failed", exc_info=lost.exc_value)
        _print_error(_describe(lost.exc_value), "warning: ", YELLOW)


def discard_output() -> None:
    """Send all further standard output to the null device.

    The rest of the buffer goes there, too: to flush it would fail again.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _flushed() -> Iterator[None]:
    """Flush standard output after the block; if that fails, discard all further output."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        discard_output()
        raise


def _prepare_streams() -> None:
    """Replace closed standard streams, and escape characters that their encoding lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _width() -> int:
    return shutil.get_terminal_size().columns


def _is_in_locale(text: str) -> bool:
    """Whether the locale has all characters of a text: Python prints UTF-8 in a C locale, too."""
    try:
        text.encode(locale.getencoding())
        text.encode(sys.stdout.encoding)
    except (UnicodeEncodeError, LookupError):  # LookupError: Python does not know the encoding
        return False
    return True


def _has_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colours, and the user wants them."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in {None, "", "dumb", "unknown"}
    return not plain and stream.isatty()


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _print_error(text: str, label: str = "", style: str = "") -> None:
    """Print on standard error; control characters, such as those of file names, are escaped.

    If standard error cannot be written, the exit code alone tells the outcome.

    Parameters
    ----------
    text
        The text.
    label
        Beginning of the first line, such as ``error: ``.
    style
        Style of the label where there are colours.
    """
    with suppress(OSError):
        if label and _has_colour(sys.stderr):
            label = styled(label, style)
        print(f"{label}{_printable_lines(text)}", file=sys.stderr)


def _printable_lines(text: str) -> str:
    """Return a text of several lines, each without control characters."""
    return "\n".join(printable(line) for line in text.split("\n"))


class _PrintableFormatter(logging.Formatter):
    """Escapes control characters in messages of libraries and of this package, and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return _printable_lines(super().format(record))


def _describe(error: Exception) -> str:
    """Return the message of an error on one line if nobody expected it, without secrets."""
    if isinstance(error, MDFactoryError):
        return str(error)
    return f"{type(error).__name__}: {mask_password(one_line(error))}".removesuffix(": ")


def _to_json(value: object) -> str:
    """Return a value as JSON without control characters; DEL is the only one that `json` leaves.

    Bytes of a path that are not UTF-8 are escaped as on a terminal: JSON has no lone surrogates.
    """
    text = json.dumps(value)
    if "\\ud" in text:  # a surrogate, alone or one of a pair
        unescaped = json.dumps(value, ensure_ascii=False)
        text = json.dumps(json.loads(escape_undecoded(unescaped, "\\\\")))
    return text.replace("\x7f", "\\u007f")


LEFT_OUT: Final = "columns left out, because the terminal is too narrow"
"""Beginning of the note on columns that do not fit."""

PROGRESS_DELAY_SECONDS: Final = 1.0
"""Time before progress is shown: a short command shows none."""


def _spinner() -> Progress:
    """Return a line on standard error with a spinner, a text and the time."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task("", total=None)
    return progress
