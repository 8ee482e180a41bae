"""The command that writes a report of the store: one page that opens without a network."""

from __future__ import annotations

import re
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, Token

from mdfactory.cli.completion import field_names
from mdfactory.cli.options import (
    FILTER_GROUP,
    NO_SEARCH,
    Command,
    HashPrefix,
    ResultNames,
    SearchOptions,
    TypeFilter,
    UserPath,
)
from mdfactory.cli.session import CurrentSession, Exit, Session
from mdfactory.errors import counted
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationStatus

if TYPE_CHECKING:
    from mdfactory.report.campaign.attention import Commands
    from mdfactory.report.campaign.snapshot import Filters
    from mdfactory.report.content import ReportOptions
    from mdfactory.report.report import Report

app = Command(name="report")

SIZE: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d+)?)\s*(?P<unit>[KMG]?)B?", re.IGNORECASE)
"""A size: decimal, so 1 MB is 1,000,000 bytes."""

RELATIVE_CONFIG: Final = (
    "Run the commands where this report was made: the path of --config is relative to that folder."
)

HIDDEN_CONFIG: Final = (
    "FILE stands for the path of {}, the configuration file with which this report was made."
)


def _to_bytes(_: type, tokens: Sequence[Token]) -> int:
    """Return the bytes of a size such as ``10MB``."""
    match = SIZE.fullmatch(tokens[0].value.strip())
    if not match:
        raise ValueError(f"{tokens[0].value!r:.60} is no size; expected one such as 10MB or 500kB")
    return int(float(match["number"]) * 1000 ** " KMG".index(match["unit"].upper() or " "))


Size = Annotated[int, Parameter(converter=_to_bytes)]


@Parameter(name="*", group=FILTER_GROUP)
@dataclass(frozen=True, slots=True)
class FilterOptions:
    """Which simulations the report is about.

    Parameters
    ----------
    simulation_type
        Type of the simulation.
    status
        How far the simulation has come.
    parametrization
        Source of the force-field parameters.
    engine
        Program that runs the simulation.
    """

    hash_: HashPrefix = None
    simulation_type: TypeFilter = None
    status: SimulationStatus | str | None = None
    parametrization: Parametrization | str | None = None
    engine: Engine | str | None = None
    search: SearchOptions = NO_SEARCH

    def filters(self) -> Filters:
        """Return these options as filters."""
        from mdfactory.report.campaign.snapshot import Filters

        names = ("simulation_type", "status", "parametrization", "engine")
        equal: dict[str, str | None] = {name: getattr(self, name) for name in names}
        given: Mapping[str, str | None] = {"hash": self.hash_, **equal}
        words = [
            f"--{name.replace('_', '-')} {text}" for name, text in given.items() if text is not None
        ]
        options = self.search.words
        words += [f"{option} {text}" for option, text in zip(*[iter(options)] * 2, strict=True)]
        return Filters(self.hash_, equal, self.search.search(), tuple(words))


NO_FILTERS: Final = FilterOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ContentOptions:
    """What the report shows.

    Parameters
    ----------
    analysis_name
        Show this analysis only. The option may be repeated.
    title
        Title of the page. Default: the name of the campaign's common folder.
    colour
        Field or column by which curves are coloured. Default: the number in the BuildInputs that
        has most distinct values, fractions first.
    from_
        What statistics leave out as equilibration: a share of the time range, or a time, such as
        20%, 200ps or 0.2ns.
    max_size
        Maximum size of the page, such as 10MB. To fit, curves have fewer points, then pictures
        become smaller; the page says so.
    no_artifacts
        Do not read the files of artifacts.
    with_paths
        Show absolute paths. By default no path, user or host is in the page.
    """

    analysis_name: ResultNames = ()
    title: str | None = None
    colour: Annotated[str | None, Parameter(completer=field_names)] = None
    from_: Annotated[str, Parameter(name="--from")] = "0"
    max_size: Size = 10_000_000
    no_artifacts: Annotated[bool, Parameter(negative=())] = False
    with_paths: bool = False

    def report_options(self, filters: Filters, session: Session) -> ReportOptions:
        """Return these options as arguments of `report.report.write_report`."""
        from mdfactory.config.passwords import mask_password
        from mdfactory.frames.statistics import parse_start
        from mdfactory.report.content import ReportOptions

        return ReportOptions(
            filters=filters,
            analyses=self.analysis_name,
            title=self.title,
            colour=self.colour,
            start=parse_start(mask_password(self.from_)),
            max_bytes=self.max_size,
            artifacts=not self.no_artifacts,
            with_paths=self.with_paths,
            commands=page_commands(session, with_paths=self.with_paths),
        )


