"""Draw the figures of growth: ``python -m benchmarks.plot [CSV]``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, read
from benchmarks.page import PAGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {"folders of a campaign": False, "records of a store": True}
"""What the sizes of a panel are -> whether pulls are in it."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of works, in turn, and told apart by all eyes; floors are grey."""

GREY = "#666666"

GAP = 0.05
"""How far labels are apart at least, as a part of the height of a panel."""


def draw(figures: Iterable[Figure], file: Path) -> None:
    """Draw seconds against size, a line for each work, floors dashed, and write it as SVG.

    Parameters
    ----------
    figures
        What was measured.
    file
        The file to write.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Drawing

    works: dict[str, dict[int, float]] = defaultdict(dict)
    for one in figures:
        works[one.work][one.size] = one.seconds
    # Without a salt and with a date, each drawing of the same figures would be another file.
    with rc_context({"svg.hashsalt": "benchmarks", "font.size": 9}):
        drawing = Drawing(figsize=(10, 4.5), layout="constrained")
        both = drawing.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
        for axes, (sizes, pulled) in zip(both, PANELS.items(), strict=True):
            _frame(axes, sizes)
            _lines(axes, {work: at for work, at in works.items() if ("pull" in work) == pulled})
        both[0].set_ylabel("seconds, start included")
        for axes in both:  # last, as they stand where the common scale puts them
            _labels(axes, works)
        drawing.savefig(file, format="svg", metadata={"Date": None})


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart: in their order, until each is a gap above the one below."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    places = list(heights)
    for below, above in pairwise(order):
        places[above] = max(places[above], places[below] + gap)
    return places


def _frame(axes: Axes, sizes: str) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set(xscale="log", yscale="log", xlabel=sizes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    axes.tick_params(which="both", length=0, labelleft=True)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_major_formatter("{x:g}")


def _lines(axes: Axes, works: Mapping[str, Mapping[int, float]]) -> None:
    colours = iter(COLOURS)
    for work, at in works.items():
        floor = work.startswith("floor")
        axes.plot(
            sorted(at),
            [at[size] for size in sorted(at)],
            color=GREY if floor else next(colours),
            linestyle="--" if floor else "-",
            linewidth=1.5,
            marker="o",
            markersize=3,
            label=work,
        )


def _labels(axes: Axes, works: Mapping[str, Mapping[int, float]]) -> None:
    """Write the names of lines beside their right ends."""
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    ends = [max(works[work].items()) for work in lines]
    low, high = (log10(edge) for edge in axes.get_ylim())
    heights = [(log10(seconds) - low) / (high - low) for _, seconds in ends]
    for work, end, height in zip(lines, ends, spread(heights, GAP), strict=True):
        axes.annotate(
            work,
            xy=end,
            xytext=(1.01, height),
            textcoords="axes fraction",
            color=lines[work].get_color(),
            verticalalignment="center",
            annotation_clip=False,
        )


if __name__ == "__main__":
    csv = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE.with_suffix(".csv")
    draw(read(csv), csv.with_suffix(".svg"))
