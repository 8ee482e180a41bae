"""The commands that show and edit the configuration."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import asdict

from cyclopts import App

from mdfactory.cli.session import Given, examples
from mdfactory.errors import ConfigError

__all__ = ["app"]

app = App(name="config")


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
    lines = [f"{f'{one.section}.{one.key}':{width}}  {one.shown}  ({one.source})" for one in values]
    settings = [asdict(one) | {"value": one.shown} for one in values]
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
