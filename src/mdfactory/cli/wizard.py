"""The questions of ``mdfactory config init``; each of them is also an option."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Group, Parameter

from mdfactory.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from mdfactory.config import Settings

__all__ = ["Answers", "Asker", "settings_of"]

KINDS: Final = ("sqlite", "csv", "postgres", "foundry")

LABELS: Final = {
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
"""Section and key -> what is asked for."""

FOLLOWING: Final = {
    "RUN_DB_PATH": "runs",
    "ANALYSIS_DB_PATH": "analyses",
    "ARTIFACT_DB_PATH": "artifacts",
}
"""Settings of Foundry that follow from its BASE_PATH and ANALYSIS_NAME, if nothing else is set."""

ANSWERS: Final = Group("Answers", help="What is not given is asked for.", sort_key=1)


@Parameter(name="*", group=ANSWERS)
@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that were given as options.

    Parameters
    ----------
    type
        Kind of the store.
    run_db_path
        sqlite, csv: file of the simulations; foundry: dataset of them.
    analysis_db_path
        sqlite: file of the analyses and artifacts; csv: folder of them; foundry: folder of the
        analyses.
    base_path
        foundry: folder that all datasets are below, such as /Project/folder.
    analysis_name
        foundry: name of the folder of the analyses in it.
    artifact_db_path
        foundry: folder of the artifacts.
    url
        postgres: URL of the database, such as postgresql://user@host/database.
    password_file
        postgres: file whose first line is the password; - for standard input.
    """

    type: Literal["sqlite", "csv", "postgres", "foundry"] | None = None
    run_db_path: str | None = None
    analysis_db_path: str | None = None
    base_path: str | None = None
    analysis_name: str | None = None
    artifact_db_path: str | None = None
    url: str | None = None
    password_file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None

    @property
    def given(self) -> dict[str, str]:
        """Key of the setting -> the answer to it."""
        values = {one.name.upper(): getattr(self, one.name) for one in fields(self)}
        return {key: value for key, value in values.items() if value is not None}


class Asker:
    """Asks on the terminal, on standard error; or nobody, who takes every default.

    Parameters
    ----------
    silent
        Whether to take defaults without a question.
    """

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent

    def choice(self, question: str, choices: Sequence[str], default: str) -> str:
        """Have one of several words chosen."""
        return str(self._ask("select", question, default, choices=choices))

    def text(self, question: str, default: str, check: Callable[[str], None]) -> str:
        """Ask for a text; `check` raises what is wrong with it."""

        def valid(answer: str) -> bool | str:
            try:
                check(answer)
            except ConfigError as error:
                return str(error)
            return True

        return str(self._ask("text", question, default, validate=valid)).strip()

    def secret(self, question: str) -> str:
        """Ask for what must not be seen."""
        return str(self._ask("password", question, ""))

    def sure(self, question: str, *, default: bool) -> bool:
        """Ask whether to do something."""
        return bool(self._ask("confirm", question, default))

    def _ask(self, kind: str, question: str, default: object, **options: Any) -> object:
        if self.silent:
            return default
        import questionary
        from prompt_toolkit.output import create_output

        output = create_output(stdout=sys.stderr)
        ask = getattr(questionary, kind)
        return ask(question, default=default, output=output, **options).unsafe_ask()


def settings_of(
    answers: Answers, settings: Settings, asker: Asker, folder: Path
) -> dict[tuple[str, str], str]:
    """Ask for what was not given, and return the settings to write.

    Parameters
    ----------
    answers
        What was given.
    settings
        What is in effect: the defaults of the questions; it need not be written again.
    asker
        Who is asked.
    folder
        Folder of the file that will hold the settings.

    Raises
    ------
    UsageError
        If an answer was given to a question that this kind of store does not have.
    ConfigError
        If an answer cannot be.
    """
    given = answers.given
    current = {(one.section, one.key): one.value for one in settings.values}
    known = settings.kind if settings.kind in KINDS else KINDS[0]
    kind = given.pop("TYPE", None) or asker.choice("Which store?", KINDS, known)
    keys = [key for section, key in LABELS if section == kind]
    _check_applies(given, kind, keys)
    found = {("database", "TYPE"): kind}
    for place in [(kind, key) for key in keys]:
        usual = _usual(place, current | found, settings)
        value = _answer(place, given, usual, asker, folder)
        if value != usual:
            found[place] = value
    return found


