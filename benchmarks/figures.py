"""Raw figures of growth, in a CSV file: what a work cost at a size."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

COLUMNS = ("size", "work", "seconds")


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Parameters
    ----------
    size
        Folders of the campaign, or records of the store.
    work
        What was done.
    seconds
        Wall time of the whole process, its start included.
    """

    size: int
    work: str
    seconds: float


def read(file: Path) -> list[Figure]:
    """Return the figures of a file, none if it is not there."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as text:
        return [
            Figure(int(row["size"]), row["work"], float(row["seconds"]))
            for row in csv.DictReader(text)
        ]


def keep(file: Path, figures: Iterable[Figure]) -> None:
    """Write figures to a file, in place of those of the same size and work."""
    all_ = {(one.work, one.size): one for one in (*read(file), *figures)}
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for _, one in sorted(all_.items()):
            size, work, seconds = astuple(one)
            writer.writerow((size, work, f"{seconds:.4f}"))
