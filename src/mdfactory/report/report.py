"""Report: one page about a store, written beside and renamed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.errors import OutputError, UsageError
from mdfactory.files import replacing
from mdfactory.filestore.file_store import FileStore
from mdfactory.report.budget import fit
from mdfactory.report.content import DEFAULT_OPTIONS, ReportOptions, no_progress, read_content
from mdfactory.report.page import vega_bundle
from mdfactory.report.plots.render import require_libraries
from mdfactory.report.table import statistics_table
from mdfactory.stores.store import Store
from mdfactory.sync.export import check_format, export
from mdfactory.sync.find import Note, no_note
from mdfactory.sync.progress import ProgressCallback

GENERATOR: Final = b'<meta name="generator" content="mdfactory '
"""Text by which a file is known as a report."""

HEAD_BYTES: Final = 4096
"""Bytes at the beginning of a file in which `GENERATOR` is looked for."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written.

    Parameters
    ----------
    path, bytes
        Path and size of the file.
    counts
        Numbers of ``simulations``, ``analyses``, ``curves`` and ``pictures``.
    left_out
        Sentences on what the page lacks, because it would have been too large.
    skipped
        Sentences on frames and BuildInputs that could not be read.
    """

    path: str
    bytes: int
    counts: Mapping[str, int]
    left_out: tuple[str, ...]
    skipped: tuple[str, ...]


def require_report() -> None:
    """Check that the extra ``report`` is installed.

    Raises
    ------
    ConfigError
        If a library of it is missing.
    """
    require_libraries("a report", "vl_convert", "numpy", "PIL")


def write_report(
    store: Store,
    path: Path,
    options: ReportOptions = DEFAULT_OPTIONS,
    *,
    statistics: Path | None = None,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    files: FileStore | None = None,
    reading: Reading = DEFAULT_READING,
    note: Note = no_note,
    watch: ProgressCallback = no_progress,
) -> Report:
    """Write a report of a store; the same store, files and options give the same bytes.

    Parameters
    ----------
    store
        The store to read.
    path
        Path of the page. An earlier report is replaced.
    options
        What it shows.
    statistics
        Path of a file for the statistics; its ending is that of its format, see
        `sync.export.export`. Default: none is written.
    catalogue
        The results that are expected of each type of simulation.
    files
        The file store, for pictures that are not on disk any more. Default: there is none.
    reading
        How logs of runs are read.
    note
        Function that is called with each note about the search.
    watch
        Called with the current step and the number of items done.

    Raises
    ------
    ConfigError
        If the extra ``report`` is not installed.
    OutputError
        If the file is no report, or cannot be written; or if the page would be larger than the
        maximum without all that can be left out.
    NotInitialisedError, UnknownNameError, QueryError, StoreError
        As for `sync.pull.open_pull`.
    """
    require_report()
    check_replaceable(store, path)
    if statistics is not None:
        check_statistics(store, path, statistics)
    bundle = vega_bundle()  # first, since what is read later can use the memory that it took
    content = read_content(
        store,
        options,
        catalogue=catalogue,
        files=files,
        reading=reading,
        note=note,
        watch=watch,
    )
    watch("writing", 0)
    page, step = fit(content, options.max_bytes, bundle)
    try:
        with replacing(path, follow_link=True) as file:
            file.write(page)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    if statistics is not None:
        rows = statistics_table(content.analyses.entries, content.snapshot.hashes)
        export(rows.to_batches(), rows.schema, statistics)
    counts = {
        "simulations": len(content.snapshot.hashes),
        "analyses": len(content.analyses.entries),
        "curves": content.analyses.curves,
        "pictures": content.pictures if step.pictures is None else step.pictures,
    }
    return Report(str(path), len(page), counts, step.left_out, content.skipped)


def check_replaceable(store: Store, path: Path) -> None:
    """Check that a path is free, or that of a report.

    Raises
    ------
    OutputError
        If another file is there, or its folder is missing.
    """
    if store.owns(path):
        raise OutputError(f"{path} is a file of the store; write to another file")
    _check_folder(path)
    if os.path.lexists(path) and not _is_report(path):
        raise OutputError(f"{path} is no report of mdfactory, and is not replaced")


def _is_report(path: Path) -> bool:
    """Whether a path is that of a report; pipes and devices are not opened."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return GENERATOR in file.read(HEAD_BYTES)
    except OSError as error:
        raise OutputError(f"{path} cannot be replaced: {error.strerror}") from error


def check_statistics(store: Store, path: Path, statistics: Path) -> None:
    """Check that statistics can be written to a file.

    Raises
    ------
    UsageError
        If its ending promises a format that is not written, or it is the page itself.
    OutputError
        If it is a file of the store, or its folder is missing.
    """
    check_format(statistics)
    if os.path.abspath(statistics) == os.path.abspath(path):
        raise UsageError(f"--statistics {statistics} is the page itself; name another file")
    if store.owns(statistics):
        raise OutputError(f"{statistics} is a file of the store; write to another file")
    _check_folder(statistics)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")
