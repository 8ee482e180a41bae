"""Inventory: the folders, result names, skipped items and warnings of a walk of a campaign."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from shlex import quote
from typing import Final, NamedTuple

import pyarrow as pa

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import Discovery, PlainRun
from mdfactory.campaign.simulation import Simulation, Skipped, UnknownSimulation
from mdfactory.errors import (
    SAME_HASH_HINT,
    SAME_NAME_HINT,
    ConflictError,
    DuplicateSimulationError,
    counted,
    listed,
)
from mdfactory.records.arrow import texts
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import (
    ConflictMode,
    ResultId,
    SimulationStatus,
    SimulationType,
)
from mdfactory.sync.lost_inputs import write_back_command
from mdfactory.sync.progress import ProgressCallback

log = logging.getLogger(__name__)

STATUSES: Final = tuple(SimulationStatus)

CHANGED_REASON: Final = "the folder has changed while the campaign was read. Push it again"


class VisitedSimulation(NamedTuple):
    """A simulation that a push has found on disk."""

    hash: str
    simulation_type: SimulationType
    directory: str
    status: SimulationStatus


@dataclass(slots=True)
class Inventory:
    """What a walk of a campaign has found, apart from the records.

    Parameters
    ----------
    folders
        Hash -> a tuple for each folder of the simulation: negative rank of its status, path and
        type. The smallest tuple is that of the folder to use: the most advanced folder; among
        equals, the first by path.
    results
        Result, with its name as the registry spells it -> types of the simulations that have it.
    skipped
        Folders and results that are invalid or missing. The dictionary without values is an
        ordered set.
    warnings
        Warnings for the user, one line each.
    unused_folders
        Folders that are not used, because another folder of the same simulation is.
    unknown_folders
        Folders of simulations that this version does not know, see `UnknownSimulation`.
    plain_runs
        Folders of runs without a BuildInput.
    edited
        Simulations whose folder is named after the hash of another one.
    """

    folders: dict[str, list[tuple[int, str, SimulationType]]] = field(default_factory=dict)
    results: dict[ResultId, set[SimulationType]] = field(default_factory=dict)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    unused_folders: set[str] = field(default_factory=set)
    unknown_folders: set[str] = field(default_factory=set)
    plain_runs: list[str] = field(default_factory=list)
    edited: list[Simulation] = field(default_factory=list)

    def first_pass(
        self, items: Iterable[Discovery], watch: ProgressCallback
    ) -> Iterator[Simulation]:
        """Add all items to the inventory, and yield those that are simulations."""
        for number, item in enumerate(items, start=1):
            watch("reading simulations", number)
            if isinstance(item, Skipped):
                self.add_skipped(item)
                if isinstance(item, UnknownSimulation):
                    self.unknown_folders.add(item.path.rstrip("/"))
                continue
            if isinstance(item, PlainRun):
                self.plain_runs.append(item.path)
                log.info("no BuildInput: %s", item.path)
                continue
            folder = (-item.status.rank, item.path, item.identity.simulation_type)
            self.folders.setdefault(item.hash, []).append(folder)
            self.warnings += item.warnings
            if item.named_hash:
                self.edited.append(item)
            yield item

    def second_pass(
        self, items: Iterable[Discovery], paths: Collection[str], watch: ProgressCallback
    ) -> Iterator[Simulation]:
        """Yield the simulations of folders that are read again; add changed folders as skipped.

        Parameters
        ----------
        items
            Items found in the folders that are read again.
        paths
            Paths of these folders.
        watch
            Called with the current step and the number of items done.
        """
        changed = set(paths)
        for number, item in enumerate(items, start=1):
            watch("reading simulations again", number)
            if isinstance(item, Simulation):
                folders = self.folders.get(item.hash, ())
                if any(path == item.path for _, path, _ in folders):
                    changed.discard(item.path)
                    yield item
        for path in sorted(changed):
            self.add_skipped(Skipped(path, CHANGED_REASON))
        # Neither records nor rows of the overview are written for a folder that has changed.
        self.folders = {
            hash_: folders
            for hash_, folders in self.folders.items()
            if not any(path in changed for _, path, _ in folders)
        }

    def add_skipped(self, skipped: Skipped) -> None:
        """Add a skipped folder or result, unless it was added before."""
        self.skipped[skipped] = None

    def add_results(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add the result of a table, with the simulation types of its rows."""
        if table.result_type is not None:
            name = table.name.partition("_")[2]  # as the registry spells it
            types = self.results.setdefault((table.result_type, name), set())
            types |= set(map(SimulationType, texts(rows["simulation_type"])))

    def add_missing_names(self, scope: Scope, source: str) -> None:
        """Add each name of the scope that no result of a simulation has, as skipped."""
        names = {name.lower() for _, name in self.results}
        for name in sorted(scope.names - names):
            self.add_skipped(Skipped(source, f"no simulation has a result named {name}"))

    def visited(self) -> Iterator[VisitedSimulation]:
        """Yield each simulation once, with the folder that is used for it."""
        for hash_, folders in self.folders.items():
            rank, path, simulation_type = min(folders)
            status = STATUSES[-rank]
            yield VisitedSimulation(hash_, simulation_type, path, status)

    def choose_folders(self, mode: ConflictMode) -> None:
        """Choose one folder of each simulation that was found in several.

        The most advanced folder is used; among equals, the first by path. The others are added to
        `unused_folders`, and as skipped.

        Raises
        ------
        DuplicateSimulationError
            In mode ``refuse``, if any simulation was found in several folders.
        """
        duplicates = {
            hash_: [path for _, path, _ in sorted(folders)]
            for hash_, folders in self.folders.items()
            if len(folders) > 1
        }
        if duplicates and mode is ConflictMode.refuse:
            raise DuplicateSimulationError(duplicates, self._duplicate_hint(duplicates))
        if duplicates:
            self.warnings.append(
                f"{counted(len(duplicates), 'simulation')} found in more than one folder; the most "
                f"advanced folder of each is used. {self._duplicate_hint(duplicates)}"
            )
        for hash_, (used, *unused) in duplicates.items():
            reason = f"simulation {hash_} is also in {used}, which is used"
            for path in unused:
                self.add_skipped(Skipped(path, reason))
            self.unused_folders.update(unused)

    def _duplicate_hint(self, hashes: Iterable[str]) -> str:
        """Return why simulations are in several folders, and what to do."""
        types = {type_ for hash_ in hashes for _, _, type_ in self.folders[hash_]}
        hints = [SAME_HASH_HINT] * bool(types - {SimulationType.adopted})
        hints += [SAME_NAME_HINT] * (SimulationType.adopted in types)
        return ". ".join(hints)

    @contextmanager
    def explaining_conflicts(self) -> Iterator[None]:
        """Say in a conflict what tells adopted simulations apart, if one of them is in it."""
        try:
            yield
        except ConflictError as error:
            hashes = error.conflicts.get(SIMULATIONS.name, ())
            types = {type_ for hash_ in hashes for _, _, type_ in self.folders.get(hash_, ())}
            if error.nothing_new or SimulationType.adopted not in types:
                raise
            hint = "\n".join(filter(None, (error.hint, SAME_NAME_HINT)))
            raise ConflictError(error.conflicts, hint) from error

    def warn_of_missing_inputs(self, source: str, lost: Mapping[str, str]) -> None:
        """Warn of simulations that have lost their BuildInput, and of runs that never had one.

        Parameters
        ----------
        source
            The SOURCE.
        lost
            Directory -> hash of the simulations in the store whose folder has no BuildInput.
        """
        if lost:
            commands = [write_back_command(hash_, path) for path, hash_ in sorted(lost.items())]
            self.warnings.append(
                f"{counted(len(lost), 'simulation')} left out, whose BuildInput was deleted, and "
                "is in the store. To write it again, run:\n  " + "\n  ".join(listed(commands))
            )
        others = len(set(self.plain_runs) - lost.keys())
        if others:
            self.warnings.append(
                f"{counted(others, 'GROMACS run')} without a BuildInput left out. To adopt them, "
                f"run: mdfactory adopt {quote(source)}"
            )

    def warn_of_simulations_below(self, source: str) -> None:
        """Warn if a SOURCE folder is a simulation, and others were found below it.

        Parameters
        ----------
        source
            Absolute path of the folder. A walk finds it before all others.
        """
        paths = [path for folders in self.folders.values() for _, path, _ in folders]
        if len(paths) > 1 and paths[0] == source:
            below = counted(len(paths) - 1, "simulation")
            self.warnings.append(f"{source} is a simulation itself; {below} below it included, too")
