"""The tour: a small campaign of real GROMACS output, from folders into a store."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Final

from cyclopts import App

from mdfactory.cli.session import Given, Session, examples

__all__ = ["app"]

app = App(
    name="demo",
    help_epilogue=examples("mdfactory demo", "mdfactory demo /tmp/tour"),
)

NEXT: Final = """
Try next:
  {program} sync pull systems --status completed --config {config}
  {program} sync pull systems --output systems.csv --config {config}
  {program} sync push systems {campaign} --update --config {config}"""


@app.default
def demo(directory: Path = Path("mdfactory-demo"), /, *, session: Given) -> None:
    """Take the tour.

    Parameters
    ----------
    directory
        Where to put campaign and store; a folder of an earlier tour is used again.

    """
    from mdfactory.records.tables import RUNS
    from mdfactory.records.terms import Mode
    from mdfactory.sync.example import unpack
    from mdfactory.sync.manage import init_systems
    from mdfactory.sync.pull import pull
    from mdfactory.sync.push import push_systems

    example = unpack(directory)
    store = Session(session.terminal, example.config, session.wait).store()
    init_systems(store)
    pushed = push_systems(store, str(example.campaign), Mode.update)
    counts = {what: number for what, number in asdict(pushed.counts).items() if number}
    words = ", ".join(f"{number} {what}" for what, number in counts.items())
    session.terminal.note(f"The campaign is in {example.campaign}, its store beside it: {words}.\n")
    session.terminal.rows(
        pull(store, RUNS, columns=RUNS.summary, sort="status"),
        RUNS.summary,
        {"counts": asdict(pushed.counts), "campaign": str(example.campaign)},
    )
    program = "mdfactory" if shutil.which("mdfactory") else sys.argv[0]
    places = {"config": example.config, "campaign": example.campaign, "program": program}
    session.terminal.note(NEXT.format(**{name: quote(str(path)) for name, path in places.items()}))
