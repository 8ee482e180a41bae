"""The store as DataFrames, for notebooks and scripts; the filters are those of the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mdfactory.config import load
from mdfactory.errors import QueryError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, artifact_table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores import open_store as _configured
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.sync.frames import pull_frames
from mdfactory.sync.pull import pull

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Records", "open_store"]


def open_store(
    url: str | None = None, *, config: str | Path | None = None, wait: float = 60.0
) -> Records:
    """Open a store to read from.

    Parameters
    ----------
    url
        Where it is, such as ``sqlite:///lab`` for the folder ``lab`` with its ``runs.db`` and
        ``analysis.db``; the store that the configuration names if None.
    config
        A configuration file to read last.
    wait
        Seconds to wait for a program that holds the store.

    Raises
    ------
    ConfigError
        If the configuration or the URL names no store.

    Examples
    --------
    After ``mdfactory demo``, the store of its configuration and the store of its folder are one:

    >>> import mdfactory
    >>> records = mdfactory.open_store(config="mdfactory-demo/mdfactory.ini")
    >>> mdfactory.open_store("sqlite:///mdfactory-demo")
    <Records of the SQLite store ...mdfactory-demo/runs.db>
    >>> len(records.systems(status="completed"))
    4
    """
    if url is not None:
        return Records(store_at(url, wait=wait))
    return Records(_configured(load(Path(config) if config else None), wait=wait))


class Records:
    """What a store holds, as DataFrames.

    All methods take ``hash`` (its first digits, in any case), ``simulation_type``, ``sort`` (a
    column, ``-column`` for descending) and ``limit``; an answer without records is a frame
    without rows.

    Parameters
    ----------
    store
        The store.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"<Records of the {self.store.location}>"

    def systems(
        self,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        status: str | None = None,
        parametrization: str | None = None,
        engine: str | None = None,
        fields: Sequence[str] = (),
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the records of simulations, a row each.

        Parameters
        ----------
        hash, simulation_type, status, parametrization, engine
            Which simulations.
        fields
            Fields of the BuildInput to add as columns: dotted paths as in a campaign CSV, such
            as ``system.target_density`` or ``system.species.SOL.fraction``. One that stands for
            several, such as ``system.species``, adds a column for each.
        sort, limit
            In which order, and how many at most.

        Raises
        ------
        NotInitialisedError
            If the store has no simulations table.
        QueryError
            If no simulation has a field.

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
        frame = self._records(SIMULATIONS, hash, equal, sort, limit)
        if not fields:
            return frame
        return frame.merge(_fields(frame, fields), on="hash", how="left")

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
        """Return which results are in the store: a row for each simulation and result.

        Parameters
        ----------
        item_type
            ``analysis`` or ``artifact``; both if None.
        hash, simulation_type, status
            Which rows; a status is ``completed`` or ``not_yet_run``.
        sort, limit
            In which order, and how many at most.

        Raises
        ------
        NotInitialisedError
            If the store has no overview.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> missing = records.overview(item_type="analysis", status="not_yet_run")
        >>> missing.groupby("item_name")["hash"].count()
        item_name
        box_size_timeseries    4
        density_timeseries     4
        hydrogen_bonds         5
        rdf_oxygen             4
        system_chemistry       4
        Name: hash, dtype: int64
        """
        kind = str(ResultType(item_type)) if item_type else None
        equal = {"item_type": kind, "simulation_type": simulation_type, "status": status}
        return self._records(OVERVIEW, hash, equal, sort, limit)

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
        """Return one analysis of all simulations as one frame, with ``hash`` as first column.

        Parameters
        ----------
        name
            The analysis.
        hash, simulation_type
            Of which simulations.
        fields
            Fields of the BuildInput to add as columns; see `systems`.
        union
            Whether to join frames whose columns differ, by Arrow's rules of promotion.
        sort, limit
            In which order simulations come, by a column of the analysis' records, and how many
            at most.

        Raises
        ------
        UnknownNameError
            If the store has no such analysis.
        SchemasDifferError
            If frames differ in their columns and `union` does not allow that.
        QueryError
            If no simulation has a field.

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
        ) as found:
            hashes = [key[0] for key in found.keys]
            table = pa.Table.from_batches(found.batches(), found.schema)
        frame = table.to_pandas()
        if not fields:
            return frame
        inputs = self._inputs(hashes)
        added = _fields(inputs, fields).set_index("hash")
        return frame.join(added, on="hash") if len(added.columns) else frame

    def artifact(
        self,
        name: str,
        *,
        hash: str | None = None,  # noqa: A002  # the column's name
        simulation_type: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Return the files and checksums of one artifact, a row for each simulation.

        Parameters
        ----------
        name
            The artifact.
        hash, simulation_type
            Of which simulations.
        sort, limit
            In which order, and how many at most.

        Raises
        ------
        UnknownNameError
            If the store has no such artifact.

        Examples
        --------
        After ``mdfactory demo``:

        >>> import mdfactory
        >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
        >>> records.artifact("last_frame_pdb", hash="FD01")["files"][0]
        ['artifacts/last_frame_pdb/last_frame.pdb']
        """
        equal = {"simulation_type": simulation_type}
        frame = self._records(artifact_table(name), hash, equal, sort, limit)
        for column in ("files", "checksums"):
            frame[column] = frame[column].map(json.loads)
        return frame

    def _records(
        self,
        table: Table,
        hash_prefix: str | None,
        equal: Mapping[str, str | None],
        sort: str | None,
        limit: int | None,
    ) -> pd.DataFrame:
        batches = pull(
            self.store, table, hash_prefix=hash_prefix, equal=equal, sort=sort, limit=limit
        )
        return pa.Table.from_batches(batches, table.schema).to_pandas()

    def _inputs(self, hashes: Sequence[str]) -> pd.DataFrame:
        """Return hash and BuildInput of some simulations."""
        columns = ("hash", "input_data")
        with self.store.transaction() as transaction:
            batches = [
                rows
                for start in range(0, len(hashes), CHUNK)
                for rows in transaction.read(
                    SIMULATIONS,
                    Query((OneOf("hash", tuple(hashes[start : start + CHUNK])),), columns),
                )
            ]
        schema = Query(columns=columns).schema(SIMULATIONS)
        return pa.Table.from_batches(batches, schema).to_pandas()


CHUNK = 1000
"""Simulations that are asked for together."""


def _fields(systems: pd.DataFrame, fields: Iterable[str]) -> pd.DataFrame:
    """Return chosen fields of BuildInputs, a column each beside ``hash``."""
    import pandas as pd

    wanted = tuple(fields)
    rows = []
    for hash_, text in zip(systems["hash"], systems["input_data"], strict=True):
        flat = dict(_flat("", json.loads(text)))
        rows.append(
            {"hash": hash_}
            | {
                name: value
                for field in wanted
                for name, value in flat.items()
                if name == field or name.startswith(f"{field}.")
            }
        )
    frame = pd.DataFrame(rows, columns=None if rows else ["hash"])
    for field in wanted:
        if rows and not any(f"{name}.".startswith(f"{field}.") for name in frame.columns):
            known = ", ".join(dict(_flat("", json.loads(systems["input_data"].iloc[0]))))
            raise QueryError(f"no simulation has a field {field!r}; the first has {known}")
    return frame


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all values of a BuildInput by the dotted paths that a campaign CSV uses."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _flat(f"{path}.{name}" if path else name, below)
    elif isinstance(value, list) and all(
        isinstance(one, dict) and "resname" in one for one in value
    ):
        for one in value:
            rest = {name: below for name, below in one.items() if name != "resname"}
            yield from _flat(f"{path}.{one['resname']}", rest)
    else:
        yield path, value
