"""Directories: simulations that a push has found in other folders than the store has them in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import starmap
from shlex import quote

import pyarrow as pa

from mdfactory.errors import MAX_LISTED, counted, step
from mdfactory.records.arrow import array, texts
from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores.keys import hash_condition, keys_of
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.verify.finding import PUSH_UPDATE, for_folders


@dataclass(frozen=True, slots=True)
class NewDirectories:
    """The simulations whose folder on disk is not the directory of their record.

    Parameters
    ----------
    changes
        Old and new directory of each simulation.
    """

    changes: Sequence[tuple[str, str]]
    _exists: Callable[[str], bool] = field(
        default_factory=lambda: cache(os.path.isdir), init=False, compare=False, repr=False
    )
    """Whether a folder exists; each is looked at once."""

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def warning(self) -> str:
        """What an update does with their records, and whether their old folders still exist."""
        number = counted(len(self.changes), "simulation")
        old, new = self._renamed(*self.changes[0])
        is_one_folder = len({*starmap(self._renamed, self.changes)}) == 1
        others = "" if is_one_folder else ", and others"
        return f"{number} recorded in another folder, {self._old_folders}: {old} -> {new}{others}"

    @property
    def hint(self) -> str:
        """The same for a conflict, with the commands to run if the folders were moved.

        They change no record of a folder that still exists.
        """
        moved = [(old, new) for old, new in self.changes if not self._exists(old)]
        if not moved:
            return self.warning
        pairs = {*starmap(self._renamed, moved)}
        commands = [f"mdfactory sync relocate {quote(old)} {quote(new)}" for old, new in pairs]
        if len(pairs) > MAX_LISTED:
            commands = for_folders(PUSH_UPDATE, (new for _, new in moved))
        return f"{self.warning}\n{step('If the folders were moved, run', sorted(commands))}"

    def undo(self, batches: Batches) -> Batches:
        """Yield records as they would be if their folders were the directories in the store."""
        old = {new: old for old, new in self.changes}
        for table, rows_with_digests in batches:
            rows = rows_with_digests.select(table.schema_with_sidecar.names)
            column = rows.schema.get_field_index("directory")
            paths = [old.get(path, path) for path in texts(rows["directory"])]
            values = array(paths, pa.string())
            yield table, rows.set_column(column, rows.schema.field(column), values)

    @property
    def _old_folders(self) -> str:
        missing = sum(not self._exists(old) for old, _ in self.changes)
        if missing == len(self.changes):
            return "and the old folders do not exist any more"
        which = f"{len(self.changes) - missing:,} of the" if missing else "the"
        return f"and {which} old folders still exist"

    def _renamed(self, old: str, new: str) -> tuple[str, str]:
        """Return two paths without the names at their ends that are equal.

        The topmost folder that does not exist any more was moved, and none above it.
        """
        (old_top, old_name), (new_top, new_name) = map(os.path.split, (old, new))
        if old_name != new_name or "" in {old_name, old_top, new_top}:
            return old, new
        if self._exists(old_top) and not self._exists(old):
            return old, new
        return self._renamed(old_top, new_top)


def new_directories(transaction: Transaction, batches: Batches) -> NewDirectories:
    """Compare the directories of simulations with those in a store.

    Parameters
    ----------
    transaction
        A transaction of the store.
    batches
        Table and records of each batch; those of results are not compared.
    """
    return NewDirectories(sorted(_changes(transaction, batches)))


def _changes(transaction: Transaction, batches: Batches) -> Iterator[tuple[str, str]]:
    for table, rows in batches:
        if table.id != SIMULATIONS.id:
            continue
        found = dict(zip(texts(rows["hash"]), texts(rows["directory"]), strict=True))
        query = Query((hash_condition(keys_of(rows, table.key)),), ("hash", "directory"))
        for hash_, old in transaction.values(table, query):
            new = found.get(hash_)
            if new and new.rstrip("/") != old.rstrip("/"):
                yield old, new
