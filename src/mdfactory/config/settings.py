"""Settings: INI files and the environment, made into one frozen object."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mdfactory.errors import ConfigError, InvalidNameError, one_line
from mdfactory.records.vocabulary import ResultType, Retention, SimulationType, check_name

__all__ = [
    "FoundryPaths",
    "Paths",
    "Setting",
    "Settings",
    "active_file",
    "cache_folder",
    "load",
    "masked",
    "parsed",
    "parser_of",
    "password_in",
    "template",
    "valued",
    "with_password",
]

NAMES: Final = {"analyses": ResultType.analysis, "artifacts": ResultType.artifact}

DEFAULTS: Final = {
    ("database", "TYPE"): "sqlite",
    ("sqlite", "RUN_DB_PATH"): "runs.db",
    ("sqlite", "ANALYSIS_DB_PATH"): "analysis.db",
    ("csv", "RUN_DB_PATH"): "runs.csv",
    ("csv", "ANALYSIS_DB_PATH"): "analysis",
    ("postgres", "URL"): "",
    ("foundry", "BASE_PATH"): "/Group Functions/mdfactory",
    ("foundry", "ANALYSIS_NAME"): "analysis",
    ("foundry", "RUN_DB_PATH"): "runs",
    ("foundry", "ANALYSIS_DB_PATH"): "",
    ("foundry", "ARTIFACT_DB_PATH"): "artifacts",
    ("history", "OPERATIONS"): "10",
    ("history", "SIZE"): "1 GB",
    **{("catalogue", f"{one}_{kind}".upper()): "" for one in SimulationType for kind in NAMES},
}
"""All settings with their defaults; relative paths among these are below the data folder."""


OTHERS: Final = 0o044
"""Bits of a file's mode that let others read it."""

POSTGRES_URL: Final = "MDFACTORY_POSTGRES_URL"
"""Environment variable that wins over ``[postgres] URL`` of all files."""

PASSWORD: Final = re.compile(
    r"(?<=//)(?P<user>[^:@/?]*):.+@(?=[^@]*$)"
    r"|(?P<key>password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^&\s]+)"
)
"""A password in the URL of a database, or in libpq's form of keywords and values."""


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

    @property
    def shown(self) -> str:
        """The value as others may see it."""
        return masked(self.value) if self.key == "URL" else self.value


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a store keeps its files."""

    runs: Path
    results: Path


@dataclass(frozen=True, slots=True)
class FoundryPaths:
    """Where a store keeps its datasets.

    Parameters
    ----------
    base
        The folder that relative paths are below.
    runs
        The dataset of the simulations.
    analyses, artifacts
        The folders of the datasets of analyses, the overview among them, and of artifacts.
    """

    base: str
    runs: str
    analyses: str
    artifacts: str

    @classmethod
    def below(
        cls,
        base: str,
        *,
        name: str = "analysis",
        runs: str = "runs",
        analyses: str = "",
        artifacts: str = "artifacts",
    ) -> FoundryPaths:
        """Return paths of which the relative ones are below `base`.

        Raises
        ------
        ConfigError
            If `base` is not absolute, or `name` no name of a folder.
        """
        if not base.startswith("/") or not base.strip("/"):
            raise ConfigError(f"BASE_PATH is {base!r}; it must be absolute: /Project/folder")
        if "/" in name or not name:
            raise ConfigError(f"ANALYSIS_NAME is {name!r}; it must be the name of a folder")
        paths = (runs, analyses or name, artifacts)
        whole = (path if path.startswith("/") else f"{base.rstrip('/')}/{path}" for path in paths)
        return cls(base.rstrip("/"), *(path.rstrip("/") for path in whole))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings in effect.

    Parameters
    ----------
    kind
        Which kind of store is used.
    sqlite, csv
        The stores in files.
    postgres
        The URL of the PostgreSQL store, empty if there is none.
    foundry
        The datasets of the Foundry store.
    catalogue
        Names of results that a user expects beside the known ones: type of simulation -> kind
        -> names.
    retention
        How much stores keep, so that operations can be undone.
    values
        Every setting with its source, to be shown.
    warnings
        What is odd about the files, a line each.
    """

    kind: str
    sqlite: Paths
    csv: Paths
    postgres: str
    foundry: FoundryPaths
    catalogue: Mapping[SimulationType, Mapping[ResultType, tuple[str, ...]]]
    retention: Retention
    values: tuple[Setting, ...]
    warnings: tuple[str, ...] = ()


def active_file(explicit: Path | None = None) -> Path:
    """Return the configuration file that has the last word; it need not exist.

    Parameters
    ----------
    explicit
        The file of ``--config``.
    """
    return _files(explicit)[-1]


