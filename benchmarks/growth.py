"""Cost against size: the same works on campaigns and stores of more and more records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.bench import Bench, push
from benchmarks.figures import Figure
from benchmarks.measure import Cost, Work, cost
from benchmarks.stores import SIMULATIONS

COLUMNS = (
    "work",
    "ratio",
    "aim",
    "ms each",
    "ms each, smaller",
    "seconds",
    "seconds, smaller",
    "peak MB",
    "peak MB, smaller",
)

FLOOR = "floor"
"""How the name of a work begins that has no aim."""

AIM = "1.2"

TIMES = 100
"""How many times smaller that is what the largest size is compared with."""


SMALL: Final = 1_000
"""A size at which works take little more than the start."""


@dataclass(frozen=True)
class Growth:
    """One line of the table: what one more costs at a size, to what it costs at a smaller one.

    Parameters
    ----------
    work
        What was done.
    sizes
        The smaller size and the larger one.
    start
        What the work costs at size 1, which is subtracted.
    small, large
        What it costs at the two sizes.
    """

    work: str
    sizes: tuple[int, int]
    start: Cost
    small: Cost
    large: Cost

    @property
    def each(self) -> tuple[float, float]:
        """Seconds for each folder or record, at the smaller size and at the larger one."""
        costs = zip((self.small, self.large), self.sizes, strict=True)
        small, large = ((one.seconds - self.start.seconds) / (size - 1) for one, size in costs)
        return small, large

    @property
    def ratio(self) -> float | None:
        """Seconds for each to those at the smaller size; None if some are lost in the start."""
        small, large = self.each
        return large / small if min(small, large) > 0 else None

    def __str__(self) -> str:
        before, after = self.sizes
        aim = "" if self.work.startswith(FLOOR) else AIM
        small, large = (1000 * seconds for seconds in self.each)
        return (
            f"| growth of {self.work}, {before:,} -> {after:,} "
            f"| {'' if self.ratio is None else f'{self.ratio:.2f}'} | {aim} "
            f"| {large:.3f} | {small:.3f} | {self.large.seconds:.2f} | {self.small.seconds:.2f} "
            f"| {self.large.megabytes:.0f} | {self.small.megabytes:.0f} |"
        )


def growth(
    bench: Bench,
    folders: Sequence[int],
    records: Sequence[int],
    repeats: int,
    keep: Callable[[Collection[Figure]], object],
) -> Iterator[Growth]:
    """Measure pushes of campaigns and pulls of stores of some sizes, and compare them.

    Parameters
    ----------
    bench
        Where to measure.
    folders
        Sizes of the campaigns.
    records
        Sizes of the stores.
    repeats
        How often each process is run; at sizes up to a thousand, which take little more than the
        start, it is as often as those of other tables.
    keep
        Is given the figures of each size.
    """
    for works, sizes in ((_campaigns, folders), (_stores, records)):
        costs: dict[str, dict[int, Cost]] = {}
        for size in sorted({1, *sizes}):
            made = works(bench, size)
            measured = cost([*made.values()], bench.repeats if size <= SMALL else repeats)
            at_size = dict(zip(made, measured, strict=True))
            keep([Figure(size, work, one.seconds) for work, one in at_size.items()])
            for work, one in at_size.items():
                costs.setdefault(work, {})[size] = one
        yield from compared(costs)


def compared(costs: Mapping[str, Mapping[int, Cost]]) -> Iterator[Growth]:
    """Compare each work at its largest size with itself at about a hundredth of that.

    Parameters
    ----------
    costs
        Work -> size -> what it cost; size 1 is the start.
    """
    for work, at in costs.items():
        sizes = _sizes(at)
        if sizes:
            small, large = sizes
            yield Growth(work, sizes, at[1], at[small], at[large])


def _sizes(sizes: Collection[int]) -> tuple[int, int] | None:
    large = max(sizes)
    below = sorted(size for size in sizes if 1 < size < large)
    if not below:
        return None
    return max((size for size in below if size * TIMES <= large), default=below[0]), large


def _campaigns(bench: Bench, size: int) -> dict[str, Work]:
    """Return works on a campaign."""
    none, campaign = bench.records(0), bench.campaign(size)
    there = bench.pushed(campaign, "systems", none)
    return {
        "push systems": bench.ours(*push(campaign), start=none),
        "push systems --update": bench.ours(*push(campaign, "--update"), start=there, known=True),
        "status": bench.ours("sync", "status", str(campaign), start=there, known=True),
        f"{FLOOR} of push systems": bench.floor("folders", campaign, bench.database),
        f"{FLOOR}: listing": bench.floor("listing", campaign),
    }


def _stores(bench: Bench, size: int) -> dict[str, Work]:
    """Return works on a store."""
    store = bench.records(size)
    every = ("RUN_DATABASE", "input_data_type", "BuildInput")  # all records have this type
    return {
        "pull systems": bench.reads("sync", "pull", "systems", store=store),
        f"{FLOOR} of pull systems": bench.floor(
            "query", bench.stores.part(store, SIMULATIONS), *every, bench.output
        ),
    }
