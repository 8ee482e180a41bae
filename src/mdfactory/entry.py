"""What the entry points of the Python API share: which store they open, and the words of errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from shlex import quote
from typing import Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.config import load
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.errors import NO_STORE, MDFactoryError, NotInitialisedError
from mdfactory.filestore import configured_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.stores import open_store, store_at
from mdfactory.stores.store import Store

P = ParamSpec("P")
T = TypeVar("T")

NAMES: Final = (
    "colour contains engine hash item-type limit parametrization simulation-type sort status tag"
    " where"
)

ARGUMENTS: Final = {f"--{name}": f"{name.replace('-', '_')}=" for name in NAMES.split()} | {
    "--csv": "csv_root=",
    "--diff": 'mode="diff"',
    "--field": "fields=",
    "--force": 'mode="force"',
    "--from": "start=",
    "--union": "union=True",
    "--update": 'mode="update"',
    "--wait SECONDS": "wait=",
}
"""Option of the command line -> argument in Python that does the same."""

OPTION: Final = re.compile(r"(?<![\w-])(--[a-z][a-z-]*(?: SECONDS)?)( (?='))?")
"""An option in a message; the blank between an option and its value is dropped in Python."""


URL_OPTIONS: Final = "--config FILE"
"""Options of a command for a store that was opened by its URL."""


class Opened(NamedTuple):
    """What the Python API works on.

    Parameters
    ----------
    store
        The store.
    catalogue
        The results that are expected of each type of simulation.
    stems
        Stems of the files of adopted simulations.
    files
        The file store; None if none is configured, or the store was opened by its URL.
    """

    store: Store
    catalogue: Catalogue
    stems: StemPatterns
    files: FileStore | None = None


def open_named(url: str | None, config: str | Path | None, wait: float) -> Opened:
    """Open a store.

    Parameters
    ----------
    url
        URL of the store; that of the configuration if None.
    config
        Configuration file that overrides all others; not used with `url`.
    wait
        Seconds to wait for another process that has the store locked.

    Raises
    ------
    ConfigError
        If `url` is not a URL of a store, or if the configuration cannot be read or is invalid.
    """
    if url is not None:
        opened = Opened(store_at(url, wait=wait), Catalogue(), DEFAULT_STEMS)
    else:
        settings = load(Path(config) if config else None)
        files = configured_file_store(settings)
        catalogue = Catalogue(settings.catalogue)
        store = open_store(settings, wait=wait)
        opened = Opened(store, catalogue, settings.stems, files)
    opened.store.command_options = command_options(url, config)
    return opened


def command_options(url: str | None, config: str | Path | None) -> str:
    """Return the options with which a command reaches a store; see `open_named`.

    A command takes no URL. Without a configuration of that store it would change another one.
    """
    if url is not None:
        return URL_OPTIONS
    return f"--config {quote(str(config))}" if config else ""


@contextmanager
def argument_names(options: str = "") -> Iterator[None]:
    """Let the errors of the block name arguments of Python, in place of options.

    Parameters
    ----------
    options
        Options that the command of an error needs; see `Store.command_options`.
    """
    try:
        yield
    except MDFactoryError as error:
        message, *others = error.args
        error.args = (OPTION.sub(_to_argument, message), *others)
        if options == URL_OPTIONS and isinstance(error, NotInitialisedError) and not error.table:
            error.args = (f"{NO_STORE}: the {error.location} has no tables. Check its URL",)
            error.command = ""  # it would have to name the store
        if options and error.command.startswith("mdfactory "):
            error.command += f" {options}"
        raise


def naming_arguments(
    function: Callable[Concatenate[Store, P], Iterator[T]],
) -> Callable[Concatenate[Store, P], Iterator[T]]:
    """Return a generator whose errors name arguments of Python; see `argument_names`."""

    def generate(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        with argument_names(store.command_options):
            yield from function(store, *args, **kwargs)

    return generate


def naming_arguments_inside(
    function: Callable[Concatenate[Store, P], AbstractContextManager[T]],
) -> Callable[Concatenate[Store, P], AbstractContextManager[T]]:
    """Return a context manager; errors in its block name arguments of Python."""

    @contextmanager
    def opened(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        with argument_names(store.command_options), function(store, *args, **kwargs) as value:
            yield value

    return opened


def _to_argument(match: re.Match[str]) -> str:
    return ARGUMENTS.get(match[1], match[0])
