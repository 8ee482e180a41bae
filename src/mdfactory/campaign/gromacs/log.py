"""Reads GROMACS logs: what a run was asked for, how far it came, and how it ended.

Only the first and the last `READ_BYTES` of a log are read. The format is that of ``md_print`` of
GROMACS 4.5 to 2025.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mdfactory.campaign.gromacs.mdp import (
    MINIMISERS,
    Conditions,
    integrator,
    logged_conditions,
    parameter_name,
)
from mdfactory.files import open_regular_file

READ_BYTES: Final = 256 * 1024
"""Number of bytes that are read at the start of a log, and at its end."""

MAX_STEPS: Final = 10**18
"""Number of steps that GROMACS can count to, and tables can hold."""

MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905

VERSION: Final = re.compile(
    r"^GROMACS version: +(?:VERSION +)?(\S+)|^GROMACS:.* (?:version|VERSION) (\S+)"
    r"|:-\) +VERSION +(\S+)",
    re.MULTILINE,
)
STARTED: Final = re.compile(
    r"^Started mdrun on (?:rank|node) \d+ \w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})",
    re.MULTILINE,
)
SECTION_START: Final = re.compile(r"^(?:Started mdrun|Restarting from checkpoint)", re.MULTILINE)
PARAMETERS: Final = re.compile(r"^Input Parameters:\n((?:.+\n)+)", re.MULTILINE)
PARAMETER: Final = re.compile(r"^ +([A-Za-z][\w-]*) *= *(.*)$|^ +(ref[-_]t):(.*)$", re.MULTILINE)
DIAGONAL: Final = re.compile(
    r"^ +(ref[-_]p|compress(?:ibility)?)\[ *([012])\]=\{([^,}\n]*),([^,}\n]*),([^}\n]*)\}",
    re.MULTILINE,
)
STEP: Final = re.compile(
    r"^ +Step +Time(?: +Lambda)? *\n +(\d{1,18}) +(-?\d[\d.]*)\b", re.MULTILINE
)
PERFORMANCE: Final = re.compile(r"^(?: +(\(.*\)) *\n)?Performance:(.*)", re.MULTILINE)
FATAL_ERROR: Final = re.compile(r"^Fatal error", re.MULTILINE)
NAN_ENERGIES: Final = re.compile(r"^(?=.*nan)(?: +(?:-?nan|-?inf|[\d.e+-]+))+ *$", re.MULTILINE)
STOPPED: Final = re.compile(r"Run time exceeded|Received the (?:\S+ ){1,3}signal")
FINISHED: Final = re.compile(r"^Finished mdrun", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Log:
    """What the ends of a log tell; None where they do not tell it.

    Parameters
    ----------
    version
        Version of GROMACS.
    integrator
        Integrator, in lower case.
    conditions
        Temperature and pressure that the run was asked for; None if no parameters were read.
    started
        Time of the last start, local time of the machine, ISO 8601.
    step, time_ps
        Last step that was logged, and its time.
    steps_wanted, time_wanted_ps
        Last step that the parameters ask for, and its time. An extended run keeps its first ones.
    ns_per_day
        Performance of the last section.
    end
        ``minimisation``, ``failed``, ``stopped`` or ``reached the end``.
    """

    version: str | None = None
    integrator: str | None = None
    conditions: Conditions | None = None
    started: str | None = None
    step: int | None = None
    time_ps: float | None = None
    steps_wanted: int | None = None
    time_wanted_ps: float | None = None
    ns_per_day: float | None = None
    end: str | None = None


def read_log(path: str) -> tuple[Log, os.stat_result]:
    """Read the first and the last part of a log.

    Returns
    -------
    log : Log
        What was read.
    status : os.stat_result
        Status of the file before it was read.

    Raises
    ------
    OSError
        If the file cannot be read.
    UnreadableError
        If it is not a regular file.
    """
    handle = open_regular_file(path)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        head = file.read(READ_BYTES)
        rest = max(READ_BYTES, status.st_size - READ_BYTES)
        file.seek(rest)
        tail = file.read(READ_BYTES)
    parts = [head + tail] if rest == READ_BYTES else [head, tail]
    texts = [part.decode(errors="replace").replace("\r\n", "\n") for part in parts]
    return parse_log(*texts), status


def parse_log(head: str, tail: str = "") -> Log:
    """Parse the first and the last part of a log.

    Parameters
    ----------
    head
        First part, or the whole log.
    tail
        Last part of a log that is longer than both; empty if `head` is the whole log.
    """
    text = f"{head}\n{tail}"
    version = VERSION.search(text)
    if not version:
        return Log()
    parameters, conditions = _parameters(text)
    steps = STEP.findall(text)
    step, time_ps = steps[-1] if steps else (None, None)
    steps_wanted, time_wanted_ps = _wanted(parameters)
    if integrator(parameters) in MINIMISERS:  # its log has step numbers in place of times
        time_ps = time_wanted_ps = None
    section = _last_section(tail or head)
    return Log(
        version=next(filter(None, version.groups())),
        integrator=integrator(parameters) if parameters else None,
        conditions=conditions,
        started=_started(text),
        step=int(step) if step else None,
        time_ps=_number(time_ps),
        steps_wanted=steps_wanted,
        time_wanted_ps=time_wanted_ps,
        ns_per_day=_ns_per_day(section),
        end=_end(parameters, section),
    )


def _parameters(text: str) -> tuple[dict[str, str], Conditions | None]:
    """Return the parameters that a log lists last, and the conditions; None if they are cut off."""
    blocks = PARAMETERS.findall(text)
    if not blocks:
        return {}, None
    parameters: dict[str, str] = {}
    for name, value, group_name, group_value in PARAMETER.findall(blocks[-1]):
        parameters.setdefault(parameter_name(name or group_name), (value or group_value).strip())
    if "ref-t" not in parameters:  # it is one of the last
        return parameters, None
    diagonals: dict[str, list[float]] = {}
    for name, axis, *row in DIAGONAL.findall(blocks[-1]):
        value = _number(row[int(axis)])
        diagonals.setdefault(parameter_name(name), []).append(math.nan if value is None else value)
    return parameters, logged_conditions(parameters, diagonals)


def _wanted(parameters: Mapping[str, str]) -> tuple[int | None, float | None]:
    """Return the last step that parameters ask for, and its time in ps; None without an end."""
    names = ("nsteps", "init-step", "tinit", "dt")
    steps, first_step, first_time, interval = (_number(parameters.get(name)) for name in names)
    if steps is None or steps < 0:
        return None, None
    last_step = int(steps + (first_step or 0))
    if last_step >= MAX_STEPS:
        return None, None
    if interval is None:
        return last_step, None
    return last_step, _number(round((first_time or 0) + last_step * interval, 6))


def _ns_per_day(section: str) -> float | None:
    """Return the performance; its header tells which of the figures it is."""
    lines = PERFORMANCE.findall(section)
    if not lines:
        return None
    header, figures = lines[-1]
    by_unit = dict(zip(header.split() or ["(ns/day)"], figures.split(), strict=False))
    return _number(by_unit.get("(ns/day)"))


def _last_section(text: str) -> str:
    """Return the part of a log since its last start; all of it if no start is in it."""
    starts = [match.start() for match in SECTION_START.finditer(text)]
    return text[starts[-1] :] if starts else text


def _started(text: str) -> str | None:
    """Return the time of the last start, ISO 8601; None if it is not in the text."""
    starts = STARTED.findall(text)
    if not starts:
        return None
    month, day, *clock, year = starts[-1]
    if month not in MONTHS:
        return None
    return f"{year}-{MONTHS.index(month) + 1:02}-{day:0>2}T{':'.join(clock)}"


def _end(parameters: Mapping[str, str], section: str) -> str | None:
    """Return how a run ended, given its parameters and the last section of its log."""
    if integrator(parameters) in MINIMISERS:
        return "minimisation"
    if FATAL_ERROR.search(section) or NAN_ENERGIES.search(section):
        return "failed"
    if STOPPED.search(section):
        return "stopped"
    return "reached the end" if FINISHED.search(section) else None


def _number(text: str | float | None) -> float | None:
    """Return the finite number of a text; None if it is none."""
    with suppress(TypeError, ValueError):
        number = float(text)  # type: ignore[arg-type]
        return number if math.isfinite(number) else None
    return None
