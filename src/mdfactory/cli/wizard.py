"""The questions of ``mdfactory config init``, and the option for each of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from cyclopts import Group, Parameter

from mdfactory.config.passwords import has_password, mask_password, with_password
from mdfactory.config.settings import (
    DEFAULT_VALUES,
    FOUNDRY_PATHS,
    FoundryPaths,
    Setting,
    SettingKey,
    Settings,
    resolve_value,
)
from mdfactory.errors import ConfigError, UsageError
from mdfactory.files import UnreadableError, absolute_path, expand_home, read_file

StoreKind = Literal["sqlite", "csv", "postgres", "foundry"]
STORE_KINDS: Final[tuple[str, ...]] = get_args(StoreKind)

ADVICE: Final[dict[str, str]] = {
    "sqlite": "two files: one person, or a group on one disk",
    "csv": "plain tables that every program reads",
    "postgres": "a database server: groups on several machines",
    "foundry": "datasets of a company on Palantir Foundry",
}
"""Kind of the store -> when to choose it, in one line of a narrow terminal."""

QUESTIONS: Final[dict[SettingKey, str]] = {
    ("sqlite", "RUN_DB_PATH"): "File of the simulations",
    ("sqlite", "ANALYSIS_DB_PATH"): "File of the analyses and artifacts",
    ("csv", "RUN_DB_PATH"): "File of the simulations",
    ("csv", "ANALYSIS_DB_PATH"): "Folder of the analyses and artifacts",
    ("postgres", "URL"): "URL of the database, without a password",
    ("foundry", "BASE_PATH"): "Folder of the project, as /Project/folder",
    ("foundry", "ANALYSIS_NAME"): "Name of the folder of the analyses in it",
    ("foundry", "RUN_DB_PATH"): "Dataset of the simulations",
    ("foundry", "ANALYSIS_DB_PATH"): "Folder of the analyses",
    ("foundry", "ARTIFACT_DB_PATH"): "Folder of the artifacts",
    ("files", "URL"): "Folder or URL to keep the files of artifacts in (blank: none)",
}
"""Setting -> the question that asks for it; the section is the kind of the store, or the file
store, which every kind may have."""

CLEAR_HINT: Final = "(Ctrl-U clears it)"
"""What a prompt says if there is a default in its line."""

APPENDED: Final = re.compile(r"[^/]~/")
"""Part of a path that was appended to another one."""

LOCAL_KINDS: Final = frozenset({"sqlite", "csv"})
"""Stores whose paths are files of this machine."""

MAX_PASSWORD_FILE_BYTES: Final = 2**20

ANSWER_GROUP: Final = Group(
    "Answers", help="Settings that are not given as options are asked for.", sort_key=1
)


@Parameter(name="*", group=ANSWER_GROUP)
@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that are given as options.

    Parameters
    ----------
    type
        Kind of the store.
    run_db_path
        sqlite, csv: file of the simulations. foundry: dataset of the simulations.
    analysis_db_path
        sqlite: file of the analyses and artifacts. csv: folder of the analyses and artifacts.
        foundry: folder of the analyses.
    base_path
        foundry: folder of all datasets, such as /Project/folder.
    analysis_name
        foundry: name of the folder of the analyses in --base-path.
    artifact_db_path
        foundry: folder of the artifacts.
    url
        postgres: URL of the database without a password, such as postgresql://user@host/database.
    files
        Folder, or URL such as s3://bucket/prefix, to keep the files of artifacts in.
    password_file
        postgres: file whose first line is the password; - for standard input.
    """

    type: StoreKind | None = None
    run_db_path: str | None = None
    analysis_db_path: str | None = None
    base_path: str | None = None
    analysis_name: str | None = None
    artifact_db_path: str | None = None
    url: str | None = None
    files: str | None = None
    password_file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None

    @property
    def given(self) -> dict[str, str]:
        """Key of a setting -> its answer, for each option that is given."""
        values = {option.name.upper(): getattr(self, option.name) for option in fields(self)}
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Prompter:
    """Asks questions on the terminal, through standard error, or takes their defaults.

    Parameters
    ----------
    silent
        Whether to take each default without asking.
    """

    silent: bool

    def ask(self, kind: str, question: str, default: Any, **options: Any) -> Any:
        """Return the answer to a question; kinds and options are those of `questionary`."""
        if self.silent:
            return default
        import questionary
        from prompt_toolkit.output import create_output

        output = create_output(stdout=sys.stderr)
        prompt = getattr(questionary, kind)
        return prompt(question, default=default, output=output, **options).unsafe_ask()

    def choose(self, question: str, default: str, advice: Mapping[str, str]) -> str:
        """Return one of several values; `advice` says in a line when to choose which."""
        if self.silent:
            return default
        from questionary import Choice

        width = max(map(len, advice))
        choices = [Choice(f"{value:{width}}  {text}", value) for value, text in advice.items()]
        return str(self.ask("select", question, default, choices=choices))


