"""Files of the results of a simulation: checks of the arguments, temporary paths, Parquet."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mdfactory.errors import ResultError, one_line
from mdfactory.files import (
    UnreadableError,
    copy_file,
    create_folder,
    describe_file_error,
    sync_folder,
)

if TYPE_CHECKING:
    import pyarrow as pa


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Write a file to the disk: the registry must not list a file that a power cut loses."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def temporary_path(folder: Path, name: str) -> Iterator[Path]:
    """Yield an unused hidden path in `folder`; after the block, delete a file or folder there.

    A result is written there completely before it is renamed to its own path.
    """
    path = folder / f".{name}.{uuid4().hex}"
    try:
        yield path
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def copy_result(name: str, source: Path, target: Path) -> str:
    """Copy a file of an artifact to the disk, and return its SHA-256."""
    try:
        copy_file(source, target)
    except (OSError, UnreadableError) as error:
        raise ResultError(
            f"artifact {name}: {source} cannot be copied: {one_line(error)}"
        ) from error
    return file_sha256(target)


def make_folder(path: Path) -> None:
    """Create a folder, if it is missing, on the disk; raise a `ResultError` if that fails."""
    if path.is_dir():
        return
    try:
        create_folder(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ResultError(f"{path} cannot be created: {describe_file_error(error)}") from error


@contextmanager
def writing_results(folder: Path) -> Iterator[None]:
    """Raise a `ResultError` if something in the folder of the results cannot be written."""
    try:
        yield
    except OSError as error:
        raise ResultError(f"{folder} cannot be written: {describe_file_error(error)}") from error


def check_sources(name: str, sources: list[Path]) -> None:
    """Raise a `ResultError` if no files are given, one is missing, or two have the same name."""
    if not sources:
        raise ResultError(f"artifact {name}: no files given")
    missing = [source for source in sources if not source.is_file()]
    if missing:
        raise ResultError(f"artifact {name}: {missing[0]} is not a file")
    filenames = [source.name for source in sources]
    duplicates = [filename for filename in filenames if filenames.count(filename) > 1]
    if duplicates:
        raise ResultError(f"artifact {name}: two of its files have the name {duplicates[0]}")


def write_parquet(name: str, table: pa.Table, path: Path) -> None:
    """Write the frame of an analysis to the disk as a Parquet file.

    Raises
    ------
    ResultError
        If Parquet cannot store the type of a column.
    """
    import pyarrow as pa
    from pyarrow.parquet import write_table

    from mdfactory.campaign.parquet_types import storable

    try:
        write_table(storable(table), path)
    except pa.ArrowException as error:
        refused = [field for field in table.schema if not _is_storable(field)]
        columns = ", ".join(f"column {field.name!r} ({field.type})" for field in refused)
        reason = f"Parquet cannot store {columns}" if columns else one_line(error)
        raise ResultError(f"analysis {name}: {reason}") from error
    sync_file(path)


def _is_storable(field: pa.Field[pa.DataType]) -> bool:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    try:
        write_table(pa.schema([field]).empty_table(), pa.BufferOutputStream())
    except pa.ArrowException:
        return False
    return True
