"""The exceptions of the package; each message says what happened, to what, and what to run.

This module catches and prints nothing. Only the command line catches `MDFactoryError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MAX_LISTED = 3
"""Number of entries of a list that a message names."""

MAX_LISTED_GROUPS = 8
"""Number of groups of frames that a message describes."""

HASH_PREFIX_DIGITS = 12
"""Digits of a hash in a message."""

HASH_AT_BEGIN = re.compile(r"^([0-9A-F]{12})[0-9A-F]{28}\b")
"""The hash at the beginning of a key; the group has the first digits."""

SAME_HASH_HINT = (
    "Independent runs of one composition have one hash, unless something in their BuildInputs "
    "differs, such as system.ionization.seed"
)
"""Why a simulation may be in several folders, and how to record each of them."""

SAME_NAME_HINT = (
    "Adopted simulations differ by system.name: adopt folders of different roots with --prefix. If "
    "a folder was copied to start a replica, delete the build.yaml of the copy, and adopt it again"
)
"""The same of adopted simulations."""

NOTHING_NEW = "there is nothing new: all records are already in the store, unchanged"

REPEATED_PUSH = (
    "To repeat this again and again, add --update: it writes new and changed records, and is no "
    "error if there are none. (--diff: only new records; --force: all)"
)
"""What to do if there is nothing to push."""

CONFLICT_MODES = (
    "Repeat with --diff to add only the missing records, --update to also replace changed records, "
    "or --force to overwrite all."
)
"""What to do if some records are in the store."""

NO_STORE = "No store yet"
"""Beginning of the message if a store has no record tables."""

MAX_REASON_CHARACTERS = 400
"""Length at which `one_line` truncates a reason."""


class MDFactoryError(Exception):
    """Base class of all errors that this package raises on purpose.

    Parameters
    ----------
    message
        What happened, and to what.
    command
        Shell command that solves the problem; the message ends with ``Run: <command>``. Empty if
        there is none.
    details
        Data of the error in types that JSON has, for ``--json``.

    Examples
    --------
    >>> import mdfactory
    >>> try:
    ...     mdfactory.open_store(config="lab.ini")
    ... except mdfactory.MDFactoryError as error:
    ...     print(error.command)
    mdfactory config init --config lab.ini
    """

    def __init__(self, message: str, *, command: str = "", **details: object) -> None:
        super().__init__(message)
        self.command = command
        self.details = details

    def __str__(self) -> str:
        message = super().__str__()
        end = "" if message.endswith("?") else "."
        return f"{message}{end} Run: {self.command}" if self.command else message


class ConfigError(MDFactoryError, ValueError):
    """The configuration cannot be read or written, or a value in it is invalid."""


class UnsupportedPlatformError(MDFactoryError, ImportError):
    """The package does not run on this operating system."""


class SourceError(MDFactoryError, LookupError):
    """A SOURCE does not exist, is of the wrong kind, or contains no simulation.

    Parameters
    ----------
    source
        The SOURCE as the user gave it.
    reason
        What is wrong with it, and what is expected.
    command
        Shell command that solves the problem.
    """

    def __init__(self, source: str, reason: str, *, command: str = "") -> None:
        super().__init__(f"{source}: {reason}", command=command)
        self.source = source
        self.reason = reason


class UnknownSimulationError(SourceError):
    """A BuildInput has a simulation type, parametrization or engine that is not known here."""


class BuildInputError(MDFactoryError, ValueError):
    """A BuildInput is invalid.

    Parameters
    ----------
    problems
        ``(field, reason)`` pairs; a field is a dotted path such as ``system.species.0.smiles``,
        or empty for the BuildInput as a whole.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        lines = [f"{field}: {reason}" if field else reason for field, reason in problems]
        super().__init__("; ".join(listed(lines)))
        self.problems = tuple(problems)


