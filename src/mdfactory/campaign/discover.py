"""From a SOURCE to simulations: a folder, a glob pattern, a build summary or a campaign CSV."""

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

from mdfactory.campaign.prefetch import Ahead
from mdfactory.campaign.scan_index import PLAIN, Reading, ScanIndex, stamp
from mdfactory.campaign.simulation import (
    HASH,
    NONE,
    OUT_OF_MEMORY,
    Simulation,
    Skipped,
    read_simulation,
)
from mdfactory.errors import SourceError
from mdfactory.files import UnreadableError

if TYPE_CHECKING:
    from mdfactory.campaign.campaign_csv import Row, RowProblem, Rows

__all__ = ["CsvSource", "Folders", "Found", "Source", "discover", "roots"]

Found = Simulation | Skipped


@dataclass(frozen=True, slots=True)
class CsvSource:
    """The rows of a campaign CSV, whose folders are somewhere below another folder.

    Parameters
    ----------
    file
        The campaign CSV.
    root
        The folder to search.
    """

    file: Path
    root: Path

    def __str__(self) -> str:
        return f"{self.file} below {self.root}"


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders that are known already, such as those that a store's records name.

    Parameters
    ----------
    paths
        Absolute paths; those that are not there are passed over.
    """

    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(self.paths):,} folders"


Source = str | CsvSource | Folders


def discover(source: Source, reading: Reading = PLAIN) -> Iterator[Found]:
    """Find the simulations of a SOURCE, in the order of their paths.

    Parameters
    ----------
    source
        A folder: itself if it is a simulation, otherwise every simulation below it. A glob
        pattern: the folders that it matches, likewise. A build summary YAML: the folders
        that it lists. A campaign CSV: the folders of its rows, found in one walk.
    reading
        How folders are read.

    Yields
    ------
    Simulation or Skipped
        What was found, and what claims to be a simulation but is none, with the reason.

    Raises
    ------
    SourceError
        If there is no such SOURCE, or it is of another kind. Raised by the call, not by
        the first item.
    """
    if isinstance(source, CsvSource):
        from mdfactory.campaign.campaign_csv import read_rows

        return _of_rows(source, read_rows(source.file), reading)
    if isinstance(source, Folders):
        return _known(source.paths, reading)
    path = _absolute(source)
    if os.path.isdir(path):  # false for a path that cannot be, where pathlib raises
        return _walk([path], reading)
    if os.path.isfile(path):
        return _listed(path, _summary(source, path, reading.index), reading)
    if glob.has_magic(source):
        folders = _matches(source)
        if folders:
            return _walk(folders, reading)
        raise SourceError(source, "no folder matches this pattern")
    raise SourceError(source, "there is no such folder, build summary or pattern")


def roots(source: Source, reading: Reading = PLAIN) -> list[str]:
    """Return the folders that a SOURCE stands for: what is below them belongs to it.

    Parameters
    ----------
    source
        As in `discover`.
    reading
        How a build summary is read.

    Raises
    ------
    SourceError
        If there is no such SOURCE.
    """
    if isinstance(source, Folders):
        return list(source.paths)
    if isinstance(source, CsvSource):
        return [_absolute(source.root)]
    path = _absolute(source)
    if os.path.isfile(path):
        listed, parent = _summary(source, path, reading.index), os.path.dirname(path)
        moved = (os.path.join(parent, hash_) for _, hash_ in listed if HASH.fullmatch(hash_))
        return [*(_absolute(name, parent) for name, _ in listed), *moved]
    if glob.has_magic(source) and not os.path.isdir(path):
        return _matches(source)
    return [path]


def _known(paths: Iterable[str], reading: Reading) -> Iterator[Found]:
    def found(path: str) -> Found | None:
        item = _visit(path, reading)[0]
        return None if _is_absent(item, path) else item

    with Ahead(found, reading.jobs) as ahead:
        yield from filter(None, ahead.each(sorted(set(paths))))


def _absolute(path: str | Path, parent: str = "") -> str:
    """Return an absolute path without ``..``, with symlinks as the user wrote them."""
    return os.path.abspath(os.path.join(parent, os.path.expanduser(path)))


def _matches(source: str) -> list[str]:
    """Return the folders that a pattern matches, in order.

    ``**`` does not follow symlinks, which may go round in circles; `glob.glob` does.
    """
    pattern = Path(os.path.expanduser(source))
    folders = [Path(pattern.anchor) if pattern.anchor else Path.cwd()]
    for part in pattern.parts[bool(pattern.anchor) :]:
        folders = [below for folder in folders for below in _step(folder, part)]
    return sorted({_absolute(folder) for folder in folders})


def _step(folder: Path, part: str) -> Iterator[Path]:
    if not glob.has_magic(part):
        if os.path.isdir(folder / part):
            yield folder / part
        return
    if part == "**":
        yield folder
    try:
        listing = _listing(folder)
    except OSError:
        return
    if part == "**":
        for name in listing.folders:
            if not name.startswith("."):
                yield from _step(folder / name, part)
        return
    names = fnmatch.filter([*listing.folders, *listing.links], part)
    yield from (folder / name for name in names if part[0] == "." or name[0] != ".")


class _Listing(NamedTuple):
    """Names of what one folder holds, read in one go: files, folders, links to folders."""

    files: Collection[str] = ()
    others: Collection[str] = ()
    folders: Sequence[str] = ()
    links: Sequence[str] = ()


def _listing(directory: str | Path) -> _Listing:
    """List a folder; only what symlinks point to is asked for with a call each."""
    with os.scandir(directory) as entries:
        found = list(entries)
    files = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
    if len(files) == len(found):  # most folders of a campaign are simulations without results
        return _Listing(files)
    others: set[str] = set()
    folders: list[str] = []
    links: list[str] = []
    for entry in found:
        if entry.is_symlink():
            folder = _leads_to_folder(entry)
            if folder:
                links.append(entry.name)
            else:
                (others if folder is None else files).add(entry.name)
        elif entry.is_dir():
            folders.append(entry.name)
        elif entry.name not in files:
            others.add(entry.name)
    return _Listing(files, others, sorted(folders), sorted(links))


def _leads_to_folder(link: os.DirEntry[str]) -> bool | None:
    """Whether a symlink leads to a folder, not a file; None if it leads to neither."""
    try:
        return link.is_dir() or (False if link.is_file() else None)
    except OSError:  # a loop of symlinks
        return None


def _walk(roots: Iterable[str], reading: Reading) -> Iterator[Found]:
    """Yield the simulations in or below folders, each real folder once.

    Symlinks are followed after all else, so that a simulation is known by its own path
    where it has one, and a loop of them ends at a folder that was seen.
    """
    with Ahead(partial(_visit, reading=reading), reading.jobs) as visits:
        yield from _walked(roots, visits)


def _walked(
    roots: Iterable[str], visits: Ahead[str, tuple[Found | None, _Listing]]
) -> Iterator[Found]:
    seen: set[str] = set()
    links = deque(roots)
    while links:
        link = links.popleft()
        stack = [(link, os.path.realpath(link))]
        while stack:
            visits.expect(directory for directory, _ in reversed(stack))
            directory, real = stack.pop()
            if real in seen:
                visits.skip(directory)
                continue
            seen.add(real)
            found, listing = visits.of(directory)
            if found:
                yield found
                if isinstance(found, Simulation):
                    continue
            within = directory if directory.endswith("/") else f"{directory}/"
            below = [name for name in listing.folders if not name.startswith(".")]
            stack += [(within + name, f"{real}/{name}") for name in reversed(below)]
            links += [within + name for name in listing.links if not name.startswith(".")]


def _visit(
    directory: str, reading: Reading, *, claimed: bool = False
) -> tuple[Found | None, _Listing]:
    try:
        listing = _listing(directory)
        directory.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(directory).decode(errors="backslashreplace")
        return Skipped(shown, "its path is not valid UTF-8, which stores need"), _Listing()
    except (OSError, ValueError) as error:  # a path may hold what no path can
        reason = getattr(error, "strerror", error)
        return Skipped(directory, f"the folder cannot be read: {reason}"), _Listing()
    files, others, folders, links = listing
    if folders or links:
        others = {*others, *folders, *links}
    try:
        found = read_simulation(directory, files, others=others, claimed=claimed, reading=reading)
    except MemoryError:
        found = Skipped(directory, OUT_OF_MEMORY)
    return found, listing


def _is_absent(found: Found | None, directory: str) -> bool:
    """Whether nothing was found because there is no such folder.

    That is asked afterwards: a folder that is there, as most are, costs no call for it.
    """
    return isinstance(found, Skipped) and not os.path.isdir(directory)


def _of_rows(source: CsvSource, rows: Rows, reading: Reading) -> Iterator[Found]:
    """Yield the folders of rows, and what is the matter with rows that have none."""
    root = _absolute(source.root)
    if not os.path.isdir(root):
        raise SourceError(str(source.root), "there is no such folder to search")
    return _matching(source, rows, root, reading)


def _matching(source: CsvSource, rows: Rows, root: str, reading: Reading) -> Iterator[Found]:
    for problem in rows.problems:
        yield Skipped(_row(source, problem), problem.reason)
    wanted = {row.build_input.hash: row for row in rows.rows}
    found: set[str] = set()
    reasons: dict[str, str] = {}
    for item in _walk([root], reading):
        if isinstance(item, Skipped):
            reasons[os.path.basename(item.path).upper()] = f"; {item.path}: {item.reason}"
        elif item.hash in wanted:
            found.add(item.hash)
            yield item
    for hash_, row in wanted.items():
        if hash_ not in found:
            reason = f"no folder of {hash_} below {root}{reasons.get(hash_, '')}"
            yield Skipped(_row(source, row), reason)


def _row(source: CsvSource, row: Row | RowProblem) -> str:
    return f"{source.file}: row {row.number} (line {row.line})"


def _summary(source: str, path: str, index: ScanIndex | None) -> Sequence[tuple[str, str]]:
    """Return the folders that a build summary lists, each with the hash it has there or none."""
    from mdfactory.campaign.strict_yaml import load_summary

    known = index.find(path) if index else None
    text = index.find_long(path, known.stamp) if index and known and known.texts == NONE else ""
    if text:
        return [(name, hash_) for name, hash_ in json.loads(text)]
    try:
        values, before = load_summary(path)
    except UnreadableError as error:
        raise SourceError(source, f"not a build summary: {error}") from error
    folders = values.get("system_directory") if isinstance(values, Mapping) else None
    if not isinstance(folders, list):
        raise SourceError(source, f"not a build summary: {_lacks(Path(path), values)}")
    hashes = values.get("hash")
    if not isinstance(hashes, list) or len(hashes) != len(folders):
        hashes = [os.path.basename(str(name)) for name in folders]
    listed = [(str(name), str(hash_)) for name, hash_ in zip(folders, hashes, strict=True)]
    if index and "system" not in values:  # else it may be a BuildInput, too
        index.note(path, stamp(before), NONE, json.dumps(listed))
    return listed


def _lacks(path: Path, values: Any) -> str:
    if path.suffix.lower() == ".csv":
        return "a campaign CSV is given with --csv"
    if isinstance(values, Mapping) and "simulation_type" in values and "system" in values:
        return f"it is a BuildInput; give its folder instead: {path.parent}"
    return "it has no list 'system_directory' of folders"


def _listed(summary: str, folders: Sequence[tuple[str, str]], reading: Reading) -> Iterator[Found]:
    """Yield what a summary lists; a folder that moved is looked for beside the summary."""
    parent, file = os.path.split(summary)

    def found(one: tuple[str, str]) -> tuple[str | None, Found | None]:
        name, hash_ = one
        listed = _absolute(name, parent)
        moved = os.path.join(parent, hash_)
        for directory in [listed, moved] if HASH.fullmatch(hash_) else [listed]:
            item = _visit(directory, reading, claimed=True)[0]
            if not _is_absent(item, directory):
                return directory, item
        return None, Skipped(listed, f"listed in {file}, but there is no such folder")

    seen = set()
    with Ahead(found, reading.jobs) as ahead:
        for directory, one in ahead.each(folders):
            if one and (directory is None or directory not in seen):
                yield one
            seen.add(directory)
