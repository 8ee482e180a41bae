"""Errors of the command line in plain words, with what was probably meant."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from functools import reduce
from typing import Any, Final, Literal, get_args, get_origin

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.cli.layout import shell_words
from mdfactory.errors import MAX_LISTED, UsageError, listed, suggestion
from mdfactory.records.vocabulary import RESULT_NAME_PATTERN, ResultType

EXPECTED: Final = {int: "a whole number", float: "a number", bool: "no value"}
"""Type of an option -> what its value must be."""

HASH_PREFIX: Final = re.compile(r"[0-9A-Fa-f]{4,40}")

MAX_MEANT: Final = 2
"""Number of commands that a suggestion names; with more, it is none."""

FLAGS: Final = ("--help", "--version", "--install-completion")
"""Options of the program that are no options of a command."""

NAME_OPTIONS: Final = {"analysis": "--analysis-name", "artifacts": "--artifact-name"}
"""Last word of a command -> its option for the name of a result."""

SYNONYMS: Final = dict.fromkeys(["simulation", "simulations", "run", "runs"], "systems")
"""Word that users may take for a command -> the command."""

OPERATORS: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "~"})

TAKING_SOURCE: Final = frozenset({"push", "status", "verify", "adopt"})
"""Commands, or groups of commands, with a SOURCE."""

WITH_HASH: Final = frozenset({"pull", "clear"})
"""Groups whose commands have ``--hash``."""


def usage_error(error: Exception, command: str, root: App) -> UsageError:
    """Return the error of a command line, with the help to read.

    Parameters
    ----------
    error
        The error that the parser raised.
    command
        The words of the command, without the program, such as ``sync push all``.
    root
        The tree of all commands.
    """
    path, message = command.split(), ""
    for kind, describe in DESCRIPTIONS.items():
        if isinstance(error, kind):
            message = describe(error, path, root)
    message = message or str(error).rstrip(".")
    return UsageError(message, command=" ".join(["mdfactory", *command.split(), "--help"]))


def _unknown_command(tokens: Sequence[str], path: Sequence[str], root: App) -> str:
    """Return the message if a group has no such command: which are meant, and which there are."""
    word = tokens[0]
    if word.startswith("-"):
        return f"there is no option {word}{suggestion(word, FLAGS)}"
    given = shell_words(*path, word)
    names = _names(_group(root, path))
    commands = _meant(tokens, path, root) or _with_name(word, path)
    meant = " or ".join(f"'mdfactory {command}'" for command in commands)
    hint = f" (did you mean {meant}?)" if meant else ""
    return f"there is no command '{given}'{hint}; there are {', '.join(names)}"


def _meant(tokens: Sequence[str], path: Sequence[str], root: App) -> list[str]:
    """Return the commands that were probably meant; none if that is not clear."""
    word, *others = tokens
    if f"--{word}" in FLAGS:
        return [shell_words(*(path if word == "help" else ()), f"--{word}")]
    is_path = os.sep in word or os.path.exists(word)
    if is_path and path[-1:] == ["push"]:
        return [shell_words(*path, "all", word)]
    word = SYNONYMS.get(word, word)
    commands = list(_walk(root))
    own = [command for command in commands if command[:-1] == tuple(path)]
    for choices in (own, commands):
        found = get_close_matches(word, {command[-1] for command in choices}, 1, 0.7)
        same = [command for command in choices if command[-1:] == tuple(found)]
        # Of those with the word, the ones whose other words were given, too; then the shortest.
        best = max((_rank(command, path, others) for command in same), default=None)
        nearest = [" ".join(each) for each in same if _rank(each, path, others) == best]
        if nearest:
            return nearest if len(nearest) <= MAX_MEANT else []
    return []


def _with_name(word: str, path: Sequence[str]) -> list[str]:
    """Return the command that takes the name of a result, if such a name was given in its place."""
    if not (WITH_HASH.intersection(path[-1:]) and RESULT_NAME_PATTERN.fullmatch(word)):
        return []
    artifacts = {
        name
        for result_type, name in Catalogue().all_results()
        if result_type is ResultType.artifact
    }
    kind = "artifact" if word in artifacts else "analysis"
    command = "artifacts" if kind == "artifact" and path[-1] == "pull" else "analysis"
    return [shell_words(*path, command, f"--{kind}-name", word)]


def _group(root: App, path: Sequence[str]) -> App:
    """Return the group of commands at a path."""
    return reduce(App.__getitem__, path, root)


def _rank(command: Sequence[str], path: Sequence[str], others: Sequence[str]) -> tuple[int, int]:
    """Return how well a command agrees with the words that were given, and how short it is."""
    return len({*command} & {*path, *others}), -len(command)


def _walk(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and group below a group."""
    for name in _names(app):
        yield (*path, name)
        yield from _walk(app[name], (*path, name))


def _names(app: App) -> list[str]:
    """Return the names of the commands of a group, in its order."""
    return [name for name in app if not name.startswith("-") and app[name].show]


def _unexpected(tokens: Sequence[str], path: Sequence[str]) -> str:
    """Return the message if there are more arguments than the command takes."""
    words = [f"'{token}'" for token in tokens]
    noun = "argument" if len(words) == 1 else "arguments"
    return f"unexpected {noun} {', '.join(listed(words))}{_hint(tokens, path)}"


