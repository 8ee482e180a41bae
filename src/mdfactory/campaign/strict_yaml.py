"""Reads YAML files strictly and within bounds: duplicate keys and oversized values are errors."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from mdfactory.errors import one_line
from mdfactory.files import UnreadableError, read_file

MAX_BUILD_INPUT_BYTES: Final = 4 * 2**20
"""Size of the largest BuildInput that is read; most have a few thousand bytes."""

MAX_SUMMARY_BYTES: Final = 64 * 2**20
"""Size of the largest build summary that is read: some hundred thousand simulations."""

MAX_SUMMARY_VALUES: Final = 1_000_000
MAX_VALUES: Final = 200_000
MAX_LEVELS: Final = 64
MAX_VALUE_CHARACTERS: Final = 10_000

MAX_UNCHECKED_BYTES: Final = 8 * 2**10
"""Size up to which a file is composed without a check of its levels.

libyaml's composer recurses in C, so deep nesting would end the process. A file this small cannot
nest deeply enough for that.
"""


UNAMBIGUOUS_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?")
"""Number that means in YAML what it means elsewhere; ``0450`` would be 296, and ``1:30`` 90."""


class UnquotedNumber(str):
    """Text of a number that is not in the form of `UNAMBIGUOUS_NUMBER`, such as ``1.5e+3``."""

    __slots__ = ()


class AmbiguousInteger(UnquotedNumber):
    """Text of an integer that means something else in YAML, such as ``0450``, which is 296."""

    __slots__ = ()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two
    """Safe loader, in C where PyYAML has it, that refuses duplicate keys.

    Dates, and numbers in other forms than `UNAMBIGUOUS_NUMBER`, are left as the text that is in the
    file: in a list of folders they are names, and fields that want a number refuse them.
    """


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if type(key.value) is str]
    if len(set(keys)) < len(keys):
        duplicate = next(key for key, count in Counter(keys).items() if count > 1)
        raise UnreadableError(f"line {node.start_mark.line + 1}: duplicate key {duplicate!r}")
    values: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return values


def _construct_number(loader: Any, node: yaml.ScalarNode) -> Any:
    # This raises an error if the value does not fit its tag.
    value = SCALAR_CONSTRUCTORS[node.tag](loader, node)
    if UNAMBIGUOUS_NUMBER.fullmatch(node.value):
        return value
    if isinstance(value, int):
        return AmbiguousInteger(node.value)
    return UnquotedNumber(node.value) if isinstance(value, float) else node.value


SCALAR_CONSTRUCTORS: Final[dict[str, Any]] = {
    tag: _Loader.yaml_constructors[tag]
    for tag in (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
}
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
for tag in SCALAR_CONSTRUCTORS:
    _Loader.add_constructor(tag, _construct_number)


def load_summary(path: str | Path) -> tuple[Any, os.stat_result]:
    """Return the content of a build summary, and its ``stat`` result from before it was read.

    Raises
    ------
    UnreadableError
        If the file cannot be read, is not valid YAML, has a duplicate key, or exceeds the bounds
        of a build summary.
    """
    raw, status = read_file(path, MAX_SUMMARY_BYTES)
    return load(raw, MAX_SUMMARY_VALUES), status


def load(raw: bytes, max_values: int = MAX_VALUES) -> Any:
    """Return the content of a YAML document.

    Parameters
    ----------
    raw
        The document.
    max_values
        Largest number of values that it may contain.

    Raises
    ------
    UnreadableError
        If it is not valid YAML, has a duplicate key, or exceeds the bounds.
    """
    try:
        if len(raw) > MAX_UNCHECKED_BYTES:
            _check_events(raw, max_values)
        loader = _Loader(raw)
        node = loader.get_single_node()
        if b"*" in raw:
            _check_aliases(node, max_values)
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise UnreadableError("nests too deeply") from error
    except (yaml.YAMLError, UnreadableError) as error:
        raise UnreadableError(_reason(error)) from error
    except MemoryError:
        raise
    except Exception as error:  # a tag on a value of the wrong type may raise any exception
        raise UnreadableError(f"a value does not fit its tag: {_reason(error)}") from error


def _check_events(raw: bytes, max_values: int) -> None:
    """Refuse a document that exceeds the bounds, from parser events, which need no recursion."""
    level = 0
    for number, event in enumerate(yaml.parse(raw, _Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_VALUE_CHARACTERS:
            raise UnreadableError(f"holds a value of more than {MAX_VALUE_CHARACTERS:,} characters")
        if level > MAX_LEVELS:
            raise UnreadableError(f"nests more than {MAX_LEVELS} levels")
        if number > max_values:
            raise UnreadableError(f"holds more than {max_values:,} values")


def _check_aliases(root: yaml.Node, max_values: int) -> None:
    """Refuse aliases that expand to too many values, and an alias inside its own anchor."""
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        if id(node) not in sizes:
            # Infinite until it is computed, so that a node that contains itself is refused.
            sizes[id(node)] = float("inf")
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
        return sizes[id(node)]

    if size(root) > max_values:
        raise UnreadableError(f"its aliases expand to more than {max_values:,} values")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return one_line(error) or type(error).__name__
