"""The registry of a simulation, ``.analysis/metadata.json``, which lists its results.

It is changed one entry at a time and under a lock.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any, ClassVar, Final, TypeVar

from mdfactory.campaign.scan_index import ScanIndex, file_state
from mdfactory.errors import RegistryError, ResultError, StoreLockedError
from mdfactory.files import UnreadableError, describe_file_error, read_file, replacing, sync_folder
from mdfactory.locking import LOCK_TIMEOUT_SECONDS, LockWait, locked
from mdfactory.records.vocabulary import ResultType, check_name

RESULTS_FOLDER: Final = ".analysis"
REGISTRY_FILE: Final = "metadata.json"
SECTION_BY_RESULT_TYPE: Final = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}
MAX_REGISTRY_BYTES: Final = 64 * 2**20
MAX_REGISTRY_VALUES: Final = 1_000_000
MAX_REGISTRY_LEVELS: Final = 64
MISSING_FILE_TYPE: Final = 0
"""What `_file_type` returns for a path that does not exist; no type of ``stat`` has this value."""

SCHEMA_VERSION: Final = "1.0"
LOCK_FILE: Final = ".metadata.lock"

RECORD_LATER: Final = "Repeat this when that process has ended. If it hangs, end it"
"""What to do if another process holds the lock of the registry."""

RESTORE: Final = (
    ". Restore it from a backup; or move it away, record the results again from their "
    "files (record_analysis, record_artifact), and push"
)
"""What to do with a registry that cannot be parsed."""

OWN_FILES: Final = {REGISTRY_FILE: "the registry", LOCK_FILE: "the lock of the registry"}
"""Files of ``.analysis`` that are of no result -> what they are."""

OWN_ENTRY_KEYS: Final = {
    "filename", "row_count", "columns", "files", "checksums", "created_at", "updated_at", "extras",
}  # fmt: skip
"""Keys of an entry that `replace_entry` writes; other keys of a replaced entry are copied."""

SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")

Entry = TypeVar("Entry")
Result = TypeVar("Result", "Analysis", "Artifact")


@dataclass(frozen=True, slots=True)
class Analysis:
    """Registry entry of an analysis.

    Parameters
    ----------
    name
        Name of the analysis.
    filename
        Path of its Parquet file, relative to ``.analysis``.
    row_count
        Number of rows of its frame.
    entry
        The complete entry, with ``columns``, ``extras`` and keys that are unknown here.
    """

    result_type: ClassVar = ResultType.analysis

    name: str
    filename: str
    row_count: int
    entry: Mapping[str, Any]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of its files, as of an artifact."""
        return (self.filename,)