def ask_settings(
    answers: Answers, settings: Settings, prompter: Prompter, file: Path
) -> dict[SettingKey, str]:
    """Ask for the settings that have no answer yet.

    Parameters
    ----------
    answers
        Answers that are given as options.
    settings
        The settings in effect: the defaults of the questions.
    prompter
        Asks the questions.
    file
        The configuration file to which the settings are written.

    Returns
    -------
    dict
        The settings to write: the type of the store, and all settings whose value changes.

    Raises
    ------
    UsageError
        If an option is invalid, or does not belong to this kind of store.
    ConfigError
        If the file of a password cannot be read.
    """
    given = answers.given
    in_effect = {(setting.section, setting.key): setting for setting in settings.values}
    default_kind = settings.kind if settings.kind in STORE_KINDS else STORE_KINDS[0]
    kind = given.pop("TYPE", None) or prompter.choose("Which store?", default_kind, ADVICE)
    _check_options(given, kind)
    changed = {("database", "TYPE"): kind}
    for setting in _settings_of(kind):
        default = _default(setting, in_effect)
        is_own = in_effect[setting].source == str(file)
        offered = "" if is_own else _beside_simulations(setting, changed)
        value = _answer(setting, given, offered or default, prompter, file.parent)
        if value != default:
            changed[setting] = value
            in_effect[setting] = Setting(*setting, value, "the answer")
    return changed


