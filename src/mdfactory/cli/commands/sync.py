"""The commands that move records between campaigns and the store."""

from __future__ import annotations

from typing import Final

from cyclopts import App

COMMANDS: Final = (
    "init",
    "push",
    "pull",
    "status",
    "verify",
    "clear",
    "copy",
    "relocate",
    "log",
    "undo",
)
"""The commands. The module of each is imported when it is called or its help is shown."""

app = App(name="sync")
for command in COMMANDS:
    app.command(f"mdfactory.cli.commands.{command}:app", name=command)
