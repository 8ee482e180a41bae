"""Records of a store as pandas DataFrames, for notebooks and scripts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.gromacs.runs import Progress
from mdfactory.campaign.progress import read_progress
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.display import records_html
from mdfactory.entry import (
    argument_names,
    command_options,
    naming_arguments,
    naming_arguments_inside,
    open_named,
)
from mdfactory.errors import ConfigError, FrameCorruptError, one_line
from mdfactory.filestore.file_store import FileStore
from mdfactory.frames.extras import CommonExtras
from mdfactory.frames.labels import FOREIGN_ERRORS, labels_by_name, numbered, to_pandas
from mdfactory.records.arrow import batch
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, artifact_table, text_schema
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.plots.plot import Plot
from mdfactory.stores.store import Store
from mdfactory.sync import frames as sync_frames
from mdfactory.sync import pull as sync_pull
from mdfactory.sync.completeness import count_results, read_completeness
from mdfactory.sync.files.caching import fetch_to_cache
from mdfactory.sync.search import Search, parse_search, reading_json

if TYPE_CHECKING:
    import pandas as pd

open_pull = naming_arguments_inside(sync_pull.open_pull)
pull_frames = naming_arguments_inside(sync_frames.pull_frames)


def open_store(
    url: str | None = None, *, config: str | Path | None = None, wait: float = 60.0
) -> Records:
    """Open a store for reading.

    Parameters
    ----------
    url : str, optional
        URL of the store, such as ``sqlite:///lab`` for the files ``runs.db`` and ``analysis.db``
        in the folder ``lab``. Default: the store of the configuration.
    config : str or Path, optional
        Configuration file that overrides all others. Not used with `url`.
    wait : float
        Seconds to wait for another process that has the store locked.

    Returns
    -------
    Records
        The records of the store. They are read only when a method is called.

    Raises
    ------
    ConfigError
        If `url` is not a URL of a store, if the configuration cannot be read or is invalid, or if
        pandas is not installed.

    Examples
    --------
    After ``mdfactory demo``: the same store by the configuration of the demo, and by its URL.

    >>> import mdfactory
    >>> records = mdfactory.open_store(config="mdfactory-demo/mdfactory.ini")
    >>> mdfactory.open_store("sqlite:///mdfactory-demo")
    <Records of the SQLite store ...mdfactory-demo/runs.db>
    >>> len(records.systems(status="completed"))
    4
    """
    if find_spec("pandas") is None:  # it is imported when it is needed
        raise ConfigError(
            "a store in Python needs pandas, which is not installed",
            command="pip install 'mdfactory[notebook]'",
        )
    with argument_names(command_options(url, config)):
        return Records(*open_named(url, config, wait))


class Records:
    """The records of a store, as DataFrames.

    The filters are the same as those of ``mdfactory sync pull``. They take the values of
    `mdfactory.records.vocabulary`, and others that the store has; the error for any other value
    lists both. Each call reads the store. If no record matches the filters, the DataFrame has no
    rows.

    Parameters
    ----------
    store : Store
        The store to read from; see `open_store`.
    catalogue : Catalogue
        The results that are expected of each type of simulation.
    stems : StemPatterns
        Stems of the files of adopted simulations.
    file_store : FileStore, optional
        The file store of the configuration; None if there is none.

    Examples
    --------
    After ``mdfactory demo``:

    >>> import mdfactory
    >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
    >>> records.systems(hash="fd01")[["status", "engine"]]
          status   engine
    0  completed  gromacs
    """

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
        stems: StemPatterns = DEFAULT_STEMS,
        file_store: FileStore | None = None,
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.stems = stems
        self.file_store = file_store

    def __repr__(self) -> str:
        return f"<Records of the {self.store.location}>"

    def _repr_html_(self) -> str:
        return records_html(self.store, self.catalogue)

    def systems(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        status: str | None = None,
        parametrization: str | None = None,
        engine: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
        fields: Sequence[str] = (),
        progress: bool = False,
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the records of simulations.

        Parameters
        ----------
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        status : {"build", "equilibrated", "production", "completed"}, optional
            How far the simulation has come.
        parametrization : Parametrization or str, optional
            Source of the force-field parameters.
        engine : {"gromacs"}, optional
            Program that runs the simulation.
        where : sequence of str
            Conditions on fields of the BuildInput or on columns, such as
            ``system.species.MEO.fraction > 0.3``; all must be met.
        contains : sequence of str
            SMILES, or ``smarts:...``, each of which a species of the simulation contains.
        tag : sequence of str
            Tags that the simulation has: ``KEY=VALUE`` or ``KEY``.
        fields : sequence of str
            Fields of the BuildInput to add as columns, as dotted paths, as in a campaign CSV:
            ``system.target_density``, ``system.species.SOL.fraction``. A field with subfields,
            such as ``system.species``, adds a column for each of them. ``composition`` is the text
            of all species.
        progress : bool
            Whether to read the progress of production runs from the logs in the directories, as
            `Simulation.progress` does, and to add it as columns ``progress_log``,
            ``progress_step``, ``progress_time_ps``, ``progress_end``, ...
        sort : str, optional
            Column to sort by; ``-column`` for descending order.
        limit : int, optional
            Maximum number of rows.

        Returns
        -------
        DataFrame
            A row for each simulation, with the columns ``hash``, ``engine``, ``parametrization``,
            ``simulation_type``, ``input_data`` (the BuildInput as JSON), ``input_data_type``,
            ``directory``, ``status`` and ``timestamp_utc``, then those of `progress`, and then
            `fields`.

        Raises
        ------
        NotInitialisedError
            If the store has no table of simulations.
        QueryError
            If `hash`, `sort` or `limit` is invalid, or if a field is in none of the simulations.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> fields = ["system.species.MEO.fraction", "system.target_density"]
        >>> completed = records.systems(status="completed", fields=fields, sort="hash")
        >>> completed[fields]
           system.species.MEO.fraction  system.target_density
        0                         0.10                   0.98
        1                         0.04                   0.99
        2                         0.20                   0.97
        3                         0.50                   0.92
        """
        equal = {
            "simulation_type": simulation_type,
            "status": status,
            "parametrization": parametrization,
            "engine": engine,
        }
        search = _parse_search(where, contains, tag, fields)
        frame = self._pull(SIMULATIONS, hash, equal, search, sort, limit)
        if progress:
            frame = frame.join(_progress_columns(frame, self.stems))
        return frame

    def overview(
        self,
        *,
        item_type: str | None = None,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        status: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
        fields: Sequence[str] = (),
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the overview: which results of which simulations are in the store.

        Parameters
        ----------
        item_type : {"analysis", "artifact"}, optional
            Type of the result. Default: both.
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        status : {"completed", "not_yet_run"}, optional
            Whether the result is in the store.
        where, contains, tag, fields : sequence of str
            Conditions on the BuildInput, and its fields to add as columns; see `systems`.
        sort : str, optional
            Column to sort by; ``-column`` for descending order.
        limit : int, optional
            Maximum number of rows.

        Returns
        -------
        DataFrame
            A row for each simulation and result, with the columns ``hash``, ``simulation_type``,
            ``directory``, ``item_type``, ``item_name``, ``status``, ``row_count``,
            ``file_count`` and ``updated_at``.

        Raises
        ------
        NotInitialisedError
            If the store has no overview.
        QueryError
            If `hash`, `sort` or `limit` is invalid, or neither this version nor the store knows
            the value of another filter.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> overview = records.overview(item_type="analysis", hash="E6")
        >>> overview[["item_name", "status", "row_count"]]
                     item_name       status  row_count
        0  box_size_timeseries    completed         51
        1   density_timeseries    completed         51
        2       hydrogen_bonds  not_yet_run          0
        3           rdf_oxygen    completed        105
        4     system_chemistry    completed          2
        """
        equal = {"item_type": item_type, "simulation_type": simulation_type, "status": status}
        search = _parse_search(where, contains, tag, fields)
        return self._pull(OVERVIEW, hash, equal, search, sort, limit)

    def analyses(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Return the names of analyses, and of how many simulations they are in the store.

        Parameters
        ----------
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        where, contains, tag : sequence of str
            Conditions on the BuildInput; see `systems`.

        Returns
        -------
        DataFrame
            A row for each analysis that a simulation has or misses: ``name``, ``completed`` (the
            number of simulations that have it) and ``missing`` (of those that lack it). It is
            missing only of simulations that have run, and only if it is in the catalogue for their
            type, or at least two simulations of their type have it.

        Raises
        ------
        NotInitialisedError
            If the store has no overview.
        QueryError
            If a filter is invalid.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> records.analyses()
                          name  completed  missing
        0  box_size_timeseries          4        1
        1   density_timeseries          4        1
        2       hydrogen_bonds          3        2
        3           rdf_oxygen          4        1
        4     system_chemistry          4        1
        """
        search = _parse_search(where, contains, tag)
        return self._count_results(ResultType.analysis, hash, simulation_type, search)

    def artifacts(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Return the names of artifacts, and of how many simulations they are in the store.

        Parameters, columns and errors are those of `analyses`.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> records.artifacts()
                     name  completed  missing
        0    density_plot          3        2
        1  last_frame_pdb          3        2
        """
        search = _parse_search(where, contains, tag)
        return self._count_results(ResultType.artifact, hash, simulation_type, search)

    def _pull(  # noqa: PLR0917  # all from the arguments of one call
        self,
        table: Table,
        hash_prefix: str | None,
        equal: Mapping[str, str | None],
        search: Search,
        sort: str | None,
        limit: int | None,
    ) -> pd.DataFrame:
        """Return the records of a table; notes are warnings."""
        with open_pull(
            self.store,
            table,
            hash_prefix=hash_prefix,
            equal=equal,
            search=search,
            sort=sort,
            limit=limit,
            note=warnings.warn,
        ) as found:
            return _nullable(pa.Table.from_batches(found.batches, found.schema))

    def _count_results(
        self,
        item_type: ResultType,
        hash_prefix: str | None,
        simulation_type: str | None,
        search: Search,
    ) -> pd.DataFrame:
        """Return a row for each name of a type of results; see `analyses`."""
        completeness = naming_arguments(read_completeness)(
            self.store,
            self.catalogue,
            item_type=item_type,
            hash_prefix=hash_prefix,
            simulation_type=simulation_type,
            search=search,
            note=warnings.warn,
        )
        counts = count_results(completeness)
        rows = [(name, count.completed, count.missing) for (_, name), count in counts.items()]
        return batch(rows, text_schema("name completed:int missing:int")).to_pandas()

    def analysis(
        self,
        name: str,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
        fields: Sequence[str] = (),
        union: bool = False,
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the tables of one analysis, of all simulations that match the filters.

        Parameters
        ----------
        name : str
            Name of the analysis.
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        where, contains, tag, fields : sequence of str
            Conditions on the BuildInput, and its fields to add as columns; see `systems`.
        union : bool
            Whether to join tables whose columns or types differ, by Arrow's rules of promotion.
        sort : str, optional
            Column of the records of this analysis to sort simulations by, such as ``row_count``;
            ``-column`` for descending order.
        limit : int, optional
            Maximum number of simulations.

        Returns
        -------
        DataFrame
            The rows of all tables. The columns are ``hash``, then those of the tables, with labels,
            dtypes and index as recorded, and then `fields`. If labels of columns are not text, or
            have several levels, ``hash`` is the first level of the index instead.
            ``attrs["units"]`` has the units of columns and index levels, ``attrs["extras"]`` what
            else was recorded, as far as all simulations agree.

        Warns
        -----
        UserWarning
            If something is left out because the simulations differ, such as a unit, or the index
            and dtypes of pandas; if `union` changes types; if types are inferred from text.

        Raises
        ------
        InvalidNameError
            If `name` cannot be the name of an analysis.
        UnknownNameError
            If the store has no analysis of this name.
        NotInitialisedError
            If the store was not initialised for analyses, or `fields` are given and it has no
            table of simulations.
        SchemasDifferError
            If the tables differ in their columns or types, and `union` is False.
        FrameCorruptError
            If a stored table was changed or damaged.
        QueryError
            If `hash`, `sort` or `limit` is invalid, or if a field is in none of the simulations.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> methanol = "system.species.MEO.fraction"
        >>> density = records.analysis("density_timeseries", fields=[methanol])
        >>> density.groupby(methanol)["density_g_cm3"].mean().round(3)
        system.species.MEO.fraction
        0.04    0.981
        0.20    0.941
        0.30    0.909
        0.50    0.864
        Name: density_g_cm3, dtype: float64
        """
        equal = {"simulation_type": simulation_type}
        with pull_frames(
            self.store,
            name,
            hash_prefix=hash,
            equal=equal,
            search=_parse_search(where, contains, tag, fields),
            sort=sort,
            limit=limit,
            union=union,
            note=warnings.warn,
        ) as frames:
            table = pa.Table.from_batches(frames.batches(), frames.schema)
        for note in frames.notes:
            warnings.warn(note, stacklevel=2)
        frame = _to_pandas(table, name)
        frame.attrs = _attributes(frame, frames.common, labels_by_name(table, frame))
        return _with_fields(frame, _nullable(frames.fields))

    def plot(
        self,
        name: str,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
        colour: str | None = None,
        y: str | Sequence[str] | None = None,
        start: str | None = None,
    ) -> Plot:
        """Plot one analysis of all simulations that match the filters.

        A notebook shows the curves of the simulations, coloured by a field of the BuildInput, and
        beside them a statistic of each simulation against this field. What is drawn follows from
        the columns, the index and the units of the tables; `Results.record_analysis` can say it.

        Parameters
        ----------
        name : str
            Name of the analysis.
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        where, contains, tag : sequence of str
            Conditions on the BuildInput; see `systems`.
        colour : str, optional
            Field of the BuildInput, or column of the simulations, that colours the curves.
            Default: the number that has most values over the simulations of the store; a fraction,
            if one varies. If it is the same in these simulations, one that varies in them. An
            absent species counts as 0.
        y : str or sequence of str, optional
            Columns to show. Default: the first quantity, with those that share its plot.
        start : str, optional
            What statistics leave out as equilibration: a share of the time range, such as
            ``20%``, or a time, such as ``200ps``.

        Returns
        -------
        Plot
            The plot, which a notebook shows. Its ``specification`` is a dict for Vega-Lite, and
            ``save`` writes it as SVG, PNG, PDF, JSON or HTML. Tables of molecules, tables without
            rows, and others that cannot be drawn are described by a text.

        Raises
        ------
        ConfigError
            If a library for plots is not installed.
        InvalidNameError
            If `name` cannot be the name of an analysis.
        UnknownNameError
            If the store has no analysis of this name.
        NotInitialisedError
            If the store was not initialised for analyses.
        QueryError
            If an argument is invalid, if no simulation has the field `colour`, or if the analysis
            has no quantity `y`.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> density = records.plot("density_timeseries", colour="system.species.MEO.fraction")
        >>> density
        <Plot of density_timeseries: timeseries of density_g_cm3>
        >>> density.save("density.pdf")
        """
        from mdfactory.report.plots.analysis import plot_analysis

        with argument_names(self.store.command_options):
            return plot_analysis(
                self.store,
                name,
                hash_prefix=hash,
                equal={"simulation_type": simulation_type},
                search=parse_search(where, contains, tag),
                colour=colour,
                y=y,
                start=start,
                note=warnings.warn,
            )

    def artifact(
        self,
        name: str,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
        fields: Sequence[str] = (),
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the files and checksums of one artifact.

        Parameters
        ----------
        name : str
            Name of the artifact.
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        where, contains, tag, fields : sequence of str
            Conditions on the BuildInput, and its fields to add as columns; see `systems`.
        sort : str, optional
            Column to sort by; ``-column`` for descending order.
        limit : int, optional
            Maximum number of rows.

        Returns
        -------
        DataFrame
            A row for each simulation. The column ``files`` contains lists of paths, and
            ``checksums`` dicts from path to SHA-256 (64 hexadecimal digits).

        Raises
        ------
        InvalidNameError
            If `name` cannot be the name of an artifact.
        UnknownNameError
            If the store has no artifact of this name.
        NotInitialisedError
            If the store was not initialised for artifacts.
        QueryError
            If `hash`, `sort` or `limit` is invalid.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> records.artifact("last_frame_pdb", hash="FD01")["files"][0]
        ['artifacts/last_frame_pdb/last_frame.pdb']
        """
        equal = {"simulation_type": simulation_type}
        table = artifact_table(name)
        search = _parse_search(where, contains, tag, fields)
        frame = self._pull(table, hash, equal, search, sort, limit)
        for column in ("files", "checksums"):
            texts = zip(frame["hash"], frame[column], strict=True)
            frame[column] = [_parse(text, f"{column} of {hash_}") for hash_, text in texts]
        return frame

    def files(
        self,
        name: str | None = None,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        where: Sequence[str] = (),
        contains: Sequence[str] = (),
        tag: Sequence[str] = (),
    ) -> Iterator[Path]:
        """Yield the files of artifacts, on this disk.

        Each file is fetched when it is needed, from the file store of the configuration, else from
        the directory of its record. It is kept in the cache folder, as ``files/<hash>/...``. Its
        SHA-256 is checked each time. A file that cannot be had is left out, with a warning.

        Parameters
        ----------
        name : str, optional
            Name of the artifact. Default: all artifacts.
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.
        where, contains, tag : sequence of str
            Conditions on the BuildInput; see `systems`.

        Yields
        ------
        Path
            Path of a file, in the order of the artifacts and hashes.

        Raises
        ------
        UnknownNameError, NotInitialisedError, QueryError
            As for `artifact`.
        FileStoreError
            If the file store cannot be reached or read.
        OutputError
            If the cache folder cannot be written.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store(config="mdfactory-demo/mdfactory.ini")
        >>> [path.name for path in records.files("last_frame_pdb", hash="FD01")]
        ['last_frame.pdb']
        """
        search = _parse_search(where, contains, tag)
        with argument_names(self.store.command_options):
            yield from fetch_to_cache(
                self.store,
                self.file_store,
                name,
                hash_prefix=hash,
                equal={"simulation_type": simulation_type},
                search=search,
                note=warnings.warn,
            )


def _attributes(
    frame: pd.DataFrame, common: CommonExtras, labels: Mapping[str, Any]
) -> dict[Any, Any]:
    """Return the attributes of a frame with units, by its labels, and extras.

    The units of the registry win over those that the frame had as an attribute.
    """
    units = {labels.get(name, name): unit for name, unit in common.units.items()}
    recorded = {"units": units, "extras": common.extras}
    own: dict[Any, Any] = dict(frame.attrs)
    if common.has_units:
        own.pop("units", None)
    return own | {name: value for name, value in recorded.items() if value}


def _with_fields(frame: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with fields of the BuildInput as further columns, by the hash of each row.

    Parameters
    ----------
    frame
        The frame, with the hash as column or as first level of the index.
    fields
        A row for each simulation: its hash, and its fields.
    """
    import pandas as pd

    hashes, levels = pd.Index(fields.pop("hash")), frame.columns.nlevels
    if not len(fields.columns):
        return frame
    is_level = "hash" in frame.index.names
    own = frame.index.get_level_values("hash") if is_level else pd.Index(frame["hash"])
    labels = [*frame.columns]
    for name in fields.columns:
        names = chain([name], (f"{name}_{number}" for number in count(1)))
        taken = {*labels}
        free = ((text, *[""] * (levels - 1)) if levels > 1 else text for text in names)
        labels.append(next(label for label in free if label not in taken))
    added = fields.take(hashes.get_indexer(own)).set_axis(frame.index)
    joined = pd.concat([frame.set_axis(range(frame.shape[1]), axis=1), added], axis=1)
    joined.columns = pd.Index(labels, tupleize_cols=levels > 1)
    joined.columns.names, joined.attrs = frame.columns.names, frame.attrs
    return joined


def _parse_search(
    where: Sequence[str],
    contains: Sequence[str],
    tag: Sequence[str],
    fields: Sequence[str] = (),
) -> Search:
    """Return the search of some arguments, which errors name."""
    with argument_names():
        return parse_search(where, contains, tag, fields)


def _nullable(table: pa.Table) -> pd.DataFrame:
    """Return a table; integers and booleans stay what they are if some are missing."""
    import pandas as pd

    frame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        is_boolean = pa.types.is_boolean(column.type)
        if column.null_count and (is_boolean or pa.types.is_integer(column.type)):
            values: list[Any] = column.to_pylist()
            frame[name] = pd.Series(values, dtype="boolean" if is_boolean else "Int64")
    return frame


def _to_pandas(table: pa.Table, name: str) -> pd.DataFrame:
    """Return the stacked tables of an analysis, as the pandas metadata in them says.

    Raises
    ------
    FrameCorruptError
        If pandas cannot read them, since another program has changed the metadata, for example.
    """
    try:
        return numbered(to_pandas(table))
    except MemoryError:  # that of Arrow is an ArrowException, too
        raise
    # pandas and the classes of its extension types check little, and raise errors of many kinds
    except FOREIGN_ERRORS as error:
        raise FrameCorruptError(
            f"{name}: pandas cannot read the stored tables: {one_line(error)}"
        ) from error


def _progress_columns(simulations: pd.DataFrame, stems: StemPatterns) -> pd.DataFrame:
    """Return a column for each figure of the progress of simulations; empty without a log."""
    import pandas as pd

    names = [field.name for field in dataclass_fields(Progress)]
    rows = []
    for directory, simulation_type in simulations[["directory", "simulation_type"]].to_numpy():
        progress = None
        with suppress(OSError):  # there is no such folder here
            progress = read_progress(directory, simulation_type, stems=stems)
        rows.append([getattr(progress, name, None) for name in names])
    frame = pd.DataFrame(rows, simulations.index, names)
    steps = dict.fromkeys(("step", "steps_wanted"), "Int64")
    numbers = ("time_ps", "time_wanted_ps", "ns_per_day", "hours_since_written")
    return frame.astype({**steps, **dict.fromkeys(numbers, "float64")}).add_prefix("progress_")


def _parse(text: str, what: str) -> Any:
    """Return the value of a JSON text of a record."""
    with reading_json(what):
        return json.loads(text)
