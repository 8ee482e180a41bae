"""Attention: what of a campaign needs it, and the command to run; the progress of its runs.

Folders are looked at from the machine that makes the report. Those of another machine are not
there, which is no loss: a folder is gone only if the folder that should hold it is there.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from mdfactory.campaign.gromacs.runs import RUNNING_WITHIN_HOURS, Progress
from mdfactory.campaign.progress import read_progress
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.errors import HASH_PREFIX_DIGITS, counted
from mdfactory.records.vocabulary import ResultType, SimulationStatus
from mdfactory.report.campaign.results import MISSING, STORED
from mdfactory.report.campaign.snapshot import EVERY_SIMULATION, Filters, Snapshot

MAX_LOGS: Final = 5_000
"""Maximum number of simulations whose logs are read."""

MAX_LISTED: Final = 20_000
"""Maximum number of simulations that the page can show of one kind of attention."""

RUNNING_STATUSES: Final = frozenset({SimulationStatus.equilibrated, SimulationStatus.production})
"""Statuses of simulations whose production may go on, so that its log is read."""

WAITING: Final = {
    SimulationStatus.build: "built, not equilibrated",
    SimulationStatus.equilibrated: "equilibrated, not in production",
}
"""Status before production -> what simulations that have not begun it are."""

NOUNS: Final = {ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}
"""Type of results -> what several of them are called."""

COMMANDS: Final = {ResultType.analysis: "analysis", ResultType.artifact: "artifacts"}
"""Type of results -> the command of ``pull`` that lists them."""

ASKS_CONFIGURED: Final = "The commands ask the store that is configured where they are run."

COMPARE: Final = "mdfactory sync status --long"
RELOCATE: Final = "mdfactory sync relocate OLD NEW"


@dataclass(frozen=True, slots=True)
class Commands:
    """How the commands of a page reach its store.

    Parameters
    ----------
    program
        Beginning of each, such as ``mdfactory --config lab.ini``.
    note
        Which store they ask, or what to do so that they ask that of the page; may be empty.
    """

    program: str = "mdfactory"
    note: str = ASKS_CONFIGURED

    def complete(self, command: str) -> str:
        """Return a command with the beginning that those of this page have."""
        return command.replace("mdfactory", self.program, 1)


DEFAULT_COMMANDS: Final = Commands()


@dataclass(frozen=True, slots=True)
class Folders:
    """Which simulation folders are there.

    Parameters
    ----------
    there, gone, unseen
        Numbers of simulations: their folder is there; it is not where it was; or the folder that
        should hold it cannot be seen from here.
    """

    there: list[int]
    gone: list[int]
    unseen: list[int]


@dataclass(frozen=True, slots=True)
class Run:
    """Progress of a production run, judged at the time of the report.

    Parameters
    ----------
    simulation
        Number of the simulation.
    state
        The end of its log; see `campaign.gromacs.runs.Progress`.
    progress
        The progress.
    """

    simulation: int
    state: str
    progress: Progress

    def to_json(self) -> list[Any]:
        """Return the run as an entry of the page's data."""
        done, wanted = _nanoseconds(self.progress)
        values = {
            "state": self.state,
            "text": self.text,
            "time_ns": done,
            "wanted_ns": wanted,
            "ns_per_day": self.progress.ns_per_day,
            "log": self.progress.log,
        }
        return [self.simulation, values]

    @property
    def text(self) -> str:
        """Text such as ``12.5 of 100 ns, 85.2 ns/day``."""
        done, wanted = _nanoseconds(self.progress)
        speed = self.progress.ns_per_day
        parts = [f"{done:,.6g}" if done is not None else ""]
        parts[0] += f" of {wanted:,.6g}" if wanted else ""
        texts = [f"{parts[0]} ns"] if parts[0] else []
        return ", ".join([*texts, *([f"{speed:,.4g} ns/day"] if speed is not None else [])])


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs attention.

    Parameters
    ----------
    text
        What it is, with a count.
    level
        ``error``, ``warning`` or ``info``.
    command
        The command to run; empty if there is none.
    simulations
        Numbers of the simulations.
    """

    text: str
    level: str
    command: str
    simulations: Sequence[int]

    def to_json(self, commands: Commands) -> dict[str, Any]:
        """Return it as an entry of the page's data."""
        is_listed = len(self.simulations) <= MAX_LISTED
        return {
            "text": self.text,
            "level": self.level,
            "command": commands.complete(self.command) or None,
            "simulations": list(self.simulations) if is_listed else [],
        }


def look_at_folders(directories: Sequence[str]) -> Folders:
    """Return which of the simulation folders are there; each parent is listed once."""
    children: defaultdict[str, list[int]] = defaultdict(list)
    for number, directory in enumerate(directories):
        children[directory.rstrip("/").rpartition("/")[0]].append(number)
    folders = Folders([], [], [])
    for parent, numbers in children.items():
        try:
            names = set(os.listdir(parent if parent.startswith("/") else "/dev/null"))
        except (OSError, ValueError):
            folders.unseen.extend(numbers)
            continue
        for number in numbers:
            name = directories[number].rstrip("/").rpartition("/")[2]
            (folders.there if name in names else folders.gone).append(number)
    return Folders(sorted(folders.there), sorted(folders.gone), sorted(folders.unseen))


def read_runs(
    snapshot: Snapshot, folders: Folders, reading: Reading = DEFAULT_READING
) -> list[Run]:
    """Read the logs of the simulations that may be running, at most `MAX_LOGS`.

    The times of logs are judged against the newest record of the store, so that the same store and
    files give the same report.
    """
    statuses = snapshot.statuses
    chosen = [number for number in folders.there if statuses[number] in RUNNING_STATUSES]
    runs = []
    for number in chosen[:MAX_LOGS]:
        directory = snapshot.directories[number]
        with suppress(OSError, ValueError):
            progress = read_progress(
                directory, snapshot.types[number], stems=reading.stems, index=reading.index
            )
            if progress:
                state = _state(progress, f"{directory}/{progress.log}", snapshot.as_of)
                runs.append(Run(number, state, _shown(snapshot, progress)))
    return runs


