"""What commands share: their class, and options with their conversion to arguments of `sync`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import cleandoc
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, ArgumentCollection, Group, Parameter, Token, validators

from mdfactory.cli.command_help import CommandHelp
from mdfactory.cli.completion import field_names, hash_prefixes, result_names, tag_keys
from mdfactory.cli.layout import path_word
from mdfactory.errors import UsageError
from mdfactory.files import expand_home
from mdfactory.records.vocabulary import ConflictMode, SimulationType

if TYPE_CHECKING:
    from mdfactory.campaign.discover import Source
    from mdfactory.campaign.scan_index import Reading
    from mdfactory.cli.session import Session
    from mdfactory.sync.search import Search


POSITIONS: Final = count(1)
"""Positions of commands in the help of their group."""


class Command(App):
    """A command or a group of commands.

    A help ends with the examples of the docstring. The commands of a group are listed in the order
    of their functions.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"help_formatter": CommandHelp(), **kwargs})
        self._assembled: dict[Any, ArgumentCollection] = {}

    def assemble_argument_collection(self, **options: Any) -> ArgumentCollection:
        """Return the arguments; see `App`. For one command line, the parser asks five times."""
        key = (self.app_stack.default_parameter, *options.items())
        if key not in self._assembled:
            self._assembled[key] = super().assemble_argument_collection(**options)
        kept = self._assembled[key]
        arguments = kept.copy(reset_tokens=True)  # the parser changes them
        copies = dict(zip(map(id, kept), arguments, strict=True))
        for argument in arguments:
            argument.children = argument.children.copy()
            argument.children[:] = [copies[id(child)] for child in argument.children]
        return arguments

    def default(self, obj: Any = None, *, validator: Any = None) -> Any:
        """Register the function of a command; see `App.default`."""
        _, heading, examples = cleandoc(obj.__doc__ or "").partition("Examples\n--------\n")
        if heading:
            self.help_epilogue = format_examples(*examples.splitlines())
            self.sort_key = next(POSITIONS)
        return super().default(obj, validator=validator)


def format_examples(*lines: str) -> str:
    """Return command lines as the epilogue of a help."""
    return "\n".join(["Examples:", "", *(f"    {line}" for line in lines)])


CSV_GROUP: Final = Group("Campaign CSV", sort_key=1)
FILTER_GROUP: Final = Group(
    "Filters", help="A record is selected if it matches all filters.", sort_key=1
)
READING_GROUP: Final = Group("Reading", sort_key=3)


def _expand(_: type, tokens: Sequence[Token]) -> Path:
    return Path(expand_home(tokens[0].value))


def _whole_number(_: type, tokens: Sequence[Token]) -> int:
    """Return a number, such as that of ``--limit``; the parser's own rule would round 2.5."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise ValueError("expected a whole number") from error


def _underscored(value: str) -> str:
    """Return a value as records spell it, for a value with hyphens, too."""
    return value.replace("-", "_")


UserPath = Annotated[Path, Parameter(converter=_expand)]
"""A path that a user gives; the shell does not expand ``~`` in ``--output=~/x``."""

DryRun = Annotated[
    bool,
    Parameter(name=("--dry-run", "-n"), help="Show what would be written, and write nothing."),
]
HashPrefix = Annotated[
    str | None,
    Parameter(
        name="--hash",
        group=FILTER_GROUP,
        completer=hash_prefixes,
        help="First digits of the hash, in upper or lower case.",
    ),
]
Fields = Annotated[tuple[str, ...], Parameter(negative=(), completer=field_names, metavar="FIELD")]
Conditions = Annotated[Fields, Parameter(group=FILTER_GROUP, metavar="CONDITION")]
Texts = Annotated[tuple[str, ...], Parameter(negative=(), group=FILTER_GROUP)]
Tags = Annotated[Texts, Parameter(completer=tag_keys)]
FileJobs = Annotated[
    int | None,
    Parameter(
        name=("--jobs", "-j"),
        validator=validators.Number(gte=1, lte=256),
        help="Number of files to transfer at once. Default: automatic for a folder, else 8.",
    ),
]
Limit = Annotated[int | None, Parameter(converter=_whole_number)]
ResultName = Annotated[str | None, Parameter(completer=result_names)]
ResultNames = Annotated[tuple[str, ...], Parameter(negative=(), completer=result_names)]
SortColumn = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
TypeFilter = Annotated[
    SimulationType | str | None,
    Parameter(
        name="--simulation-type",
        group=FILTER_GROUP,
        metavar="TYPE",
        name_transform=_underscored,
    ),
]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"))]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Filters by the BuildInputs of simulations.

    Parameters
    ----------
    where
        Condition 'FIELD OP VALUE': FIELD is a dotted path of the BuildInput, as in a campaign CSV,
        or a column; OP is one of = != < <= > >= ~ (~: contains). The option may be repeated.
    contains
        SMILES, or smarts:PATTERN, that a species of the simulation contains. The option may be
        repeated.
    tag
        Tag of the simulation: KEY=VALUE or KEY. The option may be repeated.
    """

    where: Conditions = ()
    contains: Texts = ()
    tag: Tags = ()

    def search(self, fields: Sequence[str] = ()) -> Search:
        """Return the search of these options, with fields to add as columns."""
        from mdfactory.sync.search import parse_search

        return parse_search(self.where, self.contains, self.tag, fields)

    @property
    def words(self) -> list[str]:
        """The words of a command line that give these options again."""
        given = {"--where": self.where, "--contains": self.contains, "--tag": self.tag}
        return [word for name, texts in given.items() for text in texts for word in (name, text)]