def answered(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each question on the store of some settings, and its answer without secrets."""
    values = {(setting.section, setting.key): setting for setting in settings.values}
    for setting in _settings_of(settings.kind):
        if shown := values[setting].masked_value:
            yield QUESTIONS[setting], shown


def _settings_of(kind: str) -> list[SettingKey]:
    """Return the settings that are asked for if a kind of store is chosen."""
    return [setting for setting in QUESTIONS if setting[0] in {kind, "files"}]


def _check_options(given: Mapping[str, str], kind: str) -> None:
    """Raise UsageError if an option does not belong to this kind of store."""
    allowed = list(map(_option_key, _settings_of(kind)))
    allowed += ["PASSWORD_FILE"] * ("URL" in allowed)
    for key in given:
        if key not in allowed:
            options = ", ".join(map(_option, allowed))
            raise UsageError(f"{_option(key)} does not go with --type {kind}, which has {options}")


def _default(setting: SettingKey, in_effect: Mapping[SettingKey, Setting]) -> str:
    """Return the default of an answer: the value in effect.

    A path of Foundry that is not set is derived from the earlier answers.
    """
    kind, key = setting
    if kind != "foundry" or key not in FOUNDRY_PATHS or in_effect[setting].source != "default":
        return in_effect[setting].value
    base, name = (in_effect[kind, each].value for each in ("BASE_PATH", "ANALYSIS_NAME"))
    return str(getattr(FoundryPaths.below(base, name=name), FOUNDRY_PATHS[key]))


def _beside_simulations(setting: SettingKey, changed: Mapping[SettingKey, str]) -> str:
    """Return the path of the results next to that of the simulations, if the latter is new."""
    simulations = changed.get((setting[0], "RUN_DB_PATH"))
    is_local = setting[0] in LOCAL_KINDS and setting[1] == "ANALYSIS_DB_PATH"
    if not is_local or not simulations:
        return ""
    return os.path.join(os.path.dirname(simulations), DEFAULT_VALUES[setting])


def _answer(
    setting: SettingKey, given: Mapping[str, str], default: str, prompter: Prompter, folder: Path
) -> str:
    """Return the value of one setting, as it is written into the file."""
    key = _option_key(setting)
    shown_default = mask_password(default, "") if key == "URL" else default

    def validate(answer: str) -> bool | str:
        try:
            _check(setting, _value(setting, answer.strip(), folder), folder)
        except ConfigError as error:
            return str(error)
        return True

    answer = given.get(key)
    if answer is None:
        # The default is text in the line: what is typed would be appended to it.
        hint = {"instruction": CLEAR_HINT} if shown_default else {}
        question = QUESTIONS[setting]
        answer = prompter.ask("text", question, shown_default, validate=validate, **hint).strip()
    problem = validate(answer)
    if problem is not True:
        raise UsageError(f"{_option(key)}: {problem}")
    if key == "URL":
        # The default was shown without its password: an unchanged answer keeps the password.
        return _add_password(default if answer == shown_default else answer, given, prompter)
    return _value(setting, answer, folder) or default


def _value(setting: SettingKey, answer: str, folder: Path) -> str:
    """Return the value to write: a path in the file is relative to its folder, not to ours."""
    is_local = setting[0] in LOCAL_KINDS or (setting[0] == "files" and "://" not in answer)
    if not is_local or not answer or answer.startswith(("~", "$")) or folder == Path.cwd():
        return answer
    return absolute_path(answer)


def _check(setting: SettingKey, value: str, folder: Path) -> None:
    """Raise ConfigError if a value is not valid for its setting; `folder` is that of the file."""
    path = resolve_value(setting, value, folder, "the answer")
    match setting:
        case "files", "URL":
            _check_files(value, path)
        case _, "URL":
            if not value.startswith(("postgresql://", "postgres://")):
                raise ConfigError("expected a URL such as postgresql://user@host/database")
            if has_password(value):
                raise ConfigError(
                    "the URL must not contain the password, which others could see. The password "
                    "is asked for, or read from --password-file, ~/.pgpass or "
                    "MDFACTORY_POSTGRES_URL"
                )
        case _, "BASE_PATH":
            FoundryPaths.below(value or "/default")
        case _, "ANALYSIS_NAME":
            FoundryPaths.below("/default", name=value or "default")
        case "sqlite" | "csv", _:
            if APPENDED.search(value):
                raise ConfigError(f"{value} has a ~ in the middle; expected one path")
            wants_folder = setting == ("csv", "ANALYSIS_DB_PATH")
            kind, is_kind = ("folder", os.path.isdir) if wants_folder else ("file", os.path.isfile)
            if value and os.path.exists(path) and not is_kind(path):
                raise ConfigError(f"{path} is not a {kind}")


def _check_files(value: str, path: str) -> None:
    """Raise ConfigError if a value is no file store."""
    if "://" not in path:
        if os.path.exists(path) and not os.path.isdir(path):
            raise ConfigError(f"{path} is not a folder")
        return
    if has_password(value):
        raise ConfigError(
            "the URL must not contain a secret, which others could see. S3 reads it from "
            "AWS_PROFILE, AWS_SECRET_ACCESS_KEY or ~/.aws/credentials"
        )
    from mdfactory.filestore.urls import parse_place

    parse_place(value)


def _add_password(url: str, given: Mapping[str, str], prompter: Prompter) -> str:
    """Return a URL with its password: from a file, from the URL itself, or asked for."""
    file = given.get("PASSWORD_FILE")
    if file is not None:
        return with_password(url, _read_password(file))
    if has_password(url):
        return url
    password = prompter.ask("password", "Password (empty: from ~/.pgpass, or none needed)", "")
    return with_password(url, password) if password else url


def _read_password(file: str) -> str:
    """Return the first line of a file, or of standard input for ``-``."""
    try:
        if file == "-":
            with open(0, "rb", closefd=False) as stdin:
                raw = stdin.readline(MAX_PASSWORD_FILE_BYTES)
        else:
            raw, _ = read_file(expand_home(file), MAX_PASSWORD_FILE_BYTES)
        return raw.decode().partition("\n")[0].rstrip("\r")
    except UnreadableError as error:
        raise ConfigError(f"{file} {error}; give a file, or - for standard input") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{file} cannot be read: {reason}") from error


def _option_key(setting: SettingKey) -> str:
    """Return the name of the option of a setting, in upper case."""
    return "FILES" if setting[0] == "files" else setting[1]


def _option(key: str) -> str:
    return f"--{key.lower().replace('_', '-')}"
