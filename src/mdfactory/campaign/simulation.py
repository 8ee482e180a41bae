"""One simulation folder: what it is made of and how far it has come."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mdfactory.campaign.registry import FOLDER
from mdfactory.campaign.results import Results
from mdfactory.campaign.yamlfiles import UnreadableError, load, read_file
from mdfactory.errors import BuildInputError, SourceError, one_line
from mdfactory.records.terms import Engine, Parametrization, SimulationType, Status

if TYPE_CHECKING:
    from mdfactory.campaign.build_input import BuildInput
    from mdfactory.campaign.scan import ScanIndex

__all__ = ["Identity", "Simulation", "Skipped", "read_simulation", "status_of"]

HASH: Final = re.compile(r"[0-9A-Fa-f]{40}")
CLAIM: Final = re.compile(rb"^(simulation_type|system)\s*:", re.MULTILINE)
"""Top-level keys of a BuildInput, to recognise one in a file that is no longer valid YAML."""

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

NOTHING: Final = "[]"

STAGES: Final = {
    Status.completed: {"prod.gro"},
    Status.production: {"prod.xtc"},
    Status.equilibrated: {"min.gro", "nvt.gro", "npt.gro"},
    Status.build: set[str](),
}
"""Status -> the files that show it; the first whose files are all there holds."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a simulation is, as its BuildInput says.

    Parameters
    ----------
    hash
        The identity of the BuildInput.
    simulation_type, engine, parametrization
        Of which kinds it is.
    canonical_json
        The BuildInput as a whole.
    """

    hash: str
    simulation_type: SimulationType
    engine: Engine
    parametrization: Parametrization
    canonical_json: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation folder as it was found.

    Parameters
    ----------
    directory
        Its absolute path.
    identity
        What it is.
    status
        How far it has come.
    warnings
        What is odd about it, though it is valid; a line each.
    bare
        Whether it is known to have no results, so that none are looked for.
    """

    directory: Path
    identity: Identity
    status: Status
    warnings: tuple[str, ...] = ()
    bare: bool = False

    @classmethod
    def open(cls, directory: str | Path) -> Simulation:
        """Read a simulation folder.

        Parameters
        ----------
        directory
            The folder.

        Raises
        ------
        SourceError
            If there is no such folder, or it is not a simulation; with the reason.

        Examples
        --------
        >>> simulation = Simulation.open("campaign/0BDC04CC...")  # doctest: +SKIP
        >>> simulation.status, simulation.results.load_analysis("density")  # doctest: +SKIP
        """
        path = Path(os.path.abspath(directory))  # keeps symlinks
        try:
            files = {entry.name for entry in path.iterdir() if entry.is_file()}
        except OSError as error:
            raise SourceError(str(directory), f"cannot be read: {error.strerror}") from error
        found = read_simulation(path, files, claimed=True)
        if isinstance(found, Simulation):
            return found
        raise SourceError(str(directory), found.reason if found else "is not a simulation")

    @property
    def hash(self) -> str:
        """The identity of its BuildInput."""
        return self.identity.hash

    @property
    def build_input(self) -> BuildInput:
        """What it was built from."""
        from mdfactory.campaign.build_input import BuildInput

        return BuildInput.parse(json.loads(self.identity.canonical_json))

    @property
    def results(self) -> Results:
        """Its analyses and artifacts."""
        return Results(self.directory)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was named or claims to be a simulation, but is none.

    Parameters
    ----------
    path
        The folder or file.
    reason
        Why it was passed over, in one line.
    """

    path: str
    reason: str


def status_of(files: Collection[str]) -> Status:
    """Return how far a simulation has come, from the names of the files in its folder."""
    return next(status for status, shown in STAGES.items() if shown.issubset(files))


def read_simulation(
    directory: Path,
    files: Collection[str],
    *,
    others: Collection[str] = (),
    claimed: bool = False,
    index: ScanIndex | None = None,
) -> Simulation | Skipped | None:
    """Read one folder.

    Parameters
    ----------
    directory
        Its absolute path.
    files
        Names of the files in it.
    others
        Names of what is no file, such as a folder or a dangling symlink.
    claimed
        Whether something says that it is a simulation, such as a build summary.
    index
        What was read before.

    Returns
    -------
    Simulation, Skipped or None
        None if nothing says that it is a simulation.
    """
    own = _own_names(directory.name)
    reasons = [f"{name}: is not a file that can be read" for name in own if name in others]
    for name in _candidates(directory.name, files):
        before = _remembered(directory, name, files, index) if index else None
        found = before or _read(directory, name, files, index)
        if isinstance(found, Simulation):
            return found if FOLDER in others or FOLDER in files else _bare(found)
        reasons += [found] if found else []
    if claimed:
        reasons.append("it holds no BuildInput YAML")
    return Skipped(str(directory), one_line(reasons[0])) if reasons else None


def _bare(found: Simulation) -> Simulation:
    return Simulation(found.directory, found.identity, found.status, found.warnings, bare=True)


def _own_names(folder: str) -> tuple[str, str]:
    """Names under which a folder's own BuildInput is looked for first."""
    return f"{folder}.yaml", "build.yaml"


