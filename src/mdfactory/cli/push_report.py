"""The report at the end of a push: what is in the store now, how to undo it, and what is next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mdfactory.cli.layout import change_lines, format_counts
from mdfactory.cli.logged import logged_line
from mdfactory.errors import HASH_PREFIX_DIGITS, MAX_LISTED, counted, format_bytes, listed
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.sync.files.sending import SentFiles
    from mdfactory.sync.pushed import Pushed

PLURALS: Final = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}

MINUTE_SECONDS: Final = 60


def report_lines(
    pushed: Pushed, location: str, seconds: float, next_push: str, *, has_results: bool
) -> list[str]:
    """Return the lines of a report, at most eight; of a dry run also one for each table.

    Parameters
    ----------
    pushed
        The outcome of the push.
    location
        The store.
    seconds
        Time that the push took.
    next_push
        Command that pushes all of the same source again.
    has_results
        Whether results were pushed; if not, there may be some on disk that nobody looked for.
    """
    counts = format_counts(asdict(pushed.counts), zeros=True)
    if pushed.skipped:
        counts += f" ({len(pushed.skipped):,} invalid, not found or duplicate, named above)"
    if pushed.plain_runs:
        runs = counted(pushed.plain_runs, "GROMACS run")
        counts += f"; ignored: {runs} without a BuildInput"
    if pushed.dry_run:
        tables = {table: asdict(numbers) for table, numbers in pushed.tables.items()}
        lines = change_lines(tables) if len(tables) > 1 else []
        head = f"dry run, nothing was written. Without --dry-run: {counts}"
        lines += [sent_line(pushed.files)] if pushed.files else []
        return [head, *(f"  {line}" for line in lines)]
    return [
        counts,
        _written(pushed, location, seconds),
        *_contents(pushed, has_results=has_results),
        *_next(pushed, next_push, has_results=has_results),
    ]


def json_values(pushed: Pushed) -> dict[str, Any]:
    """Return the outcome of a push as an object of ``--json``."""
    return {
        "counts": asdict(pushed.counts),
        "tables": {table: asdict(counts) for table, counts in pushed.tables.items()},
        "simulations": dict(pushed.statuses),
        "results": [
            {"item_type": result_type.value, "item_name": name, **asdict(counts)}
            for (result_type, name), counts in pushed.results.items()
        ],
        "completed_without_results": list(pushed.without_results),
        "files": asdict(pushed.files) if pushed.files else None,
        "operation": pushed.logged and pushed.logged.operation,
        "skipped": [asdict(skipped) for skipped in pushed.skipped],
        "warnings": list(pushed.warnings),
    }


def _written(pushed: Pushed, location: str, seconds: float) -> str:
    """Return where the push has written to, how long it took, and how to undo it."""
    place = f"{location}, {_duration(seconds)}"
    if pushed.logged is None:
        return f"{place}: no record changed"
    return f"{place}, {logged_line(pushed.logged)}"


def _contents(pushed: Pushed, *, has_results: bool) -> Iterator[str]:
    """Yield what the pushed simulations are, and which results of them are in the store."""
    if pushed.statuses:
        total = counted(sum(pushed.statuses.values()), "simulation")
        yield f"{total}: {format_counts(pushed.statuses)}"
    for result_type, plural in PLURALS.items():
        texts = [_coverage(pushed, result_type)]
        if pushed.files and result_type is ResultType.artifact:
            texts.append(sent_line(pushed.files))
        if text := "; ".join(filter(None, texts)):
            yield f"{plural}: {text}"
    if pushed.without_results and has_results:
        hashes = [hash_[:HASH_PREFIX_DIGITS] for hash_ in pushed.without_results]
        total = counted(len(hashes), "simulation")
        names = ", ".join(listed(hashes, MAX_LISTED))
        yield f"completed without results in the store: {total} ({names})"


def _coverage(pushed: Pushed, result_type: ResultType) -> str:
    """Return how many simulations have which results of a type; those that none has are counted."""
    counts_by_name = {
        name: counts
        for (own_type, name), counts in pushed.results.items()
        if own_type is result_type
    }
    numbers = [
        f"{name} {counts.completed:,} of {counts.completed + counts.missing:,}"
        for name, counts in counts_by_name.items()
        if counts.completed
    ]
    if others := len(counts_by_name) - len(numbers):
        numbers.append(f"and {others} more with none yet" if numbers else "none in the store yet")
    return ", ".join(numbers)


def sent_line(files: SentFiles) -> str:
    """Return how many files of artifacts were sent, or would be, and where to."""
    size = f" ({format_bytes(files.sent_bytes)})" if files.sent else ""
    sent = counted(files.sent, "file")
    return f"{sent}{size} sent to {files.location}, {files.present:,} there before"


def _next(pushed: Pushed, next_push: str, *, has_results: bool) -> Iterator[str]:
    """Yield the next commands."""
    if not has_results:
        yield "next: mdfactory sync pull systems"
        yield f"results were not pushed; to push them, and changes on disk: {next_push}"
        return
    is_missing = any(counts.missing for counts in pushed.results.values())
    yield f"next: mdfactory sync pull {'analysis' if is_missing else 'systems'}"
    yield f"to push changes on disk: {next_push}"


def _duration(seconds: float) -> str:
    """Return a time such as ``0.8 s`` or ``3 min 20 s``."""
    if seconds < MINUTE_SECONDS:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE_SECONDS)
    return f"{minutes} min {rest} s"
