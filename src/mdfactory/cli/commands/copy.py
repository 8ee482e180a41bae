"""The command that copies one store into another."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from mdfactory.cli.options import Conflicts, DryRun
from mdfactory.cli.session import Exit, Given, examples, words_of
from mdfactory.errors import UsageError
from mdfactory.records.vocabulary import ConflictMode

if TYPE_CHECKING:
    from mdfactory.sync.copy import Copied

__all__ = ["app"]

app = App(
    name="copy",
    help_epilogue=examples(
        "mdfactory sync copy --from sqlite --to postgres",
        "mdfactory sync copy --from sqlite:///old --to sqlite --update",
    ),
)


@app.default
def copy(
    *,
    from_: Annotated[str, Parameter(name="--from")],
    to: str,
    conflicts: Conflicts | None = None,
    dry_run: DryRun = False,
    session: Given,
) -> int:
    """Copy all tables of a store into another one, and prove that both hold the same.

    Parameters
    ----------
    from_
        The store to copy: a kind, which the configuration says more of, or a URL.
    to
        The store to copy to, likewise; tables that it lacks are made.
    dry_run
        Say what would be written, and write nothing.
    """
    from mdfactory.sync.copy import copy

    source, target = session.store_at(from_), session.store_at(to)
    if source.location == target.location:
        raise UsageError(f"--from and --to are the same: {source.location}")
    mode = conflicts.mode if conflicts else ConflictMode.refuse
    with session.terminal.progress() as watch:
        copied = copy(source, target, mode, dry_run=dry_run, command=session.typed, watch=watch)
    tables = {table: asdict(counts) for table, counts in copied.tables.items()}
    lines = [
        f"{table}: {words_of(counts)}" for table, counts in tables.items() if any(counts.values())
    ]
    if dry_run:
        lines.insert(0, "dry run, nothing was written; it would be:")
    session.terminal.result(
        "\n".join([*lines, *_proof(copied)]),
        {
            "dry_run": dry_run,
            "tables": tables,
            "identical": copied.identical if copied.proof else None,
            "proof": {
                table: {"from": asdict(one), "to": asdict(other)}
                for table, (one, other) in copied.proof.items()
            },
        },
    )
    return Exit.done


def _proof(copied: Copied) -> list[str]:
    """Say of each table whether both stores hold the same, and the digests that show it."""
    width = max(map(len, copied.proof), default=0)
    lines = [
        f"  {table:{width}}  {one.rows:>9,} {one.digest[:16]}  "
        + ("=" if one == other else f"!= {other.rows:,} {other.digest[:16]}")
        for table, (one, other) in copied.proof.items()
        if one.rows or other.rows
    ]
    if not copied.proof:
        return []
    same = "both stores hold the same" if copied.identical else "the stores differ"
    return [f"{same} (records and digest of each table):", *lines]
