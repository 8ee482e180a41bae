"""The help of commands: panels, of which the options of every command are one line."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

COMMON_OPTIONS_TITLE: Final = "Options of every command"


class CommandHelp:
    """The help of a command.

    Parameters
    ----------
    fold
        Whether the options of every command are one line.
    """

    def __init__(self, *, fold: bool = True) -> None:
        self._fold = fold

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel of the help."""
        from rich.text import Text

        options = _fit(console, options)
        if panel.title != COMMON_OPTIONS_TITLE or not self._fold:
            _formatter()(console, options, panel)
            return
        names = ", ".join("/".join(entry.names + entry.shorts) for entry in panel.entries)
        console.print(Text(f"{panel.title}: {names} (see mdfactory --help)"))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage of the command."""
        options = _fit(console, options)
        _formatter().render_usage(console, options, usage)


def _fit(console: Console, options: ConsoleOptions) -> ConsoleOptions:
    """Give the help the width of the terminal; rich takes a dumb one to have 80 columns."""
    if console.is_dumb_terminal:
        console.size = shutil.get_terminal_size()
    return options.update(width=console.width)


def _formatter() -> Any:
    """Return the formatter of `cyclopts` for this terminal: plain text for a dumb one."""
    from cyclopts.help.formatters import DefaultFormatter, PlainFormatter

    return PlainFormatter() if os.environ.get("TERM") == "dumb" else DefaultFormatter()
