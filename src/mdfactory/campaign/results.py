"""Results of one simulation on disk: recording, loading, removing and checking them.

The registry is what counts: a Parquet file or an artifact that it does not list is an orphan
and no result. So a result is first taken out of the registry, then its files are replaced, and
then it is entered; after a crash between any two of these steps the files and the registry
still agree.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mdfactory.campaign.registry import (
    FILE,
    FOLDER,
    Analysis,
    Artifact,
    Registry,
    inside,
    read_registry,
    write_registry,
)
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.files import locked
from mdfactory.records.vocabulary import check_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mdfactory.campaign.scan_index import ScanIndex

__all__ = ["ResultProblem", "Results", "sha256"]

SCHEMA_VERSION: Final = "1.0"
LOCK: Final = ".metadata.lock"
LARGEST_CELL: Final = 256 * 2**20
"""Bytes of the longest text that a store takes in one cell."""

LONGEST_NAME: Final = 80
"""Characters of the name of a file that a message shows."""

ENTRY: Final = {
    "filename", "row_count", "columns", "files", "checksums", "created_at", "updated_at", "extras",
}  # fmt: skip
"""Keys of an entry that a record sets anew; others are kept."""


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """Something that is wrong with a result.

    Parameters
    ----------
    item
        The analysis or artifact, or the file if it belongs to none.
    problem
        What is wrong, in one line.
    """

    item: str
    problem: str


class Results:
    """The results of one simulation folder.

    Parameters
    ----------
    directory
        The simulation folder.

    Examples
    --------
    After ``mdfactory demo``:

    >>> import pandas as pd
    >>> from mdfactory import Results
    >>> results = Results("mdfactory-demo/water_methanol/0BDC04CC155D827D3BEE561E9C8A023DAF3A3226")
    >>> frame = pd.DataFrame({"time_ps": [0.0, 1.0], "density": [0.97, 0.98]})
    >>> results.record_analysis("density", frame, units={"density": "g/cm3"})
    >>> results.load_analysis("density").to_pandas()
       time_ps  density
    0      0.0     0.97
    1      1.0     0.98
    >>> results.check()
    []
    >>> results.remove_analysis("density")
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.folder = self.directory / FOLDER

    def registry(self, index: ScanIndex | None = None) -> Registry:
        """Read the registry as it is now.

        Parameters
        ----------
        index
            What was read before.

        Raises
        ------
        RegistryError
            If it cannot be read.
        """
        return read_registry(self.directory, index)

    def load_analysis(self, name: str) -> pa.Table:
        """Return the frame of an analysis.

        Raises
        ------
        ResultError
            If there is no such analysis, or its file is missing, corrupt, or has another
            number of rows than the registry says.
        """
        registry = self.registry()
        if name not in registry.analyses:
            raise ResultError(self._lacks("analysis", name, registry.analyses))
        try:
            return self.read(registry.analyses[name])
        except ResultError as error:
            raise ResultError(f"{self.directory}: analysis {name}: {error}") from error

    def read(self, analysis: Analysis) -> pa.Table:
        """Return the frame of an analysis that the registry lists.

        Raises
        ------
        ResultError
            If its file is missing, corrupt, too large for a store, or has another number of
            rows than the registry says; the message does not say which simulation it is of.
        """
        import pyarrow as pa

        from mdfactory.campaign.parquet import read_frame

        shown = _shown(analysis.filename)
        try:
            frame = read_frame(inside(self.directory, analysis.filename), LARGEST_CELL)
            frame.schema.names  # noqa: B018  # not all that Parquet may hold is UTF-8
        except FileNotFoundError as error:
            raise ResultError(f"{shown} is missing") from error
        except MemoryError:  # which Arrow's own is, too
            raise
        except FrameTooLargeError as error:
            raise ResultError(f"{shown} {error}") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ResultError(f"{shown} cannot be read: {one_line(error)}") from error
        if frame.num_rows != analysis.row_count:
            raise ResultError(
                f"{shown} has {frame.num_rows:,} rows, but the "
                f"registry says {analysis.row_count:,}. Record the analysis again"
            )
        return frame

    def check_rows(self, analysis: Analysis) -> None:
        """Refuse an analysis whose file has another number of rows; only its footer is read.

        Raises
        ------
        ResultError
            If the file is missing, is no Parquet file, or has another number of rows.
        """
        import pyarrow as pa
        from pyarrow.parquet import read_metadata

        filename = analysis.filename
        try:
            rows = read_metadata(inside(self.directory, filename)).num_rows
        except FileNotFoundError as error:
            raise ResultError(f"{filename} is missing") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ResultError(f"{filename} cannot be read: {one_line(error)}") from error
        if rows != analysis.row_count:
            raise ResultError(
                f"{filename} has {rows:,} rows, but the registry says {analysis.row_count:,}"
            )

    def require(self, artifact: Artifact) -> None:
        """Refuse an artifact that the registry lists if one of its files is not there.

        Raises
        ------
        ResultError
            If a file is missing, or its path leads outside ``.analysis``.
        """
        for file in artifact.files:
            try:
                there = inside(self.directory, file).is_file()
            except (OSError, ValueError) as error:
                raise ResultError(one_line(error)) from error
            if not there:
                raise ResultError(f"{file} is missing")

    def record_analysis(self, name: str, frame: pd.DataFrame | pa.Table, **extras: Any) -> None:
        """Record an analysis; one of the same name is replaced.

        Parameters
        ----------
        name
            What to call it.
        frame
            The result, as pandas or Arrow holds it.
        extras
            What else to keep with it, such as units; anything that JSON can say.

        Raises
        ------
        InvalidNameError
            If the name cannot name a table.
        ResultError
            If the frame cannot be written as Parquet, or `extras` as JSON.
        """
        check_name(name)
        _check_extras(name, extras)
        table = _arrow(name, frame)
        filename = f"{name}.parquet"
        rows = table.num_rows if table.num_columns else 0  # Parquet keeps no rows without columns
        values = {"filename": filename, "row_count": rows, "columns": table.column_names}
        self.folder.mkdir(exist_ok=True)
        with _staged(self.folder, filename) as staged:
            _write_parquet(table, staged)
            with self._entering("analyses", name, values, extras):
                staged.replace(self.folder / filename)

    def remove_analysis(self, name: str) -> None:
        """Remove an analysis and its file.

        Raises
        ------
        ResultError
            If there is no such analysis.
        """
        with self._lock():
            registry = self.registry()
            if name not in registry.analyses:
                raise ResultError(self._lacks("analysis", name, registry.analyses))
            path = inside(self.directory, registry.analyses[name].filename)
            self._leave("analyses", name)
            path.unlink(missing_ok=True)

    def record_artifact(
        self,
        name: str,
        files: str | Path | Iterable[str | Path],
        *,
        move: bool = False,
        **extras: Any,
    ) -> None:
        """Record the files of an artifact; one of the same name is replaced.

        Parameters
        ----------
        name
            What to call it.
        files
            Its files, or the only one, which are copied into ``.analysis/artifacts/<name>``.
        move
            Move them instead.
        extras
            What else to keep with it; anything that JSON can say.

        Raises
        ------
        InvalidNameError
            If the name cannot name a table.
        ResultError
            If a file is missing, or two have the same name.
        """
        check_name(name)
        _check_extras(name, extras)
        sources = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
        self._check_sources(name, sources)
        folder = self.folder / "artifacts" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _staged(folder.parent, name) as staged:
            staged.mkdir()
            checksums = {}
            for source in sources:
                copy = Path(shutil.copy2(source, staged / source.name))
                checksums[f"artifacts/{name}/{source.name}"] = sha256(copy)
            values = {"files": list(checksums), "checksums": checksums}
            with self._entering("artifacts", name, values, extras):
                shutil.rmtree(folder, ignore_errors=True)
                staged.replace(folder)
        if move:
            for source in sources:
                if folder.resolve() not in source.resolve().parents:
                    source.unlink()

    def remove_artifact(self, name: str) -> None:
        """Remove an artifact and its files.

        Raises
        ------
        ResultError
            If there is no such artifact.
        """
        with self._lock():
            registry = self.registry()
            if name not in registry.artifacts:
                raise ResultError(self._lacks("artifact", name, registry.artifacts))
            paths = [inside(self.directory, file) for file in registry.artifacts[name].files]
            self._leave("artifacts", name)
            for path in paths:
                path.unlink(missing_ok=True)
            folder = self.folder / "artifacts" / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def check(self) -> list[ResultProblem]:
        """Compare the registry with the files: missing, orphaned, and other than it says.

        Every byte of the artifacts is read, and the header of every Parquet file.
        """
        registry = self.registry()
        findings = [ResultProblem(one.name or FILE, one.reason) for one in registry.problems]
        known = {self.folder / FILE, self.folder / LOCK}
        for name, analysis in registry.analyses.items():
            try:
                self.check_rows(analysis)
            except ResultError as error:
                findings.append(ResultProblem(name, str(error)))
            known.add(self.folder / analysis.filename)
        for name, artifact in registry.artifacts.items():
            findings += self._check_files(name, artifact.checksums)
            known |= {self.folder / file for file in artifact.files}
        orphans = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return findings + [
            ResultProblem(str(path.relative_to(self.folder)), "is not in the registry")
            for path in orphans
            if path not in known
        ]

    def _check_files(self, name: str, checksums: Mapping[str, str]) -> Iterator[ResultProblem]:
        for file, checksum in checksums.items():
            try:
                found = sha256(inside(self.directory, file))
            except FileNotFoundError:
                yield ResultProblem(name, f"{file} is missing")
            except (OSError, ValueError) as error:
                yield ResultProblem(name, f"{file} cannot be read: {one_line(error)}")
            else:
                if found != checksum.lower():
                    yield ResultProblem(name, f"{file} has another checksum than the registry says")

    def _check_sources(self, name: str, sources: list[Path]) -> None:
        missing = [source for source in sources if not source.is_file()]
        if missing or not sources:
            wrong = f"{missing[0]} is no file" if missing else "no file to record"
            raise ResultError(f"artifact {name}: {wrong}")
        names = [source.name for source in sources]
        twice = [one for one in names if names.count(one) > 1]
        if twice:
            raise ResultError(f"artifact {name}: two of its files are called {twice[0]}")

    @contextmanager
    def _entering(
        self, section: str, name: str, values: Mapping[str, Any], extras: Mapping[str, Any]
    ) -> Iterator[None]:
        """Take an entry out of the registry, let its files be replaced, and enter it anew."""
        now = datetime.now(UTC).isoformat()
        with self._lock():
            self._check_spelling(section, name)
            earlier = self._leave(section, name)
            yield
            registry = self._values()
            kept = {key: value for key, value in earlier.items() if key not in ENTRY}
            times = {"created_at": earlier.get("created_at", now), "updated_at": now}
            registry[section][name] = {**values, **times, "extras": dict(extras), **kept}
            write_registry(self.directory, registry)

    def _check_spelling(self, section: str, name: str) -> None:
        """Refuse a name that would be another one's in a store, where case does not count."""
        for other in self._values()[section]:
            if other.lower() == name.lower() and other != name:
                raise ResultError(
                    f"{self.directory}: {name!r} differs from {other!r} only in case, and there "
                    "is a result of that name"
                )

    def _leave(self, section: str, name: str) -> dict[str, Any]:
        """Take an entry out of the registry, and return it; an empty one if there was none."""
        values = self._values()
        entry = values[section].pop(name, None)
        if entry is not None:
            write_registry(self.directory, values)
        return entry if isinstance(entry, dict) else {}

    def _values(self) -> dict[str, Any]:
        values = {"schema_version": SCHEMA_VERSION, **self.registry().whole}
        for section in ("analyses", "artifacts"):
            if not isinstance(values.setdefault(section, {}), dict):
                raise RegistryError(f"{self.folder / FILE}: {section} is not a mapping")
        return values

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one process at a time change the registry."""
        with locked(self.folder / LOCK):
            yield

    def _lacks(self, kind: str, name: str, known: Iterable[str]) -> str:
        return f"{self.directory} has no {kind} {name!r}; it has {', '.join(known) or 'none'}"


def _shown(name: str) -> str:
    """Return a name as a message has room for it."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 lower-case hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _staged(folder: Path, name: str) -> Iterator[Path]:
    """Give a place beside a result's own, where it is made before it takes that."""
    staged = folder / f".{name}.{uuid4().hex}"
    try:
        yield staged
    finally:
        if staged.is_dir():
            shutil.rmtree(staged)
        else:
            staged.unlink(missing_ok=True)


def _check_extras(name: str, extras: Mapping[str, Any]) -> None:
    try:
        json.dumps(extras, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ResultError(f"{name}: extras cannot be written as JSON: {error}") from error


def _arrow(name: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    try:
        return pa.Table.from_pandas(frame)
    except AttributeError as error:
        raise ResultError(
            f"analysis {name}: a {type(frame).__name__} is neither a DataFrame nor an Arrow table"
        ) from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ResultError(f"analysis {name}: {one_line(error)}") from error


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    try:
        with path.open("wb") as file:
            write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
    except pa.ArrowException as error:
        raise ResultError(f"{path}: {one_line(error)}") from error
