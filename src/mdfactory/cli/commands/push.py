"""The commands that push records of a campaign into the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.layout import shell_words
from mdfactory.cli.options import (
    Command,
    ConflictOptions,
    CsvOptions,
    DryRun,
    ReadingOptions,
    ResultNames,
    UserPath,
    format_examples,
    source_of,
    source_words,
)
from mdfactory.cli.push_report import json_values, report_lines
from mdfactory.cli.session import CurrentSession, Exit, Session

app = Command(
    name="push",
    help="Push records of simulation folders into the store.",
    help_epilogue=format_examples(
        "mdfactory sync push all /path/to/simulations",
        "mdfactory sync push all /path/to/simulations --update",
    ),
)

SourceArgument = Annotated[
    UserPath | None,
    Parameter(
        help="A folder to search at any depth, a quoted glob pattern of folders, or a build "
        "summary YAML. Give either SOURCE or --csv."
    ),
]


Files = Annotated[
    bool,
    Parameter(
        negative=(),
        help="Also send the files of artifacts to the file store, unless they are there. With "
        "--force, all of them are sent.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PushOptions:
    """Options of all push commands."""

    table: CsvOptions = field(default_factory=CsvOptions)
    conflicts: ConflictOptions = field(default_factory=ConflictOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    dry_run: DryRun = False


DEFAULTS: Final = PushOptions()


@app.command
def systems(
    source: SourceArgument = None, /, *, options: PushOptions = DEFAULTS, session: CurrentSession
) -> int:
    """Push the records of simulations: composition, folder and status.

    Examples
    --------
    mdfactory sync push systems build_summary.yaml
    mdfactory sync push systems /path/to/simulations --update
    mdfactory sync push systems "campaign_*/batch_?" --diff --dry-run
    mdfactory sync push systems --csv campaign.csv --csv-root /path/to/simulations
    """
    return _push(session, source, options, "systems")


@app.command
def analysis(
    source: SourceArgument = None,
    /,
    *,
    analysis_name: ResultNames = (),
    options: PushOptions = DEFAULTS,
    session: CurrentSession,
) -> int:
    """Push the tables that analyses have produced, exactly as they are on disk.

    Parameters
    ----------
    analysis_name
        Push only this analysis. The option may be repeated.

    Examples
    --------
    mdfactory sync push analysis build_summary.yaml
    mdfactory sync push analysis build_summary.yaml --analysis-name area_per_lipid
    mdfactory sync push analysis /path/to/simulations --update
    """
    return _push(session, source, options, "analysis", analysis_name)


@app.command
def artifacts(
    source: SourceArgument = None,
    /,
    *,
    artifact_name: ResultNames = (),
    files: Files = False,
    options: PushOptions = DEFAULTS,
    session: CurrentSession,
) -> int:
    """Push the file lists and checksums of artifacts, and with --files the files themselves.

    Parameters
    ----------
    artifact_name
        Push only this artifact. The option may be repeated.

    Examples
    --------
    mdfactory sync push artifacts build_summary.yaml
    mdfactory sync push artifacts build.yaml --artifact-name bilayer_snapshot
    mdfactory sync push artifacts /path/to/simulations --update --files
    """
    return _push(session, source, options, "artifacts", artifact_name, files=files)


@app.command(name="all")
def everything(
    source: SourceArgument = None,
    /,
    *,
    files: Files = False,
    options: PushOptions = DEFAULTS,
    session: CurrentSession,
) -> int:
    """Push simulations, analyses and artifacts in one transaction.

    Examples
    --------
    mdfactory sync push all /path/to/simulations
    mdfactory sync push all /path/to/simulations --update
    mdfactory sync push all /path/to/simulations --update --files
    """
    return _push(session, source, options, "all", files=files)


def _push(
    session: Session,
    path: Path | None,
    options: PushOptions,
    kind: str,
    names: Collection[str] = (),
    *,
    files: bool = False,
) -> int:
    """Push records of one kind, or all; `names` selects some of the results."""
    from mdfactory.sync.push import push, scope_of

    source, scope = source_of(path, options.table), scope_of(kind, names)
    begin = monotonic()
    with session.terminal.progress() as watch, options.reading.opened(session) as reading:
        pushed = push(
            session.store,
            source,
            options.conflicts.mode,
            scope,
            catalogue=session.catalogue,
            files=session.files if files else None,
            dry_run=options.dry_run,
            command=session.command_line,
            reading=reading,
            watch=watch,
        )
    seconds = monotonic() - begin
    words = shell_words("mdfactory", "sync", "push", "all", *source_words(path, options.table))
    session.terminal.problems(map(session.next_command, pushed.warnings), pushed.skipped)
    next_push = f"{words} --update{' --files' * files}"
    lines = report_lines(
        pushed, session.store.location, seconds, next_push, has_results=bool(scope.results)
    )
    session.terminal.result(
        session.next_command("\n".join(lines)),
        {
            "dry_run": pushed.dry_run,
            **json_values(pushed),
            "store": session.store.location,
        },
        complete=not pushed.dry_run,
    )
    return Exit.skipped if pushed.skipped else Exit.done
