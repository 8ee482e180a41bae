"""Adoption of plain GROMACS folders: a BuildInput of the type ``adopted`` for each run.

An adopted simulation is identified by its name, which is the path of its folder when it was
adopted, by its molecules, and by its temperature and pressure. A topology does not hold SMILES, so
neither does the BuildInput.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.creation import write_yaml
from mdfactory.campaign.discover import Discovery, PlainRun, discover, similar_path
from mdfactory.campaign.gromacs import mdp
from mdfactory.campaign.gromacs.runs import Run, newest
from mdfactory.campaign.gromacs.topology import Topology, read_topology
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Skipped, read_simulation
from mdfactory.campaign.strict_yaml import load_summary
from mdfactory.errors import BuildInputError, SourceError, one_line
from mdfactory.files import UnreadableError, absolute_path, expand_home, list_folder
from mdfactory.records.vocabulary import SimulationStatus, SimulationType

DEFAULT_TOPOLOGY: Final = "topol.top"
BUILD_FILE: Final = "build.yaml"
SUMMARY_FILE: Final = "adopted.yaml"
"""The build summary of all adopted simulations below a folder."""


@dataclass(frozen=True, slots=True)
class AdoptedRun:
    """A run that has a BuildInput now, or would get one.

    Parameters
    ----------
    path
        Absolute path of its folder.
    build_input
        Its BuildInput.
    status
        Progress of the simulation.
    """

    path: str
    build_input: BuildInput
    status: SimulationStatus


@dataclass(slots=True)
class Adoption:
    """What was found below a folder, and adopted.

    Parameters
    ----------
    runs
        The runs that were adopted, in the order of the walk.
    existing
        Number of simulations that had a BuildInput before.
    skipped
        Folders that cannot be adopted, with the reasons.
    """

    runs: list[AdoptedRun] = field(default_factory=list)
    existing: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def adopt(
    root: str | Path,
    *,
    prefix: str = "",
    write: bool = False,
    reading: Reading = DEFAULT_READING,
    watch: Callable[[str, int], object] = lambda *_: None,
) -> Adoption:
    """Adopt the plain GROMACS runs in and below a folder.

    Parameters
    ----------
    root
        The folder.
    prefix
        Text before the names of the runs, for roots whose folders have the same names.
    write
        Whether to write a BuildInput into the folder of each run, and the build summary.
        Nothing else is written, and no file is changed but the summary of an earlier adoption.
    reading
        How folders are read.
    watch
        Called with the current step and the number of folders done.

    Raises
    ------
    SourceError
        If the folder does not exist, or neither runs nor simulations are in or below it.
    """
    top = absolute_path(expand_home(root))
    if not os.path.isdir(top):
        if os.path.exists(top):
            raise SourceError(str(root), "is a file, not a folder")
        raise SourceError(str(root), f"there is no such folder{similar_path(str(root))}")
    adoption, hashes = Adoption(), dict[str, str]()
    found = map(partial(_read_again, reading), discover(top, reading))
    for number, item in enumerate(found, start=1):
        watch("reading folders", number)
        if isinstance(item, Skipped):
            adoption.skipped.append(item)
        elif isinstance(item, PlainRun):
            run = Run(item.path, item.files, reading.stems, reading.index)
            name = "/".join(filter(None, (prefix, _name(item.path, top))))
            try:
                adopted = _adopt(run, name, write=write)
            except (UnreadableError, BuildInputError) as error:
                adoption.skipped.append(Skipped(item.path, one_line(error)))
                continue
            adoption.runs.append(adopted)
            hashes[item.path] = adopted.build_input.hash
        else:
            adoption.existing += 1
            if item.identity.simulation_type == SimulationType.adopted:
                hashes[item.path] = item.hash
    if not (adoption.runs or adoption.existing or adoption.skipped):
        raise SourceError(str(root), "no GROMACS runs found: no folder has a .top or .tpr file")
    try:
        _write_summary(Path(top), hashes, write=write)
    except UnreadableError as error:
        adoption.skipped.append(Skipped(f"{top}/{SUMMARY_FILE}", str(error)))
    return adoption


def _read_again(reading: Reading, item: Discovery) -> Discovery:
    """Return what a run is if it has a ``build.yaml``; somebody may just have adopted it."""
    if not (isinstance(item, PlainRun) and os.path.lexists(f"{item.path}/{BUILD_FILE}")):
        return item
    found = read_simulation(item.path, list_folder(item.path), reading=reading)
    return found or Skipped(item.path, f"{BUILD_FILE} is no BuildInput, and is left as it is")


def _name(path: str, top: str) -> str:
    """Return the name of a run: its path relative to the top folder."""
    return os.path.basename(path) if path == top else os.path.relpath(path, top)


def _adopt(run: Run, name: str, *, write: bool) -> AdoptedRun:
    """Describe a run, and write its BuildInput.

    Raises
    ------
    UnreadableError, BuildInputError
        If the run cannot be described, or its folder cannot be written.
    """
    values = describe(run, name)
    build_input = BuildInput.parse(values)
    _require_writable(run.directory)
    if write:
        _write(Path(run.directory, BUILD_FILE), values)
    return AdoptedRun(run.directory, build_input, run.status())


def _require_writable(folder: str | Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnreadableError("the folder cannot be written")


def _write(path: Path, values: Mapping[str, Any]) -> None:
    try:
        write_yaml(path, values, sort_keys=False)
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be written: {error.strerror}") from error


def _write_summary(top: Path, hashes: Mapping[str, str], *, write: bool) -> None:
    """Write the list of all adopted simulations below a folder, if it has changed.

    Raises
    ------
    UnreadableError
        If a file of this name is something else, or it cannot be written.
    """
    path = top / SUMMARY_FILE
    folders = sorted((os.path.relpath(folder, top), hash_) for folder, hash_ in hashes.items())
    summary = {
        "n_systems": len(folders),
        "hash": [hash_ for _, hash_ in folders],
        "simulation_type": [SimulationType.adopted.value] * len(folders),
        "system_directory": [folder for folder, _ in folders],
    }
    earlier = None
    if os.path.lexists(path):
        earlier, _ = load_summary(path)
        if not isinstance(earlier, Mapping) or earlier.keys() != summary.keys():
            raise UnreadableError("is no list of adopted simulations, and is left as it is")
    if summary == earlier or not (folders or earlier):
        return
    _require_writable(top)
    if write:
        _write(path, summary)


def describe(run: Run, name: str) -> dict[str, Any]:
    """Return the values of the BuildInput of a run, in the order of its fields.

    Parameters
    ----------
    run
        The files of the run.
    name
        Name of the run: the path of its folder relative to the top folder.

    Raises
    ------
    UnreadableError
        If the folder holds several simulations, or no topology that can be read; the message is
        the reason.
    """
    logs = run.production_logs()
    _refuse_different((log.file.stem, log.log.conditions) for log in logs)
    log = newest(logs)
    conditions = log.log.conditions if log else None
    parameters = _parameters(run, is_logged=bool(conditions))
    topology = _topology(run, parameters)
    conditions = conditions or mdp.conditions(parameters)
    return {
        "simulation_type": "adopted",
        "parametrization": "external",
        "parametrization_config": {
            "type": "external",
            "forcefield": topology.forcefield,
            "water_model": topology.water_model,
        },
        "engine": "gromacs",
        "system": {
            "name": name,
            "molecules": [
                {"name": molecule, "count": count} for molecule, count in topology.molecules.items()
            ],
            "temperature": conditions.temperature,
            "pressure": conditions.pressure,
        },
    }


def _refuse_different(conditions: Iterable[tuple[str, mdp.Conditions | None]]) -> None:
    """Raise an error if the parts of a run have different temperatures or pressures.

    Parameters
    ----------
    conditions
        Stem and conditions of each part; None if they are not known.
    """
    stems: dict[mdp.Conditions, str] = {}
    for stem, values in conditions:
        if values:
            stems.setdefault(values, stem)
    if len(stems) > 1:
        named = ", ".join(f"{stem} ({values})" for values, stem in stems.items())
        raise UnreadableError(f"holds several simulations: {named}; give each its own folder")


def _parameters(run: Run, *, is_logged: bool) -> dict[str, str]:
    """Return the parameters of the production run as its ``.mdp`` file gives them.

    Parameters
    ----------
    run
        The files of the run.
    is_logged
        Whether a log tells the conditions, so that those of the files do not count.
    """
    by_name = {name.lower(): name for name in sorted(run.names, reverse=True)}

    def read(name: str) -> dict[str, str]:
        return mdp.read_mdp(f"{run.directory}/{name}")

    if "mdout.mdp" in by_name:
        parameters = read(by_name["mdout.mdp"])
        if mdp.integrator(parameters) in mdp.DYNAMICAL_INTEGRATORS:
            return parameters
    production = sorted(run.files_of_production(".mdp"), key=lambda file: _natural_order(file.stem))
    if production:
        files = [(file.stem, read(file.name)) for file in production]
        if not is_logged:
            _refuse_different((stem, mdp.conditions(parameters)) for stem, parameters in files)
        return files[-1][1]
    if "grompp.mdp" in by_name:
        return read(by_name["grompp.mdp"])
    others = [read(name) for name in by_name.values() if name.lower().endswith(".mdp")]
    dynamical = [
        parameters
        for parameters in others
        if mdp.integrator(parameters) in mdp.DYNAMICAL_INTEGRATORS
    ]
    return dynamical[0] if len(dynamical) == 1 else {}


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Key that sorts ``step7_2`` before ``step7_10``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _topology(run: Run, parameters: Mapping[str, str]) -> Topology:
    """Return the topology of a run."""
    names = sorted(name for name in run.names if name.lower().endswith(".top"))
    if not names and any(name.lower().endswith(".tpr") for name in run.names):
        raise UnreadableError("has a .tpr and no .top file, which this version cannot read")
    if not names:  # such as a symlink whose target has gone
        raise UnreadableError("its .top is not a file that can be read")
    if DEFAULT_TOPOLOGY in names:
        names = [DEFAULT_TOPOLOGY]
    macros = mdp.macros(parameters)
    folders = mdp.include_folders(parameters, run.directory)
    topologies = [read_topology(f"{run.directory}/{name}", macros, folders) for name in names]
    if len({tuple(topology.molecules.items()) for topology in topologies}) > 1:
        raise UnreadableError(f"its topologies have different molecules: {', '.join(names)}")
    return topologies[0]
