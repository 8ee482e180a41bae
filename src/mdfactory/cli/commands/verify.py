"""The command that checks a store against itself and against the disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdfactory.cli.completion import hash_prefixes
from mdfactory.cli.layout import shell_words
from mdfactory.cli.options import (
    NO_SEARCH,
    Command,
    CsvOptions,
    FileJobs,
    SearchOptions,
    UserPath,
    source_of,
    source_words,
)
from mdfactory.cli.session import CurrentSession, Exit, Session
from mdfactory.errors import UsageError, counted

if TYPE_CHECKING:
    from mdfactory.sync.verify.finding import Finding
    from mdfactory.sync.verify.stored_files import StoredFileCheck
    from mdfactory.sync.verify.verification import Verified

app = Command(name="verify")


@app.default
def verify(
    source: UserPath | None = None,
    /,
    *,
    table: CsvOptions | None = None,
    quick: bool = False,
    files: Annotated[bool, Parameter(negative=())] = False,
    jobs: FileJobs = None,
    since: Annotated[str | None, Parameter(completer=hash_prefixes)] = None,
    search: SearchOptions = NO_SEARCH,
    session: CurrentSession,
) -> int:
    """Check that the records are as they were written, and that they agree with the disk.

    Nothing is written. The exit code is 4 if there are problems.

    Parameters
    ----------
    source
        Check only records of folders in SOURCE: a folder, a quoted glob pattern of folders, or a
        build summary YAML. Default without --csv: all records.
    quick
        Do not read the contents of results on disk: check only that the files exist, and the
        number of rows of Parquet files.
    files
        Check the files of artifacts in the file store, in place of the simulations on disk. With
        --quick, only whether they exist.
    since
        Continue at this hash, or at the next one. An interrupted run prints the hash to continue
        at.

    Examples
    --------
    mdfactory sync verify
    mdfactory sync verify /path/to/simulations --quick
    mdfactory sync verify --files
    mdfactory sync verify --since 7F3A
    """
    from mdfactory.sync.verify.verification import Verified, verify

    stored = _stored_file_check(session, jobs, quick=quick) if files else None
    if jobs is not None and not files:
        raise UsageError("--jobs needs --files")
    campaign = source_of(source, table or CsvOptions()) if source or table else None
    verified = Verified()
    try:
        with session.terminal.progress() as watch:
            if stored:
                stored.watch = watch
            verify(
                session.store,
                campaign,
                quick=quick,
                files=stored,
                since=since,
                search=search.search(),
                note=session.terminal.note,
                into=verified,
                watch=watch,
            )
    except KeyboardInterrupt:
        _report(verified, session, stored)
        if verified.reached:
            words = ["mdfactory sync verify", shell_words(*source_words(source, table))]
            words += ["--quick"] * quick + ["--files"] * files + ["--since", verified.reached]
            words.append(shell_words(*search.words))
            command = " ".join(filter(None, words))
            session.terminal.note(f"To continue: {session.next_command(command)}")
        raise
    _report(verified, session, stored)
    if not files and session.settings.files and any(row.folder for row in verified.findings):
        command = session.next_command("mdfactory sync verify --files")
        session.terminal.note(
            "If folders were deleted on purpose, because the file store has their files, "
            f"this checks the records and these files in place of the disk: {command}"
        )
    return Exit.differs if verified.findings else Exit.done


def _stored_file_check(session: Session, jobs: int | None, *, quick: bool) -> StoredFileCheck:
    from mdfactory.sync.verify.stored_files import StoredFileCheck

    return StoredFileCheck(session.files, quick, jobs)


def _report(verified: Verified, session: Session, stored: StoredFileCheck | None) -> None:
    """Print the findings, and the number of records that were checked."""
    from mdfactory.sync.verify.moved import merge_missing

    findings, notes = (
        [replace(found, remedy=session.next_command(found.remedy)) for found in each]
        for each in (verified.findings, verified.all_notes)
    )
    lines = [_line(finding) for finding in merge_missing(findings)]
    lines += [f"note: {_line(note)}" for note in notes]
    counts = [
        f"{counted(verified.total, 'record')} checked",
        counted(len(verified.findings), "problem"),
    ]
    if stored:
        counts.insert(1, f"{counted(stored.checked, 'file')} in {stored.files.location} checked")
    if notes:
        counts.append(counted(len(notes), "note"))
    if verified.unverifiable:
        counts.append(f"{verified.unverifiable:,} of other programs, without digests to check")
    session.terminal.result(
        "\n".join([*lines, ", ".join(counts)]),
        {
            "sound": not verified.findings,
            "checked": verified.checked,
            "unverifiable": verified.unverifiable,
            "files": stored.checked if stored else None,
            "rows": [finding.values for finding in findings],
            "notes": [note.values for note in notes],
            "reached": verified.reached,
        },
    )


def _line(finding: Finding) -> str:
    record = f"{finding.table} {finding.hash}".rstrip()  # a finding about a table has no hash
    remedy = f". Remedy: {finding.remedy}" if finding.remedy else ""
    return f"{record}: {finding.problem}{remedy}"
