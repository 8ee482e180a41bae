"""One simulation folder: its BuildInput, its status and its results."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.campaign.results import Results
from mdfactory.campaign.scan_index import (
    DEFAULT_READING,
    FileState,
    IndexEntry,
    Reading,
    ScanIndex,
    file_state,
)
from mdfactory.errors import (
    HASH_PREFIX_DIGITS,
    BuildInputError,
    OutputError,
    SourceError,
    UnknownSimulationError,
    one_line,
)
from mdfactory.files import (
    Listing,
    UnreadableError,
    absolute_path,
    escape_undecoded,
    list_folder,
    read_file,
)
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationStatus, SimulationType

if TYPE_CHECKING:
    from mdfactory.campaign.build_input import BuildInput
    from mdfactory.campaign.gromacs.runs import Progress

HASH_PATTERN: Final = re.compile(r"[0-9A-Fa-f]{40}")

BUILD_INPUT_KEYS: Final = re.compile(rb"^(simulation_type|system)\s*:", re.MULTILINE)
"""Top-level keys by which a BuildInput is recognised in a file that is not valid YAML."""

SUMMARY_KEY: Final = re.compile(rb"^system_directory\s*:", re.MULTILINE)
"""Top-level key of a build summary. A BuildInput never has it."""

UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")

OUT_OF_MEMORY: Final = "there is not enough memory to read it"

NO_BUILD_INPUT: Final = "it holds no BuildInput YAML"

ENUMERATIONS: Final[Mapping[str, type[StrEnum]]] = {
    "simulation_type": SimulationType,
    "parametrization": Parametrization,
    "engine": Engine,
}
"""Field of a BuildInput -> the values that this version knows."""

NOT_A_BUILD_INPUT: Final = [""]
"""Texts of the index entry of a YAML file that does not claim to be a BuildInput."""

STATUS_FILES: Final = (
    (SimulationStatus.completed, {"prod.gro"}),
    (SimulationStatus.production, {"prod.xtc"}),
    (SimulationStatus.equilibrated, {"min.gro", "nvt.gro", "npt.gro"}),
)
"""Each status and the files that prove it; the first whose files all exist applies."""


class Identity(NamedTuple):
    """Identity of a simulation, as derived from its BuildInput.

    Parameters
    ----------
    hash
        Hash of the BuildInput, 40 hex digits.
    simulation_type, engine, parametrization
        The values of these fields of the BuildInput.
    input_data
        The BuildInput with its tags, as `BuildInput.input_data`. Empty if only
        `Simulation.digest` was read.
    """

    hash: str
    simulation_type: SimulationType
    engine: Engine
    parametrization: Parametrization
    input_data: str = ""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation folder, as it was when it was read.

    Parameters
    ----------
    path
        Absolute path of the folder.
    identity
        Hash and BuildInput.
    status
        Progress of the simulation.
    warnings
        Problems that do not make it invalid, one line each.
    bare
        Whether the folder has no ``.analysis`` folder, and so no results.
    digest
        Digest of `content`, if only this digest was read, from the index
        (`scan_index.Reading.digests_only`); otherwise empty.
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
            Path of the folder.

        Raises
        ------
        SourceError
            If the folder does not exist or is not a simulation; the message gives the reason.
        UnknownSimulationError
            If its BuildInput has a simulation type, parametrization or engine that this version
            does not know. It is a `SourceError`, too.

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
        path = absolute_path(directory)
        try:
            listing = list_folder(path)
        except OSError as error:
            raise SourceError(str(directory), f"cannot be read: {error.strerror}") from error
        simulation = read_simulation(path, listing, required=True)
        if isinstance(simulation, Simulation):
            return simulation
        is_unknown = isinstance(simulation, UnknownSimulation)
        error_type = UnknownSimulationError if is_unknown else SourceError
        raise error_type(str(directory), simulation.reason if simulation else "")

    @classmethod
    def create(cls, parent: str | Path, build_input: BuildInput) -> Simulation:
        """Create a simulation folder, as ``mdfactory prepare-build`` does.

        The folder is named after the hash, and contains the BuildInput as ``<hash>.yaml``. A folder
        that has this BuildInput already is not changed, even if its tags are others.

        Parameters
        ----------
        parent
            Folder in which the folder is created; it need not exist.
        build_input
            The BuildInput.

        Returns
        -------
        Simulation
            The simulation in the new or existing folder.

        Raises
        ------
        OutputError
            If the folder exists and has other content, its path is not UTF-8, or it cannot be
            written.
        UsageError
            If `build_input` is something else, such as a dict.

        Examples
        --------
        >>> from mdfactory import BuildInput, Simulation
        >>> water = {"smiles": "O", "resname": "SOL", "count": 450}
        >>> box = BuildInput.parse({"simulation_type": "mixedbox", "system": {"species": [water]}})
        >>> simulation = Simulation.create("new", box)
        >>> print(simulation.directory.name, simulation.status)
        EB3965712A911E7FF313BCB826F03EC699E236E2 build
        """
        from mdfactory.campaign.creation import (
            create_simulation_folder,
            output_errors,
            refuse_links,
            require_build_input,
            storable_path,
        )

        require_build_input(build_input)
        folder = storable_path(parent) / build_input.hash
        with output_errors(folder):
            if find_prepared(folder, build_input) is None:
                refuse_links([folder])
                create_simulation_folder(folder, build_input)
        return cls.open(folder)

    def __repr__(self) -> str:
        simulation_type, short_hash = self.identity.simulation_type, self.hash[:HASH_PREFIX_DIGITS]
        path = escape_undecoded(self.path)
        return f"<Simulation {short_hash}: {simulation_type}, {self.status}, in {path}>"

    def _repr_html_(self) -> str:
        from mdfactory.campaign.summary import simulation_html

        identity = self.identity
        values = {
            "hash": self.hash,
            "simulation_type": identity.simulation_type.value,
            "status": self.status.value,
            "parametrization": identity.parametrization.value,
            "engine": identity.engine.value,
        }
        return simulation_html(self.path, values, identity.input_data)

    @property
    def directory(self) -> Path:
        """Absolute path of the folder."""
        return Path(self.path)

    @property
    def hash(self) -> str:
        """Hash of its BuildInput, 40 hex digits."""
        return self.identity.hash

    @property
    def named_hash(self) -> str:
        """The hash that the folder is named after, if it is that of another simulation; or empty.

        The BuildInput of such a folder was probably edited.
        """
        name = os.path.basename(self.path)
        is_other = HASH_PATTERN.fullmatch(name) and name.upper() != self.hash
        return name.upper() if is_other else ""

    @property
    def content(self) -> tuple[str, ...]:
        """The values of its record, without the time, in the order of `records.SIMULATIONS`.

        Raises
        ------
        ValueError
            If the simulation was read with `scan_index.Reading.digests_only`, and has not
            changed since it was indexed.
        """
        identity = self.identity
        if not identity.input_data:
            raise ValueError(f"{self.path} was read as a digest only and has no content")
        return (
            identity.hash,
            identity.engine.value,
            identity.parametrization.value,
            identity.simulation_type.value,
            identity.input_data,
            "BuildInput",
            self.path,
            self.status.value,
        )

    @property
    def build_input(self) -> BuildInput:
        """The BuildInput that it was built from."""
        from mdfactory.campaign.build_input import BuildInput

        return BuildInput.parse(json.loads(self.identity.input_data))

    @property
    def results(self) -> Results:
        """Its analyses and artifacts."""
        return Results(self.path)

    def progress(self) -> Progress | None:
        """Read how far the production run is, and how it ended, from its newest log.

        The log of an adopted simulation has a stem of ``[adopt] PRODUCTION`` in the configuration,
        that of any other is ``prod.log``. Its first and last 256 kB are read. Where each part of a
        run starts at time 0 again, the time is that of the newest part.

        Returns
        -------
        Progress or None
            None if there is no log that GROMACS wrote.

        Raises
        ------
        SourceError
            If the folder cannot be read.
        """
        from mdfactory.campaign.progress import read_progress

        try:
            return read_progress(self.path, self.identity.simulation_type)
        except OSError as error:
            raise SourceError(self.path, f"cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Skipped:
    """A folder, file or result that was expected to be valid, but is not.

    Parameters
    ----------
    path
        Path of the folder or file.
    reason
        Why it was skipped, in one line.
    """

    path: str
    reason: str

    @classmethod
    def because(cls, path: str, reason: object) -> Self:
        """Return an instance whose reason is put on one line."""
        return cls(path, one_line(reason))


class UnknownSimulation(Skipped):
    """A folder whose BuildInput has a value that this version does not know.

    A newer version may know the value, or it is misspelt; see `ENUMERATIONS`.
    """

    __slots__ = ()


def status_of(files: Collection[str]) -> SimulationStatus:
    """Return the status of a simulation, given the names of the files in its folder."""
    for status, required_files in STATUS_FILES:
        if required_files.issubset(files):
            return status
    return SimulationStatus.build


def find_prepared(folder: Path, build: BuildInput) -> Simulation | None:
    """Return the simulation in a folder, which must be that of a BuildInput; its tags may differ.

    The result is None if the folder is missing or empty.

    Raises
    ------
    OutputError
        If the folder has other content.
    """
    if not folder.exists():
        return None
    listing = list_folder(folder)
    if not any(listing):
        return None
    simulation = read_simulation(str(folder), listing)
    if isinstance(simulation, Simulation) and simulation.hash == build.hash:
        return simulation
    raise OutputError(f"{folder} exists, but does not contain its BuildInput; move the folder away")


def read_simulation(
    directory: str, listing: Listing, *, required: bool = False, reading: Reading = DEFAULT_READING
) -> Simulation | Skipped | None:
    """Read one folder.

    Parameters
    ----------
    directory
        Absolute path of the folder.
    listing
        Names of what is in it.
    required
        Whether the folder must be a simulation, like one that a build summary lists. A folder
        without a BuildInput is then `Skipped`, with a reason.
    reading
        Options for reading the folder.

    Returns
    -------
    Simulation, Skipped or None
        None if the folder is not `required` and does not claim to be a simulation.
    """
    files, others, *_ = listing
    # A file with one of these names must be a BuildInput or a build summary.
    own_names = (f"{directory.rpartition('/')[2]}.yaml", "build.yaml")
    bare = RESULTS_FOLDER not in others and RESULTS_FOLDER not in files
    folder = _Folder(directory, files, bare, reading)
    problems = [
        Skipped(directory, f"{name}: is not a file that can be read")
        for name in own_names
        if name in others
    ]
    other_names = sorted(
        name for name in files if name.endswith((".yaml", ".yml")) and name not in own_names
    )
    for name in (*filter(files.__contains__, own_names), *other_names):
        outcome = folder.read(name, own=name in own_names)
        if isinstance(outcome, Simulation):
            return outcome
        problems += [outcome] if outcome else []
    if required:
        problems.append(Skipped(directory, NO_BUILD_INPUT))
    return problems[0] if problems else None


Outcome = Simulation | Skipped | None
"""Outcome of reading one YAML file: the simulation that it describes, the reason why it is
invalid, or None if it does not claim to be a BuildInput."""


class _Folder(NamedTuple):
    """A folder whose YAML files are read.

    Parameters
    ----------
    path, bare
        As in `Simulation`.
    files
        Names of the files in it.
    reading
        Options for reading it.
    """

    path: str
    files: Collection[str]
    bare: bool
    reading: Reading

    def status(self, simulation_type: SimulationType) -> SimulationStatus:
        """Return the status of a simulation of a type in this folder."""
        if simulation_type is not SimulationType.adopted:
            return status_of(self.files)
        from mdfactory.campaign.gromacs.runs import Run

        return Run(self.path, self.files, self.reading.stems, self.reading.index).status()

    def read(self, name: str, *, own: bool) -> Outcome:
        """Read one YAML file, or take its content from the index.

        Parameters
        ----------
        name
            Name of the file.
        own
            Whether it has one of the folder's own names.
        """
        index, path = self.reading.index, f"{self.path}/{name}"
        entry = index.find(path) if index else None
        if index and entry:
            if entry.texts == NOT_A_BUILD_INPUT:
                return None
            if simulation := self._from_index(path, entry, index):
                return simulation
        from mdfactory.campaign.strict_yaml import MAX_BUILD_INPUT_BYTES

        try:
            raw, file_status = read_file(path, MAX_BUILD_INPUT_BYTES)
        except UnreadableError as error:
            # A file that the system cannot read (an error with a cause) may be a BuildInput. A
            # file that is too large is none, unless it has one of the folder's own names.
            is_claim = error.__cause__ or (own and not _is_summary(path))
            return Skipped.because(self.path, f"{name}: {error}") if is_claim else None
        state = file_state(file_status)
        outcome = self._parse(name, raw, own=own)
        if index and isinstance(outcome, Simulation):
            _add_to_index(outcome, path, state, index)
        elif index and outcome is None:
            index.add(path, state, NOT_A_BUILD_INPUT)
        return outcome

    def _parse(self, name: str, raw: bytes, *, own: bool) -> Outcome:
        """Parse the content of one YAML file."""
        from mdfactory.campaign.strict_yaml import load

        # Parsing is slow, so a file that does not contain this key is ruled out by its bytes
        # first. In UTF-16 the key has other bytes.
        if not own and b"simulation_type" not in raw and not raw.startswith(UTF16_MARKS):
            return None
        try:
            values = load(raw)
        except UnreadableError as error:
            is_claim = own or len(set(BUILD_INPUT_KEYS.findall(raw))) > 1
            return Skipped.because(self.path, f"{name}: {error}") if is_claim else None
        if not _claims_to_be_build_input(values, own=own):
            return None
        from mdfactory.campaign.build_input import BuildInput
        from mdfactory.campaign.campaign_notes import ignored_fields, overruled_amounts

        try:
            build_input = BuildInput.parse(values)
        except BuildInputError as error:
            hint = _unknown_value_hint(values)
            skipped = UnknownSimulation if hint else Skipped
            return skipped.because(self.path, f"{name}: {error}{hint}")
        identity = Identity._make(getattr(build_input, field) for field in Identity._fields)
        warnings = []
        unknown = [str(key) for key in values if key not in BuildInput.model_fields]
        if unknown:
            ignored = ignored_fields(unknown, values, [build_input])
            warnings.append(one_line(f"{self.path}/{name}: ignored unknown keys: {ignored}"))
        if overruled := overruled_amounts(values, build_input):
            warnings.append(one_line(f"{self.path}/{name}: {overruled}"))
        status = self.status(identity.simulation_type)
        return Simulation(self.path, identity, status, tuple(warnings), self.bare)

    def _from_index(self, path: str, entry: IndexEntry, index: ScanIndex) -> Simulation | None:
        """Return the simulation that `_add_to_index` has added, with the current status.

        The indexed digest includes the status, so it is not used after a change of status. The
        result is None if the content is needed and the index does not have it.
        """
        hash_, type_, engine, parametrization, status, content_digest, warnings_json = entry.texts
        # The name of a member equals its value. To find it by name is faster.
        types = SimulationType[type_], Engine[engine], Parametrization[parametrization]
        current_status = self.status(types[0])
        is_digest_enough = self.reading.digests_only and status == current_status
        input_data = None if is_digest_enough else index.find_long_text(path, entry.state)
        if not (is_digest_enough or input_data):
            return None
        identity = Identity(hash_, *types, input_data or "")
        warnings = () if warnings_json == "[]" else tuple(json.loads(warnings_json))
        content_digest = content_digest if is_digest_enough else ""
        simulation = Simulation(
            self.path, identity, current_status, warnings, self.bare, content_digest
        )
        if status != current_status:
            _add_to_index(simulation, path, entry.state, index)
        return simulation


def _is_summary(path: str) -> bool:
    """Whether a file that is too large for a BuildInput is a build summary."""
    from mdfactory.campaign.strict_yaml import MAX_SUMMARY_BYTES

    with suppress(UnreadableError):
        raw, _ = read_file(path, MAX_SUMMARY_BYTES)
        return SUMMARY_KEY.search(raw) is not None
    return False


def _claims_to_be_build_input(values: Any, *, own: bool) -> bool:
    """Whether a file should be a BuildInput, given its content; `own` as in `_Folder.read`."""
    if not isinstance(values, Mapping):
        return own
    if "system_directory" in values:  # a newer build summary may have any other keys
        return False
    return own or ("simulation_type" in values and "system" in values)


def _unknown_value_hint(values: Any) -> str:
    """Return a hint for an invalid BuildInput with a value that is not known here; else empty."""
    if not isinstance(values, Mapping):
        return ""
    for field_name, enumeration in ENUMERATIONS.items():
        value, known = values.get(field_name), list(enumeration)
        if isinstance(value, str) and value not in known:
            from difflib import get_close_matches

            close = get_close_matches(value.lower(), known, n=1)
            meant = f"did you mean {close[0]!s}? Else " if close else ""
            return f"; {meant}a newer version of mdfactory may know it"
    return ""


def _add_to_index(simulation: Simulation, path: str, state: FileState, index: ScanIndex) -> None:
    """Add a simulation to the index, under the path of its YAML file."""
    from mdfactory.records.digests import digest

    *identity, input_data = simulation.identity
    warnings_json = json.dumps(simulation.warnings)
    texts = [*identity, simulation.status, digest(simulation.content), warnings_json]
    index.add(path, state, texts, input_data)
