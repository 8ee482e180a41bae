"""YAML files, read strictly and within bounds: what a file says twice it does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["UnreadableError", "load", "read_bytes"]

LARGEST: Final = 4 * 2**20
"""Bytes of the largest YAML file that is read; a BuildInput has a few hundred."""

DEEPEST: Final = 64
"""Levels of nesting; libyaml's composer recurses in C and would end the process."""

DEEP_SIGNS: Final = (b"[", b"{", b"- -", b"? ?", b" " * 128)


class UnreadableError(ValueError):
    """A file that cannot be read as YAML; the message says why, in one line."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two
    """The safe loader, in C where PyYAML has it, that refuses keys given twice."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    merged = any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value)
    values: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    if len(values) < len(node.value) and not merged:
        keys = [key.value for key, _ in node.value]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UnreadableError(f"line {node.start_mark.line + 1}: the key {twice!r} stands twice")
    return values


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    UnreadableError
        If it cannot be read, or is larger than any BuildInput.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise UnreadableError(f"is larger than {LARGEST >> 20} MiB")
    return raw


def load(raw: bytes) -> Any:
    """Return what YAML text says.

    Raises
    ------
    UnreadableError
        If it is no YAML, gives a key twice, or nests too deeply.
    """
    try:
        if sum(raw.count(sign) for sign in DEEP_SIGNS) > DEEPEST:
            _check_depth(raw)
        return yaml.load(raw, _Loader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UnreadableError(_one_line(error)) from error


def _check_depth(raw: bytes) -> None:
    depth = 0
    for event in yaml.parse(raw, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise UnreadableError(f"nests more than {DEEPEST} levels")


def _one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())
