"""Every error a user can meet, each saying what, where and the next command to type.

Nothing is caught or printed here: the command line alone catches the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "BuildInputError",
    "ChangedSinceError",
    "ConfigError",
    "ConflictError",
    "DeclinedError",
    "DuplicateSimulationError",
    "FrameCorruptError",
    "FrameTooLargeError",
    "InvalidNameError",
    "InvalidRowsError",
    "MDFactoryError",
    "NotInitialisedError",
    "OutputError",
    "QueryError",
    "RegistryError",
    "ResultError",
    "SchemasDifferError",
    "SourceError",
    "StoreChangedError",
    "StoreError",
    "StoreLockedError",
    "StoreVersionError",
    "UndoError",
    "UnknownNameError",
    "UnsupportedPlatformError",
    "UsageError",
    "counted",
    "one_line",
]

SHOWN = 3
"""Items of a list that a message names."""

GROUPS = 8
"""Groups of frames that a message tells of."""

SHORT = 12
"""Digits of a hash in a message."""

LONGEST = 400
"""Characters of a reason that is said in one line."""


class MDFactoryError(Exception):
    """Root of all errors that this package raises on purpose.

    Parameters
    ----------
    message
        What is wrong, and where.
    command
        The next command to type, if there is one.

    Examples
    --------
    >>> import mdfactory
    >>> try:
    ...     mdfactory.open_store("sqlite:///empty").systems()
    ... except mdfactory.MDFactoryError as error:
    ...     print(error.command)
    mdfactory sync init systems
    """

    def __init__(self, message: str, *, command: str = "") -> None:
        super().__init__(message)
        self.command = command

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}. Run: {self.command}" if self.command else message

    @property
    def details(self) -> dict[str, object]:
        """What the error is about, for programs."""
        return {}


class ConfigError(MDFactoryError, ValueError):
    """The configuration cannot be read or holds a value that is not allowed."""


class UnsupportedPlatformError(MDFactoryError, ImportError):
    """The package does not run on this operating system."""


class SourceError(MDFactoryError, LookupError):
    """A SOURCE does not exist, is of the wrong kind, or holds no simulation.

    Parameters
    ----------
    source
        The SOURCE as it was given.
    reason
        What is wrong with it, and what would be right.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source


class BuildInputError(MDFactoryError, ValueError):
    """A BuildInput breaks the rules of its model.

    Parameters
    ----------
    problems
        ``(field, what is wrong)`` pairs; a field is a dotted path such as
        ``system.species.0.smiles``.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        shown = [f"{field}: {what}" if field else what for field, what in problems[:SHOWN]]
        if len(problems) > SHOWN:
            shown.append(f"and {len(problems) - SHOWN} more")
        super().__init__("; ".join(shown))
        self.problems = tuple(problems)


class InvalidRowsError(MDFactoryError, ValueError):
    """Rows of a campaign CSV are invalid.

    Parameters
    ----------
    file
        The campaign CSV.
    problems
        Number of the row, line of the file, and what is wrong, of each invalid row.
    """

    def __init__(self, file: str, problems: Sequence[tuple[int, int, str]]) -> None:
        lines = [f"  row {number} (line {line}): {reason}" for number, line, reason in problems]
        found = counted(len(problems), "invalid row")
        super().__init__("\n".join([f"{file}: {found}; nothing was written:", *lines]))
        self.problems = tuple(problems)

    @property
    def details(self) -> dict[str, object]:
        """The problem of each row."""
        names = ("row", "line", "reason")
        return {"problems": [dict(zip(names, one, strict=True)) for one in self.problems]}


class RegistryError(MDFactoryError, ValueError):
    """The registry of a simulation's results cannot be read."""


class ResultError(MDFactoryError, ValueError):
    """A result of a simulation cannot be loaded or recorded."""


class FrameCorruptError(MDFactoryError, ValueError):
    """What a store holds of a frame is not what was put there."""


class FrameTooLargeError(MDFactoryError, ValueError):
    """A frame takes more text than a cell of a store may hold.

    Parameters
    ----------
    limit
        Bytes that it may take.
    shape
        Its rows and columns, if they say enough.
    """

    def __init__(self, limit: int, shape: str = "") -> None:
        has = f"has {shape}: it " if shape else ""
        super().__init__(
            f"{has}takes more than {limit >> 20} MiB as text, "
            "which is all that a store takes in a cell"
        )