def masked(url: str, stars: str = "***") -> str:
    """Return the URL of a database with `stars` in the place of its password."""

    def hidden(found: re.Match[str]) -> str:
        if found["key"]:
            return f"{found['key']}{stars}"
        return f"{found['user']}:{stars}@" if stars else f"{found['user']}@"

    return PASSWORD.sub(hidden, url)


def password_in(url: str) -> bool:
    """Whether the URL of a database holds a password."""
    return PASSWORD.search(url) is not None


def with_password(url: str, password: str) -> str:
    """Return the URL of a database with a password, in the query, where every URL may have it."""
    return f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}"


def load(explicit: Path | None = None, *, may_miss: bool = False) -> Settings:
    """Read the configuration.

    Later wins: defaults, the user's file, the file that ``MDFACTORY_CONFIG`` names, the file
    of ``--config``.

    Parameters
    ----------
    explicit
        The file of ``--config``.
    may_miss
        Whether files that were named need not exist: they are to be made.

    Raises
    ------
    ConfigError
        If a file that was named does not exist, or a file cannot be read.
    """
    found = _defaults()
    warnings: list[str] = []
    user, *named = _files(explicit)
    for file in [user, *named]:
        if (file in named and not may_miss) or os.path.exists(file):  # also where it must not look
            parser = parsed(file)
            found |= _settings(parser, file)
            warnings += [*_misspelt(parser, file), *_open_secrets(parser, file)]
    url = os.environ.get(POSTGRES_URL)
    if url:
        found["postgres", "URL"] = Setting("postgres", "URL", url, POSTGRES_URL)
    catalogue = {
        one: {
            kind: _names(found["catalogue", f"{one}_{key}".upper()]) for key, kind in NAMES.items()
        }
        for one in SimulationType
    }
    return Settings(
        kind=found["database", "TYPE"].value.lower(),
        sqlite=_paths(found, "sqlite"),
        csv=_paths(found, "csv"),
        postgres=found["postgres", "URL"].value,
        foundry=_foundry(found),
        catalogue=catalogue,
        retention=Retention(
            _number(found["history", "OPERATIONS"]), _bytes(found["history", "SIZE"])
        ),
        values=tuple(found.values()),
        warnings=tuple(warnings),
    )


def _paths(found: Mapping[tuple[str, str], Setting], kind: str) -> Paths:
    return Paths(*(Path(found[kind, key].value) for key in ("RUN_DB_PATH", "ANALYSIS_DB_PATH")))


def _foundry(found: dict[tuple[str, str], Setting]) -> FoundryPaths:
    """Return the paths of the datasets, and have them shown as they are used."""
    given = {key: found["foundry", key] for section, key in DEFAULTS if section == "foundry"}
    try:
        paths = FoundryPaths.below(
            given["BASE_PATH"].value,
            name=given["ANALYSIS_NAME"].value,
            runs=given["RUN_DB_PATH"].value,
            analyses=given["ANALYSIS_DB_PATH"].value,
            artifacts=given["ARTIFACT_DB_PATH"].value,
        )
    except ConfigError as error:
        sources = ", ".join(dict.fromkeys(one.source for one in given.values()))
        raise ConfigError(
            f"{sources}: [foundry] {error}", command="mdfactory config edit"
        ) from error
    for key, path in (
        ("BASE_PATH", paths.base),
        ("RUN_DB_PATH", paths.runs),
        ("ANALYSIS_DB_PATH", paths.analyses),
        ("ARTIFACT_DB_PATH", paths.artifacts),
    ):
        found["foundry", key] = replace(given[key], value=path)
    return paths


def template() -> str:
    """Return a configuration file that sets nothing and shows every setting."""
    lines = ["; Settings of mdfactory. What is not set here keeps its default, which is shown."]
    lines += ["; Relative paths are relative to this file; ~ and $VAR are expanded."]
    section, shown = "", _defaults()
    _foundry(shown)
    for one in shown.values():
        if one.section != section:
            section = one.section
            lines += ["", f"[{section}]"]
        lines.append(f"; {one.key} = {one.value}")
    return "\n".join([*lines, ""])


def _defaults() -> dict[tuple[str, str], Setting]:
    return {
        place: Setting(*place, valued(place, default, _folder("DATA"), "default"), "default")
        for place, default in DEFAULTS.items()
    }


def _files(explicit: Path | None) -> list[Path]:
    named = [Path(name) for name in [os.environ.get("MDFACTORY_CONFIG")] if name]
    named += [explicit] if explicit else []
    paths = (Path(os.path.expanduser(file)).absolute() for file in named)
    return [_folder("CONFIG") / "config.ini", *paths]


