"""What every command shares: the options that all have, the store, and where output goes."""

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

    from mdfactory.config import Settings
    from mdfactory.stores.store import Store

__all__ = ["Exit", "Given", "Session", "examples", "words_of"]


class Exit(IntEnum):
    """How a run ended, for scripts."""

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
        The file of ``--config``.
    wait
        Seconds to wait for another writer.
    words
        The command line, without the options that every command has.
    """

    terminal: Terminal
    config: Path | None = None
    wait: float = 60.0
    words: tuple[str, ...] = ()

    @property
    def typed(self) -> str:
        """The command line for the log of the store, without what is secret in it."""
        from shlex import join

        from mdfactory.config import mask_password

        return join(["mdfactory", *map(mask_password, self.words)])

    def settings(self) -> Settings:
        """Read the configuration."""
        from mdfactory.config import load

        settings = load(self.config)
        for warning in settings.warnings:
            self.terminal.warn(warning)
        return settings

    def store(self) -> Store:
        """Return the store that the configuration names."""
        from mdfactory.stores import open_store

        _give_memory_back()
        return open_store(self.settings(), wait=self.wait)

    def store_at(self, place: str) -> Store:
        """Return the store of a kind, as the configuration has it, or at a URL."""
        from mdfactory.stores import OPENER_BY_KIND, open_store, store_at

        _give_memory_back()
        if place in OPENER_BY_KIND:
            return open_store(replace(self.settings(), kind=place), wait=self.wait)
        store = store_at(place, wait=self.wait)
        store.retention = self.settings().retention
        return store

    def show_matrix(self, rows: Iterable[pa.RecordBatch], columns: Sequence[str]) -> None:
        """Show the overview on a terminal: simulations down, results across."""
        found = list(rows)
        if not found:
            self.terminal.note("no records")
        elif not self.terminal.matrix(found):
            self.terminal.rows(found, columns)

    def show(
        self,
        store: Store,
        rows: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        columns: Sequence[str],
        output: Path | None = None,
    ) -> None:
        """Show records of a store, or write them to a file."""
        if output is None:
            if not self.terminal.rows(rows, columns):
                self.terminal.note("no records")
            return
        from mdfactory.sync.export import export

        if store.owns(output):
            raise OutputError(f"{output} is the store itself; write to another file")
        written = export(rows, schema, output)
        if not written:
            self.terminal.note("no records")
        self.terminal.result(
            f"{counted(written, 'record')} written to {output}",
            {"output": str(output), "written": written},
        )


def _give_memory_back() -> None:
    """Have the memory of large frames given back to the system as soon as it is free.

    Arrow's own pool keeps it for later, and so does glibc with blocks below a threshold that
    grows to 32 MB as they are freed (mallopt(3), ``M_MMAP_THRESHOLD``): a push of frames of
    that size would hold twice what it needs.
    """
    import ctypes

    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**20)


M_MMAP_THRESHOLD: Final = -3

Given = Annotated[Session, Parameter(parse=False)]
"""The session, as a parameter that the launcher gives to a command."""


def words_of(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    """Return counts as words, such as ``8 inserted, 2 skipped``."""
    return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number or zeros)


def examples(*lines: str) -> str:
    """Return the examples at the foot of a command's help."""
    return "\n".join(["Examples:", "", *(f"    {line}" for line in lines)])