@dataclass(frozen=True, slots=True)
class Artifact:
    """Registry entry of an artifact.

    Parameters
    ----------
    name
        Name of the artifact.
    files
        Paths of its files, relative to ``.analysis``, with forward slashes.
    checksums
        Path -> SHA-256, 64 hexadecimal digits of either case.
    entry
        The complete entry, with ``extras`` and keys that are unknown here.
    """

    result_type: ClassVar = ResultType.artifact

    name: str
    files: tuple[str, ...]
    checksums: Mapping[str, str]
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RegistryProblem:
    """An invalid entry of the registry.

    Parameters
    ----------
    result_type
        Type of the result.
    name
        Name of the result; empty if the whole section of this type is invalid.
    reason
        Why the entry is invalid.
    files
        Paths that the entry lists, relative to ``.analysis``.
    """

    result_type: ResultType
    name: str
    reason: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        section = SECTION_BY_RESULT_TYPE[self.result_type]
        subject = f"{self.result_type} {self.name}" if self.name else section
        return f"{subject}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """Content of a registry.

    Parameters
    ----------
    analyses, artifacts
        Name -> valid entry.
    problems
        The invalid entries.
    state_key
        Key of the state of the file when it was read; empty if there was none.
    """

    analyses: dict[str, Analysis]
    artifacts: dict[str, Artifact]
    problems: tuple[RegistryProblem, ...]
    state_key: str = field(default="", compare=False)

    @property
    def results(self) -> list[Analysis | Artifact]:
        """The valid entries, analyses first."""
        return [*self.analyses.values(), *self.artifacts.values()]

    def find(
        self, result_type: ResultType, name: str
    ) -> Analysis | Artifact | RegistryProblem | None:
        """Return the entry of a result, valid or not."""
        for item in (*self.results, *self.problems):
            if (item.result_type, item.name) == (result_type, name):
                return item
        return None


def read_registry(directory: Path, index: ScanIndex | None = None) -> Registry:
    """Read the registry of a simulation folder; a missing registry is read as empty.

    Parameters
    ----------
    directory
        Simulation folder.
    index
        Index of earlier reads; an unchanged registry is taken from it.

    Raises
    ------
    RegistryError
        If the file cannot be read or parsed, or exceeds a limit.
    """
    path = directory / RESULTS_FOLDER / REGISTRY_FILE
    cached = index.find(str(path)) if index else None
    if cached:
        return _parse_registry(json.loads(cached.texts[0]), cached.state.key)
    return _parse_registry(*_read_document(path, index))


def _parse_registry(document: Mapping[str, Any], state_key: str = "") -> Registry:
    problems: list[RegistryProblem] = []
    taken = dict(OWN_FILES)
    analyses = _parse_section(document, ResultType.analysis, _parse_analysis, problems, taken)
    artifacts = _parse_section(document, ResultType.artifact, _parse_artifact, problems, taken)
    return Registry(analyses, artifacts, tuple(problems), state_key)


def _read_document(path: Path, index: ScanIndex | None) -> tuple[dict[str, Any], str]:
    """Return the JSON object of a registry and the key of its state, and add it to the index.

    Both are empty without a file.
    """
    try:
        content, status = read_file(path, MAX_REGISTRY_BYTES)
    except UnreadableError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            # A dangling symlink is an error: the disk of its target may be unmounted.
            if not (os.path.islink(path) or os.path.islink(path.parent)):
                return {}, ""
            error = UnreadableError("cannot be read: it is a dangling symlink")
        raise RegistryError(f"{path}: {error}") from error
    try:
        document = _parse_document(content)
    except ValueError as error:
        raise RegistryError(f"{path}: {error}{RESTORE}") from error
    state = file_state(status)
    if index:
        index.add(str(path), state, [json.dumps(document)])
    return document, state.key


def _parse_document(content: bytes) -> dict[str, Any]:
    """Return the JSON object of a registry.

    Raises
    ------
    ValueError
        If it is not valid JSON, has a duplicate key, or exceeds a limit of size or depth.
    """
    opening_brackets = content.count(b"[") + content.count(b"{")
    # In memory each value takes many times its bytes, so count them before the text is parsed.
    if opening_brackets + content.count(b",") > MAX_REGISTRY_VALUES:
        raise ValueError(f"contains more than {MAX_REGISTRY_VALUES:,} values")
    try:
        document = json.loads(content, object_pairs_hook=_to_dict)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004  # the file is wrong, not a caller
    if opening_brackets > MAX_REGISTRY_LEVELS and _is_too_deep(document):
        raise ValueError(f"nests more than {MAX_REGISTRY_LEVELS} levels")
    return document


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        duplicate = next(key for key in counts if counts[key] > 1)
        raise ValueError(f"duplicate key {duplicate!r:.80}")
    return mapping


def _is_too_deep(document: Any) -> bool:
    """Whether values nest deeper than `MAX_REGISTRY_LEVELS`.

    `json` has no fixed limit: its own depends on the interpreter and on the caller's stack.
    """
    level = [document]
    for _ in range(MAX_REGISTRY_LEVELS):
        children = (value.values() if isinstance(value, dict) else value for value in level)
        level = [child for child in chain.from_iterable(children) if isinstance(child, dict | list)]
    return bool(level)


def resolve_result_path(
    directory: Path, name: str, result_type: ResultType = ResultType.analysis
) -> Path:
    """Return the path of a file in ``.analysis``; it need not exist.

    A registry may have been written by another user, so a name in it must not lead to a file
    outside ``.analysis``.

    Parameters
    ----------
    directory
        Simulation folder.
    name
        Path relative to ``.analysis``, with forward slashes.
    result_type
        Type of the result that lists the file.

    Raises
    ------
    ValueError
        If the name leads, by itself or by a symlink, out of ``.analysis``, to the registry or its
        lock, or to something that is neither a file nor a folder, such as a pipe; or if that of
        an artifact leads by a symlink to the file of an analysis.
    """
    relative = PurePosixPath(name)
    folder = directory / RESULTS_FOLDER
    path = folder / relative
    if not name or relative.is_absolute() or ".." in relative.parts or "\0" in name:
        raise ValueError(f"{name!r} is not a path inside {RESULTS_FOLDER}")
    _require_free(name, OWN_FILES)
    parents = [folder / parent for parent in relative.parents[:-1]]
    file_types = {_file_type(step) for step in [*parents, path]}
    if stat.S_IFLNK in file_types:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise ValueError(f"{name!r} leads outside {RESULTS_FOLDER}")
        taken = dict(OWN_FILES)
        if result_type is ResultType.artifact:
            for analysis in read_registry(directory).analyses.values():
                taken[analysis.filename] = f"the file of analysis {analysis.name}"
        for file, owner in taken.items():
            if _locations(folder / file) & _locations(path):
                raise ValueError(f"{name!r} leads to {owner}")
        file_types = {_file_type(path, follow=True)}
    if file_types - {stat.S_IFREG, stat.S_IFDIR, MISSING_FILE_TYPE}:
        raise ValueError(f"{name!r} is not a file")
    return path


def _location(path: Path) -> str:
    """Return a path without links to folders: a file of that path is deleted or replaced."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def _locations(path: Path) -> set[str]:
    """Return the paths of a file, and of the file that it leads to if it is a link."""
    try:
        return {_location(path), os.path.realpath(path)}
    except ValueError:  # no file has such a name
        return set()


