"""The demo: a small campaign of real GROMACS output, pushed into a store of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from mdfactory.cli.layout import format_counts, path_word
from mdfactory.cli.options import Command, UserPath
from mdfactory.cli.session import CurrentSession, Session
from mdfactory.errors import ConfigError
from mdfactory.records.vocabulary import ConflictMode, ResultType

if TYPE_CHECKING:
    from mdfactory.stores.store import Store

app = Command(name="demo")

NEXT_COMMANDS: Final = """
Try next:
  {program} sync pull systems --status completed --config {config}
  {program} sync pull analysis --analysis-name density_timeseries --data --config {config}
  {program} sync push all {campaign} --update --config {config}"""

DENSITY_ANALYSIS: Final = "density_timeseries"
METHANOL_FIELD: Final = "system.species.MEO.fraction"


@app.default
def demo(directory: UserPath = Path("mdfactory-demo"), /, *, session: CurrentSession) -> None:
    """Try mdfactory with a small campaign of real GROMACS output.

    Copies the campaign to a folder, creates a store next to it, pushes the simulations and
    shows them. Your own configuration and store are not changed.

    Parameters
    ----------
    directory
        Folder for the campaign and its store. The folder of an earlier demo is used again.

    Examples
    --------
    mdfactory demo
    mdfactory demo /tmp/tour
    """
    from mdfactory.campaign.collect import Scope
    from mdfactory.sync.example import unpack
    from mdfactory.sync.initialise import initialise
    from mdfactory.sync.push import push

    terminal = session.terminal
    example = unpack(directory)
    store = Session(terminal, example.config, session.wait).store
    initialise(store, simulations=True, results=list(ResultType))
    scope = Scope(simulations=True, results=list(ResultType))
    pushed = push(
        store, str(example.campaign), ConflictMode.update, scope, command=session.command_line
    )
    counts = asdict(pushed.counts)
    terminal.complete = True
    terminal.note(
        f"The campaign is in {example.campaign}, its store next to it: {format_counts(counts)}.\n"
    )
    picture = _draw(store, directory / "density.png")
    values = {
        "counts": counts,
        "campaign": str(example.campaign),
        "picture": str(picture) if picture else None,
    }
    _show_store(session, store, values)
    terminal.note(
        f"\nThe density of each mixture, from the store: {picture}"
        if picture
        else "\nTo draw the density of each mixture: pip install 'mdfactory[report]'"
    )
    paths = {"config": example.config, "campaign": example.campaign}
    words = {name: quote(path_word(path)) for name, path in paths.items()}
    terminal.note(NEXT_COMMANDS.format(program=_program(), **words))


def _show_store(session: Session, store: Store, values: Mapping[str, Any]) -> None:
    """Print the simulations, and on a terminal the overview of their analyses."""
    from mdfactory.campaign.catalogue import Catalogue
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.completeness import read_completeness
    from mdfactory.sync.pull import open_pull

    columns = SIMULATIONS.summary
    with open_pull(store, SIMULATIONS, columns=columns, sort="status") as found:
        session.terminal.rows(found.batches, columns, values)
    if not session.terminal.interactive:
        return
    session.terminal.note("\nResults in the store:\n")
    analyses = read_completeness(store, Catalogue(), item_type=ResultType.analysis)
    session.terminal.matrix(analyses)


def _program() -> str:
    """Return the command that starts this program again."""
    if shutil.which("mdfactory"):
        return "mdfactory"
    if os.path.basename(sys.argv[0]) == "__main__.py":
        return f"{quote(sys.executable)} -m mdfactory"
    return quote(sys.argv[0])


def _draw(store: Store, path: Path) -> Path | None:
    """Plot density over time and composition; return None if a library for it is missing."""
    from mdfactory.report.analysis import plot_analysis

    try:
        plot_analysis(store, DENSITY_ANALYSIS, colour=METHANOL_FIELD).save(path)
    except ConfigError:
        return None
    return path
