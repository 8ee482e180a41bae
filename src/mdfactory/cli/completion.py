"""Completion of names and hashes by a shell, as the store has them, in a bounded time."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mdfactory.cli.columns import HASH_DIGITS
from mdfactory.records.vocabulary import ResultType

if TYPE_CHECKING:
    from cyclopts import App

    from mdfactory.stores.transaction import Transaction

Candidate = TypeVar("Candidate")

COMPLETE_COMMAND: Final = "__complete"
"""Command with which the script of a shell asks for completions."""

ANSWER_SECONDS: Final = 0.3
"""Time in which the store must answer: a user waits for the completion."""

MAX_HASHES: Final = 50
"""Largest number of hashes that are offered."""

MAX_DOCUMENTS: Final = 500
"""Number of simulations whose BuildInputs are read."""

THREAD_NAME: Final = "mdfactory-completion"


def complete(app: App, words: Sequence[str]) -> int:
    """Print completions for the script of a shell, and no messages.

    Parameters
    ----------
    app
        The root of the commands.
    words
        `COMPLETE_COMMAND`, then the words of the command line, up to the one to complete.

    Returns
    -------
    int
        The exit code.
    """
    logging.disable()
    warnings.simplefilter("ignore")
    with suppress(Exception):
        app(list(words))
        sys.stdout.flush()
    if any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        os._exit(0)  # the end of the interpreter would wait for a store that does not answer
    return 0


def result_names(context: Any) -> list[str]:
    """Return the names of the analyses or artifacts in the store; see `cyclopts.Parameter`."""
    is_artifact = "artifact" in context.argument.name
    result_type = ResultType.artifact if is_artifact else ResultType.analysis

    def read(transaction: Transaction) -> Iterator[str]:
        from mdfactory.sync.results import names_with_records

        yield from names_with_records(transaction, result_type)

    return _read(context, read)


def hash_prefixes(context: Any) -> list[tuple[str, str]]:
    """Return hashes that begin with the given digits, each with type and status."""
    given = str(context.incomplete)
    case = str.lower if given != given.upper() else str.upper
    digits = HASH_DIGITS if len(given) <= HASH_DIGITS else None

    def read(transaction: Transaction) -> Iterator[tuple[str, str]]:
        from mdfactory.records.query import Prefix, Query, Sort
        from mdfactory.records.tables import SIMULATIONS

        columns = ("hash", "simulation_type", "status")
        where = (Prefix("hash", given.upper()),)
        query = Query(where, columns, Sort("hash"), MAX_HASHES)
        for hash_, simulation_type, status in transaction.values(SIMULATIONS, query):
            yield case(hash_[:digits]), f"{simulation_type}, {status}"

    return _read(context, read)


def field_names(context: Any) -> list[str]:
    """Return the fields of the BuildInputs in the store, as commands name them."""

    def read(transaction: Transaction) -> Iterator[str]:
        from mdfactory.records.fields import COMPOSITION, flatten, short_paths

        names = dict.fromkeys((COMPOSITION,))
        for document in _documents(transaction):
            names |= dict.fromkeys(path for path, _ in flatten(document))
            names |= dict.fromkeys(short_paths(document))
        yield from names

    return _read(context, read)


def tag_keys(context: Any) -> list[str]:
    """Return the keys of the tags in the store."""

    def read(transaction: Transaction) -> Iterator[str]:
        yield from dict.fromkeys(
            key for document in _documents(transaction) for key in document.get("tags") or ()
        )

    return _read(context, read)


def _documents(transaction: Transaction) -> Iterator[dict[str, Any]]:
    """Yield the BuildInputs of the first simulations."""
    from mdfactory.records.query import Query
    from mdfactory.records.tables import SIMULATIONS
    from mdfactory.records.tags import INPUT_COLUMN

    query = Query(columns=(INPUT_COLUMN,), limit=MAX_DOCUMENTS)
    for (text,) in transaction.values(SIMULATIONS, query):
        with suppress(ValueError):
            yield json.loads(text)


def _read(context: Any, read: Callable[[Transaction], Iterator[Candidate]]) -> list[Candidate]:
    """Return what a function reads from the store; nothing if that fails or takes too long."""
    from mdfactory.config import load
    from mdfactory.files import expand_home
    from mdfactory.stores import open_store

    config = context.get("config")
    file = Path(expand_home(config.raw)) if config is not None and config.raw else None
    store = open_store(load(file), wait=ANSWER_SECONDS)
    answer: list[list[Candidate]] = []

    def work() -> None:
        with suppress(Exception), store.transaction() as transaction:
            answer.append(list(read(transaction)))

    thread = threading.Thread(target=work, name=THREAD_NAME, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    return answer[0] if answer else []