def _usual(
    place: tuple[str, str], values: Mapping[tuple[str, str], str], settings: Settings
) -> str:
    """Return the default of an answer: what is in effect; on Foundry, it may follow from others."""
    from mdfactory.config import FoundryPaths

    source = next(one.source for one in settings.values if (one.section, one.key) == place)
    kind, key = place
    if kind != "foundry" or source != "default" or key not in {*FOLLOWING}:
        return values[place]
    base, name = (values["foundry", key] for key in ("BASE_PATH", "ANALYSIS_NAME"))
    return str(getattr(FoundryPaths.below(base, name=name), FOLLOWING[key]))


def _check_applies(given: Mapping[str, str], kind: str, keys: Sequence[str]) -> None:
    allowed = [*keys, *["PASSWORD_FILE"] * ("URL" in keys)]
    for key in given:
        if key not in allowed:
            known = ", ".join(map(_option, allowed))
            raise UsageError(f"{_option(key)} does not go with --type {kind}, which has {known}")


def _answer(
    place: tuple[str, str], given: Mapping[str, str], current: str, asker: Asker, folder: Path
) -> str:
    """Return the answer to one question, as it is to be written."""
    from mdfactory.config import mask_password

    _, key = place
    shown = mask_password(current, "") if key == "URL" else current

    def check(answer: str) -> None:
        _check(place, answer, folder)

    answer = given.get(key)
    if answer is None:
        answer = asker.text(LABELS[place], shown, check)
    try:
        check(answer)
    except ConfigError as error:
        raise UsageError(f"{_option(key)}: {error}") from error
    if key == "URL":
        return _with_password(current if answer == shown else answer, given, asker)
    if not answer:
        return current
    return answer if place[0] == "foundry" else _absolute(answer, folder)


def _check(place: tuple[str, str], answer: str, folder: Path) -> None:
    from mdfactory.config import FoundryPaths, has_password, resolve_value

    kind, key = place
    if key == "BASE_PATH":
        FoundryPaths.below(answer or "/default")
    if key == "ANALYSIS_NAME":
        FoundryPaths.below("/default", name=answer or "default")
    if kind == "foundry":
        return
    if key == "URL":
        if not answer.startswith(("postgresql://", "postgres://")):
            raise ConfigError("give one such as postgresql://user@host/database")
        if has_password(answer):
            raise ConfigError(
                "leave the password out of the URL, where others see it: it is asked for unseen, "
                "or taken from --password-file, ~/.pgpass or MDFACTORY_POSTGRES_URL"
            )
        return
    path = resolve_value(place, answer, folder, "the answer")
    folder_wanted = (kind, key) == ("csv", "ANALYSIS_DB_PATH")
    if answer and os.path.exists(path) and os.path.isdir(path) != folder_wanted:
        raise ConfigError(f"{path} is {'no' if folder_wanted else 'a'} folder")


def _with_password(url: str, given: Mapping[str, str], asker: Asker) -> str:
    from mdfactory.config import has_password, with_password

    file = given.get("PASSWORD_FILE")
    if file is not None:
        return with_password(url, _read(file))
    if has_password(url):
        return url
    password = asker.secret("Password (none: it is in ~/.pgpass, or not needed)")
    return with_password(url, password) if password else url


def _read(file: str) -> str:
    """Return the first line of a file that holds a password."""
    try:
        with open(0 if file == "-" else file, encoding="utf-8", closefd=file != "-") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{file} cannot be read: {reason}") from error


def _absolute(answer: str, folder: Path) -> str:
    """Return a path that means in the file what it means where it was typed."""
    if answer.startswith(("~", "$")) or folder == Path.cwd():
        return answer
    return os.path.abspath(answer)


def _option(key: str) -> str:
    return f"--{key.lower().replace('_', '-')}"