def _candidates(folder: str, files: Collection[str]) -> Iterator[str]:
    """Yield the YAML files of a folder; those that are its own come first, and mostly suffice."""
    own = [name for name in _own_names(folder) if name in files]
    yield from own
    others = (name for name in files if name.endswith((".yaml", ".yml")) and name not in own)
    yield from sorted(others)


def _read(
    directory: Path, name: str, files: Collection[str], index: ScanIndex | None
) -> Simulation | str | None:
    """Return the simulation of one YAML file, why it is none, or None if it does not claim to."""
    path = f"{directory}/{name}"
    own = name in _own_names(directory.name)
    try:
        raw, before = read_file(path)
    except UnreadableError as error:
        return f"{name}: {error}" if own or error.__cause__ else None
    if not own and b"simulation_type" not in raw and not raw.startswith(UTF16):
        return None
    try:
        values = load(raw)
    except UnreadableError as error:
        return f"{name}: {error}" if own or len(set(CLAIM.findall(raw))) > 1 else None
    if not _claims(values, own=own):
        return None
    from mdfactory.campaign.build_input import BuildInput

    try:
        built = BuildInput.parse(values)
    except BuildInputError as error:
        return f"{name}: {error}"
    kinds = (built.simulation_type, built.engine, built.parametrization)
    identity = Identity(built.hash, *kinds, built.canonical_json)
    unknown = [str(key) for key in values if key not in BuildInput.model_fields]
    warnings = tuple(_warnings(directory, name, unknown, built.hash))
    if index:
        index.note(path, before, [built.hash, *kinds, built.canonical_json, json.dumps(warnings)])
    return Simulation(directory, identity, status_of(files), warnings)


def _remembered(
    directory: Path, name: str, files: Collection[str], index: ScanIndex
) -> Simulation | None:
    """Return a simulation as it was read before; how far it has come is seen anew."""
    known = index.find(f"{directory}/{name}")
    if not known:
        return None
    hash_, kind, engine, parametrization, canonical_json, warnings = known
    kinds = SimulationType(kind), Engine(engine), Parametrization(parametrization)
    identity = Identity(hash_, *kinds, canonical_json)
    told = () if warnings == NOTHING else tuple(json.loads(warnings))
    return Simulation(directory, identity, status_of(files), told)


def _claims(values: Any, *, own: bool) -> bool:
    """Whether a YAML file says that it is a BuildInput; a build summary says that it is not."""
    if not isinstance(values, Mapping):
        return own
    if own:
        return "system" in values or "system_directory" not in values
    return "simulation_type" in values and "system" in values


def _warnings(directory: Path, name: str, unknown: Sequence[str], hash_: str) -> Iterator[str]:
    if unknown:
        yield one_line(f"{directory / name}: ignored unknown keys: {', '.join(unknown)}")
    if HASH.fullmatch(directory.name) and directory.name.upper() != hash_:
        yield f"{directory}: the folder is named after another hash; its BuildInput has {hash_}"
