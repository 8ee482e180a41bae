"""The rows of the table, in groups: what is measured, and beside what."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.bench import Bench, Row, push
from benchmarks.measure import Work, calls_below
from benchmarks.stores import RESULTS, SIMULATIONS

ANALYSES = 5
"""Analyses of a simulation that has results."""

ANALYSIS = "area_per_lipid"
"""The first of them."""

PLOTTED = {"area_per_lipid": ["upper"], "box_size_timeseries": ["Lx", "Ly", "Lz"]}
"""The first analyses -> quantities of their plots."""

HUNDREDTH = 100
"""Records of a small push; how many times smaller a small table is than a large one."""

PEAK = "400 MB"
"""The aim for the peak memory of a work of any size."""


def start(bench: Bench) -> Iterator[Row]:
    """Compare what needs no store with the help of a small program."""
    floor = bench.floor("six_commands")
    for arguments in ("--help", "--version", "config path"):
        ours = bench.ours(*arguments.split())
        yield bench.compare(f"start: {arguments}", "1.3", ours, floor)


def systems(bench: Bench, sizes: Sequence[int]) -> Iterator[Row]:
    """Compare pushes of simulations with the folder floor, and with each other."""
    none = bench.records(0)
    for size in sizes:
        campaign = bench.campaign(size)
        first = bench.ours(*push(campaign), start=none)
        floor = bench.floor("folders", campaign, bench.database)
        yield bench.compare(f"push systems, {size:,} folders", "2", first, floor)
        there = bench.pushed(campaign, "systems", none)
        for flag, aim in (("--diff", "1"), ("--update", "1"), ("--force", "1.5")):
            again = bench.ours(*push(campaign, flag), start=there, known=True)
            yield bench.compare(f"again {flag}, {size:,}, to the first push", aim, again, first)
        anew = bench.ours(*push(campaign, "--update", "--no-cache"), start=there)
        yield bench.compare(f"again --update --no-cache, {size:,}, to the first", "1", anew, first)
        with_overview = bench.pushed(campaign, "systems", bench.empty())
        update, status = push(campaign, "--update"), ["sync", "status", str(campaign)]
        for work, arguments, store in (
            (f"again --update, {size:,}", update, there),
            (f"again --update, {size:,} with an overview,", update, with_overview),
            (f"status, {size:,}", status, there),
        ):
            yield _unchanged(bench, work, campaign, store, arguments)


def results(bench: Bench, simulations: int, rows: int) -> Iterator[Row]:
    """Compare a push of analyses with the frame floor."""
    campaign = bench.results(simulations, ANALYSES, rows)
    work = f"push analyses, {simulations * ANALYSES:,} frames of {rows:,} rows"
    ours = bench.ours(*push(campaign, what="analysis"), start=bench.empty())
    yield bench.compare(work, "2", ours, bench.floor("frames", campaign, bench.database))
    there = bench.pushed(campaign, "all", bench.empty())
    work = f"again all --update, {simulations * ANALYSES:,} frames"
    yield _unchanged(bench, work, campaign, there, push(campaign, "--update", what="all"))


def adopt(bench: Bench, runs: int) -> Iterator[Row]:
    """Measure a first look at plain GROMACS folders."""
    ours = bench.ours("adopt", str(bench.plain(runs)))
    yield bench.alone(f"adopt, {runs:,} plain folders", "30 s", ours)


def few(bench: Bench, many: int, rows: int, table: int) -> Iterator[Row]:
    """Compare pushes of a few records into many with those into none."""
    hundred = push(bench.campaign(HUNDREDTH))
    stores = bench.records(many), bench.records(0)
    into_many, into_none = (bench.ours(*hundred, start=there) for there in stores)
    work = f"push {HUNDREDTH} into {many:,} records, to into none"
    yield bench.compare(work, "1.3", into_many, into_none)
    ten = push(bench.results(10, ANALYSES, rows), what="analysis")
    stores = bench.pushed(bench.results(table, 1, rows), "analysis", bench.empty()), bench.empty()
    into_many, into_none = (bench.ours(*ten, start=there) for there in stores)
    work = f"push analyses of 10 into {table:,} of one, to into none"
    yield bench.compare(work, "1.3", into_many, into_none)


def append(bench: Bench, many: int) -> Iterator[Row]:
    """Compare a push of a few records into a large file with the floor that copies it."""
    campaign = bench.campaign(HUNDREDTH)
    store = bench.records(many)
    ours = bench.ours(*push(campaign), start=store)
    floor = bench.floor("append", campaign, bench.stores.part(store, SIMULATIONS), bench.output)
    yield bench.compare(f"push {HUNDREDTH} into {many:,} records", "2", ours, floor)


def pull(bench: Bench, many: int, rows: int, table: int) -> Iterator[Row]:
    """Compare answers to a filter with the bare query and writer, and with each other."""
    store = bench.records(many)
    ours = bench.reads("sync", "pull", "systems", "--status", "completed", store=store)
    floor = _query(bench, store, SIMULATIONS, "RUN_DATABASE", "status", "completed")
    yield bench.compare(f"pull systems --status, of {many:,} records", "1.5", ours, floor)
    small = max(1, table // HUNDREDTH)
    (of_many, floor), (of_few, _) = (_pull_one(bench, size, rows) for size in (table, small))
    yield bench.compare(f"pull analysis --hash, of {table:,} records", "1.5", of_many, floor)
    work = f"pull analysis --hash, of {table:,}, to of {small:,}"
    yield bench.compare(work, "1.1", of_many, of_few)


def plots(bench: Bench, simulations: int, rows: int) -> Iterator[Row]:
    """Compare plots of one and of three quantities with the table of the same frames."""
    campaign = bench.results(simulations, len(PLOTTED), rows)
    store = bench.pushed(campaign, "all", bench.empty())
    for name, quantities in PLOTTED.items():
        ours = bench.notebook(f'plot("{name}", y={quantities!r})', store)
        floor = bench.notebook(f'analysis("{name}")', store)
        work = f"plot {name}, {simulations:,} frames of {rows:,} rows, to their table"
        yield bench.compare(work, "2", ours, floor)


def find(bench: Bench, many: int) -> Iterator[Row]:
    """Compare answers to conditions that all records meet with the same pull without them."""
    pull = ("sync", "pull", "systems")
    store = bench.records(many)
    for aim, *options in (
        ("3", "--where", "system.ionization.concentration >= 0"),
        ("3", "--where", "species.SOL.count >= 0"),
        ("", "--contains", "C"),
        ("", "--field", "composition"),
    ):
        found = bench.reads(*pull, *options, store=store)
        work = f"pull systems {' '.join(options)}, of {many:,} records, to without it"
        yield bench.compare(work, aim, found, bench.reads(*pull, store=store))


def memory(bench: Bench, gigabytes: float, records: int) -> Iterator[Row]:
    """Measure the peak memory of a large push and of a large answer."""
    large = push(bench.bulk(round(1000 * gigabytes)), what="analysis")
    work = f"push analyses, {gigabytes:g} GB in frames up to 20 MB"
    yield bench.alone(work, PEAK, bench.ours(*large, start=bench.empty()))
    everything = bench.reads("sync", "pull", "systems", store=bench.records(records))
    yield bench.alone(f"pull systems --output, {records:,} records", PEAK, everything)


def calls(bench: Bench, size: int) -> str:
    """Count the file-system calls of a push, for each folder."""
    campaign = bench.campaign(size)
    pushing = bench.ours(*push(campaign), start=bench.records(0))
    counted = calls_below(pushing, campaign)
    each = ", ".join(f"{name} {number / size:.2f}" for name, number in sorted(counted.items()))
    return f"File-system calls per folder, {size:,} folders: {each}"


def _unchanged(
    bench: Bench, work: str, campaign: Path, store: str, arguments: Sequence[str]
) -> Row:
    """Compare a look at a campaign that has not changed with a list of its folders."""
    known, listing = (
        bench.ours(*arguments, start=store, known=True),
        bench.floor("unchanged", campaign),
    )
    return bench.compare(f"{work} unchanged, to start and listing", "1.5", known, listing)


def _pull_one(bench: Bench, size: int, rows: int) -> tuple[Work, Work]:
    """Return the pull of one record of an analysis of `size`, and its floor."""
    campaign = bench.results(size, 1, rows)
    store = bench.pushed(campaign, "analysis", bench.empty())
    hash_ = min(os.listdir(campaign))
    one = ("--analysis-name", ANALYSIS, "--hash", hash_)
    floor = _query(bench, store, RESULTS, f"ANALYSIS_{ANALYSIS}", "hash", hash_)
    return bench.reads("sync", "pull", "analysis", *one, store=store), floor


def _query(bench: Bench, store: str, file: str, *question: str) -> Work:
    return bench.floor("query", bench.stores.part(store, file), *question, bench.output)
