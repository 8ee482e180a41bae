"""The questions of ``mdfactory config init``, and the option for each of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from cyclopts import Group, Parameter

from mdfactory.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from mdfactory.config import Settings

StoreKind = Literal["sqlite", "csv", "postgres", "foundry"]
STORE_KINDS: Final[tuple[str, ...]] = get_args(StoreKind)

SettingKey = tuple[str, str]
"""Section and key of a setting."""

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
}
"""Setting -> the question that asks for it; the section is the kind of the store."""

DERIVED_PATHS: Final = {
    "RUN_DB_PATH": "runs",
    "ANALYSIS_DB_PATH": "analyses",
    "ARTIFACT_DB_PATH": "artifacts",
}
"""Key of Foundry -> field of FoundryPaths with its default."""

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
    password_file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None

    @property
    def given(self) -> dict[str, str]:
        """Key of a setting -> its answer, for each option that is given."""
        values = {option.name.upper(): getattr(self, option.name) for option in fields(self)}
        return {key: value for key, value in values.items() if value is not None}


class Prompter:
    """Asks questions on the terminal, through standard error, or takes their defaults.

    Parameters
    ----------
    silent
        Whether to take each default without asking.
    """

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent

    def choice(self, question: str, choices: Sequence[str], default: str) -> str:
        """Ask for one of several words."""
        return str(self._ask("select", question, default, choices=choices))

    def text(self, question: str, default: str, check: Callable[[str], None]) -> str:
        """Ask for a text; repeat the question while `check` raises a ConfigError for the answer."""

        def validate(answer: str) -> bool | str:
            try:
                check(answer)
            except ConfigError as error:
                return str(error)
            return True

        return str(self._ask("text", question, default, validate=validate)).strip()

    def secret(self, question: str) -> str:
        """Ask for a text that is not shown on the terminal."""
        return str(self._ask("password", question, ""))

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask a yes-or-no question."""
        return bool(self._ask("confirm", question, default))

    def _ask(self, kind: str, question: str, default: object, **options: Any) -> object:
        if self.silent:
            return default
        import questionary
        from prompt_toolkit.output import create_output

        output = create_output(stdout=sys.stderr)
        prompt = getattr(questionary, kind)
        return prompt(question, default=default, output=output, **options).unsafe_ask()


def ask_settings(
    answers: Answers, settings: Settings, prompter: Prompter, folder: Path
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
    folder
        Folder of the configuration file to which the settings are written.

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
    current = {(setting.section, setting.key): setting.value for setting in settings.values}
    default_kind = settings.kind if settings.kind in STORE_KINDS else STORE_KINDS[0]
    kind = given.pop("TYPE", None) or prompter.choice("Which store?", STORE_KINDS, default_kind)
    keys = [key for section, key in QUESTIONS if section == kind]
    _check_options(given, kind, keys)
    changed = {("database", "TYPE"): kind}
    for setting in [(kind, key) for key in keys]:
        default = _default(setting, current | changed, settings)
        value = _answer(setting, given, default, prompter, folder)
        if value != default:
            changed[setting] = value
    return changed


def _check_options(given: Mapping[str, str], kind: str, keys: Sequence[str]) -> None:
    """Raise UsageError if an option does not belong to this kind of store."""
    allowed = [*keys, *["PASSWORD_FILE"] * ("URL" in keys)]
    for key in given:
        if key not in allowed:
            options = ", ".join(map(_option, allowed))
            raise UsageError(f"{_option(key)} does not go with --type {kind}, which has {options}")


def _default(setting: SettingKey, values: Mapping[SettingKey, str], settings: Settings) -> str:
    """Return the default of an answer: the value in effect.

    A path of Foundry that is not set is derived from the earlier answers.
    """
    from mdfactory.config import FoundryPaths

    kind, key = setting
    source = next(each.source for each in settings.values if (each.section, each.key) == setting)
    if kind != "foundry" or source != "default" or key not in DERIVED_PATHS:
        return values[setting]
    base, name = values[kind, "BASE_PATH"], values[kind, "ANALYSIS_NAME"]
    return str(getattr(FoundryPaths.below(base, name=name), DERIVED_PATHS[key]))


def _answer(
    setting: SettingKey, given: Mapping[str, str], default: str, prompter: Prompter, folder: Path
) -> str:
    """Return the value of one setting, as it is written into the file."""
    from mdfactory.config import mask_password

    kind, key = setting
    shown_default = mask_password(default, "") if key == "URL" else default

    def check(answer: str) -> None:
        _check(setting, answer, folder)

    answer = given.get(key)
    if answer is None:
        answer = prompter.text(QUESTIONS[setting], shown_default, check)
    try:
        check(answer)
    except ConfigError as error:
        raise UsageError(f"{_option(key)}: {error}") from error
    if key == "URL":
        # The default was shown without its password: an unchanged answer keeps the password.
        return _add_password(default if answer == shown_default else answer, given, prompter)
    if not answer:
        return default
    return answer if kind == "foundry" else _absolute(answer, folder)


def _check(setting: SettingKey, answer: str, folder: Path) -> None:
    """Raise ConfigError if an answer is not a valid value of its setting."""
    from mdfactory.config import FoundryPaths

    kind, key = setting
    if key == "URL":
        _check_url(answer)
    elif key == "BASE_PATH":
        FoundryPaths.below(answer or "/default")
    elif key == "ANALYSIS_NAME":
        FoundryPaths.below("/default", name=answer or "default")
    elif kind != "foundry":
        _check_path(setting, answer, folder)


def _check_url(url: str) -> None:
    from mdfactory.config import has_password

    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError("expected a URL such as postgresql://user@host/database")
    if has_password(url):
        raise ConfigError(
            "the URL must not contain the password, which others could see. The password is "
            "asked for, or read from --password-file, ~/.pgpass or MDFACTORY_POSTGRES_URL"
        )


def _check_path(setting: SettingKey, answer: str, folder: Path) -> None:
    from mdfactory.config import resolve_value

    path = resolve_value(setting, answer, folder, "the answer")
    wants_folder = setting == ("csv", "ANALYSIS_DB_PATH")
    if answer and os.path.exists(path) and os.path.isdir(path) != wants_folder:
        raise ConfigError(f"{path} is {'not a folder' if wants_folder else 'a folder'}")


def _add_password(url: str, given: Mapping[str, str], prompter: Prompter) -> str:
    """Return a URL with its password: from a file, from the URL itself, or asked for."""
    from mdfactory.config import has_password, with_password

    file = given.get("PASSWORD_FILE")
    if file is not None:
        return with_password(url, _read_password(file))
    if has_password(url):
        return url
    password = prompter.secret("Password (empty: from ~/.pgpass, or none needed)")
    return with_password(url, password) if password else url


def _read_password(file: str) -> str:
    """Return the first line of a file, or of standard input for ``-``."""
    try:
        with open(0 if file == "-" else file, encoding="utf-8", closefd=file != "-") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{file} cannot be read: {reason}") from error


def _absolute(answer: str, folder: Path) -> str:
    """Return the path to write: one in the file is relative to its folder, an answer to ours."""
    if answer.startswith(("~", "$")) or folder == Path.cwd():
        return answer
    return os.path.abspath(answer)


def _option(key: str) -> str:
    return f"--{key.lower().replace('_', '-')}"
