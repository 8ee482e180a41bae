"""The commands that move records between campaigns and the store."""

from __future__ import annotations

from cyclopts import App

from mdfactory.cli.clear import app as clear
from mdfactory.cli.copy import app as copy
from mdfactory.cli.init import app as init
from mdfactory.cli.log import app as log
from mdfactory.cli.pull import app as pull
from mdfactory.cli.push import app as push
from mdfactory.cli.relocate import app as relocate
from mdfactory.cli.status import app as status
from mdfactory.cli.undo import app as undo
from mdfactory.cli.verify import app as verify

__all__ = ["app"]

app = App(name="sync")
for part in (init, push, pull, status, verify, clear, copy, relocate, log, undo):
    app.command(part)