NO_SEARCH: Final = SearchOptions()


def _refuse_two_modes(arguments: ArgumentCollection) -> None:
    if sum(bool(argument.tokens) for argument in arguments) > 1:
        raise ValueError("Give at most one of --diff, --update and --force")


CONFLICT_GROUP: Final = Group(
    "Conflicts",
    help="What to do with records that the store already has. "
    "Default: write nothing, and list them as conflicts.",
    validator=_refuse_two_modes,
    sort_key=2,
)


@Parameter(name="*", group=CONFLICT_GROUP)
@dataclass(frozen=True, slots=True)
class ConflictOptions:
    """What to do with records that the store already has.

    Parameters
    ----------
    diff
        Write new records only.
    update
        Write new records, and overwrite those whose content has changed.
    force
        Write all records, and overwrite those in the store.
    """

    diff: Annotated[bool, Parameter(name=("--diff", "--skip-existing"))] = False
    update: bool = False
    force: bool = False

    @property
    def mode(self) -> ConflictMode:
        """The conflict mode of these options."""
        modes = {
            ConflictMode.skip: self.diff,
            ConflictMode.force: self.force,
            ConflictMode.update: self.update,
        }
        return next((mode for mode, chosen in modes.items() if chosen), ConflictMode.refuse)


@Parameter(name="*", group=READING_GROUP)
@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How simulation folders are read.

    Parameters
    ----------
    jobs
        Number of folders and results to read at once. Default: automatic (1 on a fast local disk,
        8 on a slow network file system).
    no_cache
        Read all files, including those that have not changed since they were last read, and do not
        use the index of scans.
    """

    jobs: Annotated[
        int | None, Parameter(name=("--jobs", "-j"), validator=validators.Number(gte=1, lte=256))
    ] = None
    no_cache: bool = False

    @contextmanager
    def opened(self, session: Session) -> Iterator[Reading]:
        """Open the index of earlier scans, unless ``--no-cache`` is given."""
        from mdfactory.campaign.scan_index import indexed_reading

        stems = session.settings.stems
        with indexed_reading(self.jobs, use_index=not self.no_cache, stems=stems) as reading:
            yield reading


@Parameter(name="*", group=CSV_GROUP)
@dataclass(frozen=True, slots=True)
class CsvOptions:
    """A campaign CSV as the source of simulations.

    Parameters
    ----------
    csv
        Campaign CSV whose simulation folders are the source.
    csv_root
        Folder to search for the simulation folders of --csv, at any depth. Default: the current
        folder.
    """

    csv: UserPath | None = None
    csv_root: UserPath | None = None


def source_of(source: Path | None, table: CsvOptions) -> Source:
    """Return the source of simulations: SOURCE or a campaign CSV.

    Raises
    ------
    UsageError
        If both or neither are given, or --csv-root is given without --csv.
    """
    from mdfactory.campaign.discover import CsvSource

    if (source is None) == (table.csv is None):
        raise UsageError(
            "give either SOURCE (a folder such as /path/to/simulations, a glob pattern or a build "
            "summary) or --csv FILE"
        )
    if table.csv is not None:
        return CsvSource(table.csv, table.csv_root or Path())
    if table.csv_root is not None:
        raise UsageError("--csv-root needs --csv FILE")
    return str(source)


def source_words(source: Path | None, table: CsvOptions | None) -> list[str]:
    """Return the words of a command line that give this source again."""
    given = {"--csv": table and table.csv, "--csv-root": table and table.csv_root}
    options = [word for name, path in given.items() if path for word in (name, path_word(path))]
    return [*([path_word(source)] if source else []), *options]
