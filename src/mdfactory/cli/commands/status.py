"""The command that compares simulation folders with the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from mdfactory.cli.layout import shell_words
from mdfactory.cli.options import (
    NO_SEARCH,
    Command,
    CsvOptions,
    ReadingOptions,
    SearchOptions,
    UserPath,
    source_of,
    source_words,
)
from mdfactory.cli.session import CurrentSession, Exit
from mdfactory.errors import counted, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mdfactory.campaign.gromacs.runs import Progress
    from mdfactory.cli.render import Terminal
    from mdfactory.sync.status import CampaignStatus, Difference

app = Command(name="status")

MIN_TIME_PS: Final = 1e-9
"""Time that a run was asked for at least, if its log says one."""


@app.default
def status(
    source: UserPath | None = None,
    /,
    *,
    table: CsvOptions | None = None,
    reading: ReadingOptions | None = None,
    long: bool = False,
    exit_code: bool = False,
    search: SearchOptions = NO_SEARCH,
    session: CurrentSession,
) -> int:
    """Show which records are new, changed or gone on disk, compared with the store.

    Nothing is written. The new and changed records are exactly those that "push all --update"
    would write. Simulations that another program edited in the store, without a change of their
    time, are counted apart; results are checked by "verify".

    Parameters
    ----------
    source
        A folder to search at any depth, a quoted glob pattern of folders, or a build summary
        YAML. Default without --csv: the directories of all records in the store.
    long
        List each record that differs, and its differences; and the progress of each simulation
        whose production has a log.
    exit_code
        Exit with code 4 if disk and store differ.

    Examples
    --------
    mdfactory sync status /path/to/simulations
    mdfactory sync status --csv campaign.csv --csv-root /path/to/simulations
    mdfactory sync status --long
    mdfactory sync status /path/to/simulations --exit-code --quiet
    """
    from mdfactory.sync.status import State, status

    campaign = source_of(source, table or CsvOptions()) if source or table else None
    reading = reading or ReadingOptions()
    with session.terminal.progress() as watch, reading.opened(session) as index:
        compared = status(
            session.store,
            campaign,
            progress=long,
            reading=index,
            search=search.search(),
            note=session.terminal.note,
            watch=watch,
        )
    session.terminal.problems(map(session.next_command, compared.warnings), compared.skipped)
    if campaign is None and not compared.warnings:
        session.terminal.note(
            "compared with the folders of the records; to search for new folders, give a SOURCE"
        )
    lines = [
        *_count_lines(compared, session.terminal.width),
        *(_long_lines(compared, session.terminal) if long else ()),
    ]
    given = shell_words(*source_words(source, table))
    steps = map(session.next_command, _next_steps(compared, given))
    session.terminal.result(
        "\n".join([*lines, *steps]),
        {
            "in_step": compared.in_step,
            "counts": {
                kind: {state: counts[state] for state in State}
                for kind, counts in compared.counts.items()
            },
            "rows": [asdict(difference) for difference in compared.differences],
            **({"progress": _progress_rows(compared)} if long else {}),
            "skipped": [asdict(skipped) for skipped in compared.skipped],
            "warnings": list(compared.warnings),
        },
    )
    if exit_code and not compared.in_step:
        return Exit.differs
    return Exit.skipped if compared.skipped else Exit.done


def _count_lines(compared: CampaignStatus, width: int) -> Iterator[str]:
    """Yield a line for each kind of record, with a column for each state.

    On a narrow terminal, the heading of a column has a line for each word.
    """
    from mdfactory.sync.status import State

    label_width = max(map(len, compared.counts))
    headings = [[_state_text(state)] for state in State]
    if label_width + sum(2 + len(text) for [text] in headings) > width:
        headings = [text.split() for [text] in headings]
    widths = [max(map(len, heading)) for heading in headings]
    height = max(map(len, headings))
    for line in range(height):
        # Headings of fewer words are aligned at the bottom, next to the numbers.
        words = ([*[""] * (height - len(heading)), *heading][line] for heading in headings)
        cells = (word.rjust(size) for word, size in zip(words, widths, strict=True))
        yield "  ".join([" " * label_width, *cells])
    for kind, counts in compared.counts.items():
        numbers = (f"{counts[state]:>{size},}" for state, size in zip(State, widths, strict=True))
        yield "  ".join([f"{kind:{label_width}}", *numbers])


def _long_lines(compared: CampaignStatus, terminal: Terminal) -> Iterator[str]:
    """Yield a line for each record that differs, then one for each run that has a log.

    On a terminal they are tables that fit.
    """
    if not terminal.interactive:
        yield from _difference_lines(compared)
        if compared.progress:
            yield ""
        for directory, progress in compared.progress.items():
            end, time, speed = _progress_texts(progress)
            yield f"{end:15}  {time:18}  {speed:14}  {directory}"
        return
    records = [
        (_state_text(row.state), _record_text(row.table), row.hash, row.directory, changes)
        for row in _sorted_differences(compared)
        for changes in [", ".join(row.what)]
    ]
    columns = ("state", "record", "hash", "directory", "changes")
    yield from _table(columns, records, terminal.width, wanted=("record", "changes"))
    runs = [(*_progress_texts(progress), path) for path, progress in compared.progress.items()]
    names = ("production", "time", "speed", "directory")
    yield from _table(names, runs, terminal.width, wanted=names[:3])
    if any(progress.end == "silent" for progress in compared.progress.values()):
        yield "silent: the log has no end, and has not been written for an hour"
    if compared.without_log and compared.progress:
        yield f"{counted(compared.without_log, 'simulation')} without a log of the production"


def _table(
    names: Sequence[str], rows: Sequence[tuple[str, ...]], width: int, wanted: Collection[str]
) -> Iterator[str]:
    """Yield an empty line and the lines of a table, if it has any rows."""
    import pyarrow as pa

    from mdfactory.cli.layout import table_lines
    from mdfactory.records.arrow import batch

    if rows:
        schema = pa.schema([(name, pa.string()) for name in names])
        yield ""
        yield from table_lines(
            [batch(rows, schema)], names, width, colour=False, required=names, wanted=wanted
        )


def _record_text(name: str) -> str:
    """Return what a record of a table is, such as ``analysis rdf_oxygen``."""
    from mdfactory.records.tables import Namespace, table_named

    table = table_named(name, Namespace.results)
    if table is None or table.result_type is None:
        return "simulation"
    return f"{table.result_type} {table.result_name}"


def _progress_texts(progress: Progress) -> tuple[str, str, str]:
    """Return texts such as ``running``, ``12.5 of 100 ns`` and ``85.2 ns/day``."""
    time = "" if progress.time_ps is None else f"{progress.time_ps / 1000:,.6g}"
    # An extended run has a log that keeps what was asked for first.
    is_known = (progress.time_wanted_ps or 0) >= max(progress.time_ps or 0, MIN_TIME_PS)
    wanted = f" of {(progress.time_wanted_ps or 0) / 1000:,.6g}" if is_known else ""
    speed = "" if progress.ns_per_day is None else f"{progress.ns_per_day:,.4g} ns/day"
    return progress.end, time and f"{time}{wanted} ns", speed


def _progress_rows(compared: CampaignStatus) -> list[dict[str, object]]:
    return [
        {"directory": directory, **asdict(progress)}
        for directory, progress in compared.progress.items()
    ]


def _difference_lines(compared: CampaignStatus) -> Iterator[str]:
    """Yield an empty line, and a line for each record that differs."""
    if compared.differences:
        yield ""
    for row in _sorted_differences(compared):
        differences = f": {', '.join(row.what)}" if row.what else ""
        yield f"{_state_text(row.state)}  {row.table}  {row.hash}  {row.directory}{differences}"


def _sorted_differences(compared: CampaignStatus) -> list[Difference]:
    return sorted(compared.differences, key=lambda row: (row.state, row.table, row.hash))


def _next_steps(compared: CampaignStatus, source: str) -> Iterator[str]:
    """Yield a line for each command that removes differences between disk and store.

    `source` has the words of its SOURCE; it is empty for the directories of all records.
    """
    from mdfactory.sync.lost_inputs import write_back_command
    from mdfactory.sync.status import State
    from mdfactory.sync.verify.finding import PUSH_UPDATE, for_folders
    from mdfactory.sync.verify.moved import moved_commands

    def directories(*states: State) -> set[str]:
        return {row.directory for row in compared.differences if row.state in states}

    def pushes(command: str, folders: Collection[str]) -> list[str]:
        if source and folders:
            return [command.replace("SOURCE", source)]
        return for_folders(command, folders)

    if compared.in_step:
        if not (compared.skipped or any(map(Counter.total, compared.counts.values()))):
            yield "nothing was compared"
            return
        if compared.counts["artifacts"].total():
            yield "To compare the files of artifacts with their checksums: mdfactory sync verify"
        yield "in step, apart from what was skipped" if compared.skipped else "in step"
        return
    lost = _lost_inputs(compared)
    steps = {
        "To push new and changed records": pushes(
            PUSH_UPDATE, directories(State.new, State.changed)
        ),
        "To overwrite simulations that another program edited in the store": pushes(
            "mdfactory sync push systems SOURCE --force", directories(State.edited)
        ),
        "If folders were moved (NEW is the path that each has now)": moved_commands(
            directories(State.gone)
        ),
        "To write BuildInputs again that folders have lost": [
            write_back_command(hash_, directory) for hash_, directory in lost.items()
        ],
        "To remove records that are only in the store": [
            *dict.fromkeys(_clear_commands(compared, lost))
        ],
    }
    yield from (step(text, commands) for text, commands in steps.items() if commands)


def _lost_inputs(compared: CampaignStatus) -> dict[str, str]:
    """Return hash and directory of each stored simulation whose folder has lost its BuildInput."""
    from mdfactory.sync.lost_inputs import LOST_INPUT

    return {row.hash: row.directory for row in compared.differences if LOST_INPUT in row.what}


def _clear_commands(compared: CampaignStatus, lost: Collection[str]) -> Iterator[str]:
    """Yield the commands that remove what is only in the store.

    A record of a folder that was skipped or has lost its BuildInput is left out: the folder is to
    be mended. `lost` are the hashes of the latter.
    """
    from mdfactory.records.tables import SIMULATIONS, Namespace, table_named
    from mdfactory.sync.status import State

    mended = {skipped.path for skipped in compared.skipped}
    extra = [
        row
        for row in compared.differences
        if row.state is State.extra
        and row.hash not in lost
        and row.directory.rstrip("/") not in mended
    ]
    whole = {row.hash for row in extra if row.table == SIMULATIONS.name}
    for row in extra:
        table = table_named(row.table, Namespace.results)
        if row.hash in whole:
            yield f"mdfactory sync clear all --hash {row.hash}"
        elif table and table.result_type:
            option = f"--{table.result_type}-name {table.result_name}"
            yield f"mdfactory sync clear analysis {option} --hash {row.hash}"


def _state_text(state: str) -> str:
    return state.replace("_", " ")
