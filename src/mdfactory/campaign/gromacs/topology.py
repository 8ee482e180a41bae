"""Reads the molecules of a GROMACS topology, with its includes and macros.

The format is that of the GROMACS reference manual, "Topology file": preprocessor directives
(``#include``, ``#define``, ``#undef``, ``#ifdef``, ``#ifndef``, ``#else``, ``#endif``), comments
after ``;``, continuation lines that end in a backslash, and sections such as ``[ molecules ]``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import Final

from mdfactory.files import UnreadableError, read_file

MAX_TOPOLOGY_BYTES: Final = 64 * 2**20
"""Size of a topology with all its includes. Those of large systems have a few megabytes."""

MAX_INCLUDES: Final = 1000
"""Number of files that a topology may include."""

MAX_INCLUDE_DEPTH: Final = 32
"""Depth to which included files may include others."""

MAX_MOLECULES: Final = 10_000
"""Number of lines of the section ``[ molecules ]``."""

WATER_MODELS: Final = frozenset(
    "spc spce tip3p tip4p tip4pew tip4p2005 tip5p opc opc3".split()  # noqa: SIM905
)
"""Names of the water topologies of GROMACS' force fields, without ``.itp``."""

INCLUDE: Final = re.compile(r"""include\s*(?:"([^"]+)"|<([^>]+)>)""")
SECTION: Final = re.compile(r"\[\s*([^\]]*?)\s*\]")
COUNT: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Topology:
    """What a topology says of a system.

    Parameters
    ----------
    molecules
        Molecule type -> number of molecules, in the order of the first appearance; no zeros.
    forcefield
        Name of the force field's folder, without ``.ff``; None if the first include has none.
    water_model
        Name of the included water topology, one of `WATER_MODELS`; None if there is none.
    """

    molecules: Mapping[str, int]
    forcefield: str | None
    water_model: str | None


def read_topology(
    path: str, macros: Mapping[str, str] | None = None, include_folders: Sequence[str] = ()
) -> Topology:
    """Read the molecules of a topology.

    Included files that are not found are passed over: a force field is often installed with
    GROMACS and not copied.

    Parameters
    ----------
    path
        Absolute path of the ``.top`` file.
    macros
        Macros that are defined before its first line, as ``define`` of a ``.mdp`` file does.
    include_folders
        Folders in which included files are searched, after the folder of the including file.

    Raises
    ------
    UnreadableError
        If a file cannot be read, a directive or a line of ``[ molecules ]`` is wrong, there are
        no molecules, or the topology is too large. The message names the file and the line.
    """
    reader = _Reader(os.path.dirname(path), dict(macros or {}), include_folders)
    counts: dict[str, int] = {}
    section = ""
    lines = 0
    for place, line in reader.lines(path):
        if match := SECTION.match(line):
            section = match[1].lower()
        elif section == "molecules":
            lines += 1
            if lines > MAX_MOLECULES:
                raise UnreadableError(f"{place}: more than {MAX_MOLECULES:,} lines of molecules")
            name, count = _parse_molecules(line, reader.macros, place)
            counts[name] = counts.get(name, 0) + count
    molecules = {name: count for name, count in counts.items() if count}
    if not molecules:
        missing = f"; not found: {', '.join(reader.missing[:3])}" if reader.missing else ""
        raise UnreadableError(f"{os.path.basename(path)}: no [ molecules ] in it{missing}")
    return Topology(molecules, _forcefield(reader.includes), _water_model(reader.includes))


def _parse_molecules(line: str, macros: Mapping[str, str], place: str) -> tuple[str, int]:
    """Return the molecule type and the count of a line of ``[ molecules ]``."""
    name, *rest = line.split()
    count = _expand(rest[0], macros) if rest else ""
    if len(rest) != 1 or not COUNT.fullmatch(count):
        raise UnreadableError(f"{place}: expected a molecule type and its count in [ molecules ]")
    return name, int(count)


def _expand(word: str, macros: Mapping[str, str]) -> str:
    """Return what a word stands for; macros may be defined by others, and even by themselves."""
    expanded = set[str]()
    while word in macros and word not in expanded:
        expanded.add(word)
        word = macros[word].strip()
    return word


