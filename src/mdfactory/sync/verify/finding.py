"""A finding of a verification, and the commands that solve findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