class InvalidRowsError(MDFactoryError, ValueError):
    """Rows of a campaign CSV are invalid.

    Parameters
    ----------
    file
        Path of the campaign CSV.
    problems
        ``(row, line, reason)`` of each invalid row: its number from 1, without the header, and
        the line of the file.
    warnings
        Warnings about the file, which may be the cause.
    hint
        What to do; may be empty.
    outcome
        What that means for the command, such as ``nothing was written``; may be empty.
    """

    def __init__(
        self,
        file: str,
        problems: Sequence[tuple[int, int, str]],
        *,
        warnings: Sequence[str] = (),
        hint: str = "",
        outcome: str = "",
    ) -> None:
        lines = [f"row {number} (line {line}): {reason}" for number, line, reason in problems]
        total = counted(len(problems), "invalid row")
        head = f"{file}: {total}{outcome and f'; {outcome}'}:"
        names = ("row", "line", "reason")
        super().__init__(
            "\n".join(["\n  ".join([head, *lines]), *warnings, *([f"{hint}."] if hint else ())]),
            problems=[dict(zip(names, problem, strict=True)) for problem in problems],
            warnings=list(warnings),
        )
        self.problems = tuple(problems)


class RegistryError(MDFactoryError, ValueError):
    """The registry of a simulation's results cannot be read."""


class ResultError(MDFactoryError, ValueError):
    """A result of a simulation cannot be loaded, recorded or removed."""


class FrameCorruptError(MDFactoryError, ValueError):
    """The stored form of a frame is damaged: it differs from what was written."""


class FrameTooLargeError(MDFactoryError, ValueError):
    """A frame, written as text, is larger than one cell of a store may be.

    Parameters
    ----------
    limit
        Largest size of a cell in bytes.
    shape
        Text such as ``2,000 rows of 10 columns``, if the number of cells alone shows that the
        frame is too large; else empty.
    """

    def __init__(self, limit: int, shape: str = "") -> None:
        subject = f"has {shape}: it " if shape else ""
        super().__init__(
            f"{subject}takes more than {limit >> 20} MiB as text, the limit of a cell in a store"
        )


