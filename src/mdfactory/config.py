"""The configuration: INI files and the environment, made into one frozen settings object."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mdfactory.errors import ConfigError

__all__ = ["TEMPLATE", "Setting", "Settings", "SqliteSettings", "active_file", "load"]

DEFAULTS: Final = {
    ("database", "TYPE"): "sqlite",
    ("sqlite", "RUN_DB_PATH"): "runs.db",
    ("sqlite", "ANALYSIS_DB_PATH"): "analysis.db",
}
"""All settings with their defaults; relative paths among these are below the data folder."""

TEMPLATE: Final = """\
; Settings of mdfactory. What is not set here keeps its default (mdfactory config show).
; Relative paths are relative to this file; ~ and $VAR are expanded.

[database]
; TYPE = sqlite

[sqlite]
; RUN_DB_PATH = runs.db
; ANALYSIS_DB_PATH = analysis.db
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and where it comes from.

    Parameters
    ----------
    section, key
        Its place in the file.
    value
        The value in effect: paths are absolute.
    source
        The file that sets it, or ``default``.
    """

    section: str
    key: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """Where the SQLite store keeps its files."""

    runs: Path
    results: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings in effect.

    Parameters
    ----------
    kind
        Which kind of store is used.
    sqlite
        The SQLite store.
    values
        Every setting with its source, to be shown.
    """

    kind: str
    sqlite: SqliteSettings
    values: tuple[Setting, ...]


def active_file(explicit: Path | None = None) -> Path:
    """Return the configuration file that has the last word; it need not exist.

    Parameters
    ----------
    explicit
        The file of ``--config``.
    """
    return _files(explicit)[-1]


def load(explicit: Path | None = None) -> Settings:
    """Read the configuration.

    Later wins: defaults, the user's file, the file that ``MDFACTORY_CONFIG`` names, the file
    of ``--config``.

    Parameters
    ----------
    explicit
        The file of ``--config``.

    Raises
    ------
    ConfigError
        If a file that was named does not exist, or a file cannot be read.
    """
    found = {
        place: Setting(*place, _path(default, _folder("DATA")), "default")
        if place[1].endswith("_PATH")
        else Setting(*place, default, "default")
        for place, default in DEFAULTS.items()
    }
    user, *named = _files(explicit)
    for file in [user, *named]:
        if file.exists() or file in named:
            found |= _read(file)
    kind = found["database", "TYPE"].value.lower()
    runs, results = (
        Path(found["sqlite", key].value) for key in ("RUN_DB_PATH", "ANALYSIS_DB_PATH")
    )
    return Settings(kind, SqliteSettings(runs, results), tuple(found.values()))


def _files(explicit: Path | None) -> list[Path]:
    named = [Path(name) for name in [os.environ.get("MDFACTORY_CONFIG")] if name]
    named += [explicit] if explicit else []
    return [_folder("CONFIG") / "config.ini", *(file.expanduser().absolute() for file in named)]


def _folder(purpose: str) -> Path:
    """Return the folder for ``CONFIG`` or ``DATA``: the environment's, or the platform's."""
    moved = os.environ.get(f"MDFACTORY_{purpose}_DIR")
    if moved:
        return Path(moved).expanduser().absolute()
    import platformdirs

    find = {"CONFIG": platformdirs.user_config_path, "DATA": platformdirs.user_data_path}
    return find[purpose]("mdfactory", appauthor=False)


def _read(file: Path) -> dict[tuple[str, str], Setting]:
    """Return the settings that a file makes; a blank value makes none."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8-sig"), source=str(file))
    except configparser.Error as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the configuration {file} cannot be read: {reason}") from error
    settings = {}
    for section, key in DEFAULTS:
        value = parser.get(section, key, fallback="").strip()
        if value:
            value = _path(value, file.parent) if key.endswith("_PATH") else value
            settings[section, key] = Setting(section, key, value, str(file))
    return settings


def _path(value: str, folder: Path) -> str:
    return os.path.abspath(folder / Path(os.path.expandvars(value)).expanduser())  # noqa: PTH100
