"""Files of a plain GROMACS run by their stems, its status, and the progress of its production."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, NamedTuple

from mdfactory.campaign.gromacs.log import Log, read_log
from mdfactory.campaign.gromacs.mdp import MINIMISERS, Conditions
from mdfactory.campaign.scan_index import FileState, ScanIndex, file_state, file_state_at
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.files import UnreadableError
from mdfactory.records.vocabulary import SimulationStatus

DEFAULT_STEM: Final = "md"
DEFAULT_NAMES: Final = frozenset(
    {"confout.gro", "traj_comp.xtc", "traj.trr", "ener.edr", "state.cpt", "md.log"}
)
"""Names that GROMACS gives to files if it is not told others; their stem is `DEFAULT_STEM`."""

TRAJECTORIES: Final = frozenset({".xtc", ".trr"})
PRODUCTION_SUFFIXES: Final = TRAJECTORIES | {".cpt", ".log", ".edr"}
EQUILIBRATION_SUFFIXES: Final = frozenset({".gro", ".cpt"})
RUN_SUFFIXES: Final = PRODUCTION_SUFFIXES | {".mdp", ".gro"}
"""Suffixes of files that tell a run from a topology that lies somewhere."""

PART: Final = re.compile(r"\.part\d{4,}$")
CRASH_FILE: Final = re.compile(r"step-?\d+[bc](_n\d+)?\.pdb", re.IGNORECASE)
"""Coordinates that GROMACS writes before it fails."""

STRUCTURE_LAG_NS: Final = 10**9
"""Time by which the final structure may be older than a trajectory of the same run."""

RUNNING_WITHIN_HOURS: Final = 1.0
"""A log that was written within this time belongs to a run that goes on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a production run, as its newest log tells it; None where it does not.

    Parameters
    ----------
    log
        Name of the log.
    version
        Version of GROMACS.
    step, time_ps
        Last step that was logged, and its time. Of a run in parts that each start at time 0, they
        are those of the newest part.
    steps_wanted, time_wanted_ps
        Last step of the run as it was first asked for, and its time: a lower bound, because the
        log of an extended run keeps the first figure.
    ns_per_day
        Performance.
    hours_since_written
        Time since the log was written.
    end
        ``minimisation``, ``failed``, ``stopped``, ``reached the end``, ``running`` or ``silent``.
    """

    log: str
    version: str | None
    step: int | None
    steps_wanted: int | None
    time_ps: float | None
    time_wanted_ps: float | None
    ns_per_day: float | None
    hours_since_written: float
    end: str


class RunFile(NamedTuple):
    """A file of a run: its name, stem and suffix in lower case, and part number (1: none)."""

    name: str
    stem: str
    suffix: str
    part: int


class LogFile(NamedTuple):
    """A production log, and the state of its file when it was read."""

    file: RunFile
    log: Log
    state: FileState

    @property
    def age_rank(self) -> tuple[str, int, int]:
        """Key by which logs are sorted: the newest is the last."""
        return self.log.started or "", self.state.changed_ns, self.file.part


def is_run(files: Collection[str]) -> bool:
    """Whether a folder with these files holds a GROMACS run."""
    suffixes = {os.path.splitext(name)[1].lower() for name in files}
    return not suffixes.isdisjoint({".top", ".tpr"}) and not suffixes.isdisjoint(RUN_SUFFIXES)


def parse_name(name: str) -> RunFile:
    """Split the name of a file into stem, suffix and part number."""
    base, suffix = os.path.splitext(name.lower())
    match = PART.search(base)
    stem = base[: match.start()] if match else base
    if stem + suffix in DEFAULT_NAMES:
        stem = DEFAULT_STEM
    return RunFile(name, stem, suffix, int(match[0][5:]) if match else 1)


@dataclass(frozen=True, slots=True)
class Run:
    """The files of one run.

    Parameters
    ----------
    directory
        Absolute path of its folder.
    names
        Names of the files in it.
    patterns
        Stems of production and equilibration.
    index
        Index of the logs that were read before.
    """

    directory: str
    names: Collection[str]
    patterns: StemPatterns = DEFAULT_STEMS
    index: ScanIndex | None = None

    def status(self) -> SimulationStatus:
        """Return how far the run is; the first status that is proved applies."""
        production, logs = self._production()
        log = newest(logs)
        if log and log.log.version:
            is_complete = log.log.end == "reached the end"
            return SimulationStatus.completed if is_complete else SimulationStatus.production
        if self._has_final_structure(production):
            return SimulationStatus.completed
        if self._has_content(production, PRODUCTION_SUFFIXES):
            return SimulationStatus.production
        equilibrations = self._files(SimulationStatus.equilibrated)
        if self._has_content(equilibrations, EQUILIBRATION_SUFFIXES):
            return SimulationStatus.equilibrated
        return SimulationStatus.build

    def production_logs(self) -> list[LogFile]:
        """Return the production logs that GROMACS wrote, without those of minimisations."""
        return [log for log in self._production()[1] if log.log.version]

    def progress(self) -> Progress | None:
        """Return the progress of the production; None without a log that GROMACS wrote."""
        newest_log = newest(self._logs(self._files(SimulationStatus.production)))
        if not (newest_log and newest_log.log.version):
            return None
        log = newest_log.log
        hours = max(0.0, (time.time_ns() - newest_log.state.changed_ns) / 3.6e12)
        end = log.end
        if not end and any(map(CRASH_FILE.fullmatch, self.names)):
            end = "failed"
        if not end:
            end = "running" if hours <= RUNNING_WITHIN_HOURS else "silent"
        return Progress(
            newest_log.file.name,
            log.version,
            log.step,
            log.steps_wanted,
            log.time_ps,
            log.time_wanted_ps,
            log.ns_per_day,
            hours,
            end,
        )

    def files_of_production(self, suffix: str) -> list[RunFile]:
        """Return the files of production stems with a suffix."""
        files = self._files(SimulationStatus.production)
        return [file for file in files if file.suffix == suffix]

    def _files(self, status: SimulationStatus) -> list[RunFile]:
        """Return the files whose stem stands for a status, sorted by name."""
        files = map(parse_name, sorted(self.names))
        return [file for file in files if self.patterns.status_of(file.stem) == status]

    def _production(self) -> tuple[list[RunFile], list[LogFile]]:
        """Return the files of production and its logs, without those of minimisations."""
        files = self._files(SimulationStatus.production)
        logs = self._logs(files)
        dynamical = [log for log in logs if log.log.integrator not in MINIMISERS]
        minimised = {log.file.stem for log in logs} - {log.file.stem for log in dynamical}
        return [file for file in files if file.stem not in minimised], dynamical

    def _logs(self, files: Iterable[RunFile]) -> list[LogFile]:
        return [log for file in files if file.suffix == ".log" for log in self._read(file)]

    def _read(self, file: RunFile) -> Iterator[LogFile]:
        """Yield a log, from the index if it has not changed; nothing if it is empty."""
        path = f"{self.directory}/{file.name}"
        entry = self.index.find(path) if self.index else None
        log, state = (_log_from_json(entry.texts[0]), entry.state) if entry else _read_new(path)
        if self.index and not entry and state:
            self.index.add(path, state, [json.dumps(asdict(log))])
        if state and state.size:
            yield LogFile(file, log, state)

    def _has_final_structure(self, production: Sequence[RunFile]) -> bool:
        """Whether the newest part of a run without a log has a final structure.

        A stem that has nothing but trajectories is one that somebody derived from the run.
        """
        stems = {file.stem for file in production if file.suffix not in TRAJECTORIES}
        ages = []
        for stem in stems:
            own = [file for file in production if file.stem == stem]
            trajectory = self._changed(file for file in own if file.suffix in TRAJECTORIES)
            structure = self._changed(file for file in own if file.suffix == ".gro")
            is_final = 0 < structure >= trajectory - STRUCTURE_LAG_NS
            ages.append((max(structure, trajectory), stem, is_final))
        return max(ages)[2] if ages else False

    def _changed(self, files: Iterable[RunFile]) -> int:
        """Return when the newest of the files that are not empty changed, in ns; 0 without any."""
        states = (file_state_at(f"{self.directory}/{file.name}") for file in files)
        return max((state.changed_ns for state in states if state and state.size), default=0)

    def _has_content(self, files: Iterable[RunFile], suffixes: Collection[str]) -> bool:
        """Whether one of the files with these suffixes is not empty."""
        return any(self._changed([file]) for file in files if file.suffix in suffixes)


def newest(logs: Sequence[LogFile]) -> LogFile | None:
    """Return the newest log; a log that GROMACS wrote is newer than any other."""
    return max(logs, key=lambda log: (bool(log.log.version), *log.age_rank), default=None)


def _read_new(path: str) -> tuple[Log, FileState | None]:
    """Read a log. One that cannot be read says nothing, but is there."""
    try:
        log, status = read_log(path)
    except (OSError, UnreadableError):
        return Log(), file_state_at(path)
    return log, file_state(status)


def _log_from_json(text: str) -> Log:
    values = json.loads(text)
    conditions = values["conditions"]
    return replace(Log(**values), conditions=Conditions(**conditions) if conditions else None)
