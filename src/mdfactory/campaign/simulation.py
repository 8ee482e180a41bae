"""One simulation folder: what it is made of and how far it has come."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.campaign.results import Results
from mdfactory.campaign.scan_index import PLAIN, Known, Reading, ScanIndex, Stamp, stamp
from mdfactory.errors import BuildInputError, SourceError, one_line
from mdfactory.files import UnreadableError, read_file
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationStatus, SimulationType

if TYPE_CHECKING:
    from mdfactory.campaign.build_input import BuildInput

__all__ = ["Identity", "Simulation", "Skipped", "read_simulation", "status_of"]

HASH: Final = re.compile(r"[0-9A-Fa-f]{40}")
CLAIM: Final = re.compile(rb"^(simulation_type|system)\s*:", re.MULTILINE)
"""Top-level keys of a BuildInput, to recognise one in a file that is no longer valid YAML."""

LISTS: Final = re.compile(rb"^(system_directory|system)\s*:", re.MULTILINE)
"""Top-level keys by which a build summary and a BuildInput are told apart."""

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

OUT_OF_MEMORY: Final = "there is not enough memory to read it"

NOTHING: Final = "[]"

NONE: Final = [""]
"""What the index keeps of a YAML file that does not claim to be a BuildInput."""

STAGES: Final = (
    (SimulationStatus.completed, {"prod.gro"}),
    (SimulationStatus.production, {"prod.xtc"}),
    (SimulationStatus.equilibrated, {"min.gro", "nvt.gro", "npt.gro"}),
)
"""Status, and the files that show it; the first whose files are all there holds."""


class Identity(NamedTuple):
    """What a simulation is, as its BuildInput says.

    Parameters
    ----------
    hash
        The identity of the BuildInput.
    simulation_type, engine, parametrization
        Of which kinds it is.
    canonical_json
        The BuildInput as a whole; empty if only a digest is known, as `Simulation` says.
    """

    hash: str
    simulation_type: SimulationType
    engine: Engine
    parametrization: Parametrization
    canonical_json: str = ""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation folder as it was found.

    Parameters
    ----------
    path
        Its absolute path.
    identity
        What it is.
    status
        How far it has come.
    warnings
        What is odd about it, though it is valid; a line each.
    bare
        Whether it is known to have no results, so that none are looked for.
    digest
        The digest of its `content`, where that is what is known from earlier reading, and is
        all that was asked for (`scan.Reading.brief`); else empty.
    """

    path: str
    identity: Identity
    status: SimulationStatus
    warnings: tuple[str, ...] = ()
    bare: bool = False
    digest: str = field(default="", compare=False)

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
        After ``mdfactory demo``:

        >>> from pathlib import Path
        >>> from mdfactory import Simulation
        >>> campaign = Path("mdfactory-demo", "water_methanol")
        >>> simulation = Simulation.open(campaign / "FD017140D9BF9DC3E566983C44C59E634D032C4D")
        >>> print(simulation.status)
        completed
        >>> [species.resname for species in simulation.build_input.system.species]
        ['SOL', 'MEO']
        >>> simulation.results.load_analysis("density_timeseries").num_rows
        51
        """
        path = os.path.abspath(directory)  # keeps symlinks
        try:
            files = {entry.name for entry in Path(path).iterdir() if entry.is_file()}
        except OSError as error:
            raise SourceError(str(directory), f"cannot be read: {error.strerror}") from error
        found = read_simulation(path, files, claimed=True)
        if isinstance(found, Simulation):
            return found
        raise SourceError(str(directory), found.reason if found else "is not a simulation")

    @property
    def directory(self) -> Path:
        """Its absolute path."""
        return Path(self.path)

    @property
    def hash(self) -> str:
        """The identity of its BuildInput."""
        return self.identity.hash

    @property
    def content(self) -> tuple[str, ...]:
        """What its record says, but for the time: in the order of the columns of ``SIMULATIONS``.

        Raises
        ------
        ValueError
            If only its digest is known.
        """
        built = self.identity
        if not built.canonical_json:
            raise ValueError(f"of {self.path} only the digest is known")
        return (
            built.hash,
            built.engine.value,
            built.parametrization.value,
            built.simulation_type.value,
            built.canonical_json,
            "BuildInput",
            self.path,
            self.status.value,
        )

    @property
    def build_input(self) -> BuildInput:
        """What it was built from."""
        from mdfactory.campaign.build_input import BuildInput

        return BuildInput.parse(json.loads(self.identity.canonical_json))

    @property
    def results(self) -> Results:
        """Its analyses and artifacts."""
        return Results(self.path)


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


def status_of(files: Collection[str]) -> SimulationStatus:
    """Return how far a simulation has come, from the names of the files in its folder."""
    for status, shown in STAGES:
        if shown.issubset(files):
            return status
    return SimulationStatus.build


def read_simulation(
    directory: str,
    files: Collection[str],
    *,
    others: Collection[str] = (),
    claimed: bool = False,
    reading: Reading = PLAIN,
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
    reading
        How it is read.

    Returns
    -------
    Simulation, Skipped or None
        None if nothing says that it is a simulation.
    """
    own = _own_names(directory)
    bare = RESULTS_FOLDER not in others and RESULTS_FOLDER not in files
    folder = _Folder(directory, status_of(files), bare)
    reasons = [f"{name}: is not a file that can be read" for name in own if name in others]
    for name in _candidates(own, files):
        found = _found(folder, name, reading, own=name in own)
        if isinstance(found, Simulation):
            return found
        reasons += [found] if found else []
    if claimed:
        reasons.append("it holds no BuildInput YAML")
    return Skipped(directory, one_line(reasons[0])) if reasons else None


