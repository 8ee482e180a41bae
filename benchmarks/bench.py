"""Where measurements are made: campaigns, prepared stores, and works on copies of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import FLOOR, PROGRAM, Cost, Work, cost
from benchmarks.stores import Stores

STORE = "store"
"""The store that works change: a fresh copy for each."""

COLUMNS = ("work", "ratio", "aim", "seconds", "floor", "CPU s", "peak MB", "floor MB")

CAMPAIGNS = [sys.executable, "-m", "benchmarks.campaigns"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    work
        What was done.
    aim
        For the ratio; for the peak memory where there is nothing to compare with.
    ours
        What it cost.
    floor
        What the other work cost.
    """

    work: str
    aim: str
    ours: Cost
    floor: Cost | None = None

    def __str__(self) -> str:
        ratio = seconds = megabytes = ""
        if self.floor:
            ratio = f"{self.ours.seconds / self.floor.seconds:.2f}"
            seconds, megabytes = f"{self.floor.seconds:.2f}", f"{self.floor.megabytes:.0f}"
        return (
            f"| {self.work} | {ratio} | {self.aim} | {self.ours.seconds:.2f} | {seconds} "
            f"| {self.ours.cpu:.2f} | {self.ours.megabytes:.0f} | {megabytes} |"
        )


class Bench:
    """Where measurements are made.

    Parameters
    ----------
    root
        A folder for campaigns.
    stores
        The stores that commands work on, all of one kind.
    repeats
        How often each process is run.
    """

    def __init__(self, root: Path, stores: Stores, repeats: int) -> None:
        self.root = root
        self.stores = stores
        self.repeats = repeats
        self.output = root / "output.csv"
        self.database = root / "floor.db"
        # An installed program has its bytecode; where it may not be written, each start compiles.
        self._environment = {
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(root / "bytecode"),
        }

    def ours(self, *arguments: str, start: str | None = None, known: bool = False) -> Work:
        """Return a command of ours, on a fresh copy of a prepared store, or on none.

        What was read of campaigns when stores were prepared is remembered if it is `known`.
        """

        def before() -> None:
            self.stores.renew(STORE, start)
            if not known:
                shutil.rmtree(self.root / "cache", ignore_errors=True)

        return self._work(arguments, STORE, before, known=known)

    def reads(self, *arguments: str, store: str) -> Work:
        """Return a command of ours that writes what it reads from a prepared store to a file."""
        command = [*arguments, "--output", str(self.output)]
        return self._work(command, store, lambda: None, known=True)

    def notebook(self, call: str, store: str) -> Work:
        """Return a process that calls a method of a prepared store, as a notebook does."""
        script = f"import mdfactory; mdfactory.open_store().{call}"
        environment = self._environment | self.stores.environment(store)
        return Work([sys.executable, "-c", script], lambda: None, environment)

    def floor(self, name: str, *arguments: object) -> Work:
        """Return a floor; a database that it makes is not there yet."""
        command = [*FLOOR, name, *map(str, arguments), *self.stores.libraries]
        return Work(command, lambda: self.database.unlink(missing_ok=True), self._environment)

    def campaign(self, count: int) -> Path:
        """Return a campaign of `count` folders."""
        return self._made("make", self.root / f"campaign_{count}", count)

    def results(self, count: int, analyses: int, rows: int) -> Path:
        """Return a campaign of `count` folders, each with frames of some analyses."""
        folder = self.root / f"results_{count}_{analyses}_{rows}"
        return self._made("results", folder, count, analyses, rows)

    def bulk(self, megabytes: int) -> Path:
        """Return a campaign with `megabytes` of large frames."""
        return self._made("bulk", self.root / f"bulk_{megabytes}", megabytes)

    def artifacts(self, count: int, files: int, kilobytes: int) -> Path:
        """Return a campaign of `count` folders, each with an artifact of some files."""
        folder = self.root / f"artifacts_{count}_{files}_{kilobytes}"
        return self._made("artifacts", folder, count, files, kilobytes)

    def plain(self, count: int) -> Path:
        """Return `count` plain GROMACS folders."""
        return self._made("plain", self.root / f"plain_{count}", count)

    def records(self, count: int) -> str:
        """Prepare a store with `count` records, and return its name."""
        command = [*CAMPAIGNS, "store", self.stores.url(STORE), str(count)]
        work = Work(command, lambda: self.stores.renew(STORE), self._environment)
        return self._after(f"records_{count}", work)

    def empty(self) -> str:
        """Prepare a store with all tables and without records, and return its name."""
        return self._after("empty", self.ours("sync", "init", "all"))

    def pushed(self, campaign: Path, what: str, start: str) -> str:
        """Prepare a store with the records of a campaign, and return its name."""
        work = self.ours(*push(campaign, what=what), start=start, known=True)
        return self._after(f"{campaign.name}_{what}_in_{start}", work)

    def compare(self, work: str, aim: str, ours: Work, floor: Work) -> Row:
        """Measure two works beside each other."""
        return Row(work, aim, *cost([ours, floor], self.repeats))

    def alone(self, work: str, aim: str, ours: Work) -> Row:
        """Measure a long work, once."""
        return Row(work, aim, *cost([ours], 1))

    def _work(
        self, arguments: Sequence[str], store: str, before: Callable[[], None], *, known: bool
    ) -> Work:
        cache = self.root / ("known" if known else "cache")
        environment = self._environment | self.stores.environment(store)
        environment["MDFACTORY_CACHE_DIR"] = str(cache)
        return Work([*PROGRAM, *arguments], before, environment)

    def _made(self, verb: str, folder: Path, *sizes: int) -> Path:
        if not folder.exists():
            interrupted_times = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(interrupted_times, ignore_errors=True)
            command = [*CAMPAIGNS, verb, str(interrupted_times), *map(str, sizes)]
            subprocess.run(command, check=True, env=os.environ | self._environment)
            interrupted_times.rename(folder)
            time.sleep(2.1)  # files that are younger than two seconds are not remembered
        return folder

    def _after(self, name: str, work: Work) -> str:
        """Keep the store as a work leaves it."""
        if not self.stores.has(name):
            cost([work], 1)
            self.stores.rename(STORE, name)
        return name


def push(campaign: Path, *flags: str, what: str = "systems") -> list[str]:
    """Return the arguments that push records of a campaign."""
    return ["sync", "push", what, str(campaign), *flags]
