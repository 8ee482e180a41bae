"""The commands that create, show and edit the configuration."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from mdfactory.cli.options import Yes, read_catalogue
from mdfactory.cli.session import CurrentSession, Session, examples
from mdfactory.cli.wizard import Answers, Prompter, ask_settings
from mdfactory.errors import ConfigError, DeclinedError, counted
from mdfactory.records.vocabulary import ResultType

app = App(name="config")


@app.command(
    help_epilogue=examples(
        "mdfactory config init",
        "mdfactory config init --type csv --analysis-db-path results --yes",
        "mdfactory config init --type postgres --url postgresql://me@host/lab",
    ),
)
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
        Ask nothing: settings that are not given as options keep their value.
    """
    from mdfactory.config import active_file, load, save

    file = active_file(session.config)
    can_ask = sys.stdin is not None and sys.stdin.isatty() and not yes
    if not (can_ask or yes or answers or initialise is not None):
        raise DeclinedError(
            "no terminal to ask on; nothing was changed",
            command="mdfactory config init --type sqlite --yes",
        )
    prompter = Prompter(silent=not can_ask)
    settings = load(session.config, missing_ok=True)
    values = ask_settings(answers or Answers(), settings, prompter, file.parent)
    if initialise is None:
        # On Foundry, tables are datasets in a project: they are not created by default.
        is_local = values["database", "TYPE"] != "foundry"
        initialise = prompter.confirm("Create the missing tables now?", default=is_local)
    save(file, values)
    session.terminal.note(f"written to {file}")
    created = _create_tables(session) if initialise else []
    session.terminal.result(
        _next_step(session, created),
        {"path": str(file), "store": session.store().location, "made": created},
    )


def _create_tables(session: Session) -> list[str]:
    """Create the missing tables of the store, and return their names."""
    from mdfactory.sync.initialise import initialise

    tables = initialise(
        session.store(),
        simulations=True,
        results=list(ResultType),
        catalogue=read_catalogue(session),
    )
    return [table.table for table in tables if not table.existed]


def _next_step(session: Session, created: Sequence[str]) -> str:
    """Return the number of tables that were created, and the next command to run."""
    option = f" --config {shlex.quote(str(session.config))}" if session.config else ""
    if created:
        tables = f"{counted(len(created), 'table')} created in the {session.store().location}"
        return f"{tables}. Run: mdfactory sync push all SOURCE{option}"
    return f"Run: mdfactory sync init check{option}"


@app.command(
    help_epilogue=examples(
        "mdfactory config path",
    ),
)
def path(*, session: CurrentSession) -> None:
    """Print the configuration file that overrides all others. It need not exist."""
    from mdfactory.config import active_file

    file = active_file(session.config)
    session.terminal.result(str(file), {"path": str(file), "exists": file.exists()})


@app.command(
    help_epilogue=examples(
        "mdfactory config show",
        "mdfactory config show --config project.ini --json",
    ),
)
def show(*, session: CurrentSession) -> None:
    """Print the settings in effect, and the source of each."""
    settings = session.settings().values
    names = [f"{setting.section}.{setting.key}" for setting in settings]
    width = max(map(len, names))
    lines = [
        f"{name:{width}}  {setting.masked_value}  ({setting.source})"
        for name, setting in zip(names, settings, strict=True)
    ]
    values = [asdict(setting) | {"value": setting.masked_value} for setting in settings]
    session.terminal.result("\n".join(lines), {"settings": values})


@app.command(
    help_epilogue=examples(
        "EDITOR=nano mdfactory config edit",
    ),
)
def edit(*, session: CurrentSession) -> None:
    """Open the configuration file in $VISUAL or $EDITOR. A new file lists all settings."""
    from mdfactory.config import active_file, template

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    file = active_file(session.config)
    if not editor:
        raise ConfigError(
            f"no editor to open {file}: EDITOR is not set",
            command="EDITOR=nano mdfactory config edit",
        )
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(template(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    try:
        code = subprocess.call([*shlex.split(editor), str(file)])  # noqa: S603  # the user's own
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the editor {editor} cannot be started: {reason}") from error
    if code:
        raise ConfigError(f"the editor {editor} ended with exit code {code}")
    session.store()
    session.terminal.result(f"{file} is valid", {"path": str(file)})
