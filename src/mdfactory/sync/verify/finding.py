"""A finding of a verification, and the commands that solve findings."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final

Row = Mapping[str, Any]
"""A record, or some of its columns."""

PUSH_FORCE: Final = "mdfactory sync push all SOURCE --force"
PUSH_UPDATE: Final = "mdfactory sync push all SOURCE --update"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a record, or of a whole table.

    Parameters
    ----------
    table
        Name of the table.
    hash
        Key of the record, which begins with its hash; empty for a problem of the whole table.
    problem
        What is wrong, in one line.
    remedy
        The command or step that solves the problem; empty if there is none.
    folder
        The directory of the record, if it is missing; else empty.
    """

    table: str
    hash: str
    problem: str
    remedy: str
    folder: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The finding as an object of ``--json``."""
        return {name: getattr(self, name) for name in ("table", "hash", "problem", "remedy")}


def for_folder(command: str, folder: str) -> str:
    """Return a command, or a text with commands, with a folder in place of SOURCE."""
    return command.replace("SOURCE", quote(folder))


def for_folders(command: str, directories: Iterable[str]) -> list[str]:
    """Return a command for some folders: once for those that are in one folder."""
    groups: dict[str, set[str]] = defaultdict(set)
    for directory in sorted(directories):
        path = directory.rstrip("/")
        groups[os.path.dirname(path)].add(path)
    return [
        for_folder(command, parent if len(folders) > 1 else min(folders))
        for parent, folders in groups.items()
    ]