def _file_type(path: Path, *, follow: bool = False) -> int:
    """Return the type of a file as a constant of ``stat``, such as ``stat.S_IFREG``."""
    try:
        return stat.S_IFMT(os.stat(path, follow_symlinks=follow).st_mode)
    except FileNotFoundError:
        return MISSING_FILE_TYPE
    except OSError as error:
        raise ValueError(f"{path.name!r:.80} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a lone surrogate cannot be encoded
        raise ValueError(f"{path.name!r:.80} cannot be the name of a file") from error


def _parse_section(
    document: Mapping[str, Any],
    result_type: ResultType,
    parse: Callable[[str, Mapping[str, Any], dict[str, str]], Entry],
    problems: list[RegistryProblem],
    taken: dict[str, str],
) -> dict[str, Entry]:
    """Return the valid entries of a section, and append the invalid ones to `problems`.

    `taken` has the paths that a later entry must not list, and whose files they are.
    """
    section = document.get(SECTION_BY_RESULT_TYPE[result_type], {})
    if not isinstance(section, dict):
        problems.append(RegistryProblem(result_type, "", "is not a mapping of names to entries"))
        return {}
    entries: dict[str, Entry] = {}
    names = _names_by_lower_case(section)
    for name, entry in section.items():
        earlier = names[name.lower()]
        try:
            check_name(name)
            if earlier == name:
                entries[name] = parse(name, _require_type(entry, dict, "the entry"), taken)
                continue
            reason = f"differs from {earlier} only in case"
        except ValueError as error:
            reason = str(error)
        problems.append(RegistryProblem(result_type, name, reason, _listed_files(entry)))
    return entries


def _names_by_lower_case(section: Iterable[str]) -> dict[str, str]:
    """Return the first name of each set of names that differ only in case, by its lower case.

    Stores ignore the case of names. The others would have the same table, and so are invalid.
    """
    names: dict[str, str] = {}
    for name in section:
        names.setdefault(name.lower(), name)
    return names


def _listed_files(entry: Any) -> tuple[str, ...]:
    """Return the paths that an invalid entry lists."""
    if not isinstance(entry, dict):
        return ()
    files = entry.get("files")
    listed = [entry.get("filename"), *(files if isinstance(files, list) else ())]
    return tuple(file for file in listed if isinstance(file, str))


def _parse_analysis(name: str, entry: Mapping[str, Any], taken: dict[str, str]) -> Analysis:
    filename = _require_type(entry.get("filename"), str, "filename")
    row_count = _require_type(entry.get("row_count"), int, "row_count")
    path = _require_free(filename, taken)
    taken[path] = f"the file of analysis {name}"
    return Analysis(name, filename, row_count, entry)


def _parse_artifact(name: str, entry: Mapping[str, Any], taken: Mapping[str, str]) -> Artifact:
    files = _require_type(entry.get("files"), list, "files")
    checksums = _require_type(entry.get("checksums"), dict, "checksums")
    paths = {_require_free(_require_type(file, str, "a file"), taken) for file in files}
    if len(paths) < len(files):
        raise ValueError("files has a duplicate")
    for file in files:
        checksum = _require_type(checksums.get(file), str, f"the checksum of {file!r:.80}")
        if not SHA256.fullmatch(checksum):
            raise ValueError(f"the checksum of {file!r:.80} is not a SHA-256: {checksum!r:.80}")
    return Artifact(name, tuple(files), {file: checksums[file] for file in files}, entry)


def _require_free(file: str, taken: Mapping[str, str]) -> str:
    """Return a path in its shortest spelling; raise a `ValueError` if the file is another's."""
    path = normpath(file)
    if path in taken:
        raise ValueError(f"{file!r:.80} is {taken[path]}")
    return path


def _require_type(value: Any, expected: type[Entry], subject: str) -> Entry:
    # To Python a boolean is an integer; to JSON it is not.
    if not isinstance(value, expected) or isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  # the file is wrong, not a caller
            f"{subject} is {value!r:.40}, not of type {expected.__name__}"
        )
    return value


