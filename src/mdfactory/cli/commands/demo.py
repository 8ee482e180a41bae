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
from mdfactory.files import absolute_path
from mdfactory.records.vocabulary import ConflictMode, ResultType

if TYPE_CHECKING:
    from mdfactory.stores.store import Store
    from mdfactory.sync.pushed import Pushed

app = Command(name="demo")

PUSHED: Final = """\
{simulations} simulations of water and methanol, and results of those that have run:
{campaign}
Each simulation and each result now has a record in a store next to it:
{counts} ({kinds})
"""

KINDS: Final = {"simulations": "RUN_", "analyses": "ANALYSIS_", "artifacts": "ARTIFACT_"}
"""What the records of a table are -> beginning of its name."""

TITLES: Final = {
    ResultType.analysis: (
        "Analyses in the store. 5 of the simulations have run, so that they can have\n"
        "results; 4 of 5 says that the store has the result of 4 of them:"
    ),
    ResultType.artifact: "Artifacts: the store has their checksums, the files stay on disk:",
}
"""Type of results -> title of the table that shows which of them the store has."""

NEXT_COMMANDS: Final = """
Try next (the first line selects the store of the demo):
  export MDFACTORY_CONFIG={config}
  {program} sync pull systems --where 'species.MEO.fraction > 0.3' --field composition
  {program} sync pull analysis --analysis-name density_timeseries --data
  {program} sync push all {campaign} --update

Then use your own folder of simulations, with a store of your own:
  unset MDFACTORY_CONFIG
  {program} config init
  {program} adopt FOLDER       # only if its GROMACS folders have no BuildInput
  {program} sync push all FOLDER"""

FILES: Final = {"picture": "density.png", "report": "report.html"}
"""What the demo draws -> name of its file."""

DRAWN: Final = """
The density of each mixture, from the store: {picture}
The whole campaign on one page, for a browser: {report}"""

NOT_DRAWN: Final = """
To draw the density of each mixture, and a page about the campaign:
  pip install 'mdfactory[report]'"""

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
    own = Session(terminal, example.config, session.wait)
    store = own.store
    initialise(store, simulations=True, results=list(ResultType))
    scope = Scope(simulations=True, results=list(ResultType))
    pushed = push(
        store, str(example.campaign), ConflictMode.update, scope, command=session.command_line
    )
    counts = asdict(pushed.counts)
    terminal.complete = True
    terminal.note(_pushed_text(pushed, example.campaign))
    files = _draw(own, directory)
    values = {
        "counts": counts,
        "campaign": str(example.campaign),
        **{name: files.get(name) for name in FILES},
    }
    _show_store(session, store, values)
    terminal.note(DRAWN.format(**files) if files else NOT_DRAWN)
    config = Path(absolute_path(example.config))
    paths = {"config": config, "campaign": example.campaign}
    words = {name: quote(path_word(path)) for name, path in paths.items()}
    terminal.note(NEXT_COMMANDS.format(program=_program(), **words))


def _pushed_text(pushed: Pushed, campaign: Path) -> str:
    """Return how many records of what were pushed."""
    numbers = {table: counts.inserted + counts.unchanged for table, counts in pushed.tables.items()}
    kinds = {
        kind: sum(number for table, number in numbers.items() if table.startswith(start))
        for kind, start in KINDS.items()
    }
    return PUSHED.format(
        simulations=kinds["simulations"],
        campaign=campaign,
        counts=format_counts(asdict(pushed.counts)),
        kinds=format_counts(kinds),
    )


def _show_store(session: Session, store: Store, values: Mapping[str, Any]) -> None:
    """Print the simulations, and on a terminal which of their results the store has."""
    from mdfactory.campaign.catalogue import Catalogue
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.sync.completeness import read_completeness
    from mdfactory.sync.pull import open_pull
    from mdfactory.sync.search import parse_search

    terminal, search = session.terminal, parse_search(fields=["composition"])
    with open_pull(
        store, SIMULATIONS, columns=SIMULATIONS.summary, search=search, sort="hash"
    ) as found:
        names = found.schema.names
        terminal.rows(found.batches, names, values, required=("hash", "status"), wanted=names[-1:])
    if not terminal.interactive:
        return
    for result_type, title in TITLES.items():
        terminal.note(f"\n{title}\n")
        terminal.matrix(read_completeness(store, Catalogue(), item_type=result_type))


def _program() -> str:
    """Return the command that starts this program again."""
    if shutil.which("mdfactory"):
        return "mdfactory"
    if os.path.basename(sys.argv[0]) == "__main__.py":
        return f"{quote(sys.executable)} -m mdfactory"
    return quote(sys.argv[0])


def _draw(session: Session, directory: Path) -> dict[str, str]:
    """Plot the density, and write a report; return the paths, none if a library is missing."""
    from mdfactory.cli.commands.report import page_commands
    from mdfactory.report.content import ReportOptions
    from mdfactory.report.plots.analysis import plot_analysis
    from mdfactory.report.report import require_report, write_report

    try:
        require_report()
    except ConfigError:
        return {}
    paths = {name: directory / file for name, file in FILES.items()}
    plot_analysis(session.store, DENSITY_ANALYSIS, colour=METHANOL_FIELD).save(paths["picture"])
    options = ReportOptions(commands=page_commands(session))
    write_report(session.store, paths["report"], options)
    return {name: str(path) for name, path in paths.items()}
