"""The commands that move records between campaigns and the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, ArgumentCollection, Group, Parameter

from mdfactory.cli.session import Given, Session, examples
from mdfactory.errors import UsageError, counted
from mdfactory.records.terms import Engine, Mode, Parametrization, SimulationType, Status

if TYPE_CHECKING:
    from mdfactory.campaign.discover import Source
    from mdfactory.sync.push import Pushed

__all__ = ["app"]

SKIPPED: Final = 3
"""Exit code of a command that is done, but had to skip some items."""


def _at_most_one(arguments: ArgumentCollection) -> None:
    if sum(bool(argument.tokens) for argument in arguments) > 1:
        raise ValueError("Give at most one of --diff, --update and --force")


CONFLICTS: Final = Group(
    "Conflicts",
    help="What to do with records that are in the store already; by default nothing is written.",
    validator=_at_most_one,
    sort_key=2,
)
Diff = Annotated[bool, Parameter(name=("--diff", "--skip-existing"), group=CONFLICTS)]
Force = Annotated[bool, Parameter(group=CONFLICTS)]
Update = Annotated[bool, Parameter(group=CONFLICTS)]
DryRun = Annotated[bool, Parameter(name=("--dry-run", "-n"))]

Yes = Annotated[bool, Parameter(name=("--yes", "-y"))]

SOURCES: Final = Group("Campaign CSV", sort_key=1)
Csv = Annotated[Path | None, Parameter(group=SOURCES)]
CsvRoot = Annotated[Path | None, Parameter(group=SOURCES)]

FILTERS: Final = Group("Filters", help="All that are given must hold.", sort_key=1)
OrderBy = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
Limit = Annotated[int | None, Parameter(converter=lambda _, tokens: int(tokens[0].value))]
Hash = Annotated[str | None, Parameter(name="--hash", group=FILTERS)]

app = App(name="sync")
init = App(name="init", help="Make the tables of the store.")
push = App(name="push", help="Push from folders into the store.")
pull = App(name="pull", help="Pull from the store.")
clear = App(name="clear", help="Remove records from the store.")
for part in (init, push, pull, clear):
    app.command(part)


@init.command(
    name="systems",
    help_epilogue=examples(
        "mdfactory sync init systems",
        "mdfactory sync init systems --force",
    ),
)
def init_systems(*, force: bool = False, session: Given) -> None:
    """Make the table of simulations, RUN_DATABASE, if it is missing.

    Parameters
    ----------
    force
        Remove all its records and make it anew. There is no further question.
    """
    from mdfactory.sync.manage import init_systems

    store = session.store()
    done = init_systems(store, force=force)
    if not done.existed:
        what = "made"
    elif force:
        what = f"made anew, {counted(done.removed, 'record')} removed"
    else:
        what = "was there already"
    session.terminal.result(f"{done.table}: {what} ({store.location})", asdict(done))


@push.command(
    name="systems",
    help_epilogue=examples(
        "mdfactory sync push systems build_summary.yaml",
        "mdfactory sync push systems /path/to/simulations --update",
        'mdfactory sync push systems "campaign_*/batch_?" --diff --dry-run',
        "mdfactory sync push systems --csv campaign.csv --csv-root /path/to/simulations",
    ),
)
def push_systems(
    source: Path | None = None,
    /,
    *,
    csv: Csv = None,
    csv_root: CsvRoot = None,
    diff: Diff = False,
    update: Update = False,
    force: Force = False,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Push the records of simulations: what they are made of, where they are, how far they are.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Give either this or --csv.
    csv
        A campaign CSV: the folders of its rows are pushed.
    csv_root
        Where to search them; here if not given.
    diff
        Leave them as they are.
    update
        Overwrite those that changed, leave the others.
    force
        Overwrite them.
    dry_run
        Say what would be written, and write nothing.
    """
    from mdfactory.sync.push import push_systems

    with session.terminal.progress() as watch:
        pushed = push_systems(
            session.store(),
            _source(source, csv, csv_root),
            _mode(diff=diff, force=force, update=update),
            dry_run=dry_run,
            watch=watch,
        )
    return _report(pushed, session, dry_run=dry_run)


