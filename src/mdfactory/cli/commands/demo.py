"""The tour: a small campaign of real GROMACS output, from folders into a store."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from cyclopts import App

from mdfactory.cli.session import Given, Session, examples
from mdfactory.records.vocabulary import ConflictMode, ResultType

if TYPE_CHECKING:
    from mdfactory.sync.push import Pushed

__all__ = ["app"]

app = App(
    name="demo",
    help_epilogue=examples("mdfactory demo", "mdfactory demo /tmp/tour"),
)

NEXT: Final = """
Try next:
  {program} sync pull systems --status completed --config {config}
  {program} sync pull analysis --analysis-name density_timeseries --data --config {config}
  {program} sync push all {campaign} --update --config {config}"""

DENSITY: Final = "density_timeseries"
METHANOL: Final = "system.species.MEO.fraction"


@app.default
def demo(directory: Path = Path("mdfactory-demo"), /, *, session: Given) -> None:
    """Take the tour.

    Parameters
    ----------
    directory
        Where to put campaign and store; a folder of an earlier tour is used again.

    """
    from mdfactory.campaign.collect import Scope
    from mdfactory.records.tables import OVERVIEW, SIMULATIONS
    from mdfactory.sync.example import unpack
    from mdfactory.sync.initialise import initialise
    from mdfactory.sync.pull import pull
    from mdfactory.sync.push import push

    terminal = session.terminal
    example = unpack(directory)
    store = Session(terminal, example.config, session.wait).store()
    initialise(store, simulations=True, results=list(ResultType))
    scope = Scope(simulations=True, results=list(ResultType))
    pushed = push(store, str(example.campaign), ConflictMode.update, scope)
    terminal.note(
        f"The campaign is in {example.campaign}, its store beside it: {_words(pushed)}.\n"
    )
    picture = _draw(str(example.config), directory / "density.png")
    terminal.rows(
        pull(store, SIMULATIONS, columns=SIMULATIONS.summary, sort="status"),
        SIMULATIONS.summary,
        {
            "counts": asdict(pushed.counts),
            "campaign": str(example.campaign),
            "picture": str(picture) if picture else None,
        },
    )
    if terminal.draws:
        terminal.note("\nWhich results are in the store:\n")
        columns = OVERVIEW.summary
        analyses = {"item_type": ResultType.analysis.value}
        session.show_matrix(pull(store, OVERVIEW, equal=analyses, columns=columns), columns)
    terminal.note(
        f"\nThe density of each mixture, from the store: {picture}"
        if picture
        else "\nTo have the density of each mixture drawn: pip install 'mdfactory[notebook]'"
    )
    places = {"config": example.config, "campaign": example.campaign}
    words = {name: quote(str(path)) for name, path in places.items()}
    terminal.note(NEXT.format(program=_program(), **words))


def _program() -> str:
    """Return the command that runs this program again."""
    if shutil.which("mdfactory"):
        return "mdfactory"
    if os.path.basename(sys.argv[0]) == "__main__.py":
        return f"{quote(sys.executable)} -m mdfactory"
    return quote(sys.argv[0])


def _words(pushed: Pushed) -> str:
    counts = {what: number for what, number in asdict(pushed.counts).items() if number}
    return ", ".join(f"{number} {what}" for what, number in counts.items())


def _draw(config: str, path: Path) -> Path | None:
    """Draw mean densities against composition; return None without the libraries for it."""
    try:
        from matplotlib.figure import Figure

        from mdfactory.notebook import open_store

        densities = open_store(config=config).analysis(DENSITY, fields=[METHANOL])
    except ImportError:
        return None
    series = densities.fillna({METHANOL: 0.0}).groupby(["hash", METHANOL])["density_g_cm3"]
    mean = series.agg(["mean", "std"]).reset_index().sort_values(METHANOL)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(mean[METHANOL], mean["mean"], yerr=mean["std"], fmt="o", capsize=3)
    axes.set_xlabel("mole fraction of methanol")
    axes.set_ylabel("density (g/cm³)")
    axes.set_title("Water and methanol: mean and fluctuation of each run")
    figure.savefig(path, dpi=150)
    return path
