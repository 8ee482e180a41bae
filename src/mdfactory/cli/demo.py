"""The tour: a small campaign of real GROMACS output, from folders into a store."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
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
    """Try it on a small campaign of real GROMACS output.

    Copies the campaign to a folder, makes a store beside it, pushes the simulations and
    shows them. Your own configuration and store are left alone.

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
    session.terminal.note(
        f"The campaign is in {example.campaign}, its store beside it: "
        f"{pushed.counts.inserted} simulations pushed, {pushed.counts.unchanged} unchanged.\n"
    )
    columns = session.terminal.columns(RUNS, full=False)
    session.show(pull(store, RUNS, columns=columns, sort="status"), RUNS, columns, None)
    program = "mdfactory" if shutil.which("mdfactory") else sys.argv[0]
    session.terminal.note(
        NEXT.format(program=program, config=example.config, campaign=example.campaign)
    )
