"""Finds the simulations of a SOURCE: a folder, glob pattern, build summary or campaign CSV."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading, ScanIndex, file_state
from mdfactory.campaign.simulation import (
    HASH_PATTERN,
    NOT_A_BUILD_INPUT,
    OUT_OF_MEMORY,
    Simulation,
    Skipped,
    read_simulation,
)
from mdfactory.errors import SourceError
from mdfactory.files import UnreadableError

if TYPE_CHECKING:
    from mdfactory.campaign.campaign_csv import Row, RowProblem, Rows

Discovery = Simulation | Skipped
"""A simulation, or a folder or row that should be one and is not."""


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A campaign CSV, and the folder that is searched for the simulations of its rows.

    Parameters
    ----------
    file
        The campaign CSV.
    root
        The folder to search, at any depth.
    """

    file: Path
    root: Path

    def __str__(self) -> str:
        return f"{self.file} below {self.root}"


@dataclass(frozen=True, slots=True)
class Folders:
    """A list of folders, such as the directories in a store's records.

    Parameters
    ----------
    paths
        Absolute paths; paths that do not exist are ignored.
    """

    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(self.paths):,} folders"


Source = str | CsvSource | Folders


def discover(source: Source, reading: Reading = DEFAULT_READING) -> Iterator[Discovery]:
    """Find the simulations of a SOURCE.

    Parameters
    ----------
    source
        A folder: the folder itself if it is a simulation, otherwise every simulation below it,
        in the order of a walk. A glob pattern: the same for each folder that matches it. A build
        summary YAML: the folders that it lists, in its order. A campaign CSV: the folders of its
        rows, found in one walk. `Folders`: these folders, sorted by path.
    reading
        Options for reading the folders.

    Yields
    ------
    Simulation or Skipped
        Each simulation, and each folder that claims to be a simulation but is not one, with
        the reason.

    Raises
    ------
    SourceError
        If the SOURCE does not exist, or is none of these. The call itself raises it, not the
        iteration.
    """
    if isinstance(source, CsvSource):
        from mdfactory.campaign.campaign_csv import read_rows

        return _discover_rows(source, read_rows(source.file), reading)
    if isinstance(source, Folders):
        return _read_folders(source.paths, reading)
    path = _absolute(source)
    if os.path.isdir(path):  # False for an impossible path, where pathlib raises
        return _walk([path], reading)
    if os.path.isfile(path):
        return _read_listed(path, _read_summary(source, path, reading.index), reading)
    if glob.has_magic(source):
        folders = _match_folders(source)
        if folders:
            return _walk(folders, reading)
        raise SourceError(source, "no folder matches this pattern")
    raise SourceError(source, "there is no such folder, build summary or pattern")


def roots(source: Source, reading: Reading = DEFAULT_READING) -> list[str]:
    """Return the top folders of a SOURCE: all of its simulations are in or below them.

    Parameters
    ----------
    source
        As for `discover`.
    reading
        Options for reading a build summary.

    Returns
    -------
    list of str
        Absolute paths, which need not exist; empty if no folder matches a pattern.

    Raises
    ------
    SourceError
        If the SOURCE is a file but no build summary.
    """
    if isinstance(source, Folders):
        return list(source.paths)
    if isinstance(source, CsvSource):
        return [_absolute(source.root)]
    path = _absolute(source)
    if os.path.isfile(path):
        entries, parent = _read_summary(source, path, reading.index), os.path.dirname(path)
        moved = [os.path.join(parent, entry.hash) for entry in entries if entry.may_have_moved]
        return [*(_absolute(entry.directory, parent) for entry in entries), *moved]
    if glob.has_magic(source) and not os.path.isdir(path):
        return _match_folders(source)
    return [path]


def _read_folders(paths: Iterable[str], reading: Reading) -> Iterator[Discovery]:
    """Yield the simulations of a list of folders; a folder that does not exist is ignored."""

    def read(path: str) -> Discovery | None:
        discovery, _ = _visit(path, reading)
        return None if _is_missing(discovery, path) else discovery

    with Prefetcher(read, reading.jobs) as prefetcher:
        yield from filter(None, prefetcher.map(sorted(set(paths))))


def _absolute(path: str | Path, parent: str = "") -> str:
    """Return an absolute path without ``..``; symlinks in it are not resolved."""
    return os.path.abspath(os.path.join(parent, os.path.expanduser(path)))


def _match_folders(source: str) -> list[str]:
    """Return the folders that a pattern matches, in order.

    ``**`` does not follow symlinks, which may form a loop; `glob.glob` does.
    """
    pattern = Path(os.path.expanduser(source))
    folders = [Path(pattern.anchor) if pattern.anchor else Path.cwd()]
    for part in pattern.parts[bool(pattern.anchor) :]:
        folders = [match for folder in folders for match in _match_part(folder, part)]
    return sorted({_absolute(folder) for folder in folders})


