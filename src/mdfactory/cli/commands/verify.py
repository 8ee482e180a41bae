"""The command that checks a store against itself and against the disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import CampaignCsv, source_of
from mdfactory.cli.session import Exit, Given, Session, examples
from mdfactory.errors import counted

if TYPE_CHECKING:
    from mdfactory.sync.verify.verification import Finding, Verified

__all__ = ["app"]

app = App(
    name="verify",
    help_epilogue=examples(
        "mdfactory sync verify",
        "mdfactory sync verify /path/to/simulations --quick",
        "mdfactory sync verify --since 7F3A",
    ),
)


@app.default
def verify(
    source: Path | None = None,
    /,
    *,
    table: CampaignCsv | None = None,
    quick: bool = False,
    since: str = "",
    session: Given,
) -> int:
    """Check that the store holds what was put there, and that the disk still agrees.

    Nothing is written. The exit code is 4 if anything is wrong.

    Parameters
    ----------
    source
        Check only records of folders below this: a folder, a quoted glob pattern of folders, or
        a build summary YAML.
    quick
        Do not read every byte of the results on disk: look whether they are there, and how many
        rows a Parquet file has.
    since
        Begin with this hash, or the first after it; a run that was stopped says with which.
    """
    from mdfactory.sync.verify.verification import Verified, verify

    where = source_of(source, table) if source or table else None
    found = Verified()
    try:
        with session.terminal.progress() as watch:
            verify(session.store(), where, quick=quick, since=since, into=found, watch=watch)
    except KeyboardInterrupt:
        _report(found, session)
        session.terminal.note(f"To go on: mdfactory sync verify --since {found.reached}")
        raise
    _report(found, session)
    return Exit.differs if found.findings else Exit.done


def _report(found: Verified, session: Session) -> None:
    lines = [_line(one) for one in found.findings]
    lines += [f"note: {_line(one)}" for one in found.notes]
    words = [counted(found.total, "record") + " checked", counted(len(found.findings), "problem")]
    if found.unverifiable:
        words.append(f"{found.unverifiable:,} written by other programs, checked as far as can be")
    session.terminal.result(
        "\n".join([*lines, ", ".join(words)]),
        {
            "sound": not found.findings,
            "checked": found.checked,
            "unverifiable": found.unverifiable,
            "rows": [asdict(one) for one in found.findings],
            "notes": [asdict(one) for one in found.notes],
            "reached": found.reached,
        },
    )


def _line(one: Finding) -> str:
    remedy = f". Remedy: {one.remedy}" if one.remedy else ""
    return f"{one.table} {one.hash}: {one.problem}{remedy}".replace(" :", ":")
