"""Secrets in the URLs of databases, and in other descriptions of a connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

USER: Final = re.compile("//[^:@/?]*:")
"""User of a URL, whose password reaches to the last ``@``, whatever it consists of."""

PARAMETER: Final = re.compile(
    r"(?<![\w%.-])(?P<name>[\w%.-]++)\s*=\s*(?P<secret>'(?:[^'\\]|\\.)*'|[^&;\s]*)", re.DOTALL
)
"""Parameter in the query of a URL, or in libpq's form ``keyword=value keyword=value``."""

CONNECTION: Final = re.compile(r"^\s*[a-z][\w+.:-]*://|(?:^|\s)\w*password\s*=", re.IGNORECASE)
"""What only a URL, or libpq's form ``keyword=value``, has: paths and names have not."""

SECRET_WORDS: Final = ("password", "passwd", "pwd", "passphrase", "secret", "token")
"""Words in the names of parameters whose values are not shown."""


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each secret in a description of a connection."""
    start, end = 0, text.rfind("@")
    if end > 0 and (user := USER.search(text, 0, end)):
        yield user.end(), end
        start = end
    for parameter in PARAMETER.finditer(text, start):
        if _is_secret(parameter["name"]) and parameter["secret"]:
            yield parameter.span("secret")


def _is_secret(text: str) -> bool:
    """Whether a text, as libpq decodes it, has a word that announces a secret."""
    return any(word in unquote(text).casefold() for word in SECRET_WORDS)


def mask_password(text: str, stars: str = "***") -> str:
    """Return a description of a connection with `stars` in place of each secret.

    If it announces a secret that cannot be located, `stars` are returned.

    Parameters
    ----------
    text
        The URL of a database, or libpq's form ``keyword=value keyword=value``; or any other
        text, such as an argument of a command.
    stars
        Stands for a secret; a password of a user is left out together with its colon if empty.
    """
    shown, position = "", 0
    for start, end in _secrets(text):
        shown += text[position:start] + stars
        if not stars:
            shown = shown.removesuffix(":")
        position = end
    shown += text[position:]
    rest = PARAMETER.sub(lambda parameter: "" if _is_secret(parameter["name"]) else " ", shown)
    is_connection = "//" in text or "=" in text
    return stars if is_connection and _is_secret(rest) else shown


def has_password(text: str) -> bool:
    """Whether a description of a connection contains a secret."""
    return mask_password(text) != text


def is_connection_with_password(text: str) -> bool:
    """Whether a text, where a path or a name is expected, is a connection with a password."""
    return bool(CONNECTION.search(text)) and has_password(text)


def with_password(url: str, password: str) -> str:
    """Return the URL of a database with a password in its query.

    The password is put into the query because every form of URL that libpq accepts may have one.
    Not every form has a place for a user and a password before the host.
    """
    return f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}"
