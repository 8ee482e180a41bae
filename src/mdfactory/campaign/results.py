"""Results of one simulation on disk: recording, loading, removing and checking them.

The registry decides what is a result: a Parquet file or artifact that it does not list is an
orphan. To replace a result, its entry is removed from the registry, then its files are replaced,
and then the new entry is written. After a crash between any two of these steps, each entry of the
registry thus still describes files that exist.
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
    REGISTRY_FILE,
    RESULTS_FOLDER,
    Analysis,
    Artifact,
    Registry,
    read_registry,
    resolve_result_path,
    write_registry,
)
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.files import locked
from mdfactory.records.vocabulary import check_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mdfactory.campaign.scan_index import ScanIndex

__all__ = ["MAX_CELL_BYTES", "ResultProblem", "Results", "file_sha256"]

SCHEMA_VERSION: Final = "1.0"
LOCK_FILE: Final = ".metadata.lock"
MAX_CELL_BYTES: Final = 256 * 2**20
"""Size of the longest text that a store accepts in one cell."""

MAX_FILENAME_CHARACTERS: Final = 80
"""Length at which a message truncates the name of a file."""

OWN_ENTRY_KEYS: Final = {
    "filename", "row_count", "columns", "files", "checksums", "created_at", "updated_at", "extras",
}  # fmt: skip
"""Keys of an entry that this module writes; other keys of a replaced entry are copied."""


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """A difference between the registry and the files of a simulation.

    Parameters
    ----------
    item
        Name of the analysis or artifact, or path of a file that no entry lists.
    problem
        Description of the problem, in one line.
    """

    item: str
    problem: str


class Results:
    """The analyses and artifacts of one simulation folder.

    Parameters
    ----------
    directory
        Path of the simulation folder; it need not have results yet.

    Attributes
    ----------
    directory
        Path of the simulation folder.
    folder
        Path of its subfolder ``.analysis``, with the registry and the files of the results.

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
        self.folder = self.directory / RESULTS_FOLDER

    def registry(self, index: ScanIndex | None = None) -> Registry:
        """Read the registry from disk.

        Parameters
        ----------
        index
            Cache of earlier scans; an unchanged registry is taken from it.

        Returns
        -------
        Registry
            The entries, by name in ``analyses`` and ``artifacts``; both are empty if the
            simulation has no registry.

        Raises
        ------
        RegistryError
            If the file cannot be read or parsed.

        Examples
        --------
        After ``mdfactory demo``:

        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> results = Results(f"{campaign}/CC4D89E0997487E23A5CA417BC302361B5440904")
        >>> registry = results.registry()
        >>> registry.analyses["rdf_oxygen"].row_count
        105
        >>> list(registry.artifacts)
        ['last_frame_pdb', 'density_plot']
        """
        return read_registry(self.directory, index)

    def load_analysis(self, name: str) -> pa.Table:
        """Return the frame of an analysis.

        Parameters
        ----------
        name
            Name of the analysis.

        Returns
        -------
        pyarrow.Table
            The recorded frame.

        Raises
        ------
        ResultError
            If there is no such analysis, or its file is missing, corrupt, too large for a store,
            or has another number of rows than its registry entry.
        RegistryError
            If the registry cannot be read.

        Examples
        --------
        After ``mdfactory demo``:

        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> results = Results(f"{campaign}/CC4D89E0997487E23A5CA417BC302361B5440904")
        >>> results.load_analysis("rdf_oxygen").num_rows
        105
        """
        registry = self.registry()
        if name not in registry.analyses:
            raise self._unknown_name("analysis", name, registry.analyses)
        try:
            return self.read(registry.analyses[name])
        except ResultError as error:
            raise ResultError(f"{self.directory}: analysis {name}: {error}") from error

    def read(self, analysis: Analysis) -> pa.Table:
        """Return the frame of a registry entry.

        Parameters
        ----------
        analysis
            Entry of this simulation's registry.

        Returns
        -------
        pyarrow.Table
            The recorded frame.

        Raises
        ------
        ResultError
            If the file is missing, corrupt, too large for a store, or has another number of rows
            than the entry. The message does not name the simulation.
        """
        import pyarrow as pa

        from mdfactory.campaign.parquet import read_frame

        filename = _truncate(analysis.filename)
        try:
            path = resolve_result_path(self.directory, analysis.filename)
            frame = read_frame(path, MAX_CELL_BYTES)
            frame.schema.names  # noqa: B018  # raises an error if a name is not UTF-8
        except FileNotFoundError as error:
            raise ResultError(f"{filename} is missing") from error
        except MemoryError:  # pyarrow's out-of-memory error is an ArrowException, too
            raise
        except FrameTooLargeError as error:
            raise ResultError(f"{filename} {error}") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ResultError(f"{filename} cannot be read: {one_line(error)}") from error
        _check_row_count(analysis, filename, frame.num_rows)
        return frame

    def check_rows(self, analysis: Analysis) -> None:
        """Check that the file of a registry entry exists and has the recorded number of rows.

        Only the metadata at the end of the file is read.

        Parameters
        ----------
        analysis
            Entry of this simulation's registry.

        Raises
        ------
        ResultError
            If the file is missing, is not a Parquet file, or has another number of rows.
        """
        import pyarrow as pa
        from pyarrow.parquet import read_metadata

        filename = analysis.filename
        try:
            row_count = read_metadata(resolve_result_path(self.directory, filename)).num_rows
        except FileNotFoundError as error:
            raise ResultError(f"{filename} is missing") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ResultError(f"{filename} cannot be read: {one_line(error)}") from error
        _check_row_count(analysis, filename, row_count)

    def require(self, artifact: Artifact) -> None:
        """Check that all files of a registry entry exist.

        Parameters
        ----------
        artifact
            Entry of this simulation's registry.

        Raises
        ------
        ResultError
            If a file is missing, or its path leads outside ``.analysis``.
        """
        for file in artifact.files:
            try:
                is_file = resolve_result_path(self.directory, file).is_file()
            except (OSError, ValueError) as error:
                raise ResultError(one_line(error)) from error
            if not is_file:
                raise ResultError(f"{file} is missing")

    def record_analysis(self, name: str, frame: pd.DataFrame | pa.Table, **extras: Any) -> None:
        """Record an analysis, or replace the one of the same name.

        Parameters
        ----------
        name
            Name of the analysis: a letter, then letters, digits and underscores; at most 48
            characters.
        frame
            Table of the analysis, as a pandas DataFrame or Arrow table.
        extras
            Additional information for the registry entry, such as units; values must be
            serialisable as JSON.

        Raises
        ------
        InvalidNameError
            If `name` cannot be the name of a table.
        ResultError
            If `frame` cannot be written as Parquet, `extras` cannot be written as JSON, or `name`
            differs from an existing one only in case.
        RegistryError
            If the registry cannot be read.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import pandas as pd
        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> results = Results(f"{campaign}/0BDC04CC155D827D3BEE561E9C8A023DAF3A3226")
        >>> results.record_analysis("energy", pd.DataFrame({"potential": [-1.5]}), unit="kJ/mol")
        >>> results.registry().analyses["energy"].entry["extras"]
        {'unit': 'kJ/mol'}
        >>> results.remove_analysis("energy")
        """
        check_name(name)
        _check_extras(name, extras)
        table = _to_arrow(name, frame)
        filename = f"{name}.parquet"
        # A Parquet file without columns has no rows, whatever the length of the frame.
        row_count = table.num_rows if table.num_columns else 0
        values = {"filename": filename, "row_count": row_count, "columns": table.column_names}
        self.folder.mkdir(exist_ok=True)
        with _temporary_path(self.folder, filename) as temporary:
            _write_parquet(table, temporary)
            with self._replacing_entry("analyses", name, values, extras):
                temporary.replace(self.folder / filename)

    def remove_analysis(self, name: str) -> None:
        """Remove an analysis and its file.

        Parameters
        ----------
        name
            Name of the analysis.

        Raises
        ------
        ResultError
            If there is no such analysis.
        RegistryError
            If the registry cannot be read.
        """
        with self._lock():
            registry = self.registry()
            if name not in registry.analyses:
                raise self._unknown_name("analysis", name, registry.analyses)
            path = resolve_result_path(self.directory, registry.analyses[name].filename)
            self._remove_entry("analyses", name)
            path.unlink(missing_ok=True)

    def record_artifact(
        self,
        name: str,
        files: str | Path | Iterable[str | Path],
        *,
        move: bool = False,
        **extras: Any,
    ) -> None:
        """Record an artifact, or replace the one of the same name.

        Its files are copied into ``.analysis/artifacts/<name>``, and the registry entry has the
        SHA-256 of each.

        Parameters
        ----------
        name
            Name of the artifact: a letter, then letters, digits and underscores; at most 48
            characters.
        files
            Path of the file, or paths of the files.
        move
            Whether to delete the given files after they are copied.
        extras
            Additional information for the registry entry; values must be serialisable as JSON.

        Raises
        ------
        InvalidNameError
            If `name` cannot be the name of a table.
        ResultError
            If a file is missing, two files have the same name, `extras` cannot be written as JSON,
            or `name` differs from an existing one only in case.
        RegistryError
            If the registry cannot be read.

        Examples
        --------
        After ``mdfactory demo``:

        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> results = Results(f"{campaign}/0BDC04CC155D827D3BEE561E9C8A023DAF3A3226")
        >>> results.record_artifact("topology", results.directory / "topology.top")
        >>> results.registry().artifacts["topology"].files
        ('artifacts/topology/topology.top',)
        >>> results.remove_artifact("topology")
        """
        check_name(name)
        _check_extras(name, extras)
        sources = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
        _check_sources(name, sources)
        folder = self.folder / "artifacts" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_path(folder.parent, name) as temporary:
            temporary.mkdir()
            checksums = {}
            for source in sources:
                copy = Path(shutil.copy2(source, temporary / source.name))
                checksums[f"artifacts/{name}/{source.name}"] = file_sha256(copy)
            values = {"files": list(checksums), "checksums": checksums}
            with self._replacing_entry("artifacts", name, values, extras):
                shutil.rmtree(folder, ignore_errors=True)
                temporary.replace(folder)
        if move:
            for source in sources:
                # A file of the artifact itself was replaced with its folder.
                if folder.resolve() not in source.resolve().parents:
                    source.unlink()

    def remove_artifact(self, name: str) -> None:
        """Remove an artifact and its files.

        Parameters
        ----------
        name
            Name of the artifact.

        Raises
        ------
        ResultError
            If there is no such artifact.
        RegistryError
            If the registry cannot be read.
        """
        with self._lock():
            registry = self.registry()
            if name not in registry.artifacts:
                raise self._unknown_name("artifact", name, registry.artifacts)
            files = registry.artifacts[name].files
            paths = [resolve_result_path(self.directory, file) for file in files]
            self._remove_entry("artifacts", name)
            for path in paths:
                path.unlink(missing_ok=True)
            folder = self.folder / "artifacts" / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def check(self) -> list[ResultProblem]:
        """Compare the registry with the files.

        The artifacts are read completely; of each Parquet file only the metadata is read.

        Returns
        -------
        list of ResultProblem
            Invalid entries, missing, unreadable and changed files, and files that no entry lists.

        Raises
        ------
        RegistryError
            If the registry cannot be read.

        Examples
        --------
        After ``mdfactory demo``:

        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> Results(f"{campaign}/CC4D89E0997487E23A5CA417BC302361B5440904").check()
        []
        """
        registry = self.registry()
        problems = [
            ResultProblem(problem.name or REGISTRY_FILE, problem.reason)
            for problem in registry.problems
        ]
        listed_paths = {self.folder / REGISTRY_FILE, self.folder / LOCK_FILE}
        for name, analysis in registry.analyses.items():
            try:
                self.check_rows(analysis)
            except ResultError as error:
                problems.append(ResultProblem(name, str(error)))
            listed_paths.add(self.folder / analysis.filename)
        for name, artifact in registry.artifacts.items():
            problems += self._check_artifact(name, artifact.checksums)
            listed_paths |= {self.folder / file for file in artifact.files}
        paths = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return problems + [
            ResultProblem(str(path.relative_to(self.folder)), "is not in the registry")
            for path in paths
            if path not in listed_paths
        ]

    def _check_artifact(self, name: str, checksums: Mapping[str, str]) -> Iterator[ResultProblem]:
        for file, recorded in checksums.items():
            try:
                checksum = file_sha256(resolve_result_path(self.directory, file))
            except FileNotFoundError:
                yield ResultProblem(name, f"{file} is missing")
            except (OSError, ValueError) as error:
                yield ResultProblem(name, f"{file} cannot be read: {one_line(error)}")
            else:
                if checksum != recorded.lower():
                    yield ResultProblem(
                        name, f"{file} has changed: its checksum differs from the registry"
                    )

    @contextmanager
    def _replacing_entry(
        self, section: str, name: str, values: Mapping[str, Any], extras: Mapping[str, Any]
    ) -> Iterator[None]:
        """Remove an entry, let the block replace the files, and write the new entry.

        The lock is held all the time, so that scripts which record at once lose no entry. The
        registry is read again after the block, and unknown keys of the old entry are copied.
        """
        now = datetime.now(UTC).isoformat()
        with self._lock():
            self._check_case(section, name)
            old_entry = self._remove_entry(section, name)
            yield
            document = self._read_document()
            unknown = {key: old_entry[key] for key in old_entry if key not in OWN_ENTRY_KEYS}
            times = {"created_at": old_entry.get("created_at", now), "updated_at": now}
            document[section][name] = {**values, **times, "extras": dict(extras), **unknown}
            write_registry(self.directory, document)

    def _check_case(self, section: str, name: str) -> None:
        """Raise an error if a name differs from another one only in case.

        Stores ignore the case of names, so that both would have the same table.
        """
        for existing in self._read_document()[section]:
            if existing.lower() == name.lower() and existing != name:
                raise ResultError(
                    f"{self.directory}: {name!r} differs from the existing result {existing!r} "
                    "only in case"
                )

    def _remove_entry(self, section: str, name: str) -> dict[str, Any]:
        """Remove an entry from the registry and return it; empty if there was none."""
        document = self._read_document()
        entry = document[section].pop(name, None)
        if entry is not None:
            write_registry(self.directory, document)
        return entry if isinstance(entry, dict) else {}

    def _read_document(self) -> dict[str, Any]:
        """Return the JSON object of the registry, with both sections."""
        document = {"schema_version": SCHEMA_VERSION, **self.registry().document}
        for section in ("analyses", "artifacts"):
            if not isinstance(document.setdefault(section, {}), dict):
                raise RegistryError(f"{self.folder / REGISTRY_FILE}: {section} is not a mapping")
        return document

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Exclude other processes and threads from changing the registry during the block."""
        with locked(self.folder / LOCK_FILE):
            yield

    def _unknown_name(self, result_type: str, name: str, known: Iterable[str]) -> ResultError:
        return ResultError(
            f"{self.directory} has no {result_type} {name!r}; it has {', '.join(known) or 'none'}"
        )


def _truncate(filename: str) -> str:
    if len(filename) <= MAX_FILENAME_CHARACTERS:
        return filename
    return f"{filename[:MAX_FILENAME_CHARACTERS]}…"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _temporary_path(folder: Path, name: str) -> Iterator[Path]:
    """Yield an unused hidden path in `folder`, and delete what is there after the block.

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


