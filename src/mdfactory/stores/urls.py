"""URLs and paths of stores, as users type them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from mdfactory.config.passwords import is_connection_with_password, mask_password
from mdfactory.errors import ConfigError, suggestion
from mdfactory.files import absolute_path, expand_home

FILES_BY_KIND: Final = {"sqlite": ("runs.db", "analysis.db"), "csv": ("runs.csv",)}
"""Kind of store -> names of files; a folder with one of them holds such a store."""

SQLITE_SUFFIXES: Final = frozenset({".db", ".sqlite", ".sqlite3"})
"""Suffixes of a path that is a file with all tables, if nothing is there yet."""

SQLITE_HEADER: Final = b"SQLite format 3\0"
"""First bytes of each SQLite file that is not empty (sqlite.org/fileformat.html)."""

EXAMPLES: Final = (
    "a path, sqlite:///folder, csv:///folder, postgresql://user@host/database or "
    "foundry:///Project/folder"
)


def parse_store_url(url: str, kinds: Collection[str]) -> tuple[str, str]:
    """Return the kind and the absolute path of a store in files or on Foundry.

    Parameters
    ----------
    url
        A URL, or the path of a folder or file.
    kinds
        The kinds of stores that there are, for suggestions.

    Raises
    ------
    ConfigError
        If it is neither, or it is not clear which store is meant.
    """
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+]*):(/*)(.*)", url, re.DOTALL)
    if match is None or os.path.lexists(url):
        return _kind_at(url, kinds)
    kind, slashes, location = match.groups()
    if kind == "foundry" and slashes == "///" and location:
        return kind, f"/{location}"
    if kind not in FILES_BY_KIND:
        meant = suggestion(kind, {*kinds} - {kind})
        raise ConfigError(
            f"{mask_password(url)!r} is no URL of a store{meant}; expected {EXAMPLES}"
        )
    if slashes not in {"///", "////"} or not location:
        if "@" in location:  # there may be a password before it
            raise ConfigError(f"a {kind} store has no user and no host; expected {EXAMPLES}")
        spellings = _spellings(kind, location or "x")
        raise ConfigError(f"{url!r} is no URL of a store: {spellings}")
    if slashes == "////":
        return kind, absolute_path(f"/{location}")
    _refuse_missing_slash(kind, location)
    return kind, absolute_path(expand_home(location))


def is_sqlite_file(path: str) -> bool:
    """Whether a SQLite store is one file with all tables, and not a folder with two files."""
    is_new = not os.path.lexists(path)
    return os.path.isfile(path) or (is_new and os.path.splitext(path)[1] in SQLITE_SUFFIXES)


def _refuse_missing_slash(kind: str, location: str) -> None:
    """Refuse a relative path whose first folder is there only if the path is absolute.

    Raises
    ------
    ConfigError
        With both right spellings.
    """
    top = location.partition("/")[0]
    if top and not top.startswith("~") and os.path.exists(f"/{top}") and not os.path.exists(top):
        raise ConfigError(
            f"{kind}:///{location} means ./{location}, but there is /{top} and no ./{top}: "
            f"{_spellings(kind, location)}"
        )


def _spellings(kind: str, location: str) -> str:
    """Return the URLs of an absolute and of a relative path."""
    return (
        f"write {kind}:////{location} for /{location}, or {kind}:///./{location} for ./{location}"
    )


def _kind_at(text: str, kinds: Collection[str]) -> tuple[str, str]:
    """Return the kind of the store at a path, by what is there, and the absolute path.

    Raises
    ------
    ConfigError
        If the path is empty or probably a misspelt kind of store, or holds two stores or a file
        that is none.
    """
    path = absolute_path(expand_home(text))
    if not (text and os.path.lexists(path)):
        if is_connection_with_password(text):
            raise ConfigError(f"{mask_password(text)!r} is no store; expected {EXAMPLES}")
        is_word = re.fullmatch(r"\w+", text) is not None
        if not text or (is_word and suggestion(text, kinds)):
            meant = suggestion(text, {*kinds} - {text})
            raise ConfigError(
                f"{text!r} is no store{meant}; expected {EXAMPLES}. For a new store in a folder of "
                f"this name, write ./{text}"
            )
        return "sqlite", path
    if os.path.isdir(path):
        return _kind_in_folder(path), path
    return _kind_of_file(path)


def _kind_in_folder(folder: str) -> str:
    """Return the kind of the store in a folder; SQLite if it has none.

    Raises
    ------
    ConfigError
        If it has two.
    """
    kinds = [
        kind
        for kind, names in FILES_BY_KIND.items()
        if any(os.path.exists(os.path.join(folder, name)) for name in names)
    ]
    if len(kinds) > 1:
        spellings = " or ".join(f"{kind}:///{folder}" for kind in kinds)
        raise ConfigError(f"{folder} has a SQLite store and a CSV store; write {spellings}")
    return kinds[0] if kinds else "sqlite"


def _kind_of_file(path: str) -> tuple[str, str]:
    """Return the kind of the store that a file is or belongs to, and the path of the store.

    Raises
    ------
    ConfigError
        If the file is no store.
    """
    parent, name = os.path.split(path)
    if name in FILES_BY_KIND["csv"]:
        return "csv", parent
    is_pair = all(os.path.exists(os.path.join(parent, other)) for other in FILES_BY_KIND["sqlite"])
    if name in FILES_BY_KIND["sqlite"] and is_pair:
        return "sqlite", parent
    with Path(path).open("rb") as file:
        header = file.read(len(SQLITE_HEADER))
    if header not in {SQLITE_HEADER, b""}:
        raise ConfigError(f"{path} is a file, but neither a SQLite store nor the runs.csv of one")
    return "sqlite", path
