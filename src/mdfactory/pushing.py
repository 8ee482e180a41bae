"""The push of the Python API."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from os import fspath
from pathlib import Path
from typing import Final, Literal

from mdfactory.campaign.discover import CsvSource, Source
from mdfactory.campaign.scan_index import indexed_reading
from mdfactory.config.passwords import mask_password
from mdfactory.entry import Opened, argument_names, command_options, open_named
from mdfactory.errors import MAX_LISTED, UsageError, counted
from mdfactory.files import expand_home
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.sync.push import SCOPE_BY_KIND, scope_of
from mdfactory.sync.push import push as push_to_store
from mdfactory.sync.pushed import Pushed

Kind = Literal["all", "systems", "analysis", "artifacts"]
Mode = Literal["refuse", "diff", "update", "force"]

MODES: Final = {mode.value: mode for mode in ConflictMode} | {"diff": ConflictMode.skip}
"""Mode, in the words of the command line or as a `ConflictMode` -> the mode."""


def push(
    source: str | Path,
    *,
    kind: Kind = "all",
    mode: Mode | ConflictMode = "refuse",
    names: str | Collection[str] = (),
    files: bool = False,
    dry_run: bool = False,
    csv_root: str | Path | None = None,
    url: str | None = None,
    config: str | Path | None = None,
    wait: float = 60.0,
) -> Pushed:
    """Push records of simulation folders into a store, as ``mdfactory sync push`` does.

    One push is one transaction: all of it is stored, or nothing. Items that are skipped and other
    problems are also reported as a `UserWarning`.

    Parameters
    ----------
    source : str or Path
        A folder to search at any depth, a glob pattern of folders, or a build summary; with
        `csv_root`, a campaign CSV.
    kind : {"all", "systems", "analysis", "artifacts"}
        Which records to push: those of simulations, of analyses, of artifacts, or all.
    mode : {"refuse", "diff", "update", "force"}
        What to do with records that the store already has: raise an error, leave them as they are,
        overwrite those whose content has changed, or overwrite all.
    names : str or collection of str
        Names of the analyses or artifacts to push, with `kind` ``analysis`` or ``artifacts``.
        Default: all.
    files : bool
        Whether to send the files of artifacts to the file store of the configuration, too.
    dry_run : bool
        Write nothing, and return what would be written.
    csv_root : str or Path, optional
        Folder to search, at any depth, for the simulations of a campaign CSV.
    url : str, optional
        URL of the store; see `open_store`. Default: the store of the configuration.
    config : str or Path, optional
        Configuration file that overrides all others. Not used with `url`.
    wait : float
        Seconds to wait for another process that has the store locked.

    Returns
    -------
    Pushed
        The numbers of records ``inserted``, ``updated``, ``unchanged`` and ``skipped`` in
        ``counts``, and for each table in ``tables``; ``skipped`` has the path and reason of each
        folder and result that is invalid, missing or a duplicate.

    Raises
    ------
    SourceError
        If the source does not exist, or contains no simulation.
    ConflictError
        In mode ``refuse``, if the store has some of the records.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation was found in several folders.
    NotInitialisedError
        If the store lacks a table that the push needs.
    InvalidNameError
        If one of the names cannot be the name of a result.
    UsageError
        If `kind` or `mode` is unknown, `names` or `files` are given with a kind that has none, or
        `source` is no path.
    ConfigError
        If the store cannot be opened; see `open_store`. Or if no file store is configured.
    FileStoreError
        If the file store cannot be reached, read or written. Nothing was recorded.

    Examples
    --------
    After ``mdfactory demo``:

    >>> import mdfactory
    >>> ini = "mdfactory-demo/mdfactory.ini"
    >>> mdfactory.push("mdfactory-demo/water_methanol", mode="update", config=ini)
    <Pushed: 0 inserted, 0 updated, 33 unchanged, 0 skipped>
    """
    with argument_names(command_options(url, config)):
        found = _source(source, csv_root)
        scope = scope_of(_known("kind", kind, SCOPE_BY_KIND), _names(kind, names))
        chosen = MODES[_known("mode", mode, MODES)]
        opened = open_named(url, config, wait)
        with indexed_reading(stems=opened.stems) as reading:
            pushed = push_to_store(
                opened.store,
                found,
                chosen,
                scope,
                catalogue=opened.catalogue,
                files=_file_store(opened, kind) if files else None,
                dry_run=dry_run,
                command=_call(source, kind, mode, names, files=files),
                reading=reading,
            )
    for warning in pushed.warnings:
        warnings.warn(warning, stacklevel=2)
    if pushed.skipped:
        warnings.warn(_describe_skipped(pushed), stacklevel=2)
    return pushed


def _known(argument: str, value: str, known: Collection[str]) -> str:
    """Return the value of an argument; raise a `UsageError` if it is not one of the known ones."""
    if value not in [*known]:  # a list, since the value may be unhashable
        raise UsageError(f"{argument}={value!r:.60}: expected one of {', '.join(known)}")
    return value


def _names(kind: str, names: str | Collection[str]) -> Collection[str]:
    """Return the names of results to push."""
    if names and kind not in {"analysis", "artifacts"}:
        raise UsageError("names= selects results: give kind='analysis' or kind='artifacts' with it")
    return [names] if isinstance(names, str) else names


def _file_store(opened: Opened, kind: str) -> FileStore:
    """Return the file store to which a push sends files."""
    if kind not in {"all", "artifacts"}:
        raise UsageError("files= are those of artifacts: give kind='artifacts' or kind='all'")
    return opened.files or open_file_store("")  # an error that says what to configure


def _source(source: str | Path, csv_root: str | Path | None) -> Source:
    try:
        fspath(source)
    except TypeError as error:
        message = f"source={source!r:.60}: expected one path or pattern; push them one by one"
        raise UsageError(message) from error
    if csv_root is None:
        return str(source)
    return CsvSource(Path(expand_home(source)), Path(expand_home(csv_root)))


def _call(
    source: str | Path, kind: str, mode: str, names: str | Collection[str], *, files: bool
) -> str:
    """Return the call as text, for the log of the store."""
    chosen = f", names={list(_names(kind, names))!r}" if names else ""
    chosen += ", files=True" if files else ""
    shown = mask_password(str(source))
    return f"mdfactory.push({shown!r}, kind={str(kind)!r}, mode={str(mode)!r}{chosen})"


def _describe_skipped(pushed: Pushed) -> str:
    """Return a warning that lists the first skipped items."""
    lines = [f"{item.path}: {item.reason}" for item in pushed.skipped[:MAX_LISTED]]
    more = len(pushed.skipped) - len(lines)
    lines += [f"and {more:,} more"] if more else []
    total = counted(len(pushed.skipped), "item")
    return "\n  ".join([f"{total} skipped; `.skipped` of the result lists all of them:", *lines])
