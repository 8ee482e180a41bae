"""The tree of commands, the common options, and the exit code of a run."""

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

COMMON_GROUP: Final = Group("Options of every command", sort_key=9)
HELP_FLAGS: Final = {"--help", "-h"}

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
    """Run one command line.

    Parameters
    ----------
    arguments
        The command line, without the program.

    Returns
    -------
    int
        The exit code; see `Exit`.
    """
    try:
        if HELP_FLAGS & set(arguments):
            command = [argument for argument in arguments if argument not in HELP_FLAGS]
            _import_subcommands(app.parse_commands(command)[1])
        return int(app.meta(list(arguments)) or Exit.done)
    except CycloptsError as error:  # a common option is wrong
        return _report_usage(Terminal(json="--json" in arguments), error)
    except OSError as error:  # while printing help or the version, which run no command
        return _report_output(Terminal(json="--json" in arguments), error)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(group=COMMON_GROUP)] = None,
    wait: Annotated[
        float, Parameter(group=COMMON_GROUP, validator=validators.Number(gte=0))
    ] = 60.0,
    json: Annotated[bool, Parameter(group=COMMON_GROUP)] = False,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), group=COMMON_GROUP)] = False,
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), group=COMMON_GROUP)] = False,
    debug: Annotated[bool, Parameter(group=COMMON_GROUP)] = False,
) -> int:
    """Parse the common options, and run the command.

    Parameters
    ----------
    config
        Configuration file that overrides all others.
    wait
        Seconds to wait for another process that has the store locked. Default: 60.
    json
        Print one JSON object on standard output.
    quiet
        Print no progress, notes or warnings.
    verbose
        Print informational messages on standard error.
    debug
        Print all messages on standard error, and tracebacks of errors.
    """
    terminal = Terminal(json=json, quiet=quiet, verbose=verbose, debug=debug)
    path, apps, rest = app.parse_commands(tokens)
    terminal.command = " ".join(path)
    if "" in tokens:
        return _report_usage(terminal, UsageError("an argument is empty; is a variable unset?"))
    try:
        command, bound, injected = app.parse_args(tokens)
    except CycloptsError as error:
        return _report_usage(terminal, error)
    if command == app.help_print:
        _import_subcommands(apps)
    if "session" in injected:
        bound.arguments["session"] = Session(terminal, config, wait, tokens)
    code = _call(command, bound, terminal, config)
    incomplete = command == app.help_print and path and not HELP_FLAGS & set(rest)
    return Exit.usage if incomplete else code


def _import_subcommands(apps: Sequence[App]) -> None:
    """Import the commands of a group, for its help: that shows the first sentence of each."""
    for group in apps[1:]:
        group.resolved_commands()


def _call(
    command: Callable[..., Any], bound: BoundArguments, terminal: Terminal, config: Path | None
) -> int:
    """Call the function of a command; print an error, and return the exit code."""
    try:
        code = command(*bound.args, **bound.kwargs)
        sys.stdout.flush()
    except KeyboardInterrupt:
        terminal.error("interrupted; nothing was written in part")
        return Exit.interrupted
    except MDFactoryError as error:
        if config and error.command.startswith("mdfactory "):
            error.command += f" --config {quote(str(config))}"
        terminal.error(error)
        # An InvalidNameError is one of the command line: other sources raise other errors.
        usage = isinstance(error, UsageError | InvalidNameError)
        return Exit.usage if usage else Exit.failed
    except MemoryError:
        terminal.error("not enough memory; nothing was written in part")
        return Exit.failed
    except OSError as error:
        return _report_output(terminal, error)
    return int(code or Exit.done)


def _report_usage(terminal: Terminal, error: Exception) -> int:
    """Print an error of the command line, and return its exit code."""
    message = str(error)
    if isinstance(error, UnusedCliTokensError):
        message += " (put a glob pattern in quotes, so that the shell does not expand it)"
    help_command = " ".join(["mdfactory", *terminal.command.split(), "--help"])
    terminal.error(UsageError(message.rstrip("."), command=help_command))
    return Exit.usage


def _report_output(terminal: Terminal, error: OSError) -> int:
    """Print an error that standard output cannot be written, unless a reader closed the pipe."""
    # The rest of the buffer goes to the null device: to flush it would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # the reader, such as head, has read enough
        return Exit.done
    terminal.error(OutputError(f"standard output cannot be written: {error.strerror}"))
    return Exit.failed


COMMANDS: Final = {
    "check-csv": ("campaign:check", "Validate each row of a campaign CSV, and list all errors."),
    "config": ("config:app", "Show and edit the configuration."),
    "demo": (
        "demo:app",
        """Try mdfactory with a small campaign of real GROMACS output.

        Copies the campaign to a folder, creates a store next to it, pushes the simulations and
        shows them. Your own configuration and store are not changed.
        """,
    ),
    "prepare-build": (
        "campaign:prepare",
        """Create a folder for each row of a campaign CSV, and a build summary.

        Existing folders are not changed. An earlier summary is kept as a backup. If a row is
        invalid, nothing is written.
        """,
    ),
    "sync": ("sync:app", "Push campaigns into the store, and pull records from it."),
}
"""Command -> its app in `commands`, imported when the command is called, and its help."""

for name, (location, help_text) in COMMANDS.items():
    app.command(f"mdfactory.cli.commands.{location}", name=name, help=cleandoc(help_text))
