"""The session of a command: common options, the configured store, the terminal, exit codes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.layout import path_word, shell_words
from mdfactory.cli.render import Terminal
from mdfactory.errors import NO_STORE, MDFactoryError, NotInitialisedError

if TYPE_CHECKING:
    from mdfactory.campaign.catalogue import Catalogue
    from mdfactory.config import Settings
    from mdfactory.filestore.file_store import FileStore
    from mdfactory.stores.store import Store


NEXT_COMMAND: Final = re.compile(r"\bmdfactory (?=sync|config|adopt|prepare-build --from-store)")
"""Beginning of a command in a message."""


class Exit(IntEnum):
    """Exit codes of the program, for scripts."""

    done = 0
    failed = 1
    usage = 2
    skipped = 3
    differs = 4
    interrupted = 130


@dataclass(frozen=True)
class Session:
    """One run of the program.

    Parameters
    ----------
    terminal
        Where output goes.
    config
        The file of ``--config``, if given.
    wait
        Seconds to wait for another process that has the store locked.
    arguments
        The command line, without the program and without the common options.
    """

    terminal: Terminal
    config: Path | None = None
    wait: float = 60.0
    arguments: tuple[str, ...] = ()

    @property
    def command_line(self) -> str:
        """The command line with passwords masked, for the log of the store."""
        from mdfactory.config.passwords import mask_password

        return join(["mdfactory", *map(mask_password, self.arguments)])

    @property
    def program(self) -> str:
        """The beginning of a command that has the ``--config`` of this one."""
        if not self.config:
            return "mdfactory"
        return f"mdfactory --config {shell_words(path_word(self.config))}"

    def next_command(self, command: str) -> str:
        """Return a text with commands to run next, with the ``--config`` of this one in each."""
        return NEXT_COMMAND.sub(lambda _: f"{self.program} ", command)

    def lead_on(self, error: MDFactoryError) -> None:
        """Complete the commands of an error; without any store, offer also to choose one."""
        if (
            isinstance(error, NotInitialisedError)
            and not error.table
            and error.command
            and self._is_unconfigured
            and error.location == self.store.location  # not another store, such as that of --to
        ):
            error.args = (NO_STORE,)
            error.command = (
                f"mdfactory config init\nor for the default ({error.location}): {error.command}"
            )
        error.command = self.next_command(error.command)
        if error.args:
            error.args = (self.next_command(str(error.args[0])),)

    @property
    def _is_unconfigured(self) -> bool:
        """Whether no file chooses the store: its kind and paths are the defaults."""
        sections = {"database", self.settings.kind}
        own = (setting for setting in self.settings.values if setting.section in sections)
        return all(setting.source == "default" for setting in own)

    @cached_property
    def settings(self) -> Settings:
        """The settings in effect; their warnings are printed when they are first read.

        Those on misspelt names are left to the error of the store, and to ``config show``.
        """
        from mdfactory.config import load

        settings = load(self.config)
        misspelt = set(settings.misspelt)
        self.terminal.problems(text for text in settings.warnings if text not in misspelt)
        return settings

    @cached_property
    def store(self) -> Store:
        """The configured store."""
        from mdfactory.stores import open_store

        return open_store(self.settings, wait=self.wait)

    @cached_property
    def configured_files(self) -> FileStore | None:
        """The configured file store; None if there is none."""
        from mdfactory.filestore import configured_file_store

        return configured_file_store(self.settings)

    @property
    def files(self) -> FileStore:
        """The configured file store, of a command that needs one."""
        from mdfactory.filestore import open_file_store

        return self.configured_files or open_file_store("")  # an error that says what to configure

    def files_at(self, url: str) -> FileStore:
        """Return the file store at a path or URL."""
        from mdfactory.config.settings import resolve_value
        from mdfactory.filestore import open_file_store

        resolved = resolve_value(("files", "URL"), url, Path.cwd(), "the command line")
        return open_file_store(resolved, self.settings.files_endpoint)

    def store_at(self, kind_or_url: str) -> Store:
        """Return the configured store of the given kind, or the store at the given URL."""
        from mdfactory.stores import OPENER_BY_KIND, open_store, store_at

        if kind_or_url in OPENER_BY_KIND:
            return open_store(replace(self.settings, kind=kind_or_url), wait=self.wait)
        store = store_at(kind_or_url, wait=self.wait)
        store.retention = self.settings.retention
        return store

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of expected results, extended by the configuration."""
        from mdfactory.campaign.catalogue import Catalogue

        return Catalogue(self.settings.catalogue)


CurrentSession = Annotated[Session, Parameter(parse=False)]
"""Type of the parameter that passes the session to a command; it is not an option."""
