"""Registries that are none, and entries that cannot be recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.members import (
    ALL,
    PLOT,
    SYSTEM,
    WITHOUT_ANALYSES,
    WITHOUT_ARTIFACTS,
    WITHOUT_OWN,
    WITHOUT_PLOT,
    Member,
    Spoil,
    dangling,
    directory,
    edited,
    empty,
    endless,
    fifo,
    instead,
    listening,
    looping,
    registry,
    registry_of,
    unreadable,
)

REGISTRY = ".analysis/metadata.json"
TEXT = '{"analyses": {}, "artifacts": {}}'

BROKEN: list[tuple[str, str | bytes, str]] = [
    ("an empty registry", "", "is not valid JSON"),
    ("a registry of blanks", "  \n", "is not valid JSON"),
    ("a registry of 100 MB of blanks", b" " * 100_000_000, "larger than 64 MiB"),
    ("a registry of NULs", b"\0" * 1000, "is not valid JSON"),
    ("a registry that is text", "results", "is not valid JSON"),
    ("a registry that is a list", "[]", "is not a JSON object"),
    ("a registry that is null", "null", "is not a JSON object"),
    ("a registry that is a number", "7", "is not a JSON object"),
    ("half a registry", TEXT[:20], "is not valid JSON"),
    ("a registry and more", TEXT + "{}", "is not valid JSON"),
    ("a registry with comments", "// results\n" + TEXT, "is not valid JSON"),
    ("a registry 5,000 deep", '{"x": ' + "[" * 5_000 + "]" * 5_000 + "}", "nest|not valid JSON"),
    ("a registry 500 deep", '{"x": ' + "[" * 500 + "]" * 500 + "}", "nests more than"),
    ("a registry of maps 500 deep", '{"x":' * 500 + "1" + "}" * 500, "nests more than"),
    ("a registry of 20 million lists", b'{"x": [' + b"[]," * 20_000_000 + b"[]]}", "values"),
    ("a registry of a giant number", '{"x": ' + "9" * 5_000 + "}", "is not valid JSON"),
    ("a registry in latin-1", '{"x": "größe"}'.encode("latin-1"), "is not valid JSON"),
    ("a registry of half a character", b'{"x": "\xe2\x82"}', "is not valid JSON"),
    ("a registry that says analyses twice", '{"analyses": {}, "analyses": {}}', "duplicate key"),
    (
        "a registry that has a name twice",
        '{"analyses": {"own": {}, "own": {}}}',
        "duplicate key 'own'",
    ),
]

PLACES = [
    ("a FIFO", fifo, "is not a file"),
    ("a folder", directory, "is a directory"),
    ("a socket", listening, "cannot be read"),
    ("a looping link", looping, "cannot be read"),
    ("an endless device", endless, "is not a file"),
    ("a dangling link", dangling, "cannot be read: it is a dangling symlink"),
]

NAMES: list[tuple[str, str, str]] = [
    ("a quote", "a'b", "is not a valid name"),
    ("a semicolon", "a; DROP TABLE RUN_DATABASE", "is not a valid name"),
    ("a newline", "a\nb", "is not a valid name"),
    ("a trailing newline", "own\n", "is not a valid name"),
    ("a NUL", "a\0b", "is not a valid name"),
    ("a dot", "a.b", "is not a valid name"),
    ("a slash", "../own", "is not a valid name"),
    ("a hyphen", "a-b", "is not a valid name"),
    ("a digit first", "1a", "is not a valid name"),
    ("an umlaut", "größe", "is not a valid name"),
    ("half a character", "a\ud800", "is not a valid name"),
    ("49 characters", "a" * 49, "is not a valid name"),
    ("no character", "", "is not a valid name"),
    ("a reserved word", "overview", "is reserved"),
    ("a reserved word in capitals", "OverView", "is reserved"),
]

FIELDS: list[tuple[str, dict[str, object], str]] = [
    ("no filename", {"filename": None}, "filename is None, not of type str"),
    ("a filename that is a list", {"filename": ["own.parquet"]}, "filename is"),
    ("an empty filename", {"filename": ""}, "is not a path inside"),
    ("a filename that goes up", {"filename": "../own.parquet"}, "is not a path inside"),
    ("a filename that goes up later", {"filename": "a/../../x"}, "is not a path inside"),
    ("an absolute filename", {"filename": "/etc/passwd"}, "is not a path inside"),
    ("a filename with backslashes", {"filename": "..\\own.parquet"}, "is missing"),
    ("a filename with NUL", {"filename": "own\0.parquet"}, "is not a path inside"),
    ("a filename of half a character", {"filename": "own\ud800.parquet"}, "cannot be read"),
    ("a filename that is too long", {"filename": "x" * 300}, "cannot be read: .*too long"),
    ("a filename with a newline", {"filename": "own\n.parquet"}, "is missing"),
    ("the folder as filename", {"filename": "."}, "cannot be read"),
    ("the registry as filename", {"filename": "metadata.json"}, "is the registry"),
    ("a row count that is text", {"row_count": "2"}, "row_count is '2', not of type int"),
    ("a row count that is true", {"row_count": True}, "row_count is True, not of type int"),
    ("a row count that is a float", {"row_count": 2.0}, "row_count is 2.0, not of type int"),
    ("a row count of null", {"row_count": None}, "row_count is None, not of type int"),
    ("a negative row count", {"row_count": -2}, "has 2 rows, but -2.* are recorded"),
    ("a giant row count", {"row_count": 10**4_000}, "has 2 rows, but 10,000"),
]

SHA = "0" * 64

FILES: list[tuple[str, dict[str, object], str]] = [
    ("files that are null", {"files": None}, "files is None, not of type list"),
    ("files that are text", {"files": PLOT}, "files is .* not of type list"),
    ("a file that is a number", {"files": [7]}, "a file is 7, not of type str"),
    ("a file that stands twice", {"files": [PLOT, PLOT]}, "files has a duplicate"),
    ("checksums that are a list", {"checksums": []}, "not of type dict"),
    ("no checksum of a file", {"checksums": {}}, "the checksum of .* is None"),
    ("a checksum that is a number", {"checksums": {PLOT: 7}}, "the checksum of .* is 7"),
    ("a checksum that is empty", {"checksums": {PLOT: ""}}, "is not a SHA-256"),
    ("a checksum that is an MD5", {"checksums": {PLOT: "a" * 32}}, "is not a SHA-256"),
    ("a checksum of other letters", {"checksums": {PLOT: "g" * 64}}, "is not a SHA-256"),
    ("a checksum with a newline", {"checksums": {PLOT: SHA + "\n"}}, "is not a SHA-256"),
    ("a checksum with a prefix", {"checksums": {PLOT: "sha256:" + SHA}}, "is not a SHA-256"),
    (
        "a checksum of other digits",
        {"checksums": {PLOT: "\u0660" * 64}},
        "is not a SHA-256",
    ),
]

PATHS: list[tuple[str, str, str]] = [
    ("that goes up", "../build.yaml", "is not a path inside"),
    ("that goes up later", "artifacts/../../build.yaml", "is not a path inside"),
    ("that is absolute", "/etc/passwd", "is not a path inside"),
    ("with backslashes", "artifacts\\plot\\plot.png", "is missing"),
    ("with NUL", "artifacts/plot\0.png", "is not a path inside"),
    ("that is empty", "", "is not a path inside"),
    ("that is a folder", "artifacts/plot", "is missing"),
    ("that is not there", "artifacts/plot/other.png", "is missing"),
    ("below a file", f"{PLOT}/x", "cannot be read|is missing"),
    ("that is too long", "x" * 300, "cannot be read|too long"),
    ("of half a character", "a\ud800", "cannot|is missing"),
]


def _named(name: str) -> Spoil:
    return edited(lambda values: values["analyses"].update({name: values["analyses"].pop("own")}))


def _analysis(change: dict[str, Any]) -> Spoil:
    return edited(lambda values: values["analyses"]["own"].update(change))


def _artifact(change: dict[str, Any]) -> Spoil:
    return edited(lambda values: values["artifacts"]["plot"].update(change))


def _path(path: str) -> Spoil:
    return _artifact({"files": [path], "checksums": {path: SHA}})


def _section(section: str, value: object) -> Spoil:
    return edited(lambda values: values.update({section: value}))


def _entry(section: str, name: str, value: object) -> Spoil:
    return edited(lambda values: values[section].update({name: value}))


def _cases(values: dict[str, Any]) -> None:
    values["analyses"]["OWN"] = values["analyses"]["own"]


def _elsewhere(folder: Path) -> None:
    (folder / ".analysis" / PLOT).unlink()
    (folder / ".analysis" / PLOT).symlink_to("/etc/passwd")


def _folder_is(make: Callable[[Path], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / ".analysis").rename(folder / ".earlier")
        make(folder / ".analysis")

    return spoil


def _closed(folder: Path) -> None:
    (folder / ".analysis").chmod(0)


def _as(encoding: str) -> Spoil:
    def spoil(folder: Path) -> None:
        text = registry_of(folder).read_text(encoding="utf-8")
        registry_of(folder).write_text(text, encoding=encoding)

    return spoil


def _bytes_in_a_name(folder: Path) -> None:
    """A file whose name is no UTF-8: a registry can say so, a path in a store cannot."""
    name = os.fsdecode(b"own\xff.parquet")
    (folder / ".analysis" / "own.parquet").rename(folder / ".analysis" / name)
    _analysis({"filename": name})(folder)


MEMBERS = [
    *(Member(name, registry(content), (reason,), SYSTEM) for name, content, reason in BROKEN),
    *(
        Member(f"{name} as registry", instead(REGISTRY, make), (reason,), SYSTEM)
        for name, make, reason in PLACES
    ),
    Member(
        "an unreadable registry",
        instead(REGISTRY, unreadable),
        ("metadata.json: cannot be read: Permission denied",),
        SYSTEM,
        rights=True,
    ),
    Member("unreadable results", _closed, ("cannot be read: Permission",), SYSTEM, rights=True),
    Member("results that are a file", _folder_is(empty), ("cannot be read: Not a dir",), SYSTEM),
    Member("results that are a FIFO", _folder_is(fifo), ("cannot be read: Not a dir",), SYSTEM),
    Member("results that loop", _folder_is(looping), ("cannot be read: Too many",), SYSTEM),
    Member("results that dangle", _folder_is(dangling), ("it is a dangling symlink",), SYSTEM),
    Member("analyses as a list", _section("analyses", []), ("not a mapping",), WITHOUT_ANALYSES),
    Member("analyses as null", _section("analyses", None), ("not a mapping",), WITHOUT_ANALYSES),
    Member("artifacts as text", _section("artifacts", "x"), ("not a mapping",), WITHOUT_ARTIFACTS),
    Member(
        "an entry that is a list",
        _entry("analyses", "own", [1]),
        (r"analysis own: the entry is \[1\], not of type dict",),
        WITHOUT_OWN,
    ),
    Member(
        "an entry that is null",
        _entry("artifacts", "plot", None),
        ("artifact plot: the entry is None, not of type dict",),
        WITHOUT_PLOT,
    ),
    Member("an entry that is empty", _entry("analyses", "own", {}), ("filename",), WITHOUT_OWN),
    Member("names that differ in case", edited(_cases), ("analysis OWN: differs from own",), ALL),
    *(
        Member(f"a name with {what}", _named(name), (f"analys.s.*{reason}",), WITHOUT_OWN)
        for what, name, reason in NAMES
    ),
    *(
        Member(name, _analysis(change), (f"analysis own: .*{reason}",), WITHOUT_OWN)
        for name, change, reason in FIELDS
    ),
    *(
        Member(name, _artifact(change), (f"artifact plot: .*{reason}",), WITHOUT_PLOT)
        for name, change, reason in FILES
    ),
    *(
        Member(f"a file {what}", _path(path), (f"artifact plot: .*{reason}",), WITHOUT_PLOT)
        for what, path, reason in PATHS
    ),
    Member(
        "a file that leads outside", _elsewhere, ("artifact plot: .*leads outside",), WITHOUT_PLOT
    ),
    Member("a name that is no UTF-8", _bytes_in_a_name, ("analysis own: ",), WITHOUT_OWN),
    Member("a registry with a mark", _as("utf-8-sig"), (), ALL),
    Member("a registry in UTF-16", _as("utf-16"), (), ALL),
    Member("a checksum in capitals", _artifact({"checksums": {PLOT: "A" * 64}}), (), ALL),
    Member("extras that are no number", _analysis({"extras": {"x": float("nan")}}), (), ALL),
    Member("extras of half a character", _analysis({"extras": {"x": "\ud800\0"}}), (), ALL),
    Member("an empty mapping as registry", registry("{}"), (), SYSTEM),
    Member("a registry without entries", registry(json.dumps({"analyses": {}})), (), SYSTEM),
]
