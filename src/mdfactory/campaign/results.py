"""Results of one simulation on disk: recording, loading, removing and checking them.

Only what the registry lists is a result. To replace a result, its entry is removed from the
registry, then its files are replaced, and then the new entry is written. So after a crash between
any two of these steps, each entry of the registry still describes files that exist.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mdfactory.campaign.recording import check_extras, extras_of_analysis, to_arrow
from mdfactory.campaign.registry import (
    RESULTS_FOLDER,
    Analysis,
    Artifact,
    Registry,
    Result,
    invalid_entry_error,
    listed_locations,
    lock_registry,
    read_registry,
    remove_entry,
    replace_entry,
    resolve_result_path,
)
from mdfactory.campaign.result_files import (
    check_sources,
    copy_result,
    make_folder,
    temporary_path,
    write_parquet,
    writing_results,
)
from mdfactory.campaign.result_problems import ResultProblem, find_problems
from mdfactory.campaign.summary import count_results, results_html
from mdfactory.errors import FrameTooLargeError, ResultError, one_line, suggestion
from mdfactory.files import create_file, create_folder, escape_undecoded, sync_folder
from mdfactory.records.vocabulary import ResultType, check_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData

    from mdfactory.campaign.scan_index import ScanIndex

MAX_CELL_BYTES: Final = 256 * 2**20
"""Size of the longest text that a store accepts in one cell."""

RECORD_ANALYSIS: Final = ". Record the analysis again"
RECORD_ARTIFACT: Final = ". Record the artifact again"
"""Ends of messages: what to do if the files of a result are not as recorded."""

MAX_FILENAME_CHARACTERS: Final = 80
"""Length at which a message truncates the name of a file."""

Parquet = TypeVar("Parquet", "pa.Table", "FileMetaData")


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

    def __repr__(self) -> str:
        path = escape_undecoded(str(self.directory))
        return f"<Results: {count_results(self.directory)} in {path}>"

    def _repr_html_(self) -> str:
        return results_html(self.directory)

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
        analysis = self._find(Analysis, name)
        try:
            return self.read(analysis)
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
        from mdfactory.campaign.parquet import read_frame

        return self._read_parquet(analysis, partial(read_frame, limit=MAX_CELL_BYTES))

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
        from mdfactory.campaign.parquet import read_frame_footer

        self._read_parquet(analysis, read_frame_footer)

    def _read_parquet(self, analysis: Analysis, read: Callable[[Path], Parquet]) -> Parquet:
        """Return what `read` reads from the file of an entry, and check the number of rows."""
        import pyarrow as pa

        filename = analysis.filename
        if len(filename) > MAX_FILENAME_CHARACTERS:
            filename = f"{filename[:MAX_FILENAME_CHARACTERS]}…"
        try:
            content = read(resolve_result_path(self.directory, analysis.filename))
        except FileNotFoundError as error:
            raise ResultError(f"{filename} is missing{RECORD_ANALYSIS}") from error
        except MemoryError:  # pyarrow's out-of-memory error is an ArrowException, too
            raise
        except FrameTooLargeError as error:
            raise ResultError(f"{filename} {error}") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            reason = f"cannot be read: {one_line(error)}".rstrip(".")
            raise ResultError(f"{filename} {reason}{RECORD_ANALYSIS}") from error
        if content.num_rows != analysis.row_count:
            raise ResultError(
                f"{filename} has {content.num_rows:,} rows, but {analysis.row_count:,} are "
                f"recorded{RECORD_ANALYSIS}"
            )
        return content

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
                is_file = resolve_result_path(self.directory, file, ResultType.artifact).is_file()
            except (OSError, ValueError) as error:
                raise ResultError(one_line(error)) from error
            if not is_file:
                raise ResultError(f"{file} is missing{RECORD_ARTIFACT}")

    def record_analysis(
        self,
        name: str,
        frame: pd.DataFrame | pa.Table | Any,
        *,
        units: Mapping[Any, str] | None = None,
        length_unit: str | None = None,
        plot: Mapping[str, Any] | None = None,
        extras: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Record an analysis, or replace the one of the same name.

        Parameters
        ----------
        name
            Name of the analysis: a letter, then letters, digits and underscores; at most 48
            characters.
        frame
            Table of the analysis: a pandas DataFrame, an Arrow table, or a table of another library
            that speaks the Arrow interchange, such as a polars DataFrame. Its ``attrs`` are kept
            as plain values.
        units
            Unit of each column or index level, by its label. Default: ``frame.attrs["units"]``.
        length_unit
            Unit of all columns that are lengths.
        plot
            What to plot: ``kind``, ``x``, ``y``, ``groups`` and ``entity``, which are labels, or
            lists of labels.
        extras
            Additional information for the registry entry; plain values, arrays, paths and times.

        Raises
        ------
        InvalidNameError
            If `name` cannot be the name of a table.
        ResultError
            If `frame` cannot be restored exactly from Parquet: the message names the column and
            what to type instead. If a unit is given for a column that the frame lacks, `extras`
            cannot be written as JSON, or `name` differs from an existing one only in case.
        RegistryError
            If the registry cannot be read.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import pandas as pd
        >>> from mdfactory import Results
        >>> campaign = "mdfactory-demo/water_methanol"
        >>> results = Results(f"{campaign}/0BDC04CC155D827D3BEE561E9C8A023DAF3A3226")
        >>> energy = pd.DataFrame({"potential": [-1.5]})
        >>> results.record_analysis("energy", energy, units={"potential": "kJ/mol"})
        >>> results.registry().analyses["energy"].entry["extras"]
        {'units': {'potential': 'kJ/mol'}}
        >>> results.remove_analysis("energy")
        """
        check_name(name)
        table = to_arrow(name, frame)
        checked = extras_of_analysis(
            name, frame, table, extras, units=units, length_unit=length_unit, plot=plot
        )
        filename = f"{name}.parquet"
        # A Parquet file without columns has no rows, whatever the length of the frame.
        row_count = table.num_rows if table.num_columns else 0
        values = {"filename": filename, "row_count": row_count, "columns": table.column_names}
        self._make_folder()
        with writing_results(self.folder), temporary_path(self.folder, filename) as temporary:
            os.close(create_file(temporary, replaces=self.folder / filename))
            write_parquet(name, table, temporary)
            with replace_entry(self.directory, ResultType.analysis, name, values, checked):
                temporary.replace(self.folder / filename)
                sync_folder(self.folder)

    def remove_analysis(self, name: str) -> None:
        """Remove an analysis and its file, unless another entry lists that file, too.

        Parameters
        ----------
        name
            Name of the analysis.

        Raises
        ------
        ResultError
            If there is no such analysis, its entry is invalid or lists a folder or a file outside
            ``.analysis``, or its file cannot be deleted.
        RegistryError
            If the registry cannot be read.
        """
        with writing_results(self.folder), lock_registry(self.directory):
            self._remove(self._find(Analysis, name))

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
        extras = check_extras(name, extras)
        sources = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
        check_sources(name, sources)
        self._make_folder()
        folder = self.folder / "artifacts" / name
        with writing_results(self.folder), temporary_path(self.folder, name) as temporary:
            create_folder(temporary)
            checksums = {
                f"artifacts/{name}/{source.name}": copy_result(
                    name, source, temporary / source.name
                )
                for source in sources
            }
            values = {"files": list(checksums), "checksums": checksums}
            with replace_entry(self.directory, ResultType.artifact, name, values, extras):
                make_folder(folder.parent)
                make_folder(folder)
                for source in sources:
                    (temporary / source.name).replace(folder / source.name)
                sync_folder(folder)
        if move:
            listed = listed_locations(self.directory, self.registry())
            for source in sources:
                # A given file may have been one of the old entry, or be one of any other.
                if os.path.join(source.parent.resolve(), source.name) not in listed:
                    _delete_source(name, source)

    def remove_artifact(self, name: str) -> None:
        """Remove an artifact and its files, except those that another entry lists, too.

        Parameters
        ----------
        name
            Name of the artifact.

        Raises
        ------
        ResultError
            If there is no such artifact, its entry is invalid or lists a folder or a file outside
            ``.analysis``, or a file cannot be deleted.
        RegistryError
            If the registry cannot be read.
        """
        with writing_results(self.folder), lock_registry(self.directory):
            self._remove(self._find(Artifact, name))

    def _remove(self, entry: Analysis | Artifact) -> None:
        """Remove an entry and its files; the caller must hold the lock."""
        paths = remove_entry(self.directory, entry)
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise ResultError(
                f"{path} cannot be deleted: {error.strerror}. Its entry is removed; delete the "
                "file by hand"
            ) from error
        folder = self.folder / "artifacts" / entry.name
        if any(path.parent == folder for path in paths):
            with suppress(OSError):  # it may hold other files
                folder.rmdir()

    def _make_folder(self) -> None:
        if not self.directory.is_dir():
            raise ResultError(f"{self.directory} does not exist")
        make_folder(self.folder)

    def check(self) -> list[ResultProblem]:
        """Compare the registry with the files.

        Files of artifacts are read completely; of a Parquet file only the metadata is read.

        Returns
        -------
        list of ResultProblem
            Invalid entries; missing, unreadable and changed files; files that no entry lists.

        Raises
        ------
        RegistryError
            If the registry cannot be read.
        """
        return [*find_problems(self.directory, self.registry(), self.check_rows)]

    def _find(self, result: type[Result], name: str) -> Result:
        """Return the valid entry of a name."""
        registry = self.registry()
        entry = registry.find(result.result_type, name)
        if isinstance(entry, result):
            return entry
        if entry:
            raise invalid_entry_error(self.directory, entry)
        names = [item.name for item in registry.results if isinstance(item, result)]
        raise ResultError(
            f"{self.directory} has no {result.result_type} {name!r}{suggestion(name, names)}; "
            f"it has {', '.join(names) or 'none'}"
        )


def _delete_source(name: str, source: Path) -> None:
    try:
        source.unlink(missing_ok=True)
    except OSError as error:
        raise ResultError(
            f"artifact {name} is recorded, but {source} cannot be deleted: {error.strerror}"
        ) from error
