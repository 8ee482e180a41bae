"""Settings, read from INI files and the environment into one frozen object."""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from mdfactory.config.passwords import has_password, is_connection_with_password, mask_password
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.errors import ConfigError, InvalidNameError, suggestion
from mdfactory.files import UnreadableError, absolute_path, expand_home, read_file
from mdfactory.records.vocabulary import ResultType, Retention, SimulationType, check_name

RESULT_TYPE_BY_KEY: Final = {"analyses": ResultType.analysis, "artifacts": ResultType.artifact}
"""Last word of a key of ``[catalogue]`` -> type of the results that the key lists. For example,
``BILAYER_ANALYSES`` lists analyses."""

SettingKey = tuple[str, str]
"""Section and key of a setting."""

DEFAULT_VALUES: Final = {
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
    ("files", "URL"): "",
    ("files", "ENDPOINT_URL"): "",
    ("history", "OPERATIONS"): "10",
    ("history", "SIZE"): "1 GB",
    ("adopt", "PRODUCTION"): ", ".join(DEFAULT_STEMS.production),
    ("adopt", "EQUILIBRATED"): ", ".join(DEFAULT_STEMS.equilibrated),
    **{
        ("catalogue", f"{simulation_type}_{key}".upper()): ""
        for simulation_type in SimulationType
        for key in RESULT_TYPE_BY_KEY
    },
}
"""Section and key -> default value. Relative paths are relative to the data folder, those of
``[foundry]`` to ``BASE_PATH``."""

QUOTES: Final = tuple("\"'`\u201c\u201d\u2018\u2019")
"""Straight and typographic quotation marks."""

QUOTED_PART: Final = re.compile(r"/(['\"])[^/]*\1/|\\ ")
"""Folder of a path in the spelling of a shell: in quotes, or with a backslash before a blank."""

MAX_FILE_BYTES: Final = 2**20
"""Size of the largest configuration file that is read; most have less than a thousand bytes."""

OTHER_SECTIONS: Final = frozenset({"cgenff", "databases", "slurm", "storage"})
"""Sections of other programs in the same file."""

SIMILARITY: Final = 0.8
"""Least similarity of an unknown section to a known one, from 0 to 1, for a warning."""

FOUNDRY_PATHS: Final = {
    "BASE_PATH": "base",
    "RUN_DB_PATH": "runs",
    "ANALYSIS_DB_PATH": "analyses",
    "ARTIFACT_DB_PATH": "artifacts",
}
"""Key of ``[foundry]`` -> field of `FoundryPaths`."""

URLS: Final = (("postgres", "URL"), ("files", "URL"), ("files", "ENDPOINT_URL"))
"""Settings that may be URLs, also with a secret."""

READABLE_BY_OTHERS: Final = 0o044
"""Permission bits that let the group or everybody read a file."""

