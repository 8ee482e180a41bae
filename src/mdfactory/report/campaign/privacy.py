"""Privacy: texts of the page without absolute paths, users, hosts and passwords."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from os.path import commonpath
from typing import Final

from mdfactory.config.passwords import is_connection_with_password, mask_password
from mdfactory.report.payload import clean

HOME_PARENTS: Final = frozenset({"home", "Users", "users"})
"""Folders that have a folder for each user."""

HIDDEN: Final = "…"
"""Stands for what is not shown."""

ABSOLUTE_PATH: Final = re.compile(
    r"""(?:^|(?<=[\s"'=:,;(\[{<>|]))(?:~[\w.-]*/|/(?!/)[^\s"'<>|;,)\]}/]+/)[^\s"'<>|;,)\]}]*"""
)
"""Absolute path in a text: after its beginning, a blank, quote or bracket; two names at least."""

WHOLE_PATH: Final = re.compile(r"~[\w.-]*/|/(?!/)[^\s/]")
"""Beginning of a text that is an absolute path as a whole, blanks included."""

PATH_IN_FIELD: Final = re.compile(r"""(?:^|(?<=[."']))(?:~[\w.-]*/|/(?!/))(?:.*/)?""")
"""Absolute path in the path of a field up to its last name; names have dots, too."""

OWN_HASH: Final = "\x01"
"""Stands for the hash of the simulation in the text of its directory."""


def hide_paths(text: str) -> str:
    """Return a text whose absolute paths are cut to their last names, without passwords.

    Examples
    --------
    >>> from mdfactory.report.campaign.privacy import hide_paths
    >>> hide_paths("chains of '/home/ann/1aki.pdb'")
    "chains of '…/1aki.pdb'"
    """
    if is_connection_with_password(text):
        text = mask_password(text)
    if "/" not in text:
        return text
    if WHOLE_PATH.match(text):
        return _last_name(text)
    return ABSOLUTE_PATH.sub(lambda match: _last_name(match[0]), text)


def _last_name(path: str) -> str:
    return f"{HIDDEN}/{path.rstrip('/').rpartition('/')[2]}"


def hide_paths_in_field(path: str) -> str:
    """Return the dotted path of a field; of a name in it that is an absolute path, the last name.

    Examples
    --------
    >>> from mdfactory.report.campaign.privacy import hide_paths_in_field
    >>> hide_paths_in_field("files./home/ann.lee/1aki.pdb.size")
    'files.…/1aki.pdb.size'
    """
    return PATH_IN_FIELD.sub(f"{HIDDEN}/", path)


def different_texts(names: Iterable[str], text: Callable[[str], str]) -> dict[str, str]:
    """Return what is shown of different names, which stay different; equal texts are numbered."""
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in dict.fromkeys(names):
        own = text(name)
        counts[own] += 1
        shown[name] = own if counts[own] == 1 else f"{own} ({counts[own]})"
    return shown


class Privacy:
    """What of texts and directories the page shows.

    Parameters
    ----------
    directories
        The directories of all simulations of the page.
    names
        Names of users and hosts, which no directory may show.
    with_paths
        Whether all is shown, but passwords.
    """

    def __init__(
        self, directories: Iterable[str], names: Collection[str] = (), *, with_paths: bool = False
    ) -> None:
        self._names = frozenset(names)
        self._with_paths = with_paths
        parents = {directory.rstrip("/").rpartition("/")[0] for directory in directories}
        self.common = common_folder(parents)
        self._shown = {parent: self._shown_parent(parent) for parent in parents}

    @property
    def campaign(self) -> str:
        """Name of the campaign's common folder; empty if there is none, or it is not shown."""
        if self.common.rpartition("/")[2] in HOME_PARENTS:
            return ""
        name = self._hidden(self.common)[-1]
        return "" if name == HIDDEN and not self._with_paths else clean(name)

    def text(self, text: str) -> str:
        """Return a text of a record as the page shows it."""
        return clean(text if self._with_paths else hide_paths(text))

    def field(self, path: str) -> str:
        """Return the path of a field as the page shows it."""
        return clean(path if self._with_paths else hide_paths_in_field(path))

    def directory(self, directory: str, hash_: str) -> str:
        """Return a directory from the common folder down; `OWN_HASH` stands for the hash."""
        parent, _, name = directory.rstrip("/").rpartition("/")
        shown = self._shown.get(parent, "")
        if name == hash_:
            return f"{shown}{OWN_HASH}"
        return shown + clean(HIDDEN if not self._with_paths and name in self._names else name)

    def _shown_parent(self, parent: str) -> str:
        """Return what is shown of the folder of simulations; it ends in a slash or is empty."""
        if self._with_paths:
            return clean(f"{parent}/")
        depth = self.common.rstrip("/").count("/")
        parts = self._hidden(parent)
        # Without a common folder, a path from the root down would be an absolute one.
        parts = parts[depth + 1 :] if depth else [name for name in parts if name][-1:]
        return clean("".join(f"{part}/" for part in parts))

    def _hidden(self, folder: str) -> list[str]:
        """Return the names in the path of a folder; those of users and hosts are hidden."""
        names = folder.rstrip("/").split("/")
        return [
            HIDDEN if name in self._names or before in HOME_PARENTS else name
            for before, name in zip(["", *names], names, strict=False)
        ]


def common_folder(folders: Collection[str]) -> str:
    """Return the deepest folder that holds all folders, or is the only one; empty if none does."""
    absolute = {folder for folder in folders if folder.startswith("/")}
    if not absolute or len(absolute) < len(folders):
        return ""
    return commonpath(absolute)
