"""Folders that cannot be read, that go round in circles, or that have awkward names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from corpus.members import ALL, BUILD, Member, build, leave, looping

NAMES = [
    ("a quote", b"it's"),
    ("double quotes", b'a "b" c'),
    ("a semicolon", b"a; DROP TABLE RUN_DATABASE; --"),
    ("a newline", b"a\nskipped: b"),
    ("a carriage return", b"a\rb"),
    ("a tab", b"a\tb"),
    ("an escape", b"\x1b[31mred\x07"),
    ("an emoji", "\N{TEST TUBE} 1".encode()),
    ("another direction", "\N{RIGHT-TO-LEFT OVERRIDE}a".encode()),
    ("a line separator", "a\N{LINE SEPARATOR}b".encode()),
    ("a pattern", b"batch_[ab]*?"),
    ("a comma", b"a,b"),
    ("a backslash", b"a\\nb"),
    ("a percent", b"100%s{x}"),
    ("a blank at its end", b"a "),
    ("a hyphen first", b"--force"),
    ("255 bytes", b"x" * 255),
    ("a number", b"0012"),
    ("no value", b"NA"),
    ("a formula", b"=1+1"),
]


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _closed(folder: Path) -> None:
    folder.chmod(0)


def _listed_only(folder: Path) -> None:
    folder.chmod(0o400)


def _circle(folder: Path) -> None:
    (folder / BUILD).unlink()
    (folder / "up").symlink_to("..")
    looping(folder / "self")


def _deep(folder: Path) -> None:
    """Nest folders until their path is longer than any call takes."""
    (folder / BUILD).unlink()
    parent = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=parent)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = below
    os.close(parent)


def _twice(folder: Path) -> None:
    shutil.copytree(folder, folder / "a", ignore=shutil.ignore_patterns("a"))
    (folder / "a").rename(folder.with_name(folder.name + "_again"))


MEMBERS = [
    *(Member(f"called {what}", leave, (), ALL, called=name) for what, name in NAMES),
    *(
        Member(f"invalid and called {what}", build("[]"), ("a mapping",), called=b"i" + name[:254])
        for what, name in NAMES
    ),
    Member("called no UTF-8", leave, ("not valid UTF-8",), called=b"\xff\xfe"),
    Member("an empty folder", _emptied, ()),
    Member("links in circles", _circle, ()),
    Member("a closed folder", _closed, ("cannot be read: Permission denied",), rights=True),
    Member("a folder that can only be listed", _listed_only, ("Permission denied",), rights=True),
    Member(
        "one simulation twice",
        _twice,
        ("is also in .*/one_simulation_twice, which is used",),
        ALL,
        below="../one_simulation_twice_again",
    ),
]
