"""The commands that remove records from the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cyclopts import Parameter

from mdfactory.cli.logged import note_operation
from mdfactory.cli.options import (
    NO_SEARCH,
    Command,
    HashPrefix,
    ResultNames,
    SearchOptions,
    Yes,
    format_examples,
)
from mdfactory.cli.session import CurrentSession, Session
from mdfactory.errors import UsageError, counted
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.records.tables import Table
    from mdfactory.stores.store import Store
    from mdfactory.sync.clear import Selection

app = Command(
    name="clear",
    help="Remove records from the store.",
    help_epilogue=format_examples(
        "mdfactory sync clear systems --hash 24BD07",
        "mdfactory sync clear analysis --analysis-name area_per_lipid",
    ),
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ClearOptions:
    """Options of all clear commands.

    Parameters
    ----------
    yes
        Do not ask for confirmation.
    purge
        Keep no copy of the records: neither this nor any earlier operation can be undone.
    """

    hash_: HashPrefix = None
    search: SearchOptions = NO_SEARCH
    yes: Yes = False
    purge: bool = False


DEFAULTS: Final = ClearOptions()


@app.command
def systems(*, options: ClearOptions = DEFAULTS, session: CurrentSession) -> None:
    """Remove the records of simulations from the store. Files on disk are not touched.

    Examples
    --------
    mdfactory sync clear systems
    mdfactory sync clear systems --hash 24BD07 --yes
    mdfactory sync clear systems --where 'status = build' --tag project=trial
    """
    _clear(session, options, simulations=True)


@app.command
def analysis(
    *,
    analysis_name: ResultNames = (),
    artifact_name: ResultNames = (),
    overview: bool = False,
    analyses: bool = False,
    artifacts: bool = False,
    all_: bool = False,
    options: ClearOptions = DEFAULTS,
    session: CurrentSession,
) -> None:
    """Remove records of analyses and artifacts from the store. Files on disk are not touched.

    The overview then shows these results as "not yet run". Several selections are combined.

    Parameters
    ----------
    analysis_name
        Clear this analysis. The option may be repeated.
    artifact_name
        Clear this artifact. The option may be repeated.
    overview
        Clear the overview itself.
    analyses
        Clear all analyses.
    artifacts
        Clear all artifacts.
    all_
        Clear the overview, all analyses and all artifacts.

    Examples
    --------
    mdfactory sync clear analysis --analysis-name area_per_lipid
    mdfactory sync clear analysis --artifact-name bilayer_snapshot --hash 24BD07
    mdfactory sync clear analysis --all
    """
    from mdfactory.records.tables import analysis_table, artifact_table

    if not (analysis_name or artifact_name or overview or analyses or artifacts or all_):
        raise UsageError(
            "select what to clear: --analysis-name NAME, --artifact-name NAME, --overview, "
            "--analyses, --artifacts or --all"
        )
    chosen = {ResultType.analysis: analyses or all_, ResultType.artifact: artifacts or all_}
    _clear(
        session,
        options,
        overview=overview or all_,
        result_types=[result_type for result_type, is_chosen in chosen.items() if is_chosen],
        tables=[*map(analysis_table, analysis_name), *map(artifact_table, artifact_name)],
    )


@app.command(name="all")
def everything(*, options: ClearOptions = DEFAULTS, session: CurrentSession) -> None:
    """Remove all records, including those of simulations. Files on disk are not touched.

    Examples
    --------
    mdfactory sync clear all
    mdfactory sync clear all --hash 24BD07
    """
    _clear(session, options, simulations=True, overview=True, result_types=list(ResultType))


def _clear(
    session: Session,
    options: ClearOptions,
    *,
    simulations: bool = False,
    overview: bool = False,
    result_types: Collection[ResultType] = (),
    tables: Collection[Table] = (),
) -> None:
    """Remove the selected records after a confirmation, and print their number."""
    from mdfactory.sync.clear import clear, select
    from mdfactory.sync.unmatched import hash_note

    store = session.store
    selection = select(
        store,
        simulations=simulations,
        overview=overview,
        result_types=result_types,
        tables=tables,
        hash_prefix=options.hash_,
        search=options.search.search(),
        note=session.terminal.note,
    )
    if not selection.total and (reason := hash_note(store, options.hash_)):
        session.terminal.note(reason)
    if selection.total and not options.yes:
        _confirm(session, store, selection, options)
    removed = clear(store, selection, purge=options.purge, command=session.command_line)
    lines = [
        f"{table}: {counted(number, 'record')} removed"
        for table, number in removed.items()
        if number or len(removed) == 1
    ]
    text = "\n".join(lines) or "no records to remove"
    session.terminal.result(text, {"removed": removed}, complete=True)
    note_operation(session)


def _confirm(session: Session, store: Store, selection: Selection, options: ClearOptions) -> None:
    """Ask for a confirmation; list the records of each table if there are several tables."""
    is_long = len(selection.lines) > 1
    records = f"these {counted(selection.total, 'record')}" if is_long else str(selection)
    question = f"Remove {records} from the {store.location}"
    session.terminal.confirm(
        f"{question} permanently?" if options.purge else f"{question}?",
        "nothing was cleared",
        context="\n".join(selection.lines) if is_long else "",
    )
