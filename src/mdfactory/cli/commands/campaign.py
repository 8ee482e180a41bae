"""The commands that validate a campaign CSV, and create simulation folders from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cyclopts import App

from mdfactory.cli.session import CurrentSession, examples
from mdfactory.errors import counted

check = App(
    name="check-csv",
    help_epilogue=examples(
        "mdfactory check-csv campaign.csv",
        "mdfactory check-csv campaign.csv --json",
    ),
)
prepare = App(
    name="prepare-build",
    help_epilogue=examples(
        "mdfactory prepare-build campaign.csv",
        "mdfactory prepare-build campaign.csv /scratch/campaign",
    ),
)


@check.default
def check_csv(file: Path, /, *, session: CurrentSession) -> None:
    """Validate each row.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.
    """
    from mdfactory.campaign.prepare import read_valid_rows

    checked = read_valid_rows(file)
    for warning in checked.warnings:
        session.terminal.warn(f"{file}: {warning}")
    types = Counter(row.build_input.simulation_type.value for row in checked.rows)
    counts = ", ".join(f"{number:,} {simulation_type}" for simulation_type, number in types.items())
    session.terminal.result(
        f"{file}: {counted(len(checked.rows), 'valid row')}{counts and f' ({counts})'}",
        {
            "rows": [
                {
                    "row": row.number,
                    "line": row.line,
                    "hash": row.build_input.hash,
                    "simulation_type": row.build_input.simulation_type.value,
                }
                for row in checked.rows
            ],
            "warnings": list(checked.warnings),
        },
    )


@prepare.default
def prepare_build(file: Path, out: Path = Path(), /, *, session: CurrentSession) -> None:
    """Create the folders.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.
    out
        Folder in which to create the folders and the summary. Default: the current folder.
    """
    from mdfactory.campaign.prepare import prepare

    prepared = prepare(file, out)
    for warning in prepared.warnings:
        session.terminal.warn(f"{file}: {warning}")
    if prepared.backup:
        session.terminal.note(f"backup of the earlier summary: {prepared.backup}")
    session.terminal.result(
        f"{counted(len(prepared.created), 'folder')} created, "
        f"{len(prepared.existing):,} already existed; build summary: {prepared.summary}",
        {
            "summary": str(prepared.summary),
            "backup": str(prepared.backup) if prepared.backup else None,
            "made": [str(folder) for folder in prepared.created],
            "kept": [str(folder) for folder in prepared.existing],
            "warnings": list(prepared.warnings),
        },
    )
