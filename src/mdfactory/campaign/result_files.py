"""Files of the results of a simulation: checks of the arguments, temporary paths, Parquet."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mdfactory.errors import ResultError, one_line
from mdfactory.files import UnreadableError, copy_file, create_folder, sync_folder

if TYPE_CHECKING:
    import pandas as pd
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
        raise ResultError(f"{path} cannot be created: {error.strerror}") from error


def check_extras(name: str, extras: Mapping[str, Any]) -> None:
    """Raise a `ResultError` if the extras of a result cannot be written as JSON."""
    try:
        json.dumps(extras, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ResultError(f"{name}: extras cannot be written as JSON: {error}") from error


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


def to_arrow(name: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """Convert the frame of an analysis; raise a `ResultError` if that is impossible."""
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    try:
        return pa.Table.from_pandas(frame)
    except AttributeError as error:
        raise ResultError(
            f"analysis {name}: expected a pandas DataFrame or Arrow table, "
            f"got {type(frame).__name__}"
        ) from error
    except OverflowError as error:
        large = [column for column in frame if _has_large_integer(frame[column])]
        raise ResultError(
            f"analysis {name}: column {', '.join(map(repr, large))} has an integer of more than 64 "
            "bits, which Parquet cannot store. Convert it to text: frame[column].astype(str)"
        ) from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ResultError(f"analysis {name}: {one_line(error)}") from error


def _has_large_integer(column: pd.Series[Any]) -> bool:
    import pyarrow as pa

    try:
        with suppress(pa.ArrowException, TypeError, ValueError):  # for another reason
            pa.array(column)
    except OverflowError:
        return True
    return False


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a Parquet file to the disk; raise a `ResultError` if Parquet cannot store a type."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    try:
        write_table(table, path)
    except pa.ArrowException as error:
        raise ResultError(f"{path}: {one_line(error)}") from error
    sync_file(path)
