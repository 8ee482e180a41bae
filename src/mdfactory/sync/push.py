"""Push: from a campaign on disk into a store, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import add

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.campaign.collect import run_records
from mdfactory.campaign.discover import Found, Source, discover
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import DuplicateSimulationError, SourceError
from mdfactory.records.merge import Counts
from mdfactory.records.tables import RUNS, array
from mdfactory.records.terms import Mode
from mdfactory.stores.base import Batches, Store
from mdfactory.sync.spool import Spool

__all__ = ["Pushed", "Watch", "push_systems"]

log = logging.getLogger(__name__)

Watch = Callable[[str, int], None]
"""Is told what is being done, and the number of items done so far."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, or would do.

    Parameters
    ----------
    counts
        What became of the records; ``skipped`` counts those that ``--diff`` left and the
        items in `skipped`.
    skipped
        What was named or claims to be a simulation, but is none.
    warnings
        What was odd, a line each.
    """

    counts: Counts
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()


def push_systems(
    store: Store,
    source: Source,
    mode: Mode = Mode.refuse,
    *,
    dry_run: bool = False,
    watch: Watch = lambda *_: None,
) -> Pushed:
    """Push the records of a campaign's simulations.

    Parameters
    ----------
    store
        Where to.
    source
        A folder, a glob pattern, a build summary or a campaign CSV; see
        `campaign.discover.discover`.
    mode
        What to do with simulations that are in the store already.
    dry_run
        Only tell what would be written.
    watch
        Is told of the progress.

    Raises
    ------
    SourceError
        If there is no such SOURCE, or no simulation in it.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation stands in two folders.
    ConflictError
        In mode ``refuse``, if a simulation is in the store already. Nothing was written.
    NotInitialisedError
        If the store has no table for them.
    """
    with store.transaction() as transaction:
        transaction.require(RUNS)
    now = datetime.now(UTC).isoformat()
    seen = _Seen()
    with Spool() as spool:
        for rows in run_records(seen.simulations(discover(source), watch), now):
            spool.add(RUNS, rows)
        if not seen.folders and not seen.skipped:
            raise SourceError(str(source), "there is no simulation in it")
        log.info("%d simulations found in %s", len(seen.folders), source)
        lost = seen.settle(mode)
        watch("writing", 0)
        write = store.plan if dry_run else store.write
        counts = write(_without(lost, spool), mode)
    total = reduce(add, counts.values(), Counts(skipped=len(seen.skipped)))
    return Pushed(total, tuple(seen.skipped), tuple(seen.warnings))


@dataclass(slots=True)
class _Seen:
    """What one walk of a campaign came across."""

    folders: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def simulations(self, found: Iterable[Found], watch: Watch) -> Iterator[Simulation]:
        """Pass simulations on, and take note of all that comes by."""
        for number, item in enumerate(found, start=1):
            watch("reading simulations", number)
            if isinstance(item, Skipped):
                self.skipped.append(item)
                continue
            self.warnings += item.warnings
            place = (-item.status.rank, str(item.directory))
            self.folders.setdefault(item.hash, []).append(place)
            yield item

    def settle(self, mode: Mode) -> list[str]:
        """Return the folders that give way to another one of the same simulation.

        The most advanced one stays, the first by its path among equals.
        """
        twice = {hash_: sorted(places) for hash_, places in self.folders.items() if places[1:]}
        if twice and mode is Mode.refuse:
            paths = {hash_: [path for _, path in places] for hash_, places in twice.items()}
            raise DuplicateSimulationError(paths)
        for hash_, ((_, taken), *others) in twice.items():
            left = ", ".join(path for _, path in others)
            self.warnings.append(f"{hash_} stands in several folders: took {taken}, left {left}")
        return [path for places in twice.values() for _, path in places[1:]]


def _without(lost: list[str], batches: Batches) -> Batches:
    gone = array(lost, pa.string())
    for table, rows in batches:
        yield table, rows.filter(pc.invert(pc.is_in(rows["directory"], gone))) if lost else rows