POSTGRES_URL_VARIABLE: Final = "MDFACTORY_POSTGRES_URL"
"""Environment variable that overrides ``[postgres] URL`` of all files."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and its source.

    Parameters
    ----------
    section, key
        Section and key in the configuration file.
    value
        Value in effect; a path is absolute.
    source
        File or environment variable that sets it, or ``default``.
    """

    section: str
    key: str
    value: str
    source: str

    @property
    def masked_value(self) -> str:
        """The value with ``***`` in place of a password."""
        return mask_password(self.value) if (self.section, self.key) in URLS else self.value


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of the files of a SQLite or CSV store.

    Parameters
    ----------
    runs
        File of the simulations.
    results
        File (SQLite) or folder (CSV) of the results and the overview.
    """

    runs: Path
    results: Path


@dataclass(frozen=True, slots=True)
class FoundryPaths:
    """Absolute Foundry paths of the datasets of a store.

    Parameters
    ----------
    base
        Folder that relative paths are relative to.
    runs
        Dataset of the simulations.
    analyses
        Folder of the datasets of analyses and of the overview.
    artifacts
        Folder of the datasets of artifacts.
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
        """Return the paths of a store, made absolute.

        Parameters
        ----------
        base
            Absolute path of a folder; `runs`, `analyses` and `artifacts` may be relative to it.
        name
            Name of the folder of the analyses if `analyses` is empty.
        runs, analyses, artifacts
            As in the class, absolute or relative.

        Raises
        ------
        ConfigError
            If `base` is not absolute, or `name` is not the name of a folder.
        """
        if not base.startswith("/") or not base.strip("/"):
            raise ConfigError(f"BASE_PATH is {base!r}; it must be absolute: /Project/folder")
        if "/" in name or not name:
            raise ConfigError(f"ANALYSIS_NAME is {name!r}; it must be the name of a folder")
        paths = (runs, analyses or name, artifacts)
        absolute = (
            path if path.startswith("/") else f"{base.rstrip('/')}/{path}" for path in paths
        )
        return cls(base.rstrip("/"), *(path.rstrip("/") for path in absolute))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings in effect.

    Parameters
    ----------
    kind
        Kind of store in use, in lower case; not checked here.
    sqlite, csv
        Paths of the stores in files.
    postgres
        URL of the PostgreSQL store; empty if it is not set.
    foundry
        Paths of the Foundry store.
    catalogue
        Expected results in addition to the built-in ones: simulation type -> result type ->
        names.
    files
        Absolute path or URL of the file store; empty if it is not set.
    files_endpoint
        URL of the S3 server of the file store; empty for the default.
    retention
        How much history a store keeps to undo operations.
    stems
        Stems of the files of adopted simulations.
    values
        Every setting with its source.
    warnings
        One-line warnings about the files, such as unknown settings.
    misspelt
        Those of the warnings that name a section or setting that is not read because its name is
        misspelt. What was meant has its default, which may be another store: no store is opened
        then.
    """

    kind: str
    sqlite: Paths
    csv: Paths
    postgres: str
    foundry: FoundryPaths
    catalogue: Mapping[SimulationType, Mapping[ResultType, tuple[str, ...]]]
    files: str
    files_endpoint: str
    retention: Retention
    stems: StemPatterns
    values: tuple[Setting, ...]
    warnings: tuple[str, ...] = ()
    misspelt: tuple[str, ...] = ()


def active_file(explicit: Path | None = None) -> Path:
    """Return the configuration file that overrides all others; it need not exist.

    Parameters
    ----------
    explicit
        File of ``--config``.
    """
    return _config_files(explicit)[-1]


def load(explicit: Path | None = None, *, missing_ok: bool = False) -> Settings:
    """Read the configuration.

    Each source overrides the ones before it: defaults, the user's file, the file of
    ``MDFACTORY_CONFIG``, the file of ``--config``. ``MDFACTORY_POSTGRES_URL`` overrides the URL
    of all files.

    Parameters
    ----------
    explicit
        File of ``--config``.
    missing_ok
        Whether the files of ``MDFACTORY_CONFIG`` and ``--config`` need not exist.

    Raises
    ------
    ConfigError
        If a file is missing, cannot be read, or contains an invalid value.
    """
    settings = _default_settings()
    warnings, misspelt = list[str](), list[str]()
    user_file, *named_files = _config_files(explicit)
    for file in [user_file, *named_files]:
        # os.path.exists also returns False for a file in a folder that the user may not search.
        if (file in named_files and not missing_ok) or os.path.exists(file):
            parser = read_ini(file)
            settings |= _settings_of(parser, file)
            sections = list(_misspelt_sections(parser, file))
            unknown = dict(_unknown_settings(parser, file))
            warnings += [*sections, *unknown]
            misspelt += [*sections, *(text for text, is_meant in unknown.items() if is_meant)]
            warnings += _open_password_warnings(parser, file)
    if url := _variable(POSTGRES_URL_VARIABLE):
        settings["postgres", "URL"] = Setting("postgres", "URL", url, POSTGRES_URL_VARIABLE)
    operations = _match(settings["history", "OPERATIONS"], r"[0-9]{1,9}", "a number, 0 or more")
    size = _match(
        settings["history", "SIZE"],
        r"(?P<number>[0-9]{1,9}(?:\.[0-9]+)?)\s*(?P<unit>[KMGT]?)B?",
        "a size, such as 500 MB or 2 GB",
    )
    unit_bytes = 1000 ** " KMGT".index(size["unit"].upper() or " ")
    return Settings(
        kind=settings["database", "TYPE"].value.lower(),
        sqlite=_paths(settings, "sqlite"),
        csv=_paths(settings, "csv"),
        postgres=settings["postgres", "URL"].value,
        foundry=_resolve_foundry_paths(settings),
        catalogue=_parse_catalogue(settings),
        files=settings["files", "URL"].value,
        files_endpoint=settings["files", "ENDPOINT_URL"].value,
        retention=Retention(int(operations[0]), int(float(size["number"]) * unit_bytes)),
        stems=StemPatterns.parse(
            settings["adopt", "PRODUCTION"].value, settings["adopt", "EQUILIBRATED"].value
        ),
        values=tuple(settings.values()),
        warnings=tuple(warnings),
        misspelt=tuple(misspelt),
    )


def _paths(settings: Mapping[SettingKey, Setting], section: str) -> Paths:
    keys = ("RUN_DB_PATH", "ANALYSIS_DB_PATH")
    return Paths(*(Path(settings[section, key].value) for key in keys))


def _parse_catalogue(
    settings: Mapping[SettingKey, Setting],
) -> dict[SimulationType, dict[ResultType, tuple[str, ...]]]:
    return {
        simulation_type: {
            result_type: _parse_names(settings["catalogue", f"{simulation_type}_{key}".upper()])
            for key, result_type in RESULT_TYPE_BY_KEY.items()
        }
        for simulation_type in SimulationType
    }


def _resolve_foundry_paths(settings: dict[SettingKey, Setting]) -> FoundryPaths:
    """Return the absolute paths of the datasets, and put them into `settings`."""
    given = {key: settings["foundry", key] for key in ("ANALYSIS_NAME", *FOUNDRY_PATHS)}
    values = {field: given[key].value for key, field in FOUNDRY_PATHS.items()}
    try:
        paths = FoundryPaths.below(**values, name=given["ANALYSIS_NAME"].value)
    except ConfigError as error:
        sources = ", ".join(
            dict.fromkeys(
                setting.source for key, setting in settings.items() if key[0] == "foundry"
            )
        )
        raise ConfigError(
            f"{sources}: [foundry] {error}", command="mdfactory config edit"
        ) from error
    for key, field in FOUNDRY_PATHS.items():
        settings["foundry", key] = replace(given[key], value=getattr(paths, field))
    return paths


def template() -> str:
    """Return the text of a configuration file with every setting commented out."""
    lines = ["; Settings of mdfactory. Each commented line shows the default of a setting."]
    lines += ["; Relative paths are relative to this file; ~ and $VAR are expanded."]
    section, defaults = "", _default_settings()
    _resolve_foundry_paths(defaults)
    for setting in defaults.values():
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        lines.append(f"; {setting.key} = {setting.value}")
    return "\n".join([*lines, ""])


def _default_settings() -> dict[SettingKey, Setting]:
    return {
        key: Setting(*key, resolve_value(key, default, _folder("DATA"), "default"), "default")
        for key, default in DEFAULT_VALUES.items()
    }


def _config_files(explicit: Path | None) -> list[Path]:
    """Return the files that `load` reads, in its order; the first one is the user's file."""
    variable = _variable("MDFACTORY_CONFIG")
    if is_connection_with_password(variable):
        raise ConfigError(
            "MDFACTORY_CONFIG is the URL of a database with its password; expected a file"
        )
    named = (variable, explicit)
    paths = (Path(absolute_path(expand_home(file))) for file in named if file)
    return [_folder("CONFIG") / "config.ini", *paths]


