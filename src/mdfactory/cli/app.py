"""The tree of commands, the common options, and the exit code of a run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import BoundArguments
from typing import Annotated, Any, Final

from cyclopts import CycloptsError, Group, Parameter, validators

from mdfactory import __version__
from mdfactory.cli.command_help import COMMON_OPTIONS_TITLE, CommandHelp
from mdfactory.cli.completion import COMPLETE_COMMAND, complete
from mdfactory.cli.options import (
    Command,
    UserPath,
    format_examples,
)
from mdfactory.cli.render import Terminal, discard_output
from mdfactory.cli.session import Exit, Session
from mdfactory.config.passwords import is_connection_with_password
from mdfactory.errors import InvalidNameError, MDFactoryError, OutputError, UsageError

HELP_FLAGS: Final = {"--help", "-h"}

OPTION_WITH_VALUE: Final = re.compile(r"(--?[A-Za-z][\w-]*)=(.*)", re.DOTALL)
"""An option and its value, spelt in one argument."""

CONNECTION_OPTIONS: Final = {"--files-from", "--from", "--to", "--url"}
"""Options whose value may be a URL with a password; their commands do not show it."""

app = Command(
    name="mdfactory",
    help="The registry of a lab's molecular-dynamics campaigns.",
    help_epilogue=format_examples(
        "mdfactory demo",
        "mdfactory config init",
        "mdfactory sync push all /path/to/simulations",
        "mdfactory sync pull systems --status completed",
    ),
    version=__version__,
    version_format="plaintext",
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    help_formatter=CommandHelp(fold=False),
)
sync = Command(
    name="sync",
    help="Push campaigns into the store, and pull records from it.",
    help_epilogue=format_examples(
        "mdfactory sync push all /path/to/simulations --update",
        "mdfactory sync status",
        "mdfactory sync pull systems --status completed --field composition",
    ),
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
    if arguments[:1] == [COMPLETE_COMMAND]:
        return complete(app, arguments)
    try:
        _check_values(arguments)
        if HELP_FLAGS & set(arguments):
            _import_subcommands([word for word in arguments if word not in HELP_FLAGS])
        return int(app.meta(list(arguments)) or Exit.done)
    except (CycloptsError, UsageError) as error:  # a common option, or an argument is empty
        return _report_usage(Terminal(json="--json" in arguments), error)
    except OSError as error:  # while printing help or the version, which run no command
        return _report_output(Terminal(json="--json" in arguments), error)
    except Exception as error:  # noqa: BLE001  # a mistake in the program
        Terminal(json="--json" in arguments, debug="--debug" in arguments).bug(error)
        return Exit.failed


def _check_values(arguments: Sequence[str]) -> None:
    """Refuse a command line with a value that no option or argument can have.

    An empty or blank value is that of an unset shell variable: without a filter, a command selects
    everything. A password in the place of a path would be shown, or become the name of a folder.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        one_word = OPTION_WITH_VALUE.fullmatch(argument)
        is_value = before.startswith("-") and "=" not in before
        option, value = one_word.groups() if one_word else (before if is_value else "", argument)
        name = f"the value of {option}" if option else "an argument"
        if not value.strip():
            raise UsageError(f"{name} is empty; is a variable unset?")
        if option not in CONNECTION_OPTIONS and is_connection_with_password(value):
            raise UsageError(
                f"{name} is the URL of a database with its password. Only the configuration, "
                "MDFACTORY_POSTGRES_URL and the options --from and --to name a database"
            )


@Parameter(name="*", group=Group(COMMON_OPTIONS_TITLE, sort_key=9))
@dataclass(frozen=True, slots=True)
class CommonOptions:
    """Options of every command.

    Parameters
    ----------
    config
        Configuration file that overrides all others.
    wait
        Seconds to wait for another process that has the store locked. Default: 60.
    json
        Print one JSON object on standard output.
    quiet
        Print no progress, notes or report of what was written; warnings are still printed.
    verbose
        Print informational messages on standard error.
    debug
        Print all messages on standard error, and tracebacks of errors.
    """

    config: UserPath | None = None
    wait: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 60.0
    json: bool = False
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"))] = False
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"))] = False
    debug: bool = False


