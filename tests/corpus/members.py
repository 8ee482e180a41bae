"""A member of the corpus: a sound simulation folder, what spoils it, and what must become of it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Spoil = Callable[[Path], object]

BUILD = "build.yaml"
WATER = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: %d}]}\n"
PLOT = "artifacts/plot/plot.png"

NOTHING: frozenset[str] = frozenset()
SYSTEM = frozenset({"RUN_DATABASE"})
ALL = SYSTEM | {"ANALYSIS_sound", "ANALYSIS_own", "ARTIFACT_plot"}
WITHOUT_OWN = ALL - {"ANALYSIS_own"}
WITHOUT_PLOT = ALL - {"ARTIFACT_plot"}
WITHOUT_ANALYSES = SYSTEM | {"ARTIFACT_plot"}
WITHOUT_ARTIFACTS = WITHOUT_PLOT


@dataclass(frozen=True, slots=True)
class Member:
    """One bad folder.

    Parameters
    ----------
    name
        What is bad about it.
    spoil
        Makes a sound simulation folder bad.
    reasons
        Regular expressions: each is found in the reason of one item that is skipped, and no
        other item is. Without any the folder is passed over, or pushed, in silence.
    stored
        The tables that have a record of it afterwards.
    called
        Name of the folder, if that is what is bad.
    below
        Where the bad thing lies, if the folder itself is not named.
    rights
        Whether root would not notice.
    """

    name: str
    spoil: Spoil
    reasons: tuple[str, ...]
    stored: frozenset[str] = NOTHING
    called: bytes = b""
    below: str = ""
    rights: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A member on disk: its folder, and the path that must be named."""

    member: Member
    folder: Path
    named: str


def write(members: Iterable[Member], root: Path) -> list[Placed]:
    """Write members into a folder, each a simulation of its own."""
    return [place(member, root, number) for number, member in enumerate(members, start=1)]


def place(member: Member, root: Path, number: int = 1) -> Placed:
    """Write one member into a folder."""
    called = member.called or member.name.replace(" ", "_").encode()
    folder = Path(os.fsdecode(os.path.join(os.fsencode(root), called)))
    make_sound(folder, number)
    member.spoil(folder)
    named = os.path.normpath(folder / member.below) if member.below else str(folder)
    return Placed(member, folder, os.fsencode(named).decode(errors="backslashreplace"))


def make_sound(folder: Path, number: int) -> None:
    """Make a simulation folder without fault, with two analyses and an artifact."""
    results = folder / ".analysis"
    (results / PLOT).parent.mkdir(parents=True)
    (folder / BUILD).write_text(WATER % (1000 + number), encoding="utf-8")
    for name in ("sound", "own"):
        with (results / f"{name}.parquet").open("wb") as file:  # Arrow takes names of UTF-8 alone
            pq.write_table(pa.table({"x": [1, 2]}), file)
    (results / PLOT).write_bytes(b"png")
    entry = {"row_count": 2, "columns": ["x"], "extras": {}}
    checksums = {PLOT: hashlib.sha256(b"png").hexdigest()}
    registry = {
        "schema_version": "1.0",
        "analyses": {name: {"filename": f"{name}.parquet", **entry} for name in ("sound", "own")},
        "artifacts": {"plot": {"files": [PLOT], "checksums": checksums, "extras": {}}},
    }
    registry_of(folder).write_text(json.dumps(registry), encoding="utf-8")


def registry_of(folder: Path) -> Path:
    """Return the path of the registry."""
    return folder / ".analysis" / "metadata.json"


# What spoils a folder


def leave(_: Path) -> None:
    """Spoil nothing: the name alone is awkward."""


def build(content: str | bytes, name: str = BUILD) -> Spoil:
    """Let the BuildInput be something else."""

    def spoil(folder: Path) -> None:
        raw = content.encode() if isinstance(content, str) else content
        (folder / (name or f"{folder.name}.yaml")).write_bytes(raw)

    return spoil


def other(content: str | bytes, name: str = "notes.yaml") -> Spoil:
    """Let the only YAML be one of another name."""

    def spoil(folder: Path) -> None:
        (folder / BUILD).unlink()
        build(content, name)(folder)

    return spoil


def registry(content: str | bytes) -> Spoil:
    """Let the registry be something else."""

    def spoil(folder: Path) -> None:
        raw = content.encode() if isinstance(content, str) else content
        registry_of(folder).write_bytes(raw)

    return spoil


def edited(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Let the registry say something else."""

    def spoil(folder: Path) -> None:
        values = json.loads(registry_of(folder).read_text(encoding="utf-8"))
        change(values)
        registry_of(folder).write_text(json.dumps(values), encoding="utf-8")

    return spoil


def instead(name: str, make: Callable[[Path], object]) -> Spoil:
    """Let something else stand in place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to("missing")


def looping(path: Path) -> None:
    path.symlink_to(path.name)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def empty(path: Path) -> None:
    path.touch()


def gone(_: Path) -> None:
    """Let nothing be there."""


def listening(path: Path) -> None:
    """Make a socket; its path may be longer than an address, so it is bound from its folder."""
    with socket.socket(socket.AF_UNIX) as bound:
        parent = os.open(path.parent, os.O_RDONLY)
        try:
            bound.bind(f"/proc/self/fd/{parent}/{path.name}")
        finally:
            os.close(parent)


def unreadable(path: Path) -> None:
    path.touch()
    path.chmod(0)