def cache_folder() -> Path | None:
    """Return the folder of caches, which may be deleted at any time and need not exist.

    None if there is none, because the user has no home folder.
    """
    with suppress(ConfigError):
        return _folder("CACHE")
    return None


def _variable(name: str) -> str:
    """Return the value of an environment variable; a blank one is not set, as in a file.

    Raises
    ------
    ConfigError
        If it has several lines.
    """
    value = os.environ.get(name, "").strip()
    if "\n" in value:
        raise ConfigError(f"{name} has several lines")
    return value


def _folder(purpose: str) -> Path:
    """Return the folder of a purpose from ``MDFACTORY_<purpose>_DIR``, or the platform's.

    Raises
    ------
    ConfigError
        If the variable has several lines; or is not set, and the user has no home folder.
    """
    if folder := _variable(f"MDFACTORY_{purpose}_DIR"):
        return Path(absolute_path(expand_home(folder)))
    import platformdirs

    platform = platformdirs.PlatformDirs("mdfactory", appauthor=False)
    # RuntimeError: older versions return a path that begins with ~.
    with suppress(ConfigError, RuntimeError):
        expand_home("~")
        path = Path(getattr(platform, f"user_{purpose.lower()}_dir"))
        if path.is_absolute():
            return path
    raise ConfigError(
        f"the user has no home folder; set HOME or MDFACTORY_{purpose}_DIR to the path of a folder"
    )


