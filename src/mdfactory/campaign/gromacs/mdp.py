"""Reads GROMACS run parameters: ``.mdp`` files, and the parameters that a log lists."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mdfactory.files import UnreadableError, read_file

MAX_MDP_BYTES: Final = 2**20
"""Size of a ``.mdp`` file. GROMACS writes about ten thousand bytes with all its parameters."""

MINIMISERS: Final = frozenset({"steep", "cg", "l-bfgs"})
STOCHASTIC_INTEGRATORS: Final = frozenset({"sd", "sd1", "sd2", "bd"})
"""Integrators that are thermostats themselves."""

DYNAMICAL_INTEGRATORS: Final = STOCHASTIC_INTEGRATORS | {"md", "md-vv", "md-vv-avek"}

OLD_NAMES: Final = {
    "etc": "tcoupl",
    "epc": "pcoupl",
    "epctype": "pcoupltype",
    "init-t": "tinit",
    "delta-t": "dt",
    "compress": "compressibility",
}
"""Names of parameters in the logs of GROMACS before version 5 -> their names in ``.mdp`` files."""

PRESSURE_POSITIONS: Final = {
    "isotropic": (0,),
    "semiisotropic": (0, 1),
    "anisotropic": (0, 1, 2),
    "surfacetension": (1,),
}
"""Type of pressure coupling -> positions of the pressures of x, y and z in ``ref-p`` of a ``.mdp``
file. The first value for ``surface-tension`` is a tension."""

MACRO: Final = re.compile(r"-D\s*([A-Za-z_]\w*)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Thermodynamic conditions of a run.

    Parameters
    ----------
    temperature
        In K; None without a thermostat, or if groups differ.
    pressure
        In bar; None without a barostat, or if the coupled directions differ.
    """

    temperature: float | None = None
    pressure: float | None = None

    def __str__(self) -> str:
        pairs = ((self.temperature, "K"), (self.pressure, "bar"))
        return ", ".join(
            f"no {unit}" if value is None else f"{value} {unit}" for value, unit in pairs
        )


def parameter_name(text: str) -> str:
    """Return the name of a parameter as the GROMACS manual writes it."""
    name = text.strip().lower().replace("_", "-")
    return OLD_NAMES.get(name, name)


def read_mdp(path: str) -> dict[str, str]:
    """Return the parameters of a ``.mdp`` file: name -> value.

    Raises
    ------
    UnreadableError
        If the file cannot be read, is too large, or is no text; the message names it.
    """
    name = os.path.basename(path)
    try:
        content, _ = read_file(path, MAX_MDP_BYTES)
    except UnreadableError as error:
        raise UnreadableError(f"{name} {error}") from error
    if b"\0" in content:
        raise UnreadableError(f"{name} is not a text file")
    parameters = {}
    for line in content.decode(errors="replace").splitlines():
        key, equals, value = line.partition(";")[0].partition("=")
        if equals:
            parameters[parameter_name(key)] = value.strip()
    return parameters


def integrator(parameters: Mapping[str, str]) -> str:
    """Return the integrator, in lower case; ``md`` is GROMACS' default."""
    return parameters.get("integrator", "").lower() or "md"


def macros(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the macros that ``define`` sets: name -> value."""
    pairs = (MACRO.fullmatch(word) for word in _words(parameters.get("define", ""), "-D"))
    return {match[1]: match[2] or "" for match in pairs if match}


def include_folders(parameters: Mapping[str, str], folder: str) -> list[str]:
    """Return the folders that ``include`` adds to the search for topologies.

    Parameters
    ----------
    parameters
        Parameters of a ``.mdp`` file.
    folder
        Folder that relative paths are relative to.
    """
    words = _words(parameters.get("include", ""), "-I")
    paths = (word[2:].strip() for word in words if word.startswith("-I"))
    return [os.path.join(folder, os.path.expanduser(path)) for path in paths if path]


def conditions(parameters: Mapping[str, str]) -> Conditions:
    """Return the temperature and pressure of the parameters of a ``.mdp`` file."""
    positions = PRESSURE_POSITIONS.get(_coupling_type(parameters), ())
    values = _numbers(parameters.get("ref-p", ""))
    compressibilities = _numbers(parameters.get("compressibility", ""))
    pressures = [
        values[position]
        for position in positions
        if position < len(values)
        and (position >= len(compressibilities) or compressibilities[position])
    ]
    return _conditions(parameters, pressures)


def logged_conditions(
    parameters: Mapping[str, str], diagonals: Mapping[str, Sequence[float]]
) -> Conditions:
    """Return the temperature and pressure of the parameters that a log lists.

    Parameters
    ----------
    parameters
        Name -> value.
    diagonals
        Name -> values of x, y and z: ``ref-p`` in bar, ``compressibility`` in 1/bar.
    """
    compressibilities = diagonals.get("compressibility", (1.0, 1.0, 1.0))
    pairs = list(zip(diagonals.get("ref-p", ()), compressibilities, strict=False))
    used = pairs[2:] if _coupling_type(parameters) == "surfacetension" else pairs
    pressures = [pressure for pressure, compressibility in used if compressibility]
    return _conditions(parameters, pressures)


def _coupling_type(parameters: Mapping[str, str]) -> str:
    text = parameters.get("pcoupltype", "").lower() or "isotropic"
    return text.replace("-", "").replace("_", "")


def _conditions(parameters: Mapping[str, str], pressures: Sequence[float]) -> Conditions:
    """Return the conditions, given the pressures of the coupled directions."""
    temperatures = _numbers(parameters.get("ref-t", ""))
    is_stochastic = integrator(parameters) in STOCHASTIC_INTEGRATORS
    has_thermostat = is_stochastic or _is_on(parameters.get("tcoupl", ""))
    has_barostat = _is_on(parameters.get("pcoupl", ""))
    return Conditions(
        _common(temperatures) if has_thermostat else None,
        _common(pressures) if has_barostat else None,
    )


def _is_on(value: str) -> bool:
    return value.lower() not in {"", "no"}


def _common(values: Sequence[float]) -> float | None:
    """Return the number that all are; None if they differ, or there is none."""
    return values[0] if len(set(values)) == 1 and math.isfinite(values[0]) else None


def _numbers(text: str) -> list[float]:
    """Return the numbers of a text; none if it holds anything else."""
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def _words(text: str, option: str) -> list[str]:
    """Split options such as ``-DPOSRES -DN=2``; ``-D POSRES`` is one of them."""
    try:
        words = shlex.split(text)
    except ValueError:  # unbalanced quotes
        words = text.split()
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == option:
            joined[-1] += word
        else:
            joined.append(word)
    return joined