class SchemasDifferError(MDFactoryError, ValueError):
    """Frames cannot be joined into one table, because their columns differ.

    Parameters
    ----------
    groups
        ``(hashes, columns)`` pairs: simulations whose frames have the same columns, and a
        description of these columns.
    reason
        Why the columns cannot be joined even with ``--union``; empty without ``--union``.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[str], str]], reason: str = "") -> None:
        lines = [_group_line(hashes, columns) for hashes, columns in groups]
        head = f"cannot be joined: {one_line(reason)}" if reason else "differ in their columns"
        remedy = "" if reason else ", or join the frames with --union"
        super().__init__(
            "\n  ".join([f"the frames {head}:", *listed(lines, MAX_LISTED_GROUPS, " groups")])
            + f"\nSelect fewer simulations with --hash or --simulation-type{remedy}",
            groups=[{"hashes": tuple(hashes), "columns": columns} for hashes, columns in groups],
        )
        self.groups = tuple((tuple(hashes), columns) for hashes, columns in groups)


class InvalidNameError(MDFactoryError, ValueError):
    """The name of an analysis or artifact cannot be the name of a table."""


class DuplicateSimulationError(MDFactoryError, ValueError):
    """A push found the same simulation in several folders.

    Parameters
    ----------
    folders
        Hash of the simulation -> paths of its folders.
    hint
        Why that may be, and what to do.
    """

    def __init__(self, folders: Mapping[str, Sequence[str]], hint: str = SAME_HASH_HINT) -> None:
        lines = [f"{hash_}: {', '.join(paths)}" for hash_, paths in folders.items()]
        total = counted(len(folders), "simulation")
        head = f"{total} found in more than one folder; nothing was written:"
        self.folders = {hash_: tuple(paths) for hash_, paths in folders.items()}
        super().__init__(
            "\n  ".join([head, *listed(lines)]) + f"\n{hint}. To push the most advanced "
            "folder of each simulation, repeat with --update, --diff or --force.",
            folders=self.folders,
        )


class ConflictError(MDFactoryError, ValueError):
    """Some records of a push or copy exist in the store, and no conflict mode was chosen.

    Parameters
    ----------
    conflicts
        Table name -> keys of the records that exist, each as text.
    hint
        Why they may exist, and what to do.
    nothing_new
        Whether all records exist, and none has changed.
    """

    def __init__(
        self, conflicts: Mapping[str, Sequence[str]], hint: str = "", *, nothing_new: bool = False
    ) -> None:
        self.conflicts = {table: tuple(keys) for table, keys in conflicts.items()}
        self.hint = hint
        self.nothing_new = nothing_new
        head = NOTHING_NEW if nothing_new else "some records are already in the store"
        remedy = REPEATED_PUSH if nothing_new else CONFLICT_MODES
        super().__init__(
            f"{head}; nothing was written:{_record_lines(conflicts)}"
            + (f"\n{hint}" if hint else "")
            + f"\n{remedy}",
            conflicts=self.conflicts,
        )


class UndoError(MDFactoryError):
    """There is no operation to undo, or the operation cannot be undone."""


class ChangedSinceError(UndoError):
    """An operation cannot be undone, because its records have changed since.

    Parameters
    ----------
    operation
        Number of the operation.
    changed
        Table name -> keys of the changed records, each as text.
    by
        Number of the latest operation that changed them; 0 if none is known that did.
    """

    def __init__(
        self, operation: int, changed: Mapping[str, Sequence[str]], *, by: int = 0
    ) -> None:
        self.changed = {table: tuple(keys) for table, keys in changed.items()}
        cause = (
            "If the log lists the operation that changed them, undo that one first, by its number"
        )
        if by:
            cause = f"Operation {by} changed them: undo that one first"
        super().__init__(
            f"some records have changed since operation {operation}; nothing was undone:"
            f"{_record_lines(changed)}\n{cause}",
            command=f"mdfactory sync undo {by}" if by else "mdfactory sync log",
            changed=self.changed,
        )


class StoreError(MDFactoryError, OSError):
    """The store cannot be reached, read or written; its content is then unknown."""


class NotInitialisedError(StoreError, LookupError):
    """A record table is missing from the store, or the store has none at all.

    Parameters
    ----------
    table
        Name of the missing table; empty if the store has no record table.
    location
        Path or URL of the store, without a password.
    command
        Shell command that creates the table; not used if the store has no record table.
    """

    def __init__(self, table: str, location: str, command: str = "") -> None:
        problem = f"{location} has no table"
        message = f"{problem} {table}" if table else f"{NO_STORE}: {problem}s"
        super().__init__(message, command=command if table else "mdfactory sync init all")
        self.table = table
        self.location = location


class StoreChangedError(StoreError):
    """Another program changed the store while this one was reading it or preparing a write."""


class StoreLockedError(StoreError, TimeoutError):
    """Another program holds the lock of the store, and did not release it in time."""


class StoreVersionError(StoreError):
    """A newer version of this package wrote the store."""


class FileStoreError(MDFactoryError, OSError):
    """The file store cannot be reached, read or written; its content is then unknown."""


class MissingFileError(FileStoreError, LookupError):
    """The file store has no file with this checksum."""


class WrongFileError(MDFactoryError, ValueError):
    """The content of a file is not that of its checksum."""


class UnknownNameError(MDFactoryError, LookupError):
    """The store has no analysis or artifact of this name.

    Parameters
    ----------
    kind
        Kind of result: ``analysis`` or ``artifact``.
    name
        The unknown name.
    location
        Path or URL of the store, without a password.
    names
        Names of the results of this kind of which the store has records.
    other
        The other kind, if the store has a result of that kind with this name; else empty.
    """

    def __init__(
        self, kind: str, name: str, location: str, names: Sequence[str], other: str = ""
    ) -> None:
        problem, command = f"{location} has no {kind} named {name!r}", ""
        if other:
            problem += f", but an {other} of this name"
            group = "artifacts" if other == "artifact" else other
            command = f"mdfactory sync pull {group} --{other}-name {name}"
        else:
            problem += f"{suggestion(name, names)}; it has {', '.join(names)}"
        super().__init__(problem, command=command)
        self.names = tuple(names)


class UsageError(MDFactoryError, ValueError):
    """The arguments of a command contradict each other, or a value is invalid."""


class QueryError(UsageError):
    """A query is invalid, such as a filter by a column that the table does not have."""


class OutputError(MDFactoryError, OSError):
    """An output file or folder cannot be written."""


class DeclinedError(MDFactoryError):
    """The user declined, or the question could not be asked because there is no terminal."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 record`` or ``2,000 records``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_bytes(number: int) -> str:
    """Return a number of bytes such as ``812 B``, ``3.4 MB`` or ``1.2 TB``."""
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:  # noqa: PLR2004  # rounded, it has at most three digits
            break
        value, unit = value / 1000, larger
    digits = 1 if unit != "B" and value < 9.95 else 0  # noqa: PLR2004
    return f"{value:.{digits}f} {unit}"


