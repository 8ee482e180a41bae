"""Finds the simulations of a SOURCE: a folder, glob pattern, build summary or campaign CSV."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mdfactory.campaign.gromacs.runs import RUN_SUFFIXES, is_run
from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading, ScanIndex, file_state
from mdfactory.campaign.simulation import (
    HASH_PATTERN,
    NOT_A_BUILD_INPUT,
    OUT_OF_MEMORY,
    Simulation,
    Skipped,
    read_simulation,
)
from mdfactory.errors import ConfigError, SourceError
from mdfactory.files import (
    UNSTORABLE,
    Listing,
    UnreadableError,
    absolute_path,
    escape_undecoded,
    expand_home,
    is_storable,
    list_folder,
    path_suggestion,
)
from mdfactory.records.vocabulary import SimulationType

if TYPE_CHECKING:
    from mdfactory.campaign.campaign_csv import Rows


@dataclass(frozen=True, slots=True)
class PlainRun:
    """A folder with a GROMACS run, but without a BuildInput.

    Parameters
    ----------
    path
        Absolute path of the folder.
    files
        Names of the files in it.
    """

    path: str
    files: Collection[str]


GROMACS_SUFFIXES: Final = RUN_SUFFIXES | {".top", ".tpr"}
"""Suffixes of files by which a folder is known to be of GROMACS."""


@dataclass(slots=True)
class Searched:
    """What a walk has seen, for the message if it finds no simulation.

    Parameters
    ----------
    folders
        Number of folders that were searched.
    gromacs
        Number of those with files of GROMACS.
    tables
        Names of CSV files, which may be campaign CSVs; the first one is used.
    former
        Folders that have results, or the name of a simulation, but no BuildInput.
    """

    folders: int = 0
    gromacs: int = 0
    tables: list[str] = field(default_factory=list)
    former: list[str] = field(default_factory=list)

    def add(self, directory: str, listing: Listing) -> None:
        """Add a folder in which nothing was found, given the names in it."""
        files = listing.files
        has_results = RESULTS_FOLDER in listing.folders or RESULTS_FOLDER in listing.links
        if has_results or HASH_PATTERN.fullmatch(os.path.basename(directory)):
            self.former.append(directory)
        suffixes = {os.path.splitext(name)[1].lower() for name in files}
        self.gromacs += not suffixes.isdisjoint(GROMACS_SUFFIXES)
        if ".csv" in suffixes and not self.tables:
            names = sorted(name for name in files if name.lower().endswith(".csv"))
            self.tables += [os.path.join(directory, name) for name in names]


Discovery = Simulation | Skipped | PlainRun
"""A simulation; a folder or row that should be one and is not; or a run without a BuildInput."""


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


def discover(
    source: Source, reading: Reading = DEFAULT_READING, searched: Searched | None = None
) -> Iterator[Discovery]:
    """Find the simulations of a SOURCE.

    Parameters
    ----------
    source
        A folder: the folder itself if it is a simulation, and every simulation below it, in the
        order of a walk. Below the simulations that the walk finds nothing is searched, but below
        adopted ones. A glob
        pattern: for each folder that matches it, the simulation or those below it. A build
        summary YAML: the folders that it lists, in its order. A campaign CSV: the folders of its
        rows, found in one walk. `Folders`: these folders, sorted by path.
    reading
        Options for reading the folders.
    searched
        Object that counts the folders of a walk, if they are to be counted.

    Yields
    ------
    Simulation, Skipped or PlainRun
        Each simulation; each folder that claims to be a simulation but is not one, with the
        reason; and each folder that a walk finds with a run but without a BuildInput.

    Raises
    ------
    SourceError
        If the SOURCE does not exist, or is none of these. The call itself raises it, not the
        iteration.
    """
    if isinstance(source, CsvSource):
        from mdfactory.campaign.campaign_csv import read_rows

        rows, root = read_rows(source.file), _absolute(source.root)
        if not os.path.isdir(root):
            meant = similar_path(str(source.root))
            raise SourceError(str(source.root), f"there is no such folder to search{meant}")
        return _walk_for_rows(source, rows, root, reading)
    if isinstance(source, Folders):
        return _read_listed(((path,) for path in sorted(set(source.paths))), reading)
    path = _source_path(source)
    if os.path.isdir(path):  # False for an impossible path, where pathlib raises
        return _walk([path], reading, searched, top=path)
    if os.path.isfile(path):
        missing = f"listed in {os.path.basename(path)}, but there is no such folder"
        return _read_listed(_read_summary(source, path, reading.index), reading, missing)
    if glob.has_magic(source):
        folders = _match_folders(source)
        if folders:
            return _walk(folders, reading, searched)
        raise SourceError(source, "no folder matches this pattern")
    problem = "there is no such folder, build summary or pattern"
    summaries = (".yaml", ".yml")
    meant = similar_path(source, summaries) or f" in {os.path.dirname(path)}"
    raise SourceError(source, f"{problem}{meant}")


def similar_path(typed: str, endings: tuple[str, ...] = ()) -> str:
    """Return in parentheses which folder was meant by a path that does not exist; else nothing.

    It may be the current folder, given by its name from a folder above it. Files whose names have
    one of the given endings may be meant, too.
    """
    path = _absolute(typed)
    if path.endswith(f"/{typed.rstrip('/')}" * 2):
        return " (did you mean '.', the current folder?)"
    try:
        files, _, folders, links = list_folder(os.path.dirname(path))
    except OSError:
        return ""
    meant = [file for file in files if file.endswith(endings)] if endings else []
    names = [other for other in (*folders, *links, *meant) if not other.startswith(".")]
    return path_suggestion(typed, names)


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
    path = _source_path(source)
    if os.path.isfile(path):
        return list(chain.from_iterable(_read_summary(source, path, reading.index)))
    if glob.has_magic(source) and not os.path.isdir(path):
        return _match_folders(source)
    return [path]


def _source_path(source: str) -> str:
    """Return the absolute path of a SOURCE.

    Raises
    ------
    SourceError
        If it is empty, as it would be the working directory; or if its ``~`` is not known.
    """
    if not source:
        raise SourceError("SOURCE", "is an empty text, not a path")
    try:
        return _absolute(source)
    except ConfigError as error:
        raise SourceError(source, str(error).removeprefix(f"{source}: ")) from error


def _absolute(path: str | Path, parent: str = "") -> str:
    """Return an absolute path, with ``~`` expanded."""
    return absolute_path(expand_home(path), parent)


def _listed_folder(path: str, parent: str) -> str:
    """Return the absolute path of a folder in a build summary; with an unknown ``~`` as it is."""
    try:
        return _absolute(path, parent)
    except ConfigError:
        return absolute_path(path, parent)


def _match_folders(source: str) -> list[str]:
    """Return the folders that a pattern matches, in order.

    ``**`` does not follow symlinks, which may form a loop; `glob.glob` does.
    """
    pattern = Path(expand_home(source))
    folders = [Path(pattern.anchor) if pattern.anchor else Path.cwd()]
    for part in pattern.parts[bool(pattern.anchor) :]:
        folders = [match for folder in folders for match in _match_part(folder, part)]
    return sorted({_absolute(folder) for folder in folders})


def _match_part(folder: Path, part: str) -> list[Path]:
    """Return the folders in `folder` that match one part of a pattern; ``**`` also matches it."""
    if not glob.has_magic(part):
        return [folder / part] if os.path.isdir(folder / part) else []
    try:
        _, _, folders, links = list_folder(folder)
    except OSError:
        return [folder] if part == "**" else []
    if part == "**":
        below = (_match_part(folder / name, part) for name in folders if name[0] != ".")
        return [folder, *chain.from_iterable(below)]
    names = fnmatch.filter([*folders, *links], part)
    return [folder / name for name in names if part[0] == "." or name[0] != "."]


def _walk(
    roots: Iterable[str], reading: Reading, searched: Searched | None = None, *, top: str = ""
) -> Iterator[Discovery]:
    """Yield the simulations in or below folders, each real folder once.

    Symlinks are followed last. So a simulation has its own path rather than that of a symlink to
    it, and a loop of symlinks ends at a folder that was visited before.

    Parameters
    ----------
    roots
        The folders.
    reading
        Options for reading the folders.
    searched
        Object that counts the folders; see `discover`.
    top
        The folder below which simulations are searched even if it is a simulation itself.
    """
    visited: set[str] = set()
    links = deque(roots)
    with Prefetcher(partial(_visit, reading=reading), reading.jobs) as visits:
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
                if searched is not None:
                    searched.folders += 1
                    if discovery is None:
                        searched.add(directory, listing)
                if discovery:
                    yield discovery
                    if _ends_search(discovery) and directory != top:
                        continue
                prefix = directory if directory.endswith("/") else f"{directory}/"
                names = [name for name in listing.folders if not name.startswith(".")]
                stack += [(prefix + name, f"{real_path}/{name}") for name in reversed(names)]
                links += [prefix + name for name in listing.links if not name.startswith(".")]


def _ends_search(discovery: Discovery) -> bool:
    """Whether nothing is searched below a folder; people put adopted runs below others."""
    return (
        isinstance(discovery, Simulation)
        and discovery.identity.simulation_type is not SimulationType.adopted
    )


def _visit(
    directory: str, reading: Reading, *, required: bool = False
) -> tuple[Discovery | None, Listing]:
    """List a folder, and read it if it is a simulation; `required` as in `read_simulation`."""
    try:
        listing = list_folder(directory)
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        reason = getattr(error, "strerror", error)
        return Skipped(directory, f"the folder cannot be read: {reason}"), Listing()
    if not is_storable(directory):
        return Skipped(escape_undecoded(directory), f"its path {UNSTORABLE}"), Listing()
    discovery: Discovery | None
    try:
        discovery = read_simulation(directory, listing, required=required, reading=reading)
    except MemoryError:
        discovery = Skipped(directory, OUT_OF_MEMORY)
    if discovery is None and is_run(_names_of_files(listing)):
        discovery = PlainRun(directory, listing.files)
    return discovery, listing


def _names_of_files(listing: Listing) -> Collection[str]:
    """Return the names of files, and of dangling symlinks and pipes, which should be files."""
    return {*listing.files, *listing.others}.difference(listing.folders, listing.links)


def _walk_for_rows(
    source: CsvSource, rows: Rows, root: str, reading: Reading
) -> Iterator[Discovery]:
    """Yield the simulations of rows, and the reason for each row that is invalid or has none."""
    for number, line, reason in rows.problems:
        yield Skipped(f"{source.file}: row {number} (line {line})", reason)
    missing = {row.build_input.hash: row for row in rows.rows}
    hashes = frozenset(missing)
    skipped_reasons: dict[str, str] = {}
    for discovery in _walk([root], reading, top=root):
        if isinstance(discovery, Skipped):
            name = os.path.basename(discovery.path).upper()  # the hash, if the folder has its name
            skipped_reasons[name] = f"; {discovery.path}: {discovery.reason}"
        elif isinstance(discovery, Simulation) and discovery.hash in hashes:
            missing.pop(discovery.hash, None)
            yield discovery
    for hash_, row in missing.items():
        reason = f"no simulation with hash {hash_} below {root}{skipped_reasons.get(hash_, '')}"
        name = f"{source.file}: row {row.number} (line {row.line})"
        yield Skipped(name, f"{reason}{row.hint}")


def _read_summary(source: str, path: str, index: ScanIndex | None) -> list[tuple[str, ...]]:
    """Return the folders that a build summary lists, from the index if it has not changed.

    Each tuple has the listed folder and, if the summary gives the hash of its simulation, the
    folder of this name next to the summary: a campaign may have been moved with its summary.
    """
    from mdfactory.campaign.strict_yaml import load_summary

    indexed = index.find(path) if index else None
    text = None
    if index and indexed and indexed.texts == NOT_A_BUILD_INPUT:
        text = index.find_long_text(path, indexed.state)
    if text:
        pairs = json.loads(text)
    else:
        try:
            values, status = load_summary(path)
            pairs = _parse_summary(Path(path), values)
        except UnreadableError as error:
            reason = str(error)
            if not path.lower().endswith((".yaml", ".yml", ".json", ".csv")):
                reason = f"no YAML file. Give a folder, such as {os.path.dirname(source) or '.'}"
            elif path.lower().endswith(".csv") and not isinstance(error.__cause__, OSError):
                reason = "a campaign CSV is given with --csv"
            raise SourceError(source, f"not a build summary: {reason}") from error
        if index:
            index.add(path, file_state(status), NOT_A_BUILD_INPUT, json.dumps(pairs))
    parent = os.path.dirname(path)
    return [
        (_listed_folder(folder, parent), os.path.join(parent, hash_))
        if HASH_PATTERN.fullmatch(hash_)
        else (_listed_folder(folder, parent),)
        for folder, hash_ in pairs
    ]


def _parse_summary(path: Path, values: Any) -> list[tuple[str, str]]:
    """Return the folders of a build summary, and the hashes of their simulations.

    The hash is the name of the folder if the summary gives no hashes.
    """
    is_mapping = isinstance(values, Mapping)
    folders = values.get("system_directory") if is_mapping else None
    if isinstance(folders, list):
        hashes = values.get("hash")
        if not isinstance(hashes, list) or len(hashes) != len(folders):
            hashes = [os.path.basename(str(name)) for name in folders]
        return list(zip(map(str, folders), map(str, hashes), strict=True))
    if is_mapping and "simulation_type" in values and "system" in values:
        raise UnreadableError(f"it is a BuildInput; give its folder instead: {path.parent}")
    raise UnreadableError("it has no list 'system_directory' of folders")


def _read_listed(
    candidates: Iterable[Sequence[str]], reading: Reading, missing: str = ""
) -> Iterator[Discovery]:
    """Yield the simulations in listed folders, each folder once.

    Parameters
    ----------
    candidates
        For each simulation the folders in which it may be; the first one that exists is read.
    reading
        Options for reading the folders.
    missing
        Reason for skipping a simulation none of whose folders exists; a folder that exists must
        then be a simulation. Default: ignore folders that are missing or no simulations.
    """

    def read(folders: Sequence[str]) -> tuple[str | None, Discovery | None]:
        for folder in folders:
            discovery, _ = _visit(folder, reading, required=bool(missing))
            if isinstance(discovery, PlainRun):
                discovery = None
            # The check follows the read, so that a folder that exists needs no extra system call.
            if not isinstance(discovery, Skipped) or os.path.isdir(folder):
                return folder, discovery
        return None, Skipped(folders[0], missing) if missing else None

    visited = set()
    with Prefetcher(read, reading.jobs) as prefetcher:
        for directory, discovery in prefetcher.map(candidates):
            if discovery and (directory is None or directory not in visited):
                yield discovery
            visited.add(directory)
