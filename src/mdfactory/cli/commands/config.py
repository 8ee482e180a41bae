"""The commands that make, show and edit the configuration."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from mdfactory.cli.options import Yes, catalogue
from mdfactory.cli.session import Given, Session, examples
from mdfactory.cli.wizard import Answers, Asker, settings_of
from mdfactory.errors import ConfigError, DeclinedError, counted
from mdfactory.records.vocabulary import ResultType

__all__ = ["app"]

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
    session: Given,
) -> None:
    """Choose a store, and where it is; ask for what no option says.

    The answers are written into the configuration file, whose other settings and comments stay.

    Parameters
    ----------
    initialise
        Make the tables that the store lacks, or do not.
    yes
        Ask nothing: what no option says stays as it is.
    """
    from mdfactory.config import active_file, load, save

    file = active_file(session.config)
    asked = sys.stdin is not None and sys.stdin.isatty() and not yes
    if not (asked or yes or answers or initialise is not None):
        raise DeclinedError(
            "there is no terminal to ask; nothing was changed",
            command="mdfactory config init --type sqlite --yes",
        )
    asker = Asker(silent=not asked)
    settings = load(session.config, missing_ok=True)
    values = settings_of(answers or Answers(), settings, asker, file.parent)
    if initialise is None:
        local = values["database", "TYPE"] != "foundry"
        initialise = asker.sure("Make the tables that it lacks, now?", default=local)
    save(file, values)
    session.terminal.note(f"written to {file}")
    made = _make_tables(session) if initialise else []
    session.terminal.result(
        _next(session, made),
        {"path": str(file), "store": session.store().location, "made": made},
    )


def _make_tables(session: Session) -> list[str]:
    """Make the tables that the store lacks; return their names."""
    from mdfactory.sync.initialise import initialise

    tables = initialise(
        session.store(), simulations=True, results=list(ResultType), catalogue=catalogue(session)
    )
    return [one.table for one in tables if not one.existed]


def _next(session: Session, made: Sequence[str]) -> str:
    """Say what was done to the store, and what to type next."""
    place = f" --config {shlex.quote(str(session.config))}" if session.config else ""
    if made:
        head = f"{counted(len(made), 'table')} made in the {session.store().location}"
        return f"{head}. Run: mdfactory sync push all SOURCE{place}"
    return f"Run: mdfactory sync init check{place}"


@app.command(
    help_epilogue=examples(
        "mdfactory config path",
    ),
)
def path(*, session: Given) -> None:
    """Print the configuration file that has the last word; it need not exist."""
    from mdfactory.config import active_file

    file = active_file(session.config)
    session.terminal.result(str(file), {"path": str(file), "exists": file.exists()})


@app.command(
    help_epilogue=examples(
        "mdfactory config show",
        "mdfactory config show --config project.ini --json",
    ),
)
def show(*, session: Given) -> None:
    """Print the settings in effect, and where each comes from."""
    values = session.settings().values
    width = max(len(f"{one.section}.{one.key}") for one in values)
    lines = [
        f"{f'{one.section}.{one.key}':{width}}  {one.masked_value}  ({one.source})"
        for one in values
    ]
    settings = [asdict(one) | {"value": one.masked_value} for one in values]
    session.terminal.result("\n".join(lines), {"settings": settings})


@app.command(
    help_epilogue=examples(
        "EDITOR=nano mdfactory config edit",
    ),
)
def edit(*, session: Given) -> None:
    """Open the configuration file in $VISUAL or $EDITOR; a new one lists all settings."""
    from mdfactory.config import active_file, template

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    file = active_file(session.config)
    if not editor:
        raise ConfigError(
            f"no editor is set, to open {file}", command="EDITOR=nano mdfactory config edit"
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