def read_ini(file: Path) -> configparser.ConfigParser:
    """Read and parse a configuration file.

    Raises
    ------
    ConfigError
        If the file cannot be read or parsed.
    """
    try:
        raw, _ = read_file(file, MAX_FILE_BYTES)
        text = io.StringIO(raw.decode("utf-8-sig"), newline=None).read()
    except UnreadableError as error:
        command = "" if os.path.lexists(file) else "mdfactory config init"
        raise ConfigError(f"the configuration {file} {error}", command=command) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration {file} cannot be read: it is not UTF-8") from error
    return parse_ini(text, file)


def parse_ini(text: str, file: Path) -> configparser.ConfigParser:
    """Parse the text of a configuration file; `file` is its path for messages.

    Raises
    ------
    ConfigError
        If the text cannot be parsed.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, source=str(file))
    except configparser.ParsingError as error:
        # The error shows the line, which may contain a password.
        if isinstance(error, configparser.MissingSectionHeaderError):
            number = error.lineno
        else:
            number = error.errors[0][0]
        raise ConfigError(
            f"the configuration {file} cannot be read: line {number} is neither [SECTION] nor "
            "NAME = VALUE in a section"
        ) from None
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        option = getattr(error, "option", "").upper()
        raise ConfigError(
            f"the configuration {file} cannot be read: line {error.lineno} repeats "
            f"{f'{option} of ' if option else ''}[{error.section}]"
        ) from error
    return parser


def _settings_of(parser: configparser.ConfigParser, file: Path) -> dict[SettingKey, Setting]:
    """Return the settings in a file; a blank value leaves the default."""
    return {
        key: Setting(*key, resolve_value(key, given, file.parent, str(file)), str(file))
        for key in DEFAULT_VALUES
        if (given := parser.get(*key, fallback="").strip())
    }


def _parse_names(setting: Setting) -> tuple[str, ...]:
    """Return the names of a list, separated by commas or white space."""
    names = setting.value.replace(",", " ").split()
    try:
        return tuple(map(check_name, names))
    except InvalidNameError as error:
        raise ConfigError(
            f"{setting.source}: [{setting.section}] {setting.key}: {error}",
            command="mdfactory config edit",
        ) from error


def _match(setting: Setting, pattern: str, expected: str) -> re.Match[str]:
    """Match the whole value of a setting, in upper or lower case; or say what is expected."""
    match = re.fullmatch(pattern, setting.value, re.ASCII | re.IGNORECASE)
    if not match:
        raise ConfigError(
            f"{setting.source}: [{setting.section}] {setting.key} = {setting.value}: "
            f"expected {expected}",
            command="mdfactory config edit",
        )
    return match


SECTIONS: Final = tuple(dict.fromkeys(section for section, _ in DEFAULT_VALUES))
"""The sections that are read."""


def _misspelt_sections(parser: configparser.ConfigParser, file: Path) -> Iterator[str]:
    """Yield a line for each misspelt section; sections of other programs are ignored."""
    for section in parser.sections():
        meant = get_close_matches(section.lower(), SECTIONS, 1, SIMILARITY)
        if meant and section not in {*SECTIONS, *OTHER_SECTIONS}:
            yield f"{file}: [{section}] is not read (did you mean [{meant[0]}]?)"


def _unknown_settings(parser: configparser.ConfigParser, file: Path) -> Iterator[tuple[str, bool]]:
    """Yield a line for each unknown setting, and whether another one was meant that is not set.

    Other versions and programs may have further settings in these sections.
    """
    for section in filter(parser.has_section, SECTIONS):
        known = [key for owner, key in DEFAULT_VALUES if owner == section]
        given = list(map(str.upper, parser.options(section)))
        unset = [key for key in known if key not in given]
        for key in given:
            if key not in known:
                is_meant = bool(suggestion(key, unset)) or unset == ["TYPE"]
                text = f"{file}: [{section}] has no setting {key}; it has {', '.join(known)}"
                yield text, is_meant


def _open_password_warnings(parser: configparser.ConfigParser, file: Path) -> Iterator[str]:
    """Yield a warning if the file contains a password and others can read it."""
    urls = [parser.get(*key, fallback="") for key in URLS]
    if any(map(has_password, urls)) and os.stat(file).st_mode & READABLE_BY_OTHERS:
        path = shlex.quote(str(file))
        yield f"{file} contains a password and others can read it. Run: chmod 600 {path}"


def resolve_value(setting_key: SettingKey, given: str, folder: Path, source: str) -> str:
    """Return the value in effect: a path is expanded (``~`` and ``$VAR``) and made absolute.

    In a Foundry path, only ``$VAR`` is expanded. It may be relative; see `FoundryPaths.below`.

    Parameters
    ----------
    setting_key
        Section and key.
    given
        Value as the user wrote it.
    folder
        Folder that a relative path is relative to.
    source
        Name of the value's source, for messages.

    Raises
    ------
    ConfigError
        If the value, or a folder in it, is in quotes; if it is followed by a comment, on several
        lines, or a URL; if it contains a control character; or if a path contains a variable that
        is not set or empty, or an unknown user.
    """
    section, key = setting_key
    if setting_key not in URLS and is_connection_with_password(given):
        raise ConfigError(
            f"{source}: [{section}] {key} is the URL of a database with its password; it belongs "
            "to [postgres] URL",
            command="mdfactory config edit",
        )
    # A list may have several lines, and a URL quotes and semicolons.
    exempt = section in {"catalogue", "postgres"}
    if not exempt and (problem := _value_problem(given, is_url=setting_key in URLS)):
        raise ConfigError(f"{source}: [{section}] {key} {problem}", command="mdfactory config edit")
    if setting_key == ("files", "URL"):
        given = given.removeprefix("file://")
    if not _is_path(setting_key, given):
        return given
    expanded = os.path.expandvars(given)
    # An empty variable would move `$VAR/runs.db` into the root folder.
    for variable in re.findall(r"\$(?:\w+|\{\w+\})", given):
        value = os.environ.get(variable.strip("${}"))
        if not (value and value.strip()):
            state = "not set" if value is None else "empty"
            raise ConfigError(f"{source}: [{section}] {key} = {given}: {variable} is {state}")
    if section == "foundry":
        return expanded
    try:
        return absolute_path(expand_home(expanded), str(folder))
    except ConfigError as error:
        raise ConfigError(f"{source}: [{section}] {key} = {error}") from error


def _is_path(setting_key: SettingKey, value: str) -> bool:
    """Whether a value is a path; a file store is one, or a URL."""
    if setting_key == ("files", "URL"):
        return bool(value) and "://" not in value
    return setting_key[1].endswith("_PATH")


def _value_problem(value: str, *, is_url: bool) -> str:
    """Return what is not part of a value but would be read as such, or an empty text."""
    if "\n" in value:
        return "continues on the next line; write it on one line, and the next line without indent"
    if value.startswith(QUOTES) or value.endswith(QUOTES) or QUOTED_PART.search(value):
        return "is in quotes; write it without quotes and backslashes, blanks may stay"
    if re.search(r"(^|\s)[;#]", value):
        return "is followed by a comment; write the comment on a line of its own"
    if not is_url and re.match(r"\w+://", value):
        return "is a URL; write a path"
    if re.search(r"[\x00-\x1f\x7f]", value):
        return "contains a control character"
    return ""
