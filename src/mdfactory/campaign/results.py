"""Results of one simulation on disk: recording, loading, removing and checking them.

Only what the registry lists is a result. To replace a result, its entry is removed from the
registry, then its files are replaced, and then the new entry is written. So after a crash between
any two of these steps, each entry of the registry still describes files that exist.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mdfactory.campaign.registry import (
    REGISTRY_FILE,
    RESULTS_FOLDER,
    Analysis,
    Artifact,
    Registry,
    read_registry,
    resolve_result_path,
)
from mdfactory.campaign.registry_edit import LOCK_FILE, lock_registry, remove_entry, replace_entry
from mdfactory.campaign.result_files import (
    check_extras,
    check_sources,
    file_sha256,
    temporary_path,
    to_arrow,
    truncate_filename,
    write_parquet,
)
from mdfactory.errors import FrameTooLargeError, ResultError, one_line
from mdfactory.records.vocabulary import check_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mdfactory.campaign.scan_index import ScanIndex

MAX_CELL_BYTES: Final = 256 * 2**20
"""Size of the longest text that a store accepts in one cell."""


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """A difference between the registry and the files of a simulation.

    Parameters
    ----------
    item
        Name of the analysis or artifact, or path of a file that no valid entry lists. If a whole
        section of the registry is invalid: ``metadata.json``.
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
            Index of earlier reads; an unchanged registry is taken from it.

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

        filename = truncate_filename(analysis.filename)
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
        check_extras(name, extras)
        table = to_arrow(name, frame)
        filename = f"{name}.parquet"
        # A Parquet file without columns has no rows, whatever the length of the frame.
        row_count = table.num_rows if table.num_columns else 0
        values = {"filename": filename, "row_count": row_count, "columns": table.column_names}
        self.folder.mkdir(exist_ok=True)
        with temporary_path(self.folder, filename) as temporary:
            write_parquet(table, temporary)
            with replace_entry(self.directory, "analyses", name, values, extras):
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
        with lock_registry(self.directory):
            registry = self.registry()
            if name not in registry.analyses:
                raise self._unknown_name("analysis", name, registry.analyses)
            path = resolve_result_path(self.directory, registry.analyses[name].filename)
            remove_entry(self.directory, "analyses", name)
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
        check_extras(name, extras)
        sources = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
        check_sources(name, sources)
        folder = self.folder / "artifacts" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_path(folder.parent, name) as temporary:
            temporary.mkdir()
            checksums = {}
            for source in sources:
                copy = Path(shutil.copy2(source, temporary / source.name))
                checksums[f"artifacts/{name}/{source.name}"] = file_sha256(copy)
            values = {"files": list(checksums), "checksums": checksums}
            with replace_entry(self.directory, "artifacts", name, values, extras):
                shutil.rmtree(folder, ignore_errors=True)
                temporary.replace(folder)
        if move:
            for source in sources:
                # A given file in the folder of the artifact was deleted with the old folder.
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
        with lock_registry(self.directory):
            registry = self.registry()
            if name not in registry.artifacts:
                raise self._unknown_name("artifact", name, registry.artifacts)
            files = registry.artifacts[name].files
            paths = [resolve_result_path(self.directory, file) for file in files]
            remove_entry(self.directory, "artifacts", name)
            for path in paths:
                path.unlink(missing_ok=True)
            folder = self.folder / "artifacts" / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def check(self) -> list[ResultProblem]:
        """Compare the registry with the files.

        Files of artifacts are read completely; of a Parquet file only the metadata is read.

        Returns
        -------
        list of ResultProblem
            Invalid entries; missing, unreadable and changed files; files that no valid entry
            lists.

        Raises
        ------
        RegistryError
            If the registry cannot be read.
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

    def _unknown_name(self, result_type: str, name: str, known: Iterable[str]) -> ResultError:
        return ResultError(
            f"{self.directory} has no {result_type} {name!r}; it has {', '.join(known) or 'none'}"
        )


def _check_row_count(analysis: Analysis, filename: str, row_count: int) -> None:
    if row_count != analysis.row_count:
        raise ResultError(
            f"{filename} has {row_count:,} rows, but {analysis.row_count:,} are recorded. "
            "Record the analysis again"
        )
