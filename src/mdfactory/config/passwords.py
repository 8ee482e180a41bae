"""Passwords in the URLs of databases."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

PASSWORD: Final = re.compile(
    r"(?<=//)(?P<user>[^:@/?]*):.+@(?=[^@]*$)"
    r"|(?P<key>password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^&\s]+)"
)
"""Password in the URL of a database, or in libpq's form ``keyword=value keyword=value``."""


def mask_password(url: str, stars: str = "***") -> str:
    """Return the URL of a database with `stars` in place of the password."""

    def mask(match: re.Match[str]) -> str:
        if match["key"]:
            return f"{match['key']}{stars}"
        return f"{match['user']}:{stars}@" if stars else f"{match['user']}@"

    return PASSWORD.sub(mask, url)


def has_password(url: str) -> bool:
    """Whether the URL of a database contains a password."""
    return PASSWORD.search(url) is not None


def with_password(url: str, password: str) -> str:
    """Return the URL of a database with a password in its query.

    The password is put into the query because every form of URL that libpq accepts may have one.
    Not every form has a place for a user and a password before the host.
    """
    return f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}"