class _Folder(NamedTuple):
    """What is seen of a folder when it is listed, as in `Simulation`."""

    path: str
    status: SimulationStatus
    bare: bool

    def simulation(
        self, identity: Identity, warnings: tuple[str, ...], digest: str = ""
    ) -> Simulation:
        """Return the simulation that it is, if it is what was read."""
        return Simulation(self.path, identity, self.status, warnings, self.bare, digest)


def _own_names(directory: str) -> tuple[str, str]:
    """Names under which a folder's own BuildInput is looked for first."""
    return f"{directory.rpartition('/')[2]}.yaml", "build.yaml"


def _candidates(own: Collection[str], files: Collection[str]) -> Iterator[str]:
    """Yield the YAML files of a folder; those that are its own come first, and mostly suffice."""
    for name in own:
        if name in files:
            yield name
    others = (name for name in files if name.endswith((".yaml", ".yml")) and name not in own)
    yield from sorted(others)


def _found(folder: _Folder, name: str, reading: Reading, *, own: bool) -> Simulation | str | None:
    """Return the simulation of one YAML file, why it is none, or None if it does not claim to."""
    index, path = reading.index, f"{folder.path}/{name}"
    known = index.find(path) if index else None
    if index and known:
        if known.texts == NONE:
            return None
        if simulation := _remembered(folder, path, known, index, brief=reading.brief):
            return simulation
    return _read(folder, name, index, own=own)


def _read(
    folder: _Folder, name: str, index: ScanIndex | None, *, own: bool
) -> Simulation | str | None:
    """Return the same of a file that was not read before, or not as it is now."""
    from mdfactory.campaign.strict_yaml import LARGEST

    path = f"{folder.path}/{name}"
    try:
        raw, before = read_file(path, LARGEST)
    except UnreadableError as error:
        is_claim = error.__cause__ or (own and not _is_summary(path))
        return f"{name}: {error}" if is_claim else None
    found = _parsed(folder, name, raw, own=own)
    if index and isinstance(found, Simulation):
        _remember(found, path, stamp(before), index)
    elif index and found is None:
        index.note(path, stamp(before), NONE)
    return found


def _is_summary(path: str) -> bool:
    """Whether a file that is too long for a BuildInput lists the folders of a campaign."""
    from mdfactory.campaign.strict_yaml import LARGEST_SUMMARY

    with suppress(UnreadableError):
        return set(LISTS.findall(read_file(path, LARGEST_SUMMARY)[0])) == {b"system_directory"}
    return False


def _parsed(folder: _Folder, name: str, raw: bytes, *, own: bool) -> Simulation | str | None:
    """Return the same of what a file holds."""
    from mdfactory.campaign.strict_yaml import load

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
    return folder.simulation(identity, tuple(_warnings(folder, name, unknown, built.hash)))


def _remember(simulation: Simulation, path: str, read: Stamp, index: ScanIndex) -> None:
    """Keep what was read from a file."""
    from mdfactory.records.digests import digest

    built = simulation.identity
    kinds = (built.simulation_type, built.engine, built.parametrization)
    texts = [*kinds, simulation.status, digest(simulation.content), json.dumps(simulation.warnings)]
    index.note(path, read, [built.hash, *texts], built.canonical_json)


def _remembered(
    folder: _Folder, path: str, known: Known, index: ScanIndex, *, brief: bool
) -> Simulation | None:
    """Return a simulation as it was read before; how far it has come is seen anew."""
    read, (hash_, kind, engine, parametrization, status, content, told) = known
    kinds = _kinds(kind, engine, parametrization)
    warnings = () if told == NOTHING else tuple(json.loads(told))
    if brief and status == folder.status:
        return folder.simulation(Identity(hash_, *kinds), warnings, content)
    canonical_json = index.find_long(path, read)
    if not canonical_json:
        return None
    simulation = folder.simulation(Identity(hash_, *kinds, canonical_json), warnings)
    if status != folder.status:
        _remember(simulation, path, read, index)
    return simulation


@cache
def _kinds(
    kind: str, engine: str, parametrization: str
) -> tuple[SimulationType, Engine, Parametrization]:
    return SimulationType(kind), Engine(engine), Parametrization(parametrization)


def _claims(values: Any, *, own: bool) -> bool:
    """Whether a YAML file says that it is a BuildInput; a build summary says that it is not."""
    if not isinstance(values, Mapping):
        return own
    if own:
        return "system" in values or "system_directory" not in values
    return "simulation_type" in values and "system" in values


def _warnings(folder: _Folder, name: str, unknown: Sequence[str], hash_: str) -> Iterator[str]:
    called = os.path.basename(folder.path)
    if unknown:
        yield one_line(f"{folder.path}/{name}: ignored unknown keys: {', '.join(unknown)}")
    if HASH.fullmatch(called) and called.upper() != hash_:
        named = "the folder is named after another hash"
        yield f"{folder.path}: {named}; its BuildInput has {hash_}"
