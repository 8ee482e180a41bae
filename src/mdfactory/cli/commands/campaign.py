"""The commands that turn a campaign CSV into folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cyclopts import App

from mdfactory.cli.session import Given, examples
from mdfactory.errors import counted

__all__ = ["check", "prepare"]

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
def check_csv(file: Path, /, *, session: Given) -> None:
    """Validate the rows.

    Parameters
    ----------
    file
        The campaign CSV: a row for each simulation, a column for each field.
    """
    from mdfactory.campaign.prepare import read_valid_rows

    rows = read_valid_rows(file)
    for warning in rows.warnings:
        session.terminal.warn(f"{file}: {warning}")
    builds = [row.build_input for row in rows.rows]
    types = Counter(built.simulation_type.value for built in builds)
    words = ", ".join(f"{number:,} {type_}" for type_, number in types.items())
    session.terminal.result(
        f"{file}: {counted(len(builds), 'valid row')}{words and f' ({words})'}",
        {
            "rows": [
                {
                    "row": row.number,
                    "line": row.line,
                    "hash": row.build_input.hash,
                    "simulation_type": row.build_input.simulation_type.value,
                }
                for row in rows.rows
            ],
            "warnings": list(rows.warnings),
        },
    )


@prepare.default
def prepare_build(file: Path, out: Path = Path(), /, *, session: Given) -> None:
    """Make the folders.

    Parameters
    ----------
    file
        The campaign CSV: a row for each simulation, a column for each field.
    out
        Where to make the folders; here if not given.
    """
    from mdfactory.campaign.prepare import prepare

    done = prepare(file, out)
    for warning in done.warnings:
        session.terminal.warn(f"{file}: {warning}")
    if done.backup:
        session.terminal.note(f"the earlier summary is kept as {done.backup}")
    session.terminal.result(
        f"{counted(len(done.created), 'folder')} made, {len(done.existing):,} there already; "
        f"build summary: {done.summary}",
        {
            "summary": str(done.summary),
            "backup": str(done.backup) if done.backup else None,
            "made": [str(folder) for folder in done.created],
            "kept": [str(folder) for folder in done.existing],
            "warnings": list(done.warnings),
        },
    )
