"""The registry of a simulation's results, ``.analysis/metadata.json``."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from mdfactory.campaign.scan_index import ScanIndex, file_state
from mdfactory.errors import InvalidNameError, RegistryError
from mdfactory.files import UnreadableError, read_file, replacing
from mdfactory.records.vocabulary import ResultType, check_name

__all__ = [
    "FOLDER",
    "Analysis",
    "Artifact",
    "Registry",
    "RegistryProblem",
    "inside",
    "read_registry",
    "write_registry",
]

FOLDER: Final = ".analysis"
SECTIONS: Final = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}
FILE: Final = "metadata.json"
LARGEST: Final = 64 * 2**20
"""Bytes of the largest registry that is read."""

MOST: Final = 1_000_000
DEEPEST: Final = 64
"""Values and levels that a registry may have."""

SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis as the registry has it.

    Parameters
    ----------
    name
        What it is called.
    filename
        Its Parquet file, relative to ``.analysis``.
    row_count
        Number of rows of its frame.
    entry
        The whole entry, with ``columns``, ``extras`` and what else it holds.
    """

    name: str
    filename: str
    row_count: int
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact as the registry has it.

    Parameters
    ----------
    name
        What it is called.
    files
        Its files, relative to ``.analysis``, with forward slashes.
    checksums
        File -> SHA-256, 64 lower-case hex digits.
    entry
        The whole entry, with ``extras`` and what else it holds.
    """

    name: str
    files: tuple[str, ...]
    checksums: Mapping[str, str]
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RegistryProblem:
    """An entry that is none.

    Parameters
    ----------
    kind
        What it would be.
    name
        What it is called; empty if it is all entries of this kind that cannot be read.
    reason
        What is wrong with it.
    """

    kind: ResultType
    name: str
    reason: str

    def __str__(self) -> str:
        what = f"{self.kind} {self.name}" if self.name else SECTIONS[self.kind]
        return f"{what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """What a simulation folder says of its results.

    Parameters
    ----------
    analyses, artifacts
        The valid entries, by name.
    problems
        What is wrong with the others.
    whole
        The file as it is, to be written back with all that is not known here.
    """

    analyses: dict[str, Analysis] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    problems: tuple[RegistryProblem, ...] = ()
    whole: dict[str, Any] = field(default_factory=dict)


def read_registry(directory: Path, index: ScanIndex | None = None) -> Registry:
    """Read the registry of a simulation folder; one without a registry has no results.

    Parameters
    ----------
    directory
        The simulation folder.
    index
        What was read before.

    Raises
    ------
    RegistryError
        If the file cannot be read as a registry at all.
    """
    path = directory / FOLDER / FILE
    known = index.find(str(path)) if index else None
    values = json.loads(known.texts[0]) if known else _values(path, index)
    problems: list[RegistryProblem] = []
    analyses = _entries(values, ResultType.analysis, _analysis, problems)
    artifacts = _entries(values, ResultType.artifact, _artifact, problems)
    return Registry(analyses, artifacts, tuple(problems), values)


def _values(path: Path, index: ScanIndex | None) -> dict[str, Any]:
    """Read what a registry says; nothing if there is none."""
    try:
        raw, status = read_file(path, LARGEST)
        values = _parsed(raw)
    except ValueError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            if not (os.path.islink(path) or os.path.islink(path.parent)):
                return {}
            error = UnreadableError("cannot be read: it points to nothing")
        raise RegistryError(f"{path}: {error}") from error
    if index:
        index.add(str(path), file_state(status), [json.dumps(values)])
    return values


def _parsed(raw: bytes) -> dict[str, Any]:
    """Return what a registry says.

    Raises
    ------
    ValueError
        If it is no JSON, says a key twice, or is beyond any bound of a registry.
    """
    opened = raw.count(b"[") + raw.count(b"{")
    if opened + raw.count(b",") > MOST:  # each takes many times its bytes in memory
        raise ValueError(f"holds more than {MOST:,} values")
    try:
        values = json.loads(raw, object_pairs_hook=_mapping)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError("holds no mapping")  # noqa: TRY004  # of the file, not of ours
    if opened > DEEPEST and _nests(values):
        raise ValueError(f"nests more than {DEEPEST} levels")
    return values


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice!r:.80} stands twice")
    return values


def _nests(value: Any) -> bool:
    """Whether there are more levels than can be written and read again in any place."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inner(one)]
    return any(isinstance(one, dict | list) for one in level)


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def write_registry(directory: Path, values: Mapping[str, Any]) -> None:
    """Write the registry of a simulation folder, whole.

    Raises
    ------
    OSError
        If it cannot be written; the registry is then as it was.
    """
    try:
        text = json.dumps(values, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, as in the name of a file that is not UTF-8
        text = json.dumps(values, indent=2).encode()
    with replacing(directory / FOLDER / FILE) as file:
        file.write(text)


def inside(directory: Path, name: str) -> Path:
    """Return the path of a file of ``.analysis``.

    Raises
    ------
    ValueError
        If the name leads outside, by itself or by a symlink.
    """
    parts = PurePosixPath(name)
    folder = directory / FOLDER
    path = folder / parts
    if not name or parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise ValueError(f"{name!r} is not a path inside {FOLDER}")
    kinds = {_kind(folder / part) for part in parts.parents[:-1]} | {_kind(path)}
    if stat.S_IFLNK in kinds:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise ValueError(f"{name!r} leads outside {FOLDER}")
        kinds = {_kind(path, follow=True)}
    if kinds - {stat.S_IFREG, stat.S_IFDIR, MISSING}:
        raise ValueError(f"{name!r} is not a file")
    return path


def _kind(path: Path, *, follow: bool = False) -> int:
    """Return what a path leads to, as ``stat.S_IFMT`` has it."""
    try:
        return stat.S_IFMT(os.stat(path, follow_symlinks=follow).st_mode)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        raise ValueError(f"{path.name!r:.80} cannot be read: {error.strerror}") from error
    except ValueError as error:  # half a character
        raise ValueError(f"{path.name!r:.80} cannot be the name of a file") from error


MISSING: Final = 0


def _entries(
    values: Mapping[str, Any],
    kind: ResultType,
    read: Callable[[str, Mapping[str, Any]], Entry],
    problems: list[RegistryProblem],
) -> dict[str, Entry]:
    given = values.get(SECTIONS[kind], {})
    if not isinstance(given, dict):
        problems.append(RegistryProblem(kind, "", "is not a mapping of names to entries"))
        return {}
    entries: dict[str, Entry] = {}
    spelt: dict[str, str] = {}
    for name, entry in given.items():
        try:
            _check_spelling(check_name(name), spelt)
            entries[name] = read(name, _checked(entry, dict, "the entry"))
        except (InvalidNameError, ValueError) as error:
            problems.append(RegistryProblem(kind, name, str(error)))
    return entries


def _check_spelling(name: str, spelt: dict[str, str]) -> None:
    """Refuse a name that would be another one's in a store, where case does not count."""
    if spelt.setdefault(name.lower(), name) != name:
        raise ValueError(f"differs from {spelt[name.lower()]} only in case")


def _analysis(name: str, entry: Mapping[str, Any]) -> Analysis:
    filename = _checked(entry.get("filename"), str, "filename")
    row_count = _checked(entry.get("row_count"), int, "row_count")
    return Analysis(name, filename, row_count, entry)


def _artifact(name: str, entry: Mapping[str, Any]) -> Artifact:
    files = _checked(entry.get("files"), list, "files")
    checksums = _checked(entry.get("checksums"), dict, "checksums")
    for file in files:
        _checked(file, str, "a file")
    if len(set(files)) < len(files):
        raise ValueError("a file stands twice in files")
    for file in files:
        checksum = _checked(checksums.get(file), str, f"the checksum of {file!r:.80}")
        if not SHA256.fullmatch(checksum):
            raise ValueError(f"the checksum of {file!r:.80} is no SHA-256: {checksum!r:.80}")
    return Artifact(name, tuple(files), {file: checksums[file] for file in files}, entry)


def _checked(value: Any, kind: type[Entry], what: str) -> Entry:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  # a value of the file is wrong, not a type of ours
            f"{what} is {value!r:.40}, not of type {kind.__name__}"
        )
    return value