def _hint(tokens: Sequence[str], path: Sequence[str]) -> str:
    """Return what the arguments were probably meant to be."""
    word, option = tokens[0], NAME_OPTIONS.get(path[-1])
    if not OPERATORS.isdisjoint(tokens):
        return "; write a condition in quotes: --where 'FIELD OP VALUE'"
    takes_source = TAKING_SOURCE.intersection(path)
    if takes_source and (len(tokens) > MAX_LISTED or all(map(os.path.exists, tokens))):
        return "; give one SOURCE: write a glob pattern in quotes, so that no shell expands it"
    if WITH_HASH.intersection(path) and HASH_PREFIX.fullmatch(word):
        return f" (did you mean --hash {word}?)"
    if option and RESULT_NAME_PATTERN.fullmatch(word):
        return f" (did you mean {option} {word}?)"
    if "pull" in path and os.path.exists(word):
        return f"; records are read from the store: select them by --where 'directory ~ {word}'"
    return ""


def _unknown_option(error: UnknownOptionError, path: Sequence[str], root: App) -> str:
    """Return the message if a command has no such option, with the option that is like it."""
    given = (error.token.keyword or error.token.value).partition("=")[0]
    group = _group(root, path[:-1])
    # The other commands of a group such as push do alike; those of sync do something else.
    alike = _names(group) if len(path) > len(("sync", "verify")) else []
    owners = [name for name in alike if given in _options(group[name])]
    options = _options(_group(root, path))
    command = f"'{' '.join(path)}'" if path else "the program"
    named = [name for name in options if given.lstrip("-") in name.lstrip("-").split("-")]
    # The hyphens, which all options have, make none of them more alike.
    similar = get_close_matches(given.lstrip("-"), {name.lstrip("-") for name in options}, 1)
    named = named or [repr(name) for name in options if name.lstrip("-") in similar][:1]
    hint = f" (did you mean {' or '.join(named)}?)" if named else ""
    if given == "--hash" and "--where" in options:
        hint = " (did you mean --where 'hash ~ PREFIX'?)"
    elif owners:
        hint = f" ('mdfactory {' '.join([*path[:-1], owners[0]])}' has it)"
    return f"{command} has no option {given}{hint}"


def _options(app: App) -> list[str]:
    """Return the names of the options of a command; none for a group."""
    if app.default_command is None:
        return []
    return [
        name
        for argument in app.assemble_argument_collection()
        if argument.parse
        for name in argument.names
        if name.startswith("-")
    ]


def _missing(error: MissingArgumentError) -> str:
    """Return the message if an argument, or the value of an option, is missing."""
    argument = error.argument
    if argument is None:
        return ""
    name = error.keyword or argument.name
    if argument.tokens or error.keyword:
        return f"{name} needs a value"
    return f"{name} is missing"


def _invalid_value(error: CoercionError) -> str:
    """Return the message if the value of an option is of another kind."""
    if error.token is None:
        return ""
    choices = _choices(error.target_type)
    value = error.token.value
    subject = f"{_name_of(error)} {value}:"
    if error.msg is not None:
        return f"{subject} {str(error.msg).removeprefix(f'{value}: ')}"
    if choices:
        return f"{subject} expected one of {', '.join(choices)}{suggestion(value, choices)}"
    expected = EXPECTED.get(error.target_type or str, "")
    return expected and f"{subject} expected {expected}"


def _choices(target_type: Any) -> list[str]:
    """Return the values that a type has, if they are known."""
    if get_origin(target_type) is Literal:
        return [str(value) for value in get_args(target_type)]
    if isinstance(target_type, type) and issubclass(target_type, Enum):
        return [str(member.value) for member in target_type]
    return []


def _refused_value(error: ValidationError) -> str:
    """Return the message if a value, or a combination of options, is not possible."""
    reason = error.exception_message.rstrip(".")
    if error.argument is None or not error.argument.tokens:
        return reason[:1].lower() + reason[1:]
    value = error.argument.tokens[0].value
    return f"{_name_of(error)} {value}: {reason[:1].lower()}{reason[1:]}"


def _name_of(error: CoercionError | ValidationError) -> str:
    """Return the option as it was given, or the name of the argument."""
    tokens = error.argument.tokens if error.argument else []
    token = getattr(error, "token", None) or (tokens[0] if tokens else None)
    if token is not None and token.keyword:
        return str(token.keyword)
    return error.argument.name.lstrip("-").upper() if error.argument else "argument"


Describe = Callable[[Any, Sequence[str], App], str]

DESCRIPTIONS: Final[Mapping[type[CycloptsError], Describe]] = {
    UnknownCommandError: lambda error, path, root: _unknown_command(
        error.unused_tokens or [""], path, root
    ),
    UnusedCliTokensError: lambda error, path, _: _unexpected(error.unused_tokens or [], path),
    UnknownOptionError: _unknown_option,
    RepeatArgumentError: lambda error, *_: f"{error.token.keyword} is given more than once",
    MissingArgumentError: lambda error, *_: _missing(error),
    CoercionError: lambda error, *_: _invalid_value(error),
    ValidationError: lambda error, *_: _refused_value(error),
}
"""Error of the parser -> function that returns its message; empty if the parser's words are used.

Its arguments are the error, the words of the command, and the tree of all commands.
"""