def one_line(reason: object) -> str:
    """Return a reason on one line, truncated if it is very long."""
    line = " ".join(str(reason).split())
    if len(line) <= MAX_REASON_CHARACTERS:
        return line
    return f"{line[:MAX_REASON_CHARACTERS]}…"


def displayed(name: str) -> str:
    """Return a name as messages show it.

    The name is quoted if it is empty, begins with a character that is no letter, digit or
    underscore, or contains unprintable characters or unusual whitespace.
    """
    is_plain = re.fullmatch(r"[^\W](\S| \S)*", name) and name.isprintable()
    return name if is_plain else repr(name)


def suggestion(given: str, known: Iterable[str], prefix: str = "") -> str:
    """Return in parentheses which of the known texts was meant; nothing if none is similar.

    `prefix` is what stands before the given text, and before the one that was meant.
    """
    meant = most_similar(given, known)
    return f" (did you mean '{prefix}{meant}'?)" if meant else ""


def most_similar(given: str, known: Iterable[str]) -> str:
    """Return which of the known texts was meant; empty if none is similar."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(given, sorted(known), 1)), "")


def listed(lines: Sequence[str], limit: int = MAX_LISTED, noun: str = "") -> list[str]:
    """Return the first lines of a list, and how many more there are."""
    more = [f"and {len(lines) - limit} more{noun}"] if len(lines) > limit else []
    return [*lines[:limit], *more]


def step(text: str, commands: Sequence[str]) -> str:
    """Return a text with its command, or with the first of several on lines of their own."""
    if len(commands) == 1:
        return f"{text}: {commands[0]}"
    return "\n  ".join([f"{text}:", *listed(commands)])


def _group_line(hashes: Sequence[str], columns: str) -> str:
    """Return the line of a message for simulations whose frames have the same columns."""
    listed = [hash_[:HASH_PREFIX_DIGITS] for hash_ in hashes[:MAX_LISTED]]
    more = ["..."] * (len(hashes) > MAX_LISTED)
    return f"{counted(len(hashes), 'simulation')} ({', '.join(listed + more)}): {columns}"


def _record_lines(keys_by_table: Mapping[str, Sequence[str]]) -> str:
    """Return a line for each table: its number of records, and the first keys, shortened."""
    lines = []
    for table, keys in keys_by_table.items():
        more = f" and {len(keys) - MAX_LISTED} more" if len(keys) > MAX_LISTED else ""
        listed = ", ".join(HASH_AT_BEGIN.sub(r"\1", key) for key in keys[:MAX_LISTED])
        lines.append(f"\n  {table}: {counted(len(keys), 'record')}: {listed}{more}")
    return "".join(lines)
