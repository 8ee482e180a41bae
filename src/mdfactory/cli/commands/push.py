"""The commands that push records of a campaign into the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import (
    CampaignCsv,
    Conflicts,
    DryRun,
    Names,
    Reads,
    catalogue,
    source_of,
)
from mdfactory.cli.session import Exit, Given, Session, examples, words_of
from mdfactory.records.vocabulary import ConflictMode, ResultType, check_name

if TYPE_CHECKING:
    from mdfactory.campaign.discover import Source
    from mdfactory.sync.push import Pushed

__all__ = ["app"]

app = App(name="push", help="Push from folders into the store.")


@app.command(
    help_epilogue=examples(
        "mdfactory sync push systems build_summary.yaml",
        "mdfactory sync push systems /path/to/simulations --update",
        'mdfactory sync push systems "campaign_*/batch_?" --diff --dry-run',
        "mdfactory sync push systems --csv campaign.csv --csv-root /path/to/simulations",
    ),
)
def systems(
    source: Path | None = None,
    /,
    *,
    table: CampaignCsv | None = None,
    conflicts: Conflicts | None = None,
    reads: Reads | None = None,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Push the records of simulations: what they are made of, where they are, how far they are.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Give either this or --csv.
    dry_run
        Say what would be written, and write nothing.
    """
    return _push(
        session,
        source_of(source, table),
        conflicts,
        reads,
        simulations=True,
        dry_run=dry_run,
    )


@app.command(
    help_epilogue=examples(
        "mdfactory sync push analysis build_summary.yaml",
        "mdfactory sync push analysis build_summary.yaml --analysis-name area_per_lipid",
        "mdfactory sync push analysis /path/to/simulations --update",
    ),
)
def analysis(
    source: Path | None = None,
    /,
    *,
    analysis_name: Names = (),
    table: CampaignCsv | None = None,
    conflicts: Conflicts | None = None,
    reads: Reads | None = None,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Push the tables that analyses of simulations have produced, to the last bit.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Give either this or --csv.
    analysis_name
        Push this analysis only; may be given several times.
    dry_run
        Say what would be written, and write nothing.
    """
    return _push(
        session,
        source_of(source, table),
        conflicts,
        reads,
        results=[ResultType.analysis],
        names=analysis_name,
        dry_run=dry_run,
    )


@app.command(
    help_epilogue=examples(
        "mdfactory sync push artifacts build_summary.yaml",
        "mdfactory sync push artifacts build_summary.yaml --artifact-name bilayer_snapshot",
    ),
)
def artifacts(
    source: Path | None = None,
    /,
    *,
    artifact_name: Names = (),
    table: CampaignCsv | None = None,
    conflicts: Conflicts | None = None,
    reads: Reads | None = None,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Push the lists and checksums of files that simulations have produced.

    The files themselves stay on disk.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Give either this or --csv.
    artifact_name
        Push this artifact only; may be given several times.
    dry_run
        Say what would be written, and write nothing.
    """
    return _push(
        session,
        source_of(source, table),
        conflicts,
        reads,
        results=[ResultType.artifact],
        names=artifact_name,
        dry_run=dry_run,
    )


@app.command(
    name="all",
    help_epilogue=examples(
        "mdfactory sync push all /path/to/simulations",
        "mdfactory sync push all /path/to/simulations --update",
    ),
)
def everything(
    source: Path | None = None,
    /,
    *,
    table: CampaignCsv | None = None,
    conflicts: Conflicts | None = None,
    reads: Reads | None = None,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Push simulations, analyses and artifacts in one walk and one transaction.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Give either this or --csv.
    dry_run
        Say what would be written, and write nothing.
    """
    return _push(
        session,
        source_of(source, table),
        conflicts,
        reads,
        simulations=True,
        results=list(ResultType),
        dry_run=dry_run,
    )


def _push(
    session: Session,
    source: Source,
    conflicts: Conflicts | None,
    reads: Reads | None,
    *,
    simulations: bool = False,
    results: Collection[ResultType] = (),
    names: Collection[str] = (),
    dry_run: bool,
) -> int:
    from mdfactory.campaign.collect import Scope
    from mdfactory.sync.push import push

    scope = Scope(simulations, results, frozenset(check_name(name).lower() for name in names))
    how = reads or Reads()
    with session.terminal.progress() as watch, how.opened() as reading:
        pushed = push(
            session.store(),
            source,
            conflicts.mode if conflicts else ConflictMode.refuse,
            scope,
            catalogue=catalogue(session),
            dry_run=dry_run,
            command=session.typed,
            reading=reading,
            watch=watch,
        )
    return _report(pushed, session, dry_run=dry_run)


def _report(pushed: Pushed, session: Session, *, dry_run: bool) -> int:
    for warning in pushed.warnings:
        session.terminal.warn(warning)
    for skipped in pushed.skipped:
        session.terminal.skipped(skipped.path, skipped.reason)
    tables = {table: asdict(counts) for table, counts in pushed.tables.items()}
    counts = asdict(pushed.counts)
    words = words_of(counts, zeros=True)
    if pushed.skipped:
        words += f" ({len(pushed.skipped):,} invalid or not found)"
    if len(tables) > 1:
        lines = [
            f"  {table}: {words_of(each)}" for table, each in tables.items() if any(each.values())
        ]
        words = "\n".join([words, *lines])
    session.terminal.result(
        f"dry run, nothing was written; it would be: {words}" if dry_run else words,
        {
            "dry_run": dry_run,
            "counts": counts,
            "tables": tables,
            "skipped": [asdict(skipped) for skipped in pushed.skipped],
            "warnings": list(pushed.warnings),
        },
    )
    return Exit.skipped if pushed.skipped else Exit.done
