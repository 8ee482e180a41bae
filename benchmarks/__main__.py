"""Make synthetic campaigns, measure, and print one table: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import FLOOR, PROGRAM, Cost, Work, calls_below, cost


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    aim: str
    ratio: float
    ours: Cost
    floor: Cost


class Bench:
    """Where measurements are made.

    Parameters
    ----------
    root
        A folder for campaigns and stores.
    repeats
        How often each process is run.
    """

    def __init__(self, root: Path, repeats: int) -> None:
        self.root = root
        self.repeats = repeats
        self.store = root / "store"
        self.environment = {
            "MDFACTORY_CONFIG_DIR": str(root / "config"),
            "MDFACTORY_DATA_DIR": str(self.store),
        }

    def ours(self, *arguments: str, start: str = "records_0") -> Work:
        """Return a command of ours, on a fresh copy of a prepared store."""
        return Work([*PROGRAM, *arguments], lambda: self._use(start), self.environment)

    def campaign(self, count: int) -> Path:
        """Return a campaign of `count` folders."""
        return self._made("make", self.root / f"campaign_{count}", count)

    def records(self, count: int) -> str:
        """Prepare a store with `count` records, and return its name."""
        return self._made("store", self.root / "prepared" / f"records_{count}", count).name

    def _made(self, verb: str, folder: Path, count: int) -> Path:
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            script = [sys.executable, "-m", "benchmarks.campaigns", verb]
            subprocess.run([*script, str(unfinished), str(count)], check=True)
            unfinished.rename(folder)
        return folder

    def pushed(self, campaign: Path) -> str:
        """Prepare a store with a campaign."""
        folder = self.root / "prepared" / campaign.name
        if not folder.exists():
            self._use(self.records(0))
            cost([Work([*PROGRAM, *push(campaign)], environment=self.environment)], 1)
            shutil.copytree(self.store, folder)
        return campaign.name

    def _use(self, name: str) -> None:
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.root / "prepared" / name, self.store)

    def compare(self, work: str, aim: str, ours: Work, floor: Work) -> Row:
        """Measure two works beside each other."""
        first, second = cost([ours, floor], self.repeats)
        return Row(work, aim, first.seconds / second.seconds, first, second)


def push(campaign: Path, *flags: str) -> list[str]:
    """Return the arguments that push a campaign's simulations."""
    return ["sync", "push", "systems", str(campaign), *flags]


def start(bench: Bench) -> Iterator[Row]:
    """Compare what needs no store with the help of a small program."""
    floor = Work([*FLOOR, "six_commands"])
    for arguments in ("--help", "--version", "config path"):
        ours = bench.ours(*arguments.split())
        yield bench.compare(f"start: {arguments}", "1.3", ours, floor)


def push_systems(bench: Bench, sizes: list[int]) -> Iterator[Row]:
    """Compare pushes with the folder floor, and with each other."""
    database = bench.root / "floor.db"
    for size in sizes:
        campaign = bench.campaign(size)
        first = bench.ours(*push(campaign))
        floor = Work(
            [*FLOOR, "folders", str(campaign), str(database)],
            lambda: database.unlink(missing_ok=True),
        )
        yield bench.compare(f"push systems, {size:,} folders", "2", first, floor)
        there = bench.pushed(campaign)
        for flag, aim in (("--diff", "1"), ("--update", "1"), ("--force", "1.5")):
            again = bench.ours(*push(campaign, flag), start=there)
            yield bench.compare(f"again {flag}, {size:,}, to the first push", aim, again, first)


def few_into_many(bench: Bench, many: int) -> Iterator[Row]:
    """Compare pushing a hundred simulations into a large store and into an empty one."""
    campaign = bench.campaign(100)
    large = bench.records(many)
    yield bench.compare(
        f"push 100 into {many:,} records, to into none",
        "1.3",
        bench.ours(*push(campaign), start=large),
        bench.ours(*push(campaign)),
    )


def calls(bench: Bench, size: int) -> str:
    """Count the file-system calls of a push, for each folder."""
    campaign = bench.campaign(size)
    counted = calls_below(bench.ours(*push(campaign)), campaign)
    each = ", ".join(f"{name} {number / size:.2f}" for name, number in sorted(counted.items()))
    return f"File-system calls per folder, {size:,} folders: {each}"


def main() -> None:
    """Run all measurements and print their table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 8_000])
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", action="store_true", help="count file-system calls (strace)")
    parser.add_argument("--folder", type=Path, help="keep campaigns and stores here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(options.folder or Path(temporary), options.repeats)
        bench.records(0)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        print(f"medians of {options.repeats}\n")
        print("| work | ratio | aim | seconds | floor | CPU s | peak MB | floor MB |")
        print("|---|---|---|---|---|---|---|---|")
        rows = [
            start(bench),
            push_systems(bench, options.sizes),
            few_into_many(bench, options.many),
        ]
        for row in (one for some in rows for one in some):
            print(
                f"| {row.work} | {row.ratio:.2f} | {row.aim} | {row.ours.seconds:.2f} "
                f"| {row.floor.seconds:.2f} | {row.ours.cpu:.2f} "
                f"| {row.ours.megabytes:.0f} | {row.floor.megabytes:.0f} |",
                flush=True,
            )
        if options.calls:
            print(f"\n{calls(bench, options.sizes[0])}")


if __name__ == "__main__":
    main()