def _shown(snapshot: Snapshot, progress: Progress) -> Progress:
    return replace(progress, log=snapshot.privacy.text(progress.log))


def _state(progress: Progress, log: str, as_of: datetime | None) -> str:
    """Return the end of a log; whether the run goes on is judged at the time of the report."""
    if progress.end not in {"running", "silent"} or as_of is None:
        return progress.end
    silent_seconds = as_of.timestamp() - os.stat(log).st_mtime
    return "running" if silent_seconds <= 3600 * RUNNING_WITHIN_HOURS else "silent"


def _nanoseconds(progress: Progress) -> tuple[float | None, float | None]:
    """Return the time of a run that was logged, and that which was asked for, if it is known."""
    done, wanted = progress.time_ps, progress.time_wanted_ps
    # The log of an extended run keeps what was asked for first.
    is_known = wanted is not None and done is not None and wanted >= done
    return (
        None if done is None else done / 1000,
        wanted / 1000 if is_known and wanted is not None else None,
    )


def find_attention(
    snapshot: Snapshot,
    folders: Folders,
    runs: Sequence[Run],
    filters: Filters = EVERY_SIMULATION,
) -> Iterator[Attention]:
    """Yield what needs attention, the most serious first.

    A command of missing results lists what is counted: the filters that it can have are in it.
    """
    by_state: defaultdict[str, list[int]] = defaultdict(list)
    for run in runs:
        by_state[run.state].append(run.simulation)
    if failed := by_state["failed"]:
        yield Attention(f"{counted(len(failed), 'run')} failed", "error", COMPARE, failed)
    if gone := folders.gone:
        text = f"{counted(len(gone), 'simulation folder')} gone from disk"
        yield Attention(text, "error", COMPARE, gone)
    yield from _find_gaps(snapshot, filters)
    if silent := by_state["silent"]:
        text = f"{counted(len(silent), 'run')} in production, with a log that is no longer written"
        yield Attention(text, "warning", COMPARE, silent)
    if stopped := by_state["stopped"]:
        text = f"{counted(len(stopped), 'run')} stopped before the end"
        yield Attention(text, "info", COMPARE, stopped)
    for status, words in WAITING.items():
        begun = {run.simulation for run in runs}
        numbers = [k for k, own in enumerate(snapshot.statuses) if own == status and k not in begun]
        if numbers:
            text = f"{counted(len(numbers), 'simulation')} {words}"
            yield Attention(text, "info", f"mdfactory sync pull systems --status {status}", numbers)
    if unseen := folders.unseen:
        text = (
            f"{counted(len(unseen), 'simulation folder')} cannot be seen from the machine that "
            "made this report; if they were moved, tell the store"
        )
        yield Attention(text, "info", RELOCATE, unseen)


def _find_gaps(snapshot: Snapshot, filters: Filters) -> Iterator[Attention]:
    """Yield the simulations completed without results, then the analyses and artifacts missing."""
    columns = snapshot.results.columns
    without = [
        number
        for number, status in enumerate(snapshot.statuses)
        if status == SimulationStatus.completed
        and not any(column.states[number] == STORED for column in columns)
    ]
    gaps = {item: _count_missing(snapshot, item) for item in NOUNS}
    if without:
        item = next((item for item, counts in gaps.items() if set(without) & counts.keys()), None)
        text = f"{counted(len(without), 'simulation')} completed without results"
        others = f"; the command lists them among those that miss {NOUNS[item]}" if item else ""
        text += others if len(without) > 1 else ""
        command = _list_missing(snapshot, item, without, filters) if item else ""
        yield Attention(text, "warning", command, without)
    for item, counts in gaps.items():
        if missing := [*counts]:
            noun = NOUNS[item] if counts.total() > 1 else str(item)
            text = f"{counts.total():,} {noun} missing of {counted(len(missing), 'simulation')}"
            text += _beyond(filters) if len(missing) > 1 else ""
            command = _list_missing(snapshot, item, missing, filters)
            yield Attention(text, "warning", command, missing)


def _count_missing(snapshot: Snapshot, item: ResultType) -> Counter[int]:
    """Return the simulations that miss results of a type, and how many each; by their numbers."""
    own = [column.states for column in snapshot.results.columns if column.item is item]
    counts = Counter({k: states.count(MISSING) for k, states in enumerate(zip(*own, strict=True))})
    return +counts


def _list_missing(
    snapshot: Snapshot, item: ResultType, numbers: Sequence[int], filters: Filters
) -> str:
    """Return the command that lists the missing results of a type: of one simulation, or of all."""
    prefix, type_ = filters.hash_prefix, filters.equal.get("simulation_type")
    if len(numbers) == 1:
        prefix, type_ = snapshot.hashes[numbers[0]][:HASH_PREFIX_DIGITS], None
    options = f" --hash {prefix}" if prefix else ""
    options += f" --simulation-type {type_}" if type_ else ""
    return f"mdfactory sync pull {COMMANDS[item]} --overview --status not_yet_run{options}"


def _beyond(filters: Filters) -> str:
    """Return what a list of missing results has that filters leave out, in words."""
    others = {name for name, value in filters.equal.items() if value} - {"simulation_type"}
    is_whole = not others and not filters.search.narrows
    return "" if is_whole else "; the command lists those of all simulations of the store"