def _forcefield(includes: Sequence[str]) -> str | None:
    folders = includes[0].split("/")[:-1] if includes else []
    names = [name[:-3] for name in folders if name.endswith(".ff") and name != ".ff"]
    return names[-1] if names else None


def _water_model(includes: Sequence[str]) -> str | None:
    stems = (include.rpartition("/")[2].removesuffix(".itp") for include in includes)
    return next((stem for stem in stems if stem in WATER_MODELS), None)


@dataclass(slots=True)
class _Reader:
    """Preprocesses a topology.

    Parameters
    ----------
    folder
        Folder of the topology.
    macros
        Macros that are defined so far.
    include_folders
        As for `read_topology`.
    includes
        Paths of the includes so far, found or not, as written.
    missing
        Those that were not found.
    unread_bytes
        Number of bytes that may still be read.
    """

    folder: str
    macros: dict[str, str]
    include_folders: Sequence[str]
    includes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unread_bytes: int = MAX_TOPOLOGY_BYTES

    def lines(self, path: str, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
        """Yield file and line number, and text, of each line that is neither directive nor blank.

        Parameters
        ----------
        path
            The file.
        parents
            Real paths of the files that include it.
        """
        name = os.path.relpath(path, self.folder)
        real_path = os.path.realpath(path)
        if real_path in parents:
            raise UnreadableError(f"{name}: includes itself")
        if len(parents) > MAX_INCLUDE_DEPTH:
            raise UnreadableError(f"{name}: includes are nested more than {MAX_INCLUDE_DEPTH} deep")
        conditions: list[bool] = []  # of the enclosing #ifdef, whether each holds
        for number, line in self._logical_lines(path, name):
            place = f"{name}, line {number}"
            if not line.startswith("#"):
                if all(conditions):
                    yield place, line
            elif match := INCLUDE.match(line[1:].strip()):
                if all(conditions):
                    yield from self._include(
                        match[1] or match[2], path, place, (*parents, real_path)
                    )
            else:
                self._apply(line[1:].split(None, 2), conditions, place)
        if conditions:
            raise UnreadableError(f"{name}: #ifdef without #endif")

    def _logical_lines(self, path: str, name: str) -> Iterator[tuple[int, str]]:
        """Yield number and text of each line, continued lines joined, comments removed."""
        try:
            content, _ = read_file(path, self.unread_bytes)
        except UnreadableError as error:
            raise UnreadableError(f"{name} {error}") from error
        self.unread_bytes -= len(content)
        if b"\0" in content:
            raise UnreadableError(f"{name} is not a text file")
        pending = bytearray()
        lines = chain(BytesIO(content), [b""])  # the last one may be continued
        for number, raw in enumerate(lines, 1):
            line = raw.rstrip()
            if line.endswith(b"\\"):
                pending += line[:-1] + b" "
                continue
            text = (pending + line).partition(b";")[0].strip()
            pending.clear()
            if text:  # comments need not be UTF-8; other names than that are refused later
                yield number, text.decode(errors="surrogateescape")

    def _include(
        self, target: str, path: str, place: str, parents: tuple[str, ...]
    ) -> Iterator[tuple[str, str]]:
        """Yield the lines of an included file; nothing if it is not found."""
        self.includes.append(target)
        if len(self.includes) > MAX_INCLUDES:
            raise UnreadableError(f"{place}: more than {MAX_INCLUDES:,} includes")
        folders = (os.path.dirname(path), *self.include_folders, self.folder)
        for candidate in (os.path.join(folder, target) for folder in folders):
            if os.path.exists(candidate):
                yield from self.lines(candidate, parents)
                return
        self.missing.append(target)

    def _apply(self, words: list[str], conditions: list[bool], place: str) -> None:
        """Apply a directive other than ``#include``."""
        directive, *arguments = words or [""]
        if directive in {"ifdef", "ifndef"} and arguments:
            conditions.append((arguments[0] in self.macros) == (directive == "ifdef"))
        elif directive == "else" and conditions:
            conditions[-1] = not conditions[-1]
        elif directive == "endif" and conditions:
            conditions.pop()
        elif directive in {"define", "undef"} and arguments:
            if all(conditions) and directive == "define":
                self.macros[arguments[0]] = " ".join(arguments[1:])
            elif all(conditions):
                self.macros.pop(arguments[0], None)
        elif all(conditions):
            raise UnreadableError(f"{place}: #{directive} is not expected here")
