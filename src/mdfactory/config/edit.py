"""Writing settings into a configuration file, without changing the rest of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from mdfactory.config.passwords import has_password
from mdfactory.config.settings import READABLE_BY_OTHERS, SettingKey, parse_ini, read_ini, template
from mdfactory.errors import ConfigError
from mdfactory.files import create_folder, replacing

SECTION_LINE: Final = re.compile(r"\s*\[(?P<name>.+)\]")
KEY_LINE: Final = re.compile(r"\s*(?P<comment>[;#]\s*)?(?P<key>[^\s=:]+)\s*[=:]")

Values = Mapping[SettingKey, str]
"""Section and key -> value."""


def save(file: Path, values: Values) -> None:
    """Write settings into a configuration file; comments and other settings are not changed.

    A new file lists every setting. A new file with a password is readable only by its owner.

    Parameters
    ----------
    file
        Configuration file; it need not exist.
    values
        Section and key -> value.

    Raises
    ------
    ConfigError
        If the file cannot be read or written, if a value cannot be written so that it is read
        back unchanged, or if a value contains a password and others can read the file. The file
        is then unchanged.
    """
    has_secret = any(map(has_password, values.values()))
    try:
        text = _read_text(file, has_secret=has_secret) if os.path.exists(file) else template()
        text = replace_values(text, values)
        _check_values(text, values, file)
        create_folder(file.parent)
        with replacing(file, mode=0o600 if has_secret else 0o666, follow_link=True) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    except UnicodeEncodeError as error:  # bytes of a path that are not UTF-8
        raise ConfigError(f"{file} cannot be written: a value is not valid UTF-8") from error


def _read_text(file: Path, *, has_secret: bool) -> str:
    """Check that a configuration file may be edited, and return its text with its line ends."""
    read_ini(file)  # raises an error if the file is not a valid configuration
    with open(file, encoding="utf-8-sig", newline="") as stream:
        text = stream.read()
    if has_secret and os.stat(file).st_mode & READABLE_BY_OTHERS:
        raise ConfigError(
            f"{file} can be read by others, so the password was not written to it. Put the "
            "password into ~/.pgpass, or make the file private",
            command=f"chmod 600 {quote(str(file))}",
        )
    return text


def _check_values(text: str, values: Values, file: Path) -> None:
    """Raise an error if a value, such as one with a line break, is not read back unchanged."""
    parser = parse_ini(text, file)
    for (section, key), value in values.items():
        if parser.get(section, key, fallback=None) != value:
            raise ConfigError(
                f"{file}: [{section}] {key} cannot be set to {value!r}: the value would not "
                "be read back unchanged",
                command="mdfactory config edit",
            )


def replace_values(text: str, values: Values) -> str:
    """Return the text of a configuration with new values.

    A new value replaces the present one. If there is none, the new value is inserted below the
    comment that shows the default, or at the beginning of the section if there is no such comment.

    Parameters
    ----------
    text
        Text that `configparser` can parse.
    values
        Section and key -> value.
    """
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    for (section, key), value in values.items():
        start, end = _lines_of_value(lines, section, key)
        if start < 0:
            lines += [newline] * bool(lines) + [f"[{section}]{newline}"]
            start = end = len(lines)
        # The new line has the indent of the line at its position. If that line were indented
        # more than the new one, it would continue the new value.
        next_line = "".join(lines[start : start + 1])
        indent = next_line[: _indent(next_line)] if next_line.strip() else ""
        lines[start:end] = [f"{indent}{key} = {value}{newline}"]
    return "".join(lines)


def _lines_of_value(lines: list[str], section: str, key: str) -> tuple[int, int]:
    """Return the slice of lines to replace by a value.

    The slice is empty if the value is to be inserted. Its bounds are -1 if the section is missing.
    """
    start = -1
    in_section = has_value = False
    for number, line in enumerate(lines):
        if has_value:
            # A line that is indented more than the key continues the value.
            if line.strip() and _indent(line) > _indent(lines[start]):
                continue
            return start, number
        header = SECTION_LINE.match(line)
        if header:
            in_section = header["name"] == section
            start = number + 1 if in_section else start
            continue
        match = KEY_LINE.match(line) if in_section else None
        if match and match["key"].lower() == key.lower():
            has_value = not match["comment"]
            start = number if has_value else number + 1
    return start, len(lines) if has_value else start


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