COMMON_DEFAULTS: Final = CommonOptions()


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    common: CommonOptions = COMMON_DEFAULTS,
) -> int:
    """Parse the common options, and run the command."""
    terminal = Terminal(
        json=common.json, quiet=common.quiet, verbose=common.verbose, debug=common.debug
    )
    path, _, rest = app.parse_commands(tokens)
    terminal.command = " ".join(path)
    try:
        command, bound, injected = app.parse_args(tokens)
    except CycloptsError as error:
        return _report_usage(terminal, error)
    if command == app.help_print:
        _import_subcommands(tokens)
    session = Session(terminal, common.config, common.wait, tokens)
    if "session" in injected:
        bound.arguments["session"] = session
    code = _call(command, bound, session)
    incomplete = command == app.help_print and path and not HELP_FLAGS & set(rest)
    return Exit.usage if incomplete else code


def _import_subcommands(arguments: Sequence[str]) -> None:
    """Import the commands of a group, for its help: that shows the first sentence of each."""
    _, apps, _ = app.parse_commands(arguments)
    if apps[-1] is app:
        list(map(app.__getitem__, COMMANDS))  # the others were given their help
    else:
        apps[-1].resolved_commands()


def _call(command: Callable[..., Any], bound: BoundArguments, session: Session) -> int:
    """Call the function of a command; print an error, and return the exit code."""
    terminal = session.terminal
    try:
        code = command(*bound.args, **bound.kwargs)
        sys.stdout.flush()
    except KeyboardInterrupt:
        terminal.error("interrupted; nothing was written in part")
        return Exit.interrupted
    except MDFactoryError as error:
        session.lead_on(error)
        terminal.error(error)
        # An InvalidNameError is one of the command line: other sources raise other errors.
        usage = isinstance(error, UsageError | InvalidNameError)
        return Exit.usage if usage else Exit.failed
    except MemoryError:
        terminal.error("not enough memory; nothing was written in part")
        return Exit.failed
    except OSError as error:
        return _report_output(terminal, error)
    except Exception as error:  # noqa: BLE001  # a mistake in the program
        terminal.bug(error)
        return Exit.failed
    return int(code or Exit.done)


def _report_usage(terminal: Terminal, error: Exception) -> int:
    """Print an error of the command line, and return its exit code."""
    from mdfactory.cli.usage import usage_error

    terminal.error(usage_error(error, terminal.command, app))
    return Exit.usage


def _report_output(terminal: Terminal, error: OSError) -> int:
    """Print an error that standard output cannot be written, unless a reader closed the pipe."""
    # An error of standard output names no file, and is never that something does not exist.
    if error.filename is not None or isinstance(error, FileNotFoundError):
        folder = "the current folder (it was removed)"
        terminal.error(MDFactoryError(f"{error.filename or folder}: {error.strerror}"))
        return Exit.failed
    discard_output()
    if isinstance(error, BrokenPipeError):  # the reader, such as head, has read enough
        return Exit.done
    message = f"standard output cannot be written: {error.strerror}"
    if terminal.complete:
        terminal.error(OutputError(f"the command is complete, but {message}"))
        return Exit.skipped
    terminal.error(OutputError(message))
    return Exit.failed


COMMANDS: Final = {
    "demo": "demo:app",
    "config": "config:app",
    "check-csv": "campaign:check",
    "prepare-build": "campaign:prepare",
    "adopt": "adopt:app",
    "sync": "",
    "report": "report:app",
}
"""Command -> its app in `commands`, imported when it is called or its help is shown.

These and the commands of ``sync``, which are imported one by one, are in the order of use.
"""

SYNC_COMMANDS: Final = "init push status pull log undo verify relocate copy clear prune"
"""The commands of ``sync``; the module of each has its name."""

for position, (name, location) in enumerate(COMMANDS.items()):
    if location:
        app.command(f"mdfactory.cli.commands.{location}", name=name, sort_key=position)
    else:
        sync.sort_key = position
        app.command(sync)
for position, name in enumerate(SYNC_COMMANDS.split()):
    sync.command(f"mdfactory.cli.commands.{name}:app", name=name, sort_key=position)