@pull.command(
    name="systems",
    help_epilogue=examples(
        "mdfactory sync pull systems --status completed --simulation-type bilayer",
        "mdfactory sync pull systems --sort -timestamp_utc --limit 10",
        "mdfactory sync pull systems --full --output systems.json",
    ),
)
def pull_systems(
    *,
    hash_: Hash = None,
    status: Annotated[Status | None, Parameter(group=FILTERS)] = None,
    simulation_type: Annotated[SimulationType | None, Parameter(group=FILTERS)] = None,
    parametrization: Annotated[Parametrization | None, Parameter(group=FILTERS)] = None,
    engine: Annotated[Engine | None, Parameter(group=FILTERS)] = None,
    sort: OrderBy = None,
    limit: Limit = None,
    full: bool = False,
    output: Path | None = None,
    session: Given,
) -> None:
    """Show the records of simulations, or write them to a file.

    Parameters
    ----------
    hash_
        First digits of the hash, in any case.
    status
        How far the simulation has come.
    simulation_type
        What is simulated.
    parametrization
        Where the force-field parameters come from.
    engine
        The program that runs it.
    sort
        Column to sort by; -COLUMN for descending.
    limit
        Number of records at most.
    full
        Show all columns.
    output
        Write all columns to this file: .json or .jsonl as JSON lines, .parquet as Parquet,
        any other as CSV.
    """
    from mdfactory.records.tables import RUNS
    from mdfactory.sync.pull import pull

    equal = {
        "status": status,
        "simulation_type": simulation_type,
        "parametrization": parametrization,
        "engine": engine,
    }
    shown = RUNS.columns if output else session.terminal.columns(RUNS, full=full)
    store = session.store()
    rows = pull(
        store,
        RUNS,
        hash_prefix=hash_,
        equal=equal,
        columns=shown,
        sort=sort,
        limit=limit,
    )
    session.show(store, rows, RUNS, shown, output)


@clear.command(
    name="systems",
    help_epilogue=examples(
        "mdfactory sync clear systems",
        "mdfactory sync clear systems --hash 24BD07 --yes",
    ),
)
def clear_systems(*, hash_: Hash = None, yes: Yes = False, session: Given) -> None:
    """Remove the records of simulations from the store. Nothing on disk is touched.

    Parameters
    ----------
    hash_
        First digits of the hash, in any case.
    yes
        Do not ask.
    """
    from mdfactory.sync.manage import clear, select_systems

    store = session.store()
    selection = select_systems(store, hash_)
    if selection.total and not yes:
        session.terminal.confirm(
            f"Remove {selection} from the {store.location}?", "nothing was cleared"
        )
    removed = clear(store, selection)
    words = "\n".join(
        f"{table}: {counted(number, 'record')} removed" for table, number in removed.items()
    )
    session.terminal.result(words, {"removed": removed})


def _source(source: Path | None, csv: Path | None, csv_root: Path | None) -> Source:
    from mdfactory.campaign.discover import CsvSource

    if (source is None) == (csv is None):
        raise UsageError("give either a SOURCE or --csv FILE: a folder, a pattern, a build summary")
    if csv is not None:
        return CsvSource(csv, csv_root or Path())
    if csv_root is not None:
        raise UsageError("--csv-root goes with --csv FILE")
    return str(source)


def _mode(*, diff: bool, force: bool, update: bool) -> Mode:
    chosen = {Mode.skip: diff, Mode.force: force, Mode.update: update}
    return next((mode for mode, given in chosen.items() if given), Mode.refuse)


def _report(pushed: Pushed, session: Session, *, dry_run: bool) -> int:
    for warning in pushed.warnings:
        session.terminal.warn(warning)
    for skipped in pushed.skipped:
        session.terminal.skipped(skipped.path, skipped.reason)
    counts = asdict(pushed.counts)
    words = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    if pushed.skipped:
        words += f" ({len(pushed.skipped):,} invalid or not found)"
    session.terminal.result(
        f"dry run, nothing was written; it would be: {words}" if dry_run else words,
        {
            "dry_run": dry_run,
            "counts": counts,
            "skipped": [asdict(skipped) for skipped in pushed.skipped],
            "warnings": list(pushed.warnings),
        },
    )
    return SKIPPED if pushed.skipped else 0
