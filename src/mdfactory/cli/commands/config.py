"""The commands that create, show and edit the configuration."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.options import Command, Yes, format_examples
from mdfactory.cli.session import CurrentSession
from mdfactory.cli.wizard import Answers, Prompter, answered, ask_settings
from mdfactory.config.edit import save
from mdfactory.config.settings import active_file, load
from mdfactory.errors import ConfigError, DeclinedError, counted
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from mdfactory.stores.store import Store

EDITORS: Final = ("nano", "vim", "vi")
"""Editors to use if the user has chosen none, the easiest first."""

app = Command(
    name="config",
    help="Choose the store, and show the configuration.",
    help_epilogue=format_examples(
        "mdfactory config init", "mdfactory config show", "EDITOR=nano mdfactory config edit"
    ),
)


@app.command
def init(
    *,
    answers: Answers | None = None,
    initialise: Annotated[bool | None, Parameter(negative="--no-initialise")] = None,
    yes: Yes = False,
    session: CurrentSession,
) -> None:
    """Choose a store and its location; ask for settings that are not given as options.

    The answers are written into the configuration file. Its other settings and comments are kept.

    Parameters
    ----------
    initialise
        Create the missing tables of the store, or do not. Default: ask; if nothing can be asked,
        create them unless the store is Foundry.
    yes
        Ask nothing: settings that are not given as options keep their value. But a file with no
        path of the results gets one next to a new path of the simulations.

    Examples
    --------
    mdfactory config init
    mdfactory config init --type csv --analysis-db-path results --yes
    mdfactory config init --type postgres --url postgresql://me@host/lab
    """
    from mdfactory.sync.initialise import initialise as create_tables

    file = active_file(session.config)
    can_ask = sys.stdin is not None and sys.stdin.isatty() and not yes
    if not (can_ask or yes or answers or initialise is not None):
        raise DeclinedError(
            "no terminal to ask on; nothing was changed",
            command="mdfactory config init --type sqlite --yes",
        )
    prompter = Prompter(silent=not can_ask)
    settings = load(session.config, missing_ok=True)
    values = ask_settings(answers or Answers(), settings, prompter, file)
    if initialise is None:
        # On Foundry, tables are datasets in a project: they are not created by default.
        is_local = values["database", "TYPE"] != "foundry"
        initialise = prompter.ask("confirm", "Create the missing tables now?", is_local)
    save(file, values)
    session.terminal.note(f"written to {file}")
    store, created = session.store, []
    if initialise:
        if session.configured_files:
            session.configured_files.make()
        tables = create_tables(
            store, simulations=True, results=list(ResultType), catalogue=session.catalogue
        )
        created = [table.table for table in tables if not table.existed]
    for question, value in answered(session.settings):
        session.terminal.note(f"{question}: {value}")
    stored = _number_of_simulations(store) if initialise else 0
    location = store.location
    if stored:
        location += f", an existing store with {counted(stored, 'simulation')}"
    next_step = session.next_command(_next_step(location, created, initialised=initialise))
    session.terminal.result(
        next_step, {"path": str(file), "store": store.location, "made": created}, complete=True
    )


def _number_of_simulations(store: Store) -> int:
    from mdfactory.records.tables import SIMULATIONS

    with store.transaction() as transaction:
        return transaction.count(SIMULATIONS)


def _next_step(location: str, created: Collection[str], *, initialised: bool) -> str:
    """Return what was made, and the command to run next."""
    if not initialised:
        return (
            f"No tables were created in the {location}. "
            "Run: mdfactory sync init check && mdfactory sync init all"
        )
    outcome = f"{counted(len(created), 'table')} created" if created else "All tables exist"
    return f"{outcome} in the {location}. Run: mdfactory sync push all SOURCE"


@app.command
def path(*, session: CurrentSession) -> None:
    """Print the configuration file that overrides all others. It need not exist.

    Examples
    --------
    mdfactory config path
    """
    file = active_file(session.config)
    session.terminal.result(str(file), {"path": str(file), "exists": file.exists()})


@app.command
def show(*, session: CurrentSession) -> None:
    """Print the settings in effect, and the source of each.

    Examples
    --------
    mdfactory config show
    mdfactory config show --config project.ini --json
    """
    session.terminal.problems(session.settings.misspelt)
    settings = session.settings.values
    names = [f"{setting.section}.{setting.key}" for setting in settings]
    width = max(map(len, names))
    lines = [
        f"{name:{width}}  {setting.masked_value}  ({setting.source})"
        for name, setting in zip(names, settings, strict=True)
    ]
    values = [asdict(setting) | {"value": setting.masked_value} for setting in settings]
    session.terminal.result("\n".join(lines), {"settings": values})


def _installed_editor(file: Path) -> str:
    """Return the first of the `EDITORS` that is installed.

    Raises
    ------
    ConfigError
        If none is, or there is no terminal: an editor would wait for input that never comes.
    """
    can_edit = sys.stdin is not None and sys.stdin.isatty()
    reason = "none of nano, vim and vi is installed" if can_edit else "there is no terminal for one"
    editor = next(filter(shutil.which, EDITORS), "") if can_edit else ""
    if not editor:
        raise ConfigError(f"no editor to open {file}: EDITOR is not set, and {reason}")
    return editor


@app.command
def edit(*, session: CurrentSession) -> None:
    """Open the configuration file in $VISUAL or $EDITOR. A new file lists all settings.

    If neither is set, the first of nano, vim and vi that is installed is used.

    Examples
    --------
    EDITOR=nano mdfactory config edit
    """
    from mdfactory.stores import open_store

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    file = active_file(session.config)
    if not editor:
        editor = _installed_editor(file)
    if not os.path.exists(file):
        save(file, {})
    try:
        code = subprocess.call([*shlex.split(editor), str(file)])  # noqa: S603  # the user's own
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the editor {editor} cannot be started: {reason}") from error
    if code:
        raise ConfigError(f"the editor {editor} ended with exit code {code}")
    open_store(session.settings)
    session.terminal.result(f"{file} is valid", {"path": str(file)}, complete=True)
