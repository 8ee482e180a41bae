"""The command that copies one store into another."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.layout import change_lines
from mdfactory.cli.logged import logged_line
from mdfactory.cli.options import Command, ConflictOptions, DryRun, FileJobs
from mdfactory.cli.push_report import sent_line
from mdfactory.cli.session import CurrentSession, Exit, Session
from mdfactory.errors import UsageError, counted, listed

if TYPE_CHECKING:
    from mdfactory.sync.copy import Copied
    from mdfactory.sync.files.copying import FileCopier

app = Command(name="copy")

DEFAULTS: Final = ConflictOptions()

DIGEST_DIGITS: Final = 16
"""Digits of a digest to print."""


@app.default
def copy(
    *,
    from_: Annotated[str, Parameter(name="--from")],
    to: str,
    files: Annotated[bool, Parameter(negative=())] = False,
    files_from: str | None = None,
    jobs: FileJobs = None,
    conflicts: ConflictOptions = DEFAULTS,
    dry_run: DryRun = False,
    session: CurrentSession,
) -> int:
    """Copy all tables of a store into another store, and compare the tables of both.

    Parameters
    ----------
    from_
        Store to copy: sqlite, csv, postgres or foundry as configured, a path, or a URL. In a URL,
        a path is relative to the current folder after three slashes, and absolute after four.
    to
        Store to copy to, given in the same way. Its missing tables are created.
    files
        Also copy the files of artifacts, from --files-from to the configured file store.
    files_from
        Folder or URL of the file store to copy files from.

    Examples
    --------
    mdfactory sync copy --from sqlite --to postgres
    mdfactory sync copy --from sqlite:///old --to sqlite --update
    mdfactory sync copy --from old --to postgres --files --files-from /old/files
    """
    from mdfactory.sync.copy import copy

    source, target = session.store_at(from_), session.store_at(to)
    if source.location == target.location:
        raise UsageError(f"--from and --to are the same store: {source.location}")
    copier = _file_copier(session, files_from, jobs, is_chosen=files)
    with session.terminal.progress() as watch:
        copied = copy(
            source,
            target,
            conflicts.mode,
            files=copier,
            dry_run=dry_run,
            command=session.command_line,
            watch=watch,
        )
    if copied.left_out:
        tables_text = counted(len(copied.left_out), "table")
        names = ", ".join(listed(copied.left_out))
        session.terminal.note(f"not copied: {tables_text} of other programs: {names}")
    tables = {table: asdict(counts) for table, counts in copied.tables.items()}
    lines = change_lines(tables) or ["no records to copy"]
    lines.insert(0, f"from {source.location} to {target.location}:")
    if copier:
        session.terminal.problems((), copier.skipped)
        lines.append(sent_line(copier.sent))
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
            "files": asdict(copier.sent) if copier else None,
            "skipped": [asdict(skipped) for skipped in copier.skipped] if copier else [],
        },
        complete=not dry_run,
    )
    if target.logged and to == session.settings.kind:
        session.terminal.note(session.next_command(logged_line(target.logged)))
    elif target.logged:  # an undo is one of the configured store
        effect = "undo it, once the target is the configured store"
        session.terminal.note(logged_line(target.logged, effect))
    return Exit.skipped if copier and copier.skipped else Exit.done


def _file_copier(
    session: Session, files_from: str | None, jobs: int | None, *, is_chosen: bool
) -> FileCopier | None:
    """Return what copies the files, if --files is given."""
    if is_chosen != (files_from is not None):
        raise UsageError("--files and --files-from URL go together")
    if files_from is None:
        return None
    from mdfactory.sync.files.copying import FileCopier

    source, target = session.files_at(files_from), session.files
    if source.location == target.location:
        raise UsageError(f"--files-from is the configured file store: {source.location}")
    return FileCopier(source, target, jobs)


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
