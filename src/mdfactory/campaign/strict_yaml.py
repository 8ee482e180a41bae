"""YAML files, read strictly and within bounds: what a file says twice it does not say."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from mdfactory.errors import one_line
from mdfactory.files import UnreadableError, read_file

__all__ = ["LARGEST", "LARGEST_SUMMARY", "load", "load_summary"]

LARGEST: Final = 4 * 2**20
"""Bytes of the largest BuildInput that is read; it has a few thousand at most."""

LARGEST_SUMMARY: Final = 64 * 2**20
MOST_SUMMARY: Final = 1_000_000
"""Bytes and values of the largest build summary: some hundred thousand simulations."""

SMALL: Final = 8 * 2**10
"""Bytes of a file that cannot nest deep enough to do harm: libyaml's composer recurses in C."""

DEEPEST: Final = 64
MOST: Final = 200_000
LONGEST: Final = 10_000
"""Levels, values, and characters of one value that a larger file may have."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two
    """The safe loader, in C where PyYAML has it, that refuses keys given twice."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if type(key.value) is str]
    if len(set(keys)) < len(keys):
        twice = next(key for key, times in Counter(keys).items() if times > 1)
        raise UnreadableError(f"line {node.start_mark.line + 1}: the key {twice!r} stands twice")
    values: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return values


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_summary(path: str | Path) -> tuple[Any, os.stat_result]:
    """Return what a build summary says, and what its file was like before it was read.

    Raises
    ------
    UnreadableError
        If it cannot be read, or is beyond the bounds of a build summary.
    """
    raw, before = read_file(path, LARGEST_SUMMARY)
    return load(raw, MOST_SUMMARY), before


def load(raw: bytes, most: int = MOST) -> Any:
    """Return what YAML text says.

    Parameters
    ----------
    raw
        The text.
    most
        Values that it may hold.

    Raises
    ------
    UnreadableError
        If it is no YAML, gives a key twice, or is beyond its bounds.
    """
    try:
        if len(raw) > SMALL:
            _check_events(raw, most)
        loader = _Loader(raw)
        try:
            node = loader.get_single_node()
            if b"*" in raw:
                _check_aliases(node, most)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError as error:
        raise UnreadableError("nests too deeply") from error
    except (yaml.YAMLError, UnreadableError) as error:
        raise UnreadableError(_reason(error)) from error
    except MemoryError:
        raise
    except Exception as error:  # a tag on a value of another kind raises about anything
        raise UnreadableError(f"a value does not fit its tag: {_reason(error)}") from error


def _check_events(raw: bytes, most: int) -> None:
    depth = 0
    for number, event in enumerate(yaml.parse(raw, _Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST:
            raise UnreadableError(f"holds a value of more than {LONGEST:,} characters")
        if depth > DEEPEST:
            raise UnreadableError(f"nests more than {DEEPEST} levels")
        if number > most:
            raise UnreadableError(f"holds more than {most:,} values")


def _check_aliases(root: yaml.Node, most: int) -> None:
    """Refuse aliases that stand for more values than a file may hold, and ones in themselves."""
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        if id(node) not in sizes:
            sizes[id(node)] = float("inf")  # until it is known: a node in itself has no end
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
        return sizes[id(node)]

    if size(root) > most:
        raise UnreadableError(f"its aliases stand for more than {most:,} values")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return one_line(error) or type(error).__name__