class SchemasDifferError(MDFactoryError, ValueError):
    """Frames that were to become one have different columns.

    Parameters
    ----------
    groups
        Hashes of simulations whose frames are alike, and what they are like.
    reason
        Why they cannot be joined, if they were to be.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[str], str]], reason: str = "") -> None:
        lines = []
        for hashes, what in groups[:GROUPS]:
            first = ", ".join(hash_[:SHORT] for hash_ in hashes[:SHOWN])
            more = ", ..." if len(hashes) > SHOWN else ""
            lines.append(f"  {counted(len(hashes), 'simulation')} ({first}{more}): {what}")
        if len(groups) > GROUPS:
            lines.append(f"  and {len(groups) - GROUPS} more groups")
        head = f"cannot be joined: {one_line(reason)}" if reason else "differ in their columns"
        remedy = "" if reason else " or join them with --union"
        super().__init__(
            f"the frames {head}:\n"
            + "\n".join(lines)
            + f"\nAsk for fewer simulations with --hash or --simulation-type,{remedy}".rstrip(",")
        )
        self.groups = tuple((tuple(hashes), what) for hashes, what in groups)

    @property
    def details(self) -> dict[str, object]:
        """The simulations of each group, and what their frames are like."""
        return {"groups": [{"hashes": hashes, "columns": what} for hashes, what in self.groups]}


class InvalidNameError(MDFactoryError, ValueError):
    """An analysis or artifact name that cannot name a table."""


class DuplicateSimulationError(MDFactoryError, ValueError):
    """One simulation stands in several folders of one push.

    Parameters
    ----------
    folders
        Hash -> the folders that hold it.
    """

    def __init__(self, folders: Mapping[str, Sequence[str]]) -> None:
        lines = [f"  {hash_}: {', '.join(paths)}" for hash_, paths in list(folders.items())[:SHOWN]]
        if len(folders) > SHOWN:
            lines.append(f"  and {len(folders) - SHOWN} more")
        super().__init__(
            f"{counted(len(folders), 'simulation')} found in more than one folder; "
            "nothing was written:\n"
            + "\n".join(lines)
            + "\nRemove the copies, or let --update, --diff or --force take the most advanced."
        )
        self.folders = {hash_: tuple(paths) for hash_, paths in folders.items()}

    @property
    def details(self) -> dict[str, object]:
        """The folders of each simulation."""
        return {"folders": self.folders}


class ConflictError(MDFactoryError, ValueError):
    """Records of a push are in the store already, and the mode does not say what to do.

    Parameters
    ----------
    conflicts
        Table name -> the keys that exist already, each as text.
    """

    def __init__(self, conflicts: Mapping[str, Sequence[str]]) -> None:
        super().__init__(
            "already in the store; nothing was written:\n"
            + "\n".join(_named(conflicts))
            + "\nRepeat with --diff to add only what is missing, --update to also renew what "
            "changed, or --force to overwrite."
        )
        self.conflicts = {table: tuple(keys) for table, keys in conflicts.items()}

    @property
    def details(self) -> dict[str, object]:
        """The keys that exist, by table."""
        return {"conflicts": self.conflicts}


class UndoError(MDFactoryError):
    """There is nothing to undo, or it cannot be undone."""


class ChangedSinceError(UndoError):
    """Records are no longer as the operation left them that was to be undone.

    Parameters
    ----------
    operation
        Its number.
    changed
        Table name -> the keys of those records, each as text.
    """

    def __init__(self, operation: int, changed: Mapping[str, Sequence[str]]) -> None:
        super().__init__(
            f"no longer as operation {operation} left them; nothing was undone:\n"
            + "\n".join(_named(changed))
            + "\nWhat changed them since? If it is in the log, undo that first, by its number",
            command="mdfactory sync log",
        )
        self.changed = {table: tuple(keys) for table, keys in changed.items()}

    @property
    def details(self) -> dict[str, object]:
        """The keys of the records, by table."""
        return {"changed": self.changed}


class StoreError(MDFactoryError, OSError):
    """The store cannot be reached, read or written; never to be taken for an empty one."""


class NotInitialisedError(StoreError, LookupError):
    """A record table is missing from the store.

    Parameters
    ----------
    table
        Name of the missing table.
    location
        The store, as a user would name it.
    command
        The command that creates the table.
    """

    def __init__(self, table: str, location: str, command: str) -> None:
        super().__init__(f"{location} has no table {table}", command=command)
        self.table = table


class StoreChangedError(StoreError):
    """The store is no longer as it was when a decision was made about it."""


class StoreLockedError(StoreError, TimeoutError):
    """Another program holds the store, and kept it for longer than we may wait."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of this program."""


class UnknownNameError(MDFactoryError, LookupError):
    """The store has no analysis or artifact of this name.

    Parameters
    ----------
    kind
        What it would be: ``analysis`` or ``artifact``.
    name
        Its name.
    location
        The store, as a user would name it.
    names
        Those that the store has.
    """

    def __init__(self, kind: str, name: str, location: str, names: Sequence[str]) -> None:
        known = ", ".join(names)
        super().__init__(f"{location} has no {kind} named {name!r}; it has {known}")
        self.names = tuple(names)


class UsageError(MDFactoryError, ValueError):
    """The command line is wrong in a way that its parser does not see."""


class QueryError(UsageError):
    """A filter or a sort names a column that the table does not have."""


class OutputError(MDFactoryError, OSError):
    """A result cannot be written to the place that was asked for."""


class DeclinedError(MDFactoryError):
    """The user said no, or could not be asked."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 record`` or ``2,000 records``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(reason: object) -> str:
    """Return a reason on one line, cut if it is very long."""
    line = " ".join(str(reason).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _named(records: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line for each table: how many of its records, and the keys of the first."""
    lines = []
    for table, keys in records.items():
        first = ", ".join(keys[:SHOWN])
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        lines.append(f"  {table}: {counted(len(keys), 'record')}: {first}{more}")
    return lines
