"""The commands that move records between campaigns and the store."""

from __future__ import annotations

from typing import Final

from cyclopts import App

__all__ = ["app"]

PARTS: Final = (
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
"""The commands: each is a module, which is not loaded before it is called or its help is shown."""

app = App(name="sync")
for part in PARTS:
    app.command(f"mdfactory.cli.commands.{part}:app", name=part)
