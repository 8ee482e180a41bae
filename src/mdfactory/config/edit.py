"""Settings written into a configuration file, all else in it left as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from mdfactory.config.settings import OTHERS, parsed, parser_of, password_in, template
from mdfactory.errors import ConfigError
from mdfactory.files import replacing

__all__ = ["changed", "save"]

SECTION: Final = re.compile(r"\s*\[(?P<name>.+)\]")
KEY: Final = re.compile(r"\s*(?P<comment>[;#]\s*)?(?P<key>[^\s=:]+)\s*[=:]")

Values = Mapping[tuple[str, str], str]
"""Section and key -> value."""


def save(file: Path, values: Values) -> None:
    """Write settings into a configuration file; comments and other settings stay.

    A new file shows every setting. If it is to hold a password, only its owner may read it.

    Parameters
    ----------
    file
        The file; it need not exist.
    values
        Section and key -> value.

    Raises
    ------
    ConfigError
        If the file cannot be read or written, or if others may read it and it is to hold a
        password. It is left as it was.
    """
    secret = any(map(password_in, values.values()))
    try:
        text = template()
        if os.path.exists(file):
            parsed(file)  # what is no configuration is not made worse
            with open(file, encoding="utf-8-sig", newline="") as lines:
                text = lines.read()
            if secret and os.stat(file).st_mode & OTHERS:
                raise ConfigError(
                    f"{file} can be read by others, and is no place for a password. Keep that in "
                    "~/.pgpass, or let nobody else read the file",
                    command=f"chmod 600 {quote(str(file))}",
                )
        text = changed(text, values)
        _check(text, values, file)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file, mode=0o600 if secret else None) as opened:
            opened.write(text.encode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def _check(text: str, values: Values, file: Path) -> None:
    """Refuse what would not be read as it is meant."""
    read = parser_of(text, file)
    for (section, key), value in values.items():
        if read.get(section, key, fallback=None) != value:
            raise ConfigError(
                f"{file}: [{section}] {key} cannot be set to {value!r} by program",
                command="mdfactory config edit",
            )


def changed(text: str, values: Values) -> str:
    """Return the text of a configuration with other values.

    A value takes the place of the one that the text has, or stands below the comment that
    shows its default, or at the head of its section.

    Parameters
    ----------
    text
        A text that `configparser` reads.
    values
        Section and key -> value.
    """
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    for (section, key), value in values.items():
        start, end = _place(lines, section, key)
        if start < 0:
            lines += [newline] * bool(lines) + [f"[{section}]{newline}"]
            start = end = len(lines)
        beside = "".join(lines[start : start + 1])  # an indented line below would go on from ours
        indent = beside[: _indent(beside)] if beside.strip() else ""
        lines[start:end] = [f"{indent}{key} = {value}{newline}"]
    return "".join(lines)


def _place(lines: list[str], section: str, key: str) -> tuple[int, int]:
    """Return which lines a value takes the place of; negative if its section is missing."""
    place = -1
    inside = found = False
    for number, line in enumerate(lines):
        if found:
            if line.strip() and _indent(line) > _indent(lines[place]):  # the value goes on
                continue
            return place, number
        header = SECTION.match(line)
        if header:
            inside = header["name"] == section
            place = number + 1 if inside else place
            continue
        named = KEY.match(line) if inside else None
        if named and named["key"].lower() == key.lower():
            found = not named["comment"]
            place = number if found else number + 1
    return place, len(lines) if found else place


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
