"""Changes of the registry of a simulation, one entry at a time and under a lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mdfactory.campaign.registry import (
    REGISTRY_FILE,
    RESULTS_FOLDER,
    SECTION_BY_RESULT_TYPE,
    names_by_lower_case,
    read_registry,
    write_registry,
)
from mdfactory.errors import RegistryError, ResultError
from mdfactory.files import locked
from mdfactory.records.vocabulary import ResultType

SCHEMA_VERSION: Final = "1.0"
LOCK_FILE: Final = ".metadata.lock"

OWN_ENTRY_KEYS: Final = {
    "filename", "row_count", "columns", "files", "checksums", "created_at", "updated_at", "extras",
}  # fmt: skip
"""Keys of an entry that this module writes; other keys of a replaced entry are copied."""


@contextmanager
def lock_registry(directory: Path) -> Iterator[None]:
    """Hold the exclusive lock of a registry during the block.

    Raises
    ------
    ResultError
        If the simulation has no folder of results.
    """
    if not (directory / RESULTS_FOLDER).is_dir():
        raise ResultError(f"{directory} has no results")
    with locked(directory / RESULTS_FOLDER / LOCK_FILE):
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

    The block replaces the files of the result. The lock is held throughout, so that no entry is
    lost if several scripts record at the same time. If the block fails, the old entry stays
    removed, because its files may be gone.

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
        If the name differs from an existing one only in case.
    RegistryError
        If the registry cannot be read.
    """
    now = datetime.now(UTC).isoformat()
    section = SECTION_BY_RESULT_TYPE[result_type]
    with lock_registry(directory):
        existing = names_by_lower_case(_read_document(directory)[section]).get(name.lower(), name)
        if existing != name:
            raise ResultError(
                f"{directory}: {name!r} differs from the existing result {existing!r} only in case"
            )
        old_entry = remove_entry(directory, result_type, name)
        yield
        document = _read_document(directory)
        unknown = {key: old_entry[key] for key in old_entry if key not in OWN_ENTRY_KEYS}
        times = {"created_at": old_entry.get("created_at", now), "updated_at": now}
        document[section][name] = {**values, **times, "extras": dict(extras), **unknown}
        write_registry(directory, document)


def remove_entry(directory: Path, result_type: ResultType, name: str) -> dict[str, Any]:
    """Remove an entry and return it, or an empty one if there was none.

    The caller must hold the lock.
    """
    document = _read_document(directory)
    entry = document[SECTION_BY_RESULT_TYPE[result_type]].pop(name, None)
    if entry is not None:
        write_registry(directory, document)
    return entry if isinstance(entry, dict) else {}


def _read_document(directory: Path) -> dict[str, Any]:
    """Return the JSON object of a registry, with both sections."""
    document = {"schema_version": SCHEMA_VERSION, **read_registry(directory).document}
    for section in SECTION_BY_RESULT_TYPE.values():
        if not isinstance(document.setdefault(section, {}), dict):
            path = directory / RESULTS_FOLDER / REGISTRY_FILE
            raise RegistryError(f"{path}: {section} is not a mapping")
    return document
