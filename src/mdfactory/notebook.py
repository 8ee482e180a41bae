"""Records of a store as pandas DataFrames, for notebooks and scripts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from importlib.util import find_spec
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.gromacs.runs import Progress
from mdfactory.campaign.progress import read_progress
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.display import records_html
from mdfactory.entry import naming_arguments, naming_arguments_inside, open_named
from mdfactory.errors import ConfigError, FrameCorruptError, QueryError, StoreError, one_line
from mdfactory.frames.extras import CommonExtras
from mdfactory.frames.groups import displayed
from mdfactory.frames.labels import FOREIGN_ERRORS, labels_by_name, numbered, to_pandas
from mdfactory.records.arrow import batch
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, artifact_table, text_schema
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.keys import Key, hash_condition, key_batches
from mdfactory.stores.store import Store
from mdfactory.sync import frames as sync_frames
from mdfactory.sync import pull as sync_pull
from mdfactory.sync.completeness import count_results, read_completeness

if TYPE_CHECKING:
    import pandas as pd

MAX_PATH_CHARACTERS: Final = 256
"""Length of the dotted path of a field of a BuildInput. Those of this package are much shorter."""

MAX_NAMED_FIELDS: Final = 100
"""Maximum number of fields that an error names."""

pull = naming_arguments(sync_pull.pull)
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
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.stems = stems

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
        fields : sequence of str
            Fields of the BuildInput to add as columns, as dotted paths, as in a campaign CSV:
            ``system.target_density``, ``system.species.SOL.fraction``. A field with subfields,
            such as ``system.species``, adds a column for each of them.
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
        rows = pull(self.store, SIMULATIONS, hash_prefix=hash, equal=equal, sort=sort, limit=limit)
        frame = pa.Table.from_batches(rows, SIMULATIONS.schema).to_pandas()
        if progress:
            frame = frame.join(_progress_columns(frame, self.stems))
        if not fields:
            return frame
        shown = [field for field in fields if field not in frame.columns]
        return _with_fields(frame, _field_columns(frame, shown))

    def overview(
        self,
        *,
        item_type: str | None = None,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        status: str | None = None,
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
        rows = pull(self.store, OVERVIEW, hash_prefix=hash, equal=equal, sort=sort, limit=limit)
        return pa.Table.from_batches(rows, OVERVIEW.schema).to_pandas()

    def analyses(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
    ) -> pd.DataFrame:
        """Return the names of analyses, and of how many simulations they are in the store.

        Parameters
        ----------
        hash : str, optional
            First digits of the hash, in upper or lower case.
        simulation_type : SimulationType or str, optional
            Type of the simulation.

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
        return self._count_results(ResultType.analysis, hash, simulation_type)

    def artifacts(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
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
        return self._count_results(ResultType.artifact, hash, simulation_type)

    def _count_results(
        self, item_type: ResultType, hash_prefix: str | None, simulation_type: str | None
    ) -> pd.DataFrame:
        """Return a row for each name of a type of results; see `analyses`."""
        completeness = naming_arguments(read_completeness)(
            self.store,
            self.catalogue,
            item_type=item_type,
            hash_prefix=hash_prefix,
            simulation_type=simulation_type,
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
        fields : sequence of str
            Fields of the BuildInput to add as columns; see `systems`.
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
            dtypes and index as recorded, and then `fields`. If labels are not text, or have several
            levels, ``hash`` is the first level of the index instead. ``attrs["units"]`` has the
            units of columns and index levels, ``attrs["extras"]`` what else was recorded, as far as
            all simulations agree.

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
            self.store, name, hash_prefix=hash, equal=equal, sort=sort, limit=limit, union=union
        ) as frames:
            table = pa.Table.from_batches(frames.batches(), frames.schema)
        for note in frames.notes:
            warnings.warn(note, stacklevel=2)
        frame = _to_pandas(table, name)
        frame.attrs = _attributes(frame, frames.common, labels_by_name(table, frame))
        if not fields:
            return frame
        return _with_fields(frame, _field_columns(self._read_inputs(frames.keys), fields))

    def artifact(
        self,
        name: str,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
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
        rows = pull(self.store, table, hash_prefix=hash, equal=equal, sort=sort, limit=limit)
        frame = pa.Table.from_batches(rows, table.schema).to_pandas()
        for column in ("files", "checksums"):
            texts = zip(frame["hash"], frame[column], strict=True)
            frame[column] = [_parse(text, f"{column} of {hash_}") for hash_, text in texts]
        return frame

    def _read_inputs(self, keys: Sequence[Key]) -> pd.DataFrame:
        """Return hash and BuildInput of the simulations with these keys, missing if not stored."""
        columns = ("hash", "input_data")
        with self.store.transaction() as transaction:
            batches = [
                batch
                for keys_batch in key_batches(keys)
                for batch in transaction.read(
                    SIMULATIONS, Query((hash_condition(keys_batch),), columns)
                )
            ]
        schema = Query(columns=columns).schema(SIMULATIONS)
        inputs = pa.Table.from_batches(batches, schema).to_pandas().set_index("hash")
        return inputs.reindex([key[0] for key in keys]).rename_axis("hash").reset_index()


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


def _field_columns(simulations: pd.DataFrame, fields: Iterable[str]) -> pd.DataFrame:
    """Return the hashes of simulations, and a column for each of the given fields.

    Parameters
    ----------
    simulations
        Hash and BuildInput of each simulation; the BuildInput is missing if the store lacks it.
    fields
        Dotted paths.

    Raises
    ------
    QueryError
        If a field is in none of the BuildInputs.
    """
    import pandas as pd

    texts = zip(simulations["hash"], simulations["input_data"], strict=True)
    inputs: list[dict[str, Any]] = [
        _parse(text, f"input_data of {hash_}", _values_by_path) if isinstance(text, str) else {}
        for hash_, text in texts
    ]
    columns: dict[str, Any] = {}
    for field in dict.fromkeys(fields):
        paths = dict.fromkeys(
            path for values in inputs for path in values if _is_within(path, field)
        )
        if any(inputs) and not paths:
            first = next(filter(None, inputs))
            known = ", ".join(map(displayed, islice(first, MAX_NAMED_FIELDS)))
            raise QueryError(f"no simulation has a field {field!r}; the first has {known}")
        columns |= {path: _column([values.get(path) for values in inputs]) for path in paths}
    return pd.DataFrame({"hash": simulations["hash"], **columns})


def _column(values: Sequence[Any]) -> pd.Series[Any]:
    """Return values as a column; integers and booleans stay what they are if some are missing."""
    import pandas as pd

    kinds = {type(value) for value in values}
    nullable = {frozenset({int}): "Int64", frozenset({bool}): "boolean"}
    dtype = nullable.get(frozenset(kinds - {type(None)})) if type(None) in kinds else None
    return pd.Series(values, dtype=dtype)


def _parse(text: str, what: str, read: Callable[[str], Any] = json.loads) -> Any:
    """Return what `read` reads from a JSON text of a record.

    Raises
    ------
    StoreError
        If another program has stored a text that is not JSON.
    """
    try:
        return read(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{what} cannot be read as JSON: {one_line(error)}", command="mdfactory sync verify"
        ) from error


def _is_within(path: str, field: str) -> bool:
    """Return whether a dotted path is a field, or one of its subfields."""
    return path == field or path.startswith(f"{field}.")


def _values_by_path(text: str) -> dict[str, Any]:
    """Return the values of a BuildInput by their dotted paths, as in a campaign CSV."""
    return dict(_flatten("", json.loads(text)))


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield values with their dotted paths."""
    if len(path) > MAX_PATH_CHARACTERS:  # each field inside would repeat it
        raise ValueError(f"the path of a field has more than {MAX_PATH_CHARACTERS} characters")
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _flatten(f"{path}.{name}" if path else name, child)
    elif isinstance(value, list) and all(
        isinstance(entry, dict) and "resname" in entry for entry in value
    ):
        # A list of species: the path contains the residue name of each.
        for species in value:
            rest = {name: child for name, child in species.items() if name != "resname"}
            yield from _flatten(f"{path}.{species['resname']}", rest)
    else:
        yield path, value
