"""The command that compares disk and store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import CampaignCsv, Reads, source_of
from mdfactory.cli.session import Exit, Given, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mdfactory.sync.status import CampaignStatus

__all__ = ["app"]

app = App(
    name="status",
    help_epilogue=examples(
        "mdfactory sync status /path/to/simulations",
        "mdfactory sync status --csv campaign.csv --csv-root /path/to/simulations",
        "mdfactory sync status --long",
        "mdfactory sync status /path/to/simulations --exit-code --quiet",
    ),
)


@app.default
def status(
    source: Path | None = None,
    /,
    *,
    table: CampaignCsv | None = None,
    reads: Reads | None = None,
    long: bool = False,
    exit_code: bool = False,
    session: Given,
) -> int:
    """Tell what is new, changed or gone on disk, beside what the store holds. Nothing is written.

    New and changed is exactly what "push all --update" would write.

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML; the folders that the store's records name if neither this nor --csv is given.
    long
        List each record that is not in step, and what has changed.
    exit_code
        End with exit code 4 if disk and store are not in step.
    """
    from mdfactory.sync.status import State, status

    where = source_of(source, table) if source or table else None
    how = reads or Reads()
    with session.terminal.progress() as watch, how.opened() as reading:
        found = status(session.store(), where, reading=reading, watch=watch)
    for warning in found.warnings:
        session.terminal.warn(warning)
    for skipped in found.skipped:
        session.terminal.skipped(skipped.path, skipped.reason)
    lines = [*_counts(found), *(_listed(found) if long else ())]
    session.terminal.result(
        "\n".join([*lines, *_next(found, str(where) if isinstance(where, str) else "")]),
        {
            "in_step": found.in_step,
            "counts": {
                kind: {state: counts[state] for state in State}
                for kind, counts in found.counts.items()
            },
            "rows": [asdict(one) for one in found.differences],
            "skipped": [asdict(skipped) for skipped in found.skipped],
            "warnings": list(found.warnings),
        },
    )
    if exit_code and not found.in_step:
        return Exit.differs
    return Exit.skipped if found.skipped else Exit.done


def _counts(found: CampaignStatus) -> Iterator[str]:
    """Yield a line for each kind of record, with a column for each state."""
    from mdfactory.sync.status import State

    width = max(map(len, found.counts))
    yield "  ".join([" " * width, *map(_words, State)])
    for kind, counts in found.counts.items():
        cells = (f"{counts[state]:>{len(state)},}" for state in State)
        yield "  ".join([f"{kind:{width}}", *cells])


def _listed(found: CampaignStatus) -> Iterator[str]:
    if found.differences:
        yield ""
    for one in sorted(found.differences, key=lambda one: (one.state, one.table, one.hash)):
        what = f": {', '.join(one.what)}" if one.what else ""
        yield f"{_words(one.state)}  {one.table}  {one.hash}  {one.directory}{what}"


def _next(found: CampaignStatus, source: str) -> Iterator[str]:
    """Say what brings disk and store in step."""
    from mdfactory.sync.status import State

    states = {one.state for one in found.differences}
    if not states:
        yield "in step"
        return
    if states & {State.new, State.changed}:
        place = quote(source) if source else "SOURCE"
        yield f"To store what is new or changed: mdfactory sync push all {place} --update"
    if State.gone in states:
        yield "If folders were moved: mdfactory sync relocate OLD NEW"
    if State.extra in states:
        yield "To remove what is only in the store: mdfactory sync clear ... --hash PREFIX"


def _words(state: str) -> str:
    return state.replace("_", " ")