DEFAULTS: Final = ContentOptions()


@app.default
def report(
    path: UserPath = Path("mdfactory-report.html"),
    /,
    *,
    content: ContentOptions = DEFAULTS,
    filters: FilterOptions = NO_FILTERS,
    statistics: UserPath | None = None,
    open_: Annotated[bool, Parameter(name="--open")] = False,
    session: CurrentSession,
) -> int:
    """Write a report of the store: one page with all plots, which opens without a network.

    Parameters
    ----------
    path
        File of the page. An earlier report is replaced, another file is not.
    statistics
        Write the statistics to this file, too: .jsonl and .json as JSON lines, .parquet as
        Parquet, .csv.gz as compressed CSV, other names as CSV.
    open_
        Show the page in the browser.

    Examples
    --------
    mdfactory report
    mdfactory report week.html --status completed --simulation-type bilayer --open
    mdfactory report --colour system.species.MEO.fraction --from 20%
    """
    from mdfactory.campaign.simulation import Skipped
    from mdfactory.report.report import require_report

    require_report()
    terminal = session.terminal
    options = content.report_options(filters.filters(), session)
    written = _write(session, path, options, statistics)
    terminal.complete = True
    parts = (text.partition(": ") for text in written.skipped)
    skipped = [Skipped(name, reason) for name, _, reason in parts]
    terminal.problems((), skipped)
    values = asdict(written) | {"skipped": list(map(asdict, skipped))}
    terminal.result("\n".join(_lines(written)), values, complete=True)
    if open_:
        webbrowser.open(path.absolute().as_uri())
    return Exit.skipped if skipped else Exit.done


def page_commands(session: Session, *, with_paths: bool = False) -> Commands:
    """Return how the commands of a page reach the store of a session.

    A page shows no path from which a user or machine may be read, unless `with_paths`.
    """
    from mdfactory.report.campaign.attention import Commands

    config = session.config
    if not config:
        return Commands()
    if with_paths and config.is_absolute():
        return Commands(session.program, "")
    if with_paths or not (config.is_absolute() or ".." in config.parts):
        return Commands(session.program, RELATIVE_CONFIG)
    program = replace(session, config=Path("FILE")).program
    return Commands(program, HIDDEN_CONFIG.format(config.name))


def _write(session: Session, path: Path, options: ReportOptions, statistics: Path | None) -> Report:
    from mdfactory.campaign.scan_index import indexed_reading
    from mdfactory.report.report import write_report

    stems = session.settings.stems
    with session.terminal.progress() as watch, indexed_reading(1, stems=stems) as reading:
        return write_report(
            session.store,
            path,
            options,
            statistics=statistics,
            catalogue=session.catalogue,
            files=session.configured_files,
            reading=reading,
            note=session.terminal.note,
            watch=watch,
        )


def _lines(report: Report) -> Iterator[str]:
    """Yield what was written, and what was left out of it."""
    counts = report.counts
    shown = [
        counted(counts["simulations"], "simulation"),
        f"{counts['analyses']:,} {'analysis' if counts['analyses'] == 1 else 'analyses'}",
        counted(counts["pictures"], "picture"),
    ]
    yield f"{', '.join(shown)} written to {report.path} ({report.bytes / 1e6:.1f} MB)"
    yield from (f"left out: {text}" for text in report.left_out)