def _match_part(folder: Path, part: str) -> Iterator[Path]:
    """Yield the folders below `folder` that match one part of a pattern; ``**`` also matches it."""
    if not glob.has_magic(part):
        if os.path.isdir(folder / part):
            yield folder / part
        return
    if part == "**":
        yield folder
    try:
        listing = _list_folder(folder)
    except OSError:
        return
    if part == "**":
        for name in listing.folders:
            if not name.startswith("."):
                yield from _match_part(folder / name, part)
        return
    names = fnmatch.filter([*listing.folders, *listing.links], part)
    yield from (folder / name for name in names if part[0] == "." or name[0] != ".")


class _Listing(NamedTuple):
    """Names in one folder.

    Parameters
    ----------
    files
        Files, and symlinks to files.
    special
        Everything else, such as pipes and dangling symlinks.
    folders
        Folders, sorted; without symlinks.
    links
        Symlinks to folders, sorted.
    """

    files: Collection[str] = ()
    special: Collection[str] = ()
    folders: Sequence[str] = ()
    links: Sequence[str] = ()


def _list_folder(directory: str | Path) -> _Listing:
    """List a folder in one go; only symlinks cost a system call each."""
    with os.scandir(directory) as scan:
        entries = list(scan)
    files = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    if len(files) == len(entries):  # most folders of a campaign are simulations without results
        return _Listing(files)
    special: set[str] = set()
    folders: list[str] = []
    links: list[str] = []
    for entry in entries:
        if entry.is_symlink():
            is_folder = _links_to_folder(entry)
            if is_folder:
                links.append(entry.name)
            else:
                (special if is_folder is None else files).add(entry.name)
        elif entry.is_dir():
            folders.append(entry.name)
        elif entry.name not in files:
            special.add(entry.name)
    return _Listing(files, special, sorted(folders), sorted(links))


def _links_to_folder(link: os.DirEntry[str]) -> bool | None:
    """Whether a symlink points to a folder (True), a file (False), or neither (None)."""
    try:
        return link.is_dir() or (False if link.is_file() else None)
    except OSError:  # a loop of symlinks
        return None


def _walk(roots: Iterable[str], reading: Reading) -> Iterator[Discovery]:
    """Yield the simulations in or below folders, each real folder once.

    Symlinks are followed last. So a simulation has its own path rather than that of a symlink to
    it, and a loop of symlinks ends at a folder that was visited before.
    """
    with Prefetcher(partial(_visit, reading=reading), reading.jobs) as visits:
        yield from _walk_in_order(roots, visits)


def _walk_in_order(
    roots: Iterable[str], visits: Prefetcher[str, tuple[Discovery | None, _Listing]]
) -> Iterator[Discovery]:
    visited: set[str] = set()
    links = deque(roots)
    while links:
        link = links.popleft()
        stack = [(link, os.path.realpath(link))]
        while stack:
            visits.prefetch(directory for directory, _ in reversed(stack))
            directory, real_path = stack.pop()
            if real_path in visited:
                visits.discard(directory)
                continue
            visited.add(real_path)
            discovery, listing = visits.get(directory)
            if discovery:
                yield discovery
                if isinstance(discovery, Simulation):  # it contains no other simulations
                    continue
            prefix = directory if directory.endswith("/") else f"{directory}/"
            names = [name for name in listing.folders if not name.startswith(".")]
            stack += [(prefix + name, f"{real_path}/{name}") for name in reversed(names)]
            links += [prefix + name for name in listing.links if not name.startswith(".")]


def _visit(
    directory: str, reading: Reading, *, required: bool = False
) -> tuple[Discovery | None, _Listing]:
    """List a folder, and read it if it is a simulation; `required` as in `read_simulation`."""
    try:
        listing = _list_folder(directory)
        directory.encode()
    except UnicodeEncodeError:
        printable = os.fsencode(directory).decode(errors="backslashreplace")
        return Skipped(printable, "its path is not valid UTF-8, which stores require"), _Listing()
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        reason = getattr(error, "strerror", error)
        return Skipped(directory, f"the folder cannot be read: {reason}"), _Listing()
    files, non_files, folders, links = listing
    if folders or links:
        non_files = {*non_files, *folders, *links}
    try:
        discovery = read_simulation(
            directory, files, non_files=non_files, required=required, reading=reading
        )
    except MemoryError:
        discovery = Skipped(directory, OUT_OF_MEMORY)
    return discovery, listing


def _is_missing(discovery: Discovery | None, directory: str) -> bool:
    """Whether a folder was skipped because it does not exist.

    The check follows the read, so that a folder that exists needs no extra system call.
    """
    return isinstance(discovery, Skipped) and not os.path.isdir(directory)