def _write_document(directory: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    with replacing(directory / RESULTS_FOLDER / REGISTRY_FILE) as file:
        # The escape of a lone surrogate, as in a file name that is not UTF-8, is the same in JSON.
        file.write(text.encode(errors="backslashreplace"))
    sync_folder(directory / RESULTS_FOLDER)  # files are replaced or deleted next


@contextmanager
def lock_registry(directory: Path, wait: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
    """Hold the exclusive lock of a registry during the block.

    Parameters
    ----------
    directory
        Simulation folder.
    wait
        Seconds to wait for another process that changes the registry.

    Raises
    ------
    ResultError
        If the simulation has no folder of results, the lock cannot be opened, or another process
        still holds it at the end of that time.
    """
    if not (directory / RESULTS_FOLDER).is_dir():
        raise ResultError(f"{directory} has no results")
    lock = directory / RESULTS_FOLDER / LOCK_FILE
    with ExitStack() as stack:
        try:
            limit = LockWait(f"the registry in {lock.parent}", wait, remedy=RECORD_LATER)
            stack.enter_context(locked(lock, limit))
        except StoreLockedError as error:
            raise ResultError(str(error)) from error
        except OSError as error:
            raise ResultError(f"{lock} cannot be locked: {describe_file_error(error)}") from error
        yield


@contextmanager
def replace_entry(
    directory: Path,
    result_type: ResultType,
    name: str,
    values: Mapping[str, Any],
    extras: Mapping[str, Any],
) -> Iterator[None]:
    """Replace a registry entry: the old one is removed before the block, the new one written after.

    The files of the old entry are deleted before the block, and the block writes the new ones. A
    file that another entry lists, be it invalid, is neither deleted nor replaced. The lock is held
    throughout, so that no entry is lost if several scripts record at the same time. If the block
    fails, the old entry stays removed, because its files may be gone.

    Parameters
    ----------
    directory
        Simulation folder; its subfolder ``.analysis`` must exist.
    result_type
        Type of the result.
    name
        Name of the result.
    values
        Fields of the entry that describe its files.
    extras
        Value of the field ``extras``.

    Raises
    ------
    ResultError
        If the name differs from an existing one only in case, or a new file cannot be written
        because another entry lists it, or a link or folder is in its place.
    RegistryError
        If the registry cannot be read.
    """
    now = datetime.now(UTC).isoformat()
    with lock_registry(directory):
        document = _read_sections(directory)
        section = document[SECTION_BY_RESULT_TYPE[result_type]]
        existing = _names_by_lower_case(section).get(name.lower(), name)
        if existing != name:
            raise ResultError(
                f"{directory}: {name!r} differs from the existing result {existing!r} only in case"
            )
        old_entry = section.pop(name, {})
        others = listed_locations(directory, _parse_registry(document))
        try:
            for file in _listed_files(values):
                _require_replaceable(directory, file, others)
        except ValueError as error:
            raise ResultError(f"{directory}: {result_type} {name}: {error}") from error
        if old_entry:
            _write_document(directory, document)
            for file in _listed_files(old_entry):
                with suppress(OSError, ValueError):
                    path = resolve_result_path(directory, file)
                    if _location(path) not in others:
                        path.unlink()
        yield
        if not isinstance(old_entry, dict):
            old_entry = {}
        unknown = {key: old_entry[key] for key in old_entry if key not in OWN_ENTRY_KEYS}
        times = {"created_at": old_entry.get("created_at", now), "updated_at": now}
        section[name] = {**values, **times, "extras": dict(extras), **unknown}
        _write_document(directory, document)


def remove_entry(directory: Path, entry: Analysis | Artifact) -> list[Path]:
    """Remove an entry; the caller must hold the lock.

    Returns
    -------
    list of Path
        Its files, without those that another entry lists, be it invalid.

    Raises
    ------
    ResultError
        If the entry lists a folder, or a path that `resolve_result_path` refuses, or a folder with
        its files cannot be written. Nothing is removed then.
    """
    document = _read_sections(directory)
    del document[SECTION_BY_RESULT_TYPE[entry.result_type]][entry.name]
    try:
        paths = [resolve_result_path(directory, file, entry.result_type) for file in entry.files]
        for path in paths:
            if path.is_dir():
                raise ValueError(f"{path} is a folder")  # noqa: TRY301  # same remedy
    except ValueError as error:
        raise invalid_entry_error(
            directory, f"{entry.result_type} {entry.name}: {error}"
        ) from error
    others = listed_locations(directory, _parse_registry(document))
    paths = [path for path in paths if os.path.lexists(path) and _location(path) not in others]
    for folder in {path.parent for path in paths}:
        _require_writable(folder)
    _write_document(directory, document)
    return paths


def invalid_entry_error(directory: Path, problem: object) -> ResultError:
    """Return the error of an entry that has to be deleted by hand."""
    registry = directory / RESULTS_FOLDER / REGISTRY_FILE
    return ResultError(f"{directory}: {problem}. Delete this entry from {registry}")


def listed_locations(directory: Path, registry: Registry) -> dict[str, str]:
    """Return the path of each file that an entry lists, be it invalid, and which entry that is.

    The registry and its lock are among the files. The paths have no links to folders. A link to a
    file has two: its own and that of the file.
    """
    folder = directory / RESULTS_FOLDER
    own_files = {_location(folder / file): subject for file, subject in OWN_FILES.items()}
    return own_files | {
        location: f"{item.result_type} {item.name}"
        for item in (*registry.results, *registry.problems)
        for file in item.files
        for location in _locations(folder / file)
    }


def _require_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResultError(f"{folder} cannot be written. Change its permissions")


def _require_replaceable(directory: Path, file: str, others: Mapping[str, str]) -> None:
    """Raise a `ValueError` unless a file of a new entry can be written in its own place."""
    folder = directory / RESULTS_FOLDER
    path = folder / file
    parents = [folder / parent for parent in PurePosixPath(file).parents]
    for parent in parents[:-1]:  # .analysis itself may be a link
        if _file_type(parent) not in {stat.S_IFDIR, MISSING_FILE_TYPE}:
            raise ValueError(f"{parent} is not a folder. Delete it, then record again")
    _require_writable(next(parent for parent in parents if parent.exists()))
    if _file_type(path) == stat.S_IFDIR:
        raise ValueError(f"{path} is a folder. Delete it, then record again")
    if lister := others.get(_location(path)):
        raise ValueError(
            f"{path} is also listed by {lister}. Remove {lister}, or delete its entry from "
            f"{folder / REGISTRY_FILE}, then record again"
        )


def _read_sections(directory: Path) -> dict[str, Any]:
    """Return the JSON object of a registry, with both sections."""
    path = directory / RESULTS_FOLDER / REGISTRY_FILE
    document = {"schema_version": SCHEMA_VERSION, **_read_document(path, None)[0]}
    for section in SECTION_BY_RESULT_TYPE.values():
        if not isinstance(document.setdefault(section, {}), dict):
            raise RegistryError(f"{path}: {section} is not a mapping")
    return document
