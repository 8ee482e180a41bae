"""The tree of commands, the options that all of them have, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from inspect import BoundArguments, cleandoc
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Final

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError, validators

from mdfactory import __version__
from mdfactory.cli.render import Terminal
from mdfactory.cli.session import Exit, Session, examples
from mdfactory.errors import InvalidNameError, MDFactoryError, OutputError, UsageError

__all__ = ["app", "run"]


COMMON: Final = Group("Options of every command", sort_key=9)
HELP: Final = {"--help", "-h"}

app = App(
    name="mdfactory",
    help="The registry of a lab's molecular-dynamics campaigns.",
    help_epilogue=examples("mdfactory demo", "mdfactory sync push systems --help"),
    version=__version__,
    version_format="plaintext",
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)
app.register_install_completion_command(add_to_startup=False)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        if HELP & set(arguments):
            _load(app.parse_commands([one for one in arguments if one not in HELP])[1])
        return int(app.meta(list(arguments)) or Exit.done)
    except CycloptsError as error:  # a common option is wrong
        return _usage(Terminal(json="--json" in arguments), error)
    except OSError as error:  # of what is shown without a command, such as the version
        return _unwritten(Terminal(json="--json" in arguments), error)


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
        Configuration file to read last: what it sets wins.
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
    terminal = Terminal(json=json, quiet=quiet, verbose=verbose, debug=debug)
    path, apps, rest = app.parse_commands(tokens)
    terminal.command = " ".join(path)
    if "" in tokens:
        return _usage(terminal, UsageError("an argument is empty; is a variable unset?"))
    try:
        command, bound, injected = app.parse_args(tokens)
    except CycloptsError as error:
        return _usage(terminal, error)
    if command == app.help_print:
        _load(apps)
    if "session" in injected:
        bound.arguments["session"] = Session(terminal, config, wait, tokens)
    code = _end(command, bound, terminal, config)
    incomplete = command == app.help_print and path and not HELP & set(rest)
    return Exit.usage if incomplete else code


def _load(apps: Sequence[App]) -> None:
    """Load the commands of a group whose help is to be shown: it tells what each of them does."""
    for group in apps[1:]:
        group.resolved_commands()


def _usage(terminal: Terminal, error: Exception) -> int:
    """Say what is wrong with a command line."""
    message = str(error)
    if isinstance(error, UnusedCliTokensError):
        message += " (a pattern stands in quotes, so that the shell leaves it alone)"
    help_ = " ".join(["mdfactory", *terminal.command.split(), "--help"])
    terminal.error(UsageError(message.rstrip("."), command=help_))
    return Exit.usage


def _end(
    command: Callable[..., Any], bound: BoundArguments, terminal: Terminal, config: Path | None
) -> int:
    """Run a command and turn whatever ends it into an exit code."""
    try:
        code = command(*bound.args, **bound.kwargs)
        sys.stdout.flush()
    except KeyboardInterrupt:
        terminal.error("interrupted; nothing was left half-written")
        return Exit.interrupted
    except MDFactoryError as error:
        if config and error.command.startswith("mdfactory "):
            error.command += f" --config {quote(str(config))}"
        terminal.error(error)
        # Names in folders and in the configuration are told of in other ways.
        usage = isinstance(error, UsageError | InvalidNameError)
        return Exit.usage if usage else Exit.failed
    except MemoryError:
        terminal.error("there is not enough memory; nothing was left half-written")
        return Exit.failed
    except OSError as error:
        return _unwritten(terminal, error)
    return int(code or Exit.done)


def _unwritten(terminal: Terminal, error: OSError) -> int:
    """Say that standard output cannot be written, unless whoever reads it has enough."""
    # What is left in its buffer must go somewhere when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # such as head
        return Exit.done
    terminal.error(OutputError(f"standard output cannot be written: {error.strerror}"))
    return Exit.failed


COMMANDS: Final = {
    "check-csv": (
        "campaign:check",
        "Validate every row of a campaign CSV, and tell all that is wrong.",
    ),
    "config": ("config:app", "Show and edit the configuration."),
    "demo": (
        "demo:app",
        """Try it on a small campaign of real GROMACS output.

        Copies the campaign to a folder, makes a store beside it, pushes the simulations and shows
        them. Your own configuration and store are left alone.
        """,
    ),
    "prepare-build": (
        "campaign:prepare",
        """Make a folder for each row of a campaign CSV, and a build summary.

        A folder that is there already is left alone, an earlier summary is kept as a backup. If a
        row is invalid, nothing is written.
        """,
    ),
    "sync": ("sync:app", "Push campaigns into the store, and pull them back."),
}
"""Name -> where the command is, and its help: it is not loaded before it is called."""

for name, (place, purpose) in COMMANDS.items():
    app.command(f"mdfactory.cli.commands.{place}", name=name, help=cleandoc(purpose))