def _discover_rows(source: CsvSource, rows: Rows, reading: Reading) -> Iterator[Discovery]:
    """Check that the root exists, and return an iterator over the simulations of rows."""
    root = _absolute(source.root)
    if not os.path.isdir(root):
        raise SourceError(str(source.root), "there is no such folder to search")
    return _walk_for_rows(source, rows, root, reading)


def _walk_for_rows(
    source: CsvSource, rows: Rows, root: str, reading: Reading
) -> Iterator[Discovery]:
    """Yield the simulations of rows, and the reason for each row that is invalid or has none."""
    for problem in rows.problems:
        yield Skipped(_row_label(source, problem), problem.reason)
    missing = {row.build_input.hash: row for row in rows.rows}
    hashes = frozenset(missing)
    skipped_reasons: dict[str, str] = {}
    for discovery in _walk([root], reading):
        if isinstance(discovery, Skipped):
            name = os.path.basename(discovery.path).upper()  # the hash, if the folder has its name
            skipped_reasons[name] = f"; {discovery.path}: {discovery.reason}"
        elif discovery.hash in hashes:
            missing.pop(discovery.hash, None)
            yield discovery
    for hash_, row in missing.items():
        reason = f"no simulation with hash {hash_} below {root}{skipped_reasons.get(hash_, '')}"
        yield Skipped(_row_label(source, row), reason)


def _row_label(source: CsvSource, row: Row | RowProblem) -> str:
    return f"{source.file}: row {row.number} (line {row.line})"


class _SummaryEntry(NamedTuple):
    """A folder that a build summary lists, and the hash of its simulation.

    The hash is the name of the folder if the summary gives no hashes.
    """

    directory: str
    hash: str

    @property
    def may_have_moved(self) -> bool:
        """Whether the hash is known, and so the name of a moved folder next to the summary."""
        return bool(HASH_PATTERN.fullmatch(self.hash))


def _read_summary(source: str, path: str, index: ScanIndex | None) -> list[_SummaryEntry]:
    """Return the entries of a build summary, from the index if it has not changed."""
    from mdfactory.campaign.strict_yaml import load_summary

    indexed = index.find(path) if index else None
    if index and indexed and indexed.texts == NOT_A_BUILD_INPUT:
        text = index.find_long_text(path, indexed.state)
        if text:
            return [_SummaryEntry(*entry) for entry in json.loads(text)]
    try:
        values, status = load_summary(path)
    except UnreadableError as error:
        raise SourceError(source, f"not a build summary: {error}") from error
    entries = _parse_summary(values)
    if entries is None:
        raise SourceError(source, f"not a build summary: {_summary_problem(Path(path), values)}")
    if index and "system" not in values:  # otherwise it may also be a BuildInput
        index.add(path, file_state(status), NOT_A_BUILD_INPUT, json.dumps(entries))
    return entries


def _parse_summary(values: Any) -> list[_SummaryEntry] | None:
    """Return the entries of a build summary; None if it has no list of folders."""
    folders = values.get("system_directory") if isinstance(values, Mapping) else None
    if not isinstance(folders, list):
        return None
    hashes = values.get("hash")
    if not isinstance(hashes, list) or len(hashes) != len(folders):
        hashes = [os.path.basename(str(name)) for name in folders]
    pairs = zip(folders, hashes, strict=True)
    return [_SummaryEntry(str(folder), str(hash_)) for folder, hash_ in pairs]


def _summary_problem(path: Path, values: Any) -> str:
    """Return the reason why a file is not a build summary."""
    if path.suffix.lower() == ".csv":
        return "a campaign CSV is given with --csv"
    if isinstance(values, Mapping) and "simulation_type" in values and "system" in values:
        return f"it is a BuildInput; give its folder instead: {path.parent}"
    return "it has no list 'system_directory' of folders"


def _read_listed(
    summary: str, entries: Sequence[_SummaryEntry], reading: Reading
) -> Iterator[Discovery]:
    """Yield the simulations that a build summary lists, each folder once.

    If a listed folder does not exist, the folder next to the summary that is named after the hash
    is read: a campaign may have been moved together with its summary.
    """
    parent, file = os.path.split(summary)

    def read(entry: _SummaryEntry) -> tuple[str | None, Discovery | None]:
        listed = _absolute(entry.directory, parent)
        moved = os.path.join(parent, entry.hash)
        for directory in [listed, moved] if entry.may_have_moved else [listed]:
            discovery, _ = _visit(directory, reading, required=True)
            if not _is_missing(discovery, directory):
                return directory, discovery
        return None, Skipped(listed, f"listed in {file}, but there is no such folder")

    visited = set()
    with Prefetcher(read, reading.jobs) as prefetcher:
        for directory, discovery in prefetcher.map(entries):
            if discovery and (directory is None or directory not in visited):
                yield discovery
            visited.add(directory)