def _check_row_count(analysis: Analysis, filename: str, row_count: int) -> None:
    if row_count != analysis.row_count:
        raise ResultError(
            f"{filename} has {row_count:,} rows, but {analysis.row_count:,} are recorded. "
            "Record the analysis again"
        )


def _check_extras(name: str, extras: Mapping[str, Any]) -> None:
    try:
        json.dumps(extras, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ResultError(f"{name}: extras cannot be written as JSON: {error}") from error


def _check_sources(name: str, sources: list[Path]) -> None:
    if not sources:
        raise ResultError(f"artifact {name}: no files given")
    missing = [source for source in sources if not source.is_file()]
    if missing:
        raise ResultError(f"artifact {name}: {missing[0]} is not a file")
    filenames = [source.name for source in sources]
    duplicates = [filename for filename in filenames if filenames.count(filename) > 1]
    if duplicates:
        raise ResultError(f"artifact {name}: two of its files have the name {duplicates[0]}")


def _to_arrow(name: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
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
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ResultError(f"analysis {name}: {one_line(error)}") from error


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    try:
        with path.open("wb") as file:
            write_table(table, file)
            file.flush()
            os.fsync(file.fileno())  # the registry must not list a file that a power cut loses
    except pa.ArrowException as error:
        raise ResultError(f"{path}: {one_line(error)}") from error