def cache_folder() -> Path:
    """Return the folder of what can be made again at any time; it need not exist."""
    return _folder("CACHE")


def _folder(purpose: str) -> Path:
    """Return the folder for a purpose: the environment's, or the platform's."""
    moved = os.environ.get(f"MDFACTORY_{purpose}_DIR")
    if moved:
        return Path(os.path.expanduser(moved)).absolute()
    import platformdirs

    find = {
        "CONFIG": platformdirs.user_config_path,
        "DATA": platformdirs.user_data_path,
        "CACHE": platformdirs.user_cache_path,
    }
    return find[purpose]("mdfactory", appauthor=False)


def parsed(file: Path) -> configparser.ConfigParser:
    """Read one file.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        return parser_of(file.read_text(encoding="utf-8-sig"), file)
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the configuration {file} cannot be read: {reason}") from error


def parser_of(text: str, file: Path) -> configparser.ConfigParser:
    """Read the text of a file.

    Raises
    ------
    ConfigError
        If it is no configuration.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, source=str(file))
    except configparser.Error as error:
        raise ConfigError(f"the configuration {file} cannot be read: {one_line(error)}") from error
    return parser


def _settings(parser: configparser.ConfigParser, file: Path) -> dict[tuple[str, str], Setting]:
    """Return the settings that a file makes; a blank value makes none."""
    return {
        place: Setting(*place, valued(place, given, file.parent, str(file)), str(file))
        for place in DEFAULTS
        if (given := parser.get(*place, fallback="").strip())
    }


def _names(setting: Setting) -> tuple[str, ...]:
    """Return the names of a list with commas, or one a line."""
    names = setting.value.replace(",", " ").split()
    try:
        return tuple(map(check_name, names))
    except InvalidNameError as error:
        place = f"{setting.source}: [{setting.section}] {setting.key}"
        raise ConfigError(f"{place}: {error}", command="mdfactory config edit") from error


def _number(setting: Setting) -> int:
    """Return a number of things, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,9}", setting.value):
        raise _wrong(setting, "a number, 0 or more")
    return int(setting.value)


def _bytes(setting: Setting) -> int:
    """Return a size in bytes, which may have a unit."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)\s*([KMGT]?)B?", setting.value.upper())
    if not found:
        raise _wrong(setting, "a size, such as 500 MB or 2 GB")
    return int(float(found[1]) * 1000 ** " KMGT".index(found[2] or " "))


def _wrong(setting: Setting, right: str) -> ConfigError:
    return ConfigError(
        f"{setting.source}: [{setting.section}] {setting.key} = {setting.value}: it is {right}",
        command="mdfactory config edit",
    )


def _misspelt(parser: configparser.ConfigParser, file: Path) -> list[str]:
    """Return a warning for each key that a section of ours does not have."""
    warnings = []
    for section in dict.fromkeys(section for section, _ in DEFAULTS):
        known = [key for where, key in DEFAULTS if where == section]
        given = parser.options(section) if parser.has_section(section) else []
        warnings += [
            f"{file}: [{section}] has no setting {key.upper()}; it has {', '.join(known)}"
            for key in given
            if key.upper() not in known
        ]
    return warnings


def _open_secrets(parser: configparser.ConfigParser, file: Path) -> list[str]:
    """Return a warning if others can read a password."""
    if not password_in(parser.get("postgres", "URL", fallback="")):
        return []
    open_to_others = os.stat(file).st_mode & OTHERS
    return [f"{file} holds a password, and others may read it: chmod 600 it"] * bool(open_to_others)


def valued(place: tuple[str, str], given: str, folder: Path, source: str) -> str:
    """Return a value as it is used: a path is expanded, and absolute.

    Parameters
    ----------
    place
        Section and key.
    given
        As it stands in the file.
    folder
        What a relative path is relative to.
    source
        The file, for messages.

    Raises
    ------
    ConfigError
        If the value can be none of this key.
    """
    section, key = place
    if not key.endswith("_PATH"):
        return given
    expanded = os.path.expandvars(given)
    unset = re.search(r"\$(\w+|\{\w+\})", expanded)
    if unset:
        raise ConfigError(f"{source}: [{section}] {key} = {given}: {unset[0]} is not set")
    if "\0" in expanded:
        raise ConfigError(f"{source}: [{section}] {key} holds a NUL character")
    if section == "foundry":
        return expanded
    return os.path.abspath(folder / os.path.expanduser(expanded))
