"""The command that copies one store into another."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.layout import change_lines
from mdfactory.cli.options import Command, ConflictOptions, DryRun
from mdfactory.cli.session import CurrentSession
from mdfactory.errors import UsageError, counted, listed

if TYPE_CHECKING:
    from mdfactory.sync.copy import Copied

app = Command(name="copy")

DEFAULTS: Final = ConflictOptions()

DIGEST_DIGITS: Final = 16
"""Digits of a digest to print."""


@app.default
def copy(
    *,
    from_: Annotated[str, Parameter(name="--from")],
    to: str,
    conflicts: ConflictOptions = DEFAULTS,
    dry_run: DryRun = False,
    session: CurrentSession,
) -> None:
    """Copy all tables of a store into another store, and compare the tables of both.

    Parameters
    ----------
    from_
        Store to copy: sqlite, csv, postgres or foundry as configured, a path, or a URL. In a URL,
        a path is relative to the current folder after three slashes, and absolute after four.
    to
        Store to copy to, given in the same way. Its missing tables are created.

    Examples
    --------
    mdfactory sync copy --from sqlite --to postgres
    mdfactory sync copy --from sqlite:///old --to sqlite --update
    """
    from mdfactory.sync.copy import copy

    source, target = session.store_at(from_), session.store_at(to)
    if source.location == target.location:
        raise UsageError(f"--from and --to are the same store: {source.location}")
    mode = conflicts.mode
    with session.terminal.progress() as watch:
        copied = copy(
            source, target, mode, dry_run=dry_run, command=session.command_line, watch=watch
        )
    if copied.left_out:
        tables_text = counted(len(copied.left_out), "table")
        names = ", ".join(listed(copied.left_out))
        session.terminal.note(f"not copied: {tables_text} of other programs: {names}")
    tables = {table: asdict(counts) for table, counts in copied.tables.items()}
    lines = change_lines(tables) or ["no records to copy"]
    lines.insert(0, f"from {source.location} to {target.location}:")
    if dry_run:
        lines.insert(0, "dry run, nothing was written. Without --dry-run:")
    session.terminal.result(
        "\n".join([*lines, *_proof_lines(copied)]),
        {
            "dry_run": dry_run,
            "from": source.location,
            "to": target.location,
            "counts": asdict(copied.counts),
            "tables": tables,
            "left_out": copied.left_out,
            "identical": copied.identical if copied.proof else None,
            "proof": {
                table: {"from": asdict(source_end), "to": asdict(target_end)}
                for table, (source_end, target_end) in copied.proof.items()
            },
        },
        complete=not dry_run,
    )


def _proof_lines(copied: Copied) -> list[str]:
    """Return whether the copied tables are equal in both stores, and the digest of each table."""
    if not copied.proof:
        return []
    width = max(map(len, copied.proof))
    lines = [
        f"  {table:{width}}  {source.rows:>9,} {source.digest[:DIGEST_DIGITS]}  "
        + ("=" if source == target else f"!= {target.rows:,} {target.digest[:DIGEST_DIGITS]}")
        for table, (source, target) in copied.proof.items()
        if source.rows or target.rows
    ]
    outcome = "both stores are identical" if copied.identical else "the stores differ"
    return [f"{outcome} (records and digest of each table):", *lines]
