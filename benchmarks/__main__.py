"""Make synthetic campaigns, measure, and print tables: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from benchmarks import figures, files, growth, reports, rows, slow
from benchmarks.bench import COLUMNS, Bench
from benchmarks.page import PAGE, table
from benchmarks.plot import draw
from benchmarks.stores import opened

GROUPS: dict[str, Callable[[Bench, argparse.Namespace], Iterator[object]]] = {
    "start": lambda bench, _: rows.start(bench),
    "systems": lambda bench, given: rows.systems(bench, given.sizes),
    "adopt": lambda bench, given: rows.adopt(bench, given.runs),
    "few": lambda bench, given: rows.few(bench, given.many, given.rows, given.table),
    "append": lambda bench, given: rows.append(bench, given.many),
    "results": lambda bench, given: rows.results(bench, given.simulations, given.rows),
    "pull": lambda bench, given: rows.pull(bench, given.many, given.rows, given.table),
    "plots": lambda bench, given: rows.plots(bench, given.plotted, given.points),
    "report": lambda bench, given: reports.report(bench, given.plotted, given.points, given.many),
    "find": lambda bench, given: rows.find(bench, given.many),
    "files": lambda bench, given: files.files(bench, given.files),
    "memory": lambda bench, given: rows.memory(bench, given.gigabytes, given.records),
    "growth": lambda bench, given: growth.growth(
        bench, given.growth, given.growth_records, given.growth_repeats, _keeper(given)
    ),
    "slow": lambda bench, given: slow.slow(
        bench, given.sizes[0], given.simulations, given.rows, given.delay
    ),
}

OWN = {"growth": growth.COLUMNS, "slow": slow.COLUMNS}
"""Groups that have a table of their own -> its columns; the others are in that of the store."""

STORES = {
    "sqlite": (
        *("start", "systems", "adopt", "few", "results", "pull", "plots", "report", "find"),
        *("files", "memory", "growth", "slow"),
    ),
    "csv": ("systems", "append", "results", "find", "memory"),
    "postgres": ("systems", "few", "results", "pull", "find", "memory"),
}
"""Kind of store -> the groups that it has."""

GROWTH = [100, 1_000, 10_000, 100_000]
RECORDS = [1_000, 10_000, 100_000, 1_000_000]


def main() -> None:
    """Measure what is asked for, print tables, and write them where they are to be kept."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.stores:
            with opened(kind, options.folder or Path(temporary)) as stores:
                _measure(Bench(options.folder or Path(temporary), stores, options.repeats), options)


def _measure(bench: Bench, options: argparse.Namespace) -> None:
    kind = bench.stores.kind
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    groups = [group for group in STORES[kind] if group in options.only]
    for name, members in groupby(groups, lambda group: group if group in OWN else kind):
        repeats = options.growth_repeats if name == "growth" else options.repeats
        columns = OWN.get(name, COLUMNS)
        with table(name, columns, command=command, repeats=repeats, page=options.write) as add:
            for group in members:
                for row in GROUPS[group](bench, options):
                    add(row)
    if options.write and "growth" in groups:
        draw(figures.read(_csv(options.write)), options.write.with_suffix(".svg"))
    if options.calls:
        print(f"\n{rows.calls(bench, options.sizes[0])}")


def _csv(page: Path) -> Path:
    return page.with_suffix(".csv")


def _keeper(options: argparse.Namespace) -> Callable[[Collection[figures.Figure]], None]:
    """Return what takes figures of growth: it writes them to their file, if there is to be one."""
    if not options.write:
        return lambda _: None
    return partial(figures.keep, _csv(options.write))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--stores", nargs="+", choices=STORES, default=list(STORES), help="kinds of store")
    add("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="groups of rows")
    add("--repeats", type=int, default=5, help="runs of each process")
    add("--calls", action="store_true", help="count file-system calls, too (strace)")
    add("--folder", type=Path, help="keep campaigns and stores here")
    renew = "renew the tables of a page, and beside it the figures and the plot of growth"
    add("--write", type=Path, nargs="?", const=PAGE, metavar="PAGE", help=renew)
    add = parser.add_argument_group("sizes").add_argument
    add("--sizes", type=int, nargs="+", default=[2_000, 8_000], help="folders of campaigns")
    add("--runs", type=int, default=500, help="plain folders to adopt")
    add("--many", type=int, default=100_000, help="records of a large store")
    add("--simulations", type=int, default=260, help="simulations with five analyses each")
    add("--rows", type=int, default=1_000, help="rows of each of their frames")
    add("--table", type=int, default=5_000, help="records of a large analysis")
    add("--plotted", type=int, default=2_000, help="simulations in a plot")
    add("--points", type=int, default=500, help="rows of each of their frames")
    add("--files", type=int, default=2_000, help="files of artifacts to keep")
    add("--gigabytes", type=float, default=0.5, help="frames to push in little memory")
    add("--records", type=int, default=200_000, help="records to write in little memory")
    add("--growth", type=int, nargs="+", default=GROWTH, help="folders of growing campaigns")
    add("--growth-records", type=int, nargs="+", default=RECORDS, help="records of growing stores")
    add("--growth-repeats", type=int, default=1, help="runs of each process on these")
    add("--delay", type=float, default=1.0, help="milliseconds of a call to a slow disk")
    options = parser.parse_args()
    if options.write and "growth" in options.only and not find_spec("matplotlib"):
        parser.error("the plot needs matplotlib: pip install 'mdfactory[bench]'")
    return options


if __name__ == "__main__":
    main()
