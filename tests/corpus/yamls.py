"""YAML files that are none, or too much."""

from __future__ import annotations

from pathlib import Path

from corpus.members import (
    ALL,
    BUILD,
    WATER,
    Member,
    build,
    dangling,
    directory,
    empty,
    endless,
    fifo,
    gone,
    instead,
    listening,
    looping,
    other,
    unreadable,
)

ALIASES = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    + ["simulation_type: mixedbox", "system: {species: *a8}"]
)
MERGED = "\n".join(
    ["a0: &a0 {x: 1}"]
    + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
)
GOOD = WATER % 7

BROKEN: list[tuple[str, str | bytes, str]] = [
    ("an empty YAML", "", "not a mapping"),
    ("a YAML of blanks", " \n\n  \n", "not a mapping"),
    ("a YAML of comments", "# nothing\n", "not a mapping"),
    ("a YAML list", "- 1\n", "not a mapping"),
    ("a YAML scalar", "water", "not a mapping"),
    ("a YAML null", "~", "not a mapping"),
    ("a YAML of two documents", GOOD + "---\n" + GOOD, "line 3: "),
    ("an open bracket", GOOD + "a: [1", "line 4: "),
    ("a tab", GOOD + "\tx: 1", "line 3: "),
    ("a duplicate key", GOOD + "engine: gromacs\nengine: gromacs\n", "duplicate key 'engine'"),
    ("a duplicate key inside", GOOD.replace("count:", "count: 1, count:"), "duplicate key 'count'"),
    ("a bomb of aliases", ALIASES, "aliases expand to more"),
    ("a bomb of merged keys", MERGED + "\n" + GOOD, "aliases expand to more"),
    ("an anchor in itself", GOOD + "x: &x [*x]", "aliases expand to more"),
    ("an unknown alias", GOOD + "x: *y", "line 3: "),
    ("brackets 5,000 deep", "a: " + "[" * 5_000 + "]" * 5_000, "nests more than 64"),
    ("lists 5,000 deep", "- " * 5_000 + "x", "nests more than 64"),
    ("maps 5,000 deep", "{a: " * 5_000 + "}" * 5_000, "nests more than 64"),
    ("nested in 8 KiB", "[" * 4_000 + "]" * 4_000, "nests too deeply|not a mapping"),
    ("a tag of Python", GOOD + "x: !!python/object/apply:os.system [id]", "line 3: "),
    ("a tag of Python on all", "!!python/object:os.PathLike {}", "line 1: "),
    ("a tag that does not fit", GOOD + "x: !!int z", "does not fit its tag"),
    ("a date that is none", GOOD + "x: 2026-13-45", "build.yaml: "),
    ("a huge scalar", GOOD + "x: " + "y" * 20_000, "more than 10,000 characters"),
    ("a huge number", GOOD.replace("7}", "9" * 6_000 + "}"), "build.yaml: "),
    ("many values", GOOD + "x: [" + "1," * 250_000 + "]", "more than 200,000 values"),
    ("a huge YAML", GOOD + "#" * (5 * 2**20), "larger than 4 MiB"),
    ("a NUL in YAML", GOOD + "x: \0", "build.yaml: "),
    ("a control character in YAML", GOOD + "x: \x1b[31m", "build.yaml: "),
    ("latin-1", (GOOD + "name: größe").encode("latin-1"), "build.yaml: "),
    ("half a character", GOOD.encode() + b"x: \xe2\x82", "build.yaml: "),
    ("UTF-16 without a mark", GOOD.encode("utf-16-be"), "build.yaml: "),
    ("UTF-32", GOOD.encode("utf-32"), "build.yaml: "),
    ("a binary file", bytes(range(256)) * 8, "build.yaml: "),
    ("a gzipped YAML", b"\x1f\x8b\x08\0\0\0\0\0\0\3", "build.yaml: "),
    ("JSON of a list", "[]", "not a mapping"),
]

PLACES = [
    ("a FIFO", fifo),
    ("a dangling link", dangling),
    ("a looping link", looping),
    ("a socket", listening),
    ("an endless device", endless),
]

SILENT: list[tuple[str, str | bytes]] = [
    ("a YAML of another kind", "jobs: 3\n"),
    ("a broken YAML of another kind", "{"),
    ("an empty YAML of another name", ""),
    ("half a claim", "simulation_type: mixedbox\n"),
    ("a summary", "system_directory: [./a]\nsimulation_type: [mixedbox]\n"),
    ("a large YAML of another kind", "x" * (5 * 2**20)),
    ("binary of another name", bytes(range(256)) * 8),
]


def _own(make: object) -> object:
    """Put something in place of the YAML that is named after its folder."""

    def spoil(folder: Path) -> None:
        (folder / BUILD).unlink()
        make(folder / f"{folder.name}.yaml")  # type: ignore[operator]

    return spoil


MEMBERS = [
    *(Member(name, build(content), (reason,)) for name, content, reason in BROKEN),
    *(
        Member(f"{name} as BuildInput", instead(BUILD, make), ("build.yaml: is not a file",))
        for name, make in PLACES
    ),
    Member("an own YAML that is a FIFO", _own(fifo), ("yaml: is not a file",)),
    Member("a folder as BuildInput", instead(BUILD, directory), ("build.yaml: is not a file",)),
    Member("an own YAML that is empty", _own(empty), ("yaml: not a mapping",)),
    Member(
        "an unreadable BuildInput",
        instead(BUILD, unreadable),
        ("build.yaml: cannot be read: Permission denied",),
        rights=True,
    ),
    Member(
        "a claim in a broken YAML",
        other(GOOD + "[broken", "input.yml"),
        ("input.yml: line 4: ",),
    ),
    *(Member(f"{name} in silence", other(content), ()) for name, content in SILENT),
    Member("no YAML at all", instead(BUILD, gone), ()),
    Member("UTF-8 with a mark", build(b"\xef\xbb\xbf" + (WATER % 11).encode()), (), ALL),
    Member("UTF-16 with a mark", build((WATER % 12).encode("utf-16")), (), ALL),
]
