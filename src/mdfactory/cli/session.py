"""The session of a command: common options, the configured store, the terminal, exit codes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.render import Terminal
from mdfactory.errors import OutputError, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from mdfactory.campaign.simulation import Skipped
    from mdfactory.config import Settings
    from mdfactory.stores.store import Store


class Exit(IntEnum):
    """Exit codes of the program, for scripts."""

    done = 0
    failed = 1
    usage = 2
    skipped = 3
    differs = 4
    interrupted = 130


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the program.

    Parameters
    ----------
    terminal
        Where output goes.
    config
        The file of ``--config``, if given.
    wait
        Seconds to wait for another process that has the store locked.
    arguments
        The command line, without the program and without the common options.
    """

    terminal: Terminal
    config: Path | None = None
    wait: float = 60.0
    arguments: tuple[str, ...] = ()

    @property
    def command_line(self) -> str:
        """The command line with passwords masked, for the log of the store."""
        from shlex import join

        from mdfactory.config import mask_password

        return join(["mdfactory", *map(mask_password, self.arguments)])

    def settings(self) -> Settings:
        """Read the configuration, and print its warnings."""
        from mdfactory.config import load

        settings = load(self.config)
        for warning in settings.warnings:
            self.terminal.warn(warning)
        return settings

    def store(self) -> Store:
        """Open the configured store."""
        from mdfactory.stores import open_store

        _release_memory_at_once()
        return open_store(self.settings(), wait=self.wait)

    def store_at(self, kind_or_url: str) -> Store:
        """Open the configured store of the given kind, or the store at the given URL."""
        from mdfactory.stores import OPENER_BY_KIND, open_store, store_at

        _release_memory_at_once()
        if kind_or_url in OPENER_BY_KIND:
            return open_store(replace(self.settings(), kind=kind_or_url), wait=self.wait)
        store = store_at(kind_or_url, wait=self.wait)
        store.retention = self.settings().retention
        return store

    def report_problems(self, warnings: Iterable[str], skipped: Iterable[Skipped]) -> None:
        """Print warnings, and each item that was skipped, on standard error."""
        for warning in warnings:
            self.terminal.warn(warning)
        for item in skipped:
            self.terminal.skipped(item.path, item.reason)

    def show_matrix(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> None:
        """Show the overview on a terminal, as a matrix if it fits, otherwise as records."""
        overview = list(batches)
        if not overview:
            self.terminal.note("no records")
        elif not self.terminal.matrix(overview):
            self.terminal.rows(overview, columns)

    def show(
        self,
        store: Store,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        columns: Sequence[str],
        output: Path | None = None,
    ) -> None:
        """Show records of a store, or write them to a file.

        Parameters
        ----------
        store
            The store that `batches` are read from.
        batches
            The records, with `columns`.
        schema
            Schema of the file.
        columns
            Names of the columns to show.
        output
            The file, or None to print.

        Raises
        ------
        OutputError
            If the file belongs to the store, or cannot be written.
        """
        if output is None:
            if not self.terminal.rows(batches, columns):
                self.terminal.note("no records")
            return
        from mdfactory.sync.export import export

        if store.owns(output):
            raise OutputError(f"{output} is a file of the store; write to another file")
        written = export(batches, schema, output)
        if not written:
            self.terminal.note("no records")
        self.terminal.result(
            f"{counted(written, 'record')} written to {output}",
            {"output": str(output), "written": written},
        )


def _release_memory_at_once() -> None:
    """Configure Arrow and glibc to return freed memory of large frames to the system at once.

    By default, Arrow's own pool keeps freed memory. So does glibc for blocks below a threshold,
    which grows up to 32 MB when larger blocks are freed (mallopt(3), ``M_MMAP_THRESHOLD``). A push
    of frames of that size would then use twice the memory.
    """
    import ctypes

    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


M_MMAP_THRESHOLD: Final = -3
"""Parameter of mallopt(3), from ``malloc.h``."""

MMAP_THRESHOLD_BYTES: Final = 2**20

CurrentSession = Annotated[Session, Parameter(parse=False)]
"""Type of the parameter that passes the session to a command; it is not an option."""


def format_counts(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    """Return counts as text, such as ``8 inserted, 2 skipped``; by default without zeros."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number or zeros)


def examples(*lines: str) -> str:
    """Return the epilogue of the help of a command: examples of command lines."""
    return "\n".join(["Examples:", "", *(f"    {line}" for line in lines)])
