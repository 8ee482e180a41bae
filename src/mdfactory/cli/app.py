"""The tree of commands, the options that all of them have, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from inspect import BoundArguments
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Group, Parameter, validators

from mdfactory import __version__
from mdfactory.cli.render import Terminal
from mdfactory.cli.session import Session
from mdfactory.errors import MDFactoryError, UsageError

__all__ = ["Exit", "app", "run"]


class Exit(IntEnum):
    """How a run ended, for scripts."""

    done = 0
    failed = 1
    usage = 2
    skipped = 3
    interrupted = 130


COMMON: Final = Group("Options of every command", sort_key=9)

app = App(
    name="mdfactory",
    help="The registry of a lab's molecular-dynamics campaigns.",
    version=__version__,
    default_parameter=Parameter(negative=(), show_default=False),
    help_format="plaintext",
    result_action="return_value",
)
app.register_install_completion_command(add_to_startup=False)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    return int(app.meta(list(arguments), result_action="return_value") or Exit.done)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(group=COMMON)] = None,
    wait: Annotated[float, Parameter(group=COMMON, validator=validators.Number(gte=0))] = 60.0,
    json: Annotated[bool, Parameter(group=COMMON)] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), group=COMMON)] = False,
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), group=COMMON)] = False,
    debug: Annotated[bool, Parameter(group=COMMON)] = False,
) -> int:
    """Understand the options that every command has, and run the command.

    Parameters
    ----------
    config
        Configuration file that has the last word.
    wait
        Seconds to wait for another program that holds the store; 60 by default.
    json
        Print one JSON object on standard output.
    quiet
        Print no progress, notes or warnings.
    verbose
        Say more on standard error.
    debug
        Say everything, with tracebacks of errors.
    """
    command, bound, injected = app.parse_args(tokens)
    terminal = Terminal(json=json, quiet=quiet, verbose=verbose, debug=debug)
    if "session" in injected:
        terminal.command = _name(tokens)
        bound.arguments["session"] = Session(terminal, config, wait)
    return _end(command, bound, terminal)


def _name(tokens: Sequence[str]) -> str:
    path, _, _ = app.parse_commands(tokens)
    return " ".join(path)


def _end(command: Callable[..., Any], bound: BoundArguments, terminal: Terminal) -> int:
    """Run a command and turn whatever ends it into an exit code."""
    try:
        code = command(*bound.args, **bound.kwargs)
        sys.stdout.flush()
    except KeyboardInterrupt:
        terminal.error("interrupted; nothing was left half-written")
        return Exit.interrupted
    except BrokenPipeError:
        # Whoever read our output, such as head, has enough. What is left in the buffer of
        # standard output must go somewhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.done
    except UsageError as error:
        terminal.error(error)
        return Exit.usage
    except MDFactoryError as error:
        terminal.error(error)
        return Exit.failed
    return int(code or Exit.done)


COMMANDS: Final = {
    "check-csv": ("mdfactory.cli.campaign:check", "Validate every row of a campaign CSV."),
    "config": ("mdfactory.cli.config:app", "Show and edit the configuration."),
    "demo": ("mdfactory.cli.demo:app", "Try it on a small campaign of real GROMACS output."),
    "prepare-build": (
        "mdfactory.cli.campaign:prepare",
        "Make a folder for each row of a campaign CSV.",
    ),
    "sync": ("mdfactory.cli.sync:app", "Push campaigns into the store, and pull them back."),
}
for name, (place, purpose) in COMMANDS.items():
    app.command(place, name=name, help=purpose)
