"""The commands that remove records from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from mdfactory.cli.options import Hash, Names, Purge, Yes
from mdfactory.cli.session import Given, Session, examples
from mdfactory.errors import UsageError, counted
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.stores.store import Store
    from mdfactory.sync.clear import Selection

__all__ = ["app"]

app = App(name="clear", help="Remove records from the store.")


@app.command(
    help_epilogue=examples(
        "mdfactory sync clear systems",
        "mdfactory sync clear systems --hash 24BD07 --yes",
    ),
)
def systems(*, hash_: Hash = None, yes: Yes = False, purge: Purge = False, session: Given) -> None:
    """Remove the records of simulations from the store. Nothing on disk is touched.

    Parameters
    ----------
    hash_
        First digits of the hash, in any case.
    yes
        Do not ask.
    purge
        Keep nothing of the records: neither this nor anything before it can be undone.
    """
    from mdfactory.sync.clear import select

    store = session.store()
    _clear(session, store, select(store, simulations=True, hash_prefix=hash_), yes=yes, purge=purge)


@app.command(
    help_epilogue=examples(
        "mdfactory sync clear analysis --analysis-name area_per_lipid",
        "mdfactory sync clear analysis --artifact-name bilayer_snapshot --hash 24BD07",
        "mdfactory sync clear analysis --all",
    ),
)
def analysis(
    *,
    analysis_name: Names = (),
    artifact_name: Names = (),
    overview: bool = False,
    analyses: bool = False,
    artifacts: bool = False,
    all_: bool = False,
    hash_: Hash = None,
    yes: Yes = False,
    purge: Purge = False,
    session: Given,
) -> None:
    """Remove records of analyses and artifacts from the store. Nothing on disk is touched.

    What is removed is "not yet run" in the overview from then on. Selections add up.

    Parameters
    ----------
    analysis_name
        This analysis; may be given several times.
    artifact_name
        This artifact; may be given several times.
    overview
        The overview itself.
    analyses
        All analyses.
    artifacts
        All artifacts.
    all_
        All of it: overview, analyses and artifacts.
    hash_
        First digits of the hash, in any case.
    yes
        Do not ask.
    purge
        Keep nothing of the records: neither this nor anything before it can be undone.
    """
    if not (analysis_name or artifact_name or overview or analyses or artifacts or all_):
        raise UsageError(
            "say what to clear: --analysis-name NAME, --artifact-name NAME, --overview, "
            "--analyses, --artifacts or --all"
        )
    from mdfactory.records.tables import analysis_table, artifact_table
    from mdfactory.sync.clear import select

    kinds = {ResultType.analysis: analyses or all_, ResultType.artifact: artifacts or all_}
    store = session.store()
    selection = select(
        store,
        overview=overview or all_,
        result_types=[kind for kind, asked in kinds.items() if asked],
        tables=[*map(analysis_table, analysis_name), *map(artifact_table, artifact_name)],
        hash_prefix=hash_,
    )
    _clear(session, store, selection, yes=yes, purge=purge)


@app.command(
    name="all",
    help_epilogue=examples(
        "mdfactory sync clear all",
        "mdfactory sync clear all --hash 24BD07",
    ),
)
def everything(
    *, hash_: Hash = None, yes: Yes = False, purge: Purge = False, session: Given
) -> None:
    """Remove all records from the store, of simulations too. Nothing on disk is touched.

    Parameters
    ----------
    hash_
        First digits of the hash, in any case.
    yes
        Do not ask.
    purge
        Keep nothing of the records: neither this nor anything before it can be undone.
    """
    from mdfactory.sync.clear import select

    store = session.store()
    selection = select(
        store, simulations=True, overview=True, result_types=list(ResultType), hash_prefix=hash_
    )
    _clear(session, store, selection, yes=yes, purge=purge)


def _clear(session: Session, store: Store, selection: Selection, *, yes: bool, purge: bool) -> None:
    from mdfactory.sync.clear import clear

    if selection.total and not yes:
        lines = selection.lines
        what = str(selection)
        if len(lines) > 1:
            session.terminal.say("\n".join(lines))
            what = f"these {counted(selection.total, 'record')}"
        forever = ", for good" if purge else ""
        session.terminal.confirm(
            f"Remove {what} from the {store.location}{forever}?", "nothing was cleared"
        )
    removed = clear(store, selection, purge=purge, command=session.typed)
    words = [
        f"{table}: {counted(number, 'record')} removed"
        for table, number in removed.items()
        if number or len(removed) == 1
    ]
    session.terminal.result("\n".join(words or ["no records to remove"]), {"removed": removed})
