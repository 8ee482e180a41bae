"""The commands that validate a campaign CSV, and create simulation folders from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mdfactory.cli.options import Command, UserPath
from mdfactory.cli.session import CurrentSession
from mdfactory.errors import counted

check = Command(name="check-csv")
prepare = Command(name="prepare-build")


@check.default
def check_csv(file: UserPath, /, *, session: CurrentSession) -> None:
    """Validate each row of a campaign CSV, and list all errors.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.

    Examples
    --------
    mdfactory check-csv campaign.csv
    mdfactory check-csv campaign.csv --json
    """
    from mdfactory.campaign.prepare import read_valid_rows

    checked = read_valid_rows(file)
    session.terminal.problems(f"{file}: {warning}" for warning in checked.warnings)
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
def prepare_build(file: UserPath, out: UserPath = Path(), /, *, session: CurrentSession) -> None:
    """Create a folder for each row of a campaign CSV, and a build summary.

    Existing folders are not changed. An earlier summary is kept as a backup. If a row is
    invalid, nothing is written.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.
    out
        Folder in which to create the folders and the summary. Default: the current folder.

    Examples
    --------
    mdfactory prepare-build campaign.csv
    mdfactory prepare-build campaign.csv /scratch/campaign
    """
    from mdfactory.campaign.prepare import prepare

    prepared = prepare(file, out)
    session.terminal.problems(f"{file}: {warning}" for warning in prepared.warnings)
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
        complete=True,
    )
