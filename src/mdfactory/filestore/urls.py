"""URLs of file stores: a folder, or a place that fsspec knows, with its secrets apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from mdfactory.config.passwords import has_password, mask_password
from mdfactory.errors import ConfigError

S3_PROTOCOLS: Final = frozenset({"s3", "s3a"})

OBJECT_STORES: Final = S3_PROTOCOLS | {"gs", "gcs", "az", "abfs", "abfss", "oci", "oss"}
"""Protocols of object stores: a file appears when its upload is complete, and there are no folders
to create."""

PROTOCOL: Final = re.compile("[a-z][a-z0-9+.-]*")

ACCOUNT: Final = re.compile("([^:@/?]*):(.*)@", re.DOTALL)
"""User and secret, which reaches to the last ``@`` as for `mask_password`."""

MIN_SECRET_CHARACTERS: Final = 4
"""Length of the shortest secret that is masked in the messages of libraries."""


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A place that fsspec knows.

    Parameters
    ----------
    protocol
        Protocol, such as ``s3``.
    path
        Bucket and prefix, or the path on a host; without a slash at its end.
    location
        The URL without secrets.
    options
        Options of the file system of fsspec, with the secrets.
    secrets
        The secrets of the URL, as they are in it and as they are.
    """

    protocol: str
    path: str
    location: str
    options: Mapping[str, object] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_s3(self) -> bool:
        """Whether this is S3, or speaks its protocol."""
        return self.protocol in S3_PROTOCOLS

    @property
    def is_object_store(self) -> bool:
        """Whether this is an object store; see `OBJECT_STORES`."""
        return self.protocol in OBJECT_STORES

    def mask(self, text: str) -> str:
        """Return a message of a library with ``***`` in place of each secret."""
        for secret in self.secrets:
            if len(secret) >= MIN_SECRET_CHARACTERS:
                text = text.replace(secret, "***")
        return mask_password(text)


def parse_place(url: str, endpoint_url: str = "") -> RemotePlace:
    """Parse the URL of a file store that is no folder.

    Libraries print URLs, so a secret in it is passed to them as an option.

    Parameters
    ----------
    url
        URL such as ``s3://bucket/prefix`` or ``sftp://user@host/path``. A secret may be in it:
        ``s3://KEY:SECRET@bucket/prefix``.
    endpoint_url
        URL of an own S3 server; empty for the default.

    Raises
    ------
    ConfigError
        If it is not such a URL. The message has no secret.
    """
    location = mask_password(url)
    protocol, _, rest = url.partition("://")
    protocol = protocol.lower()
    if not PROTOCOL.fullmatch(protocol):  # fsspec would take the disk of this machine
        raise _invalid(location, "expected a path, or a URL such as s3://bucket/prefix")
    user = secret = ""
    if account := ACCOUNT.match(rest):
        user, secret = account.groups()
        rest = rest[account.end() :]
    # The longer one is masked first: the other may be its beginning.
    secrets = tuple(sorted({secret, unquote(secret)} - {""}, key=len, reverse=True))
    user, secret = unquote(user), unquote(secret)
    clean_url = f"{protocol}://{rest}"
    if has_password(clean_url) or "?" in rest or "#" in rest:
        raise _invalid(location, "expected no parameters after ? or #")
    host, _, path = rest.partition("/")
    if not host:
        raise _invalid(location, "it names no bucket or host")
    if protocol not in OBJECT_STORES:
        try:
            options = _host_options(clean_url, user, secret)
        except ValueError as error:
            raise _invalid(location, str(error)) from None
        return RemotePlace(protocol, f"/{path.strip('/')}", location, options, secrets)
    options = {}
    if protocol in S3_PROTOCOLS:
        options = {"key": user, "secret": secret} if secret else {}
        options |= {"endpoint_url": _endpoint(endpoint_url)} if endpoint_url else {}
    elif secret:
        raise _invalid(location, "a secret is read from the environment")
    return RemotePlace(protocol, f"{host}/{path.strip('/')}".strip("/"), location, options, secrets)


def _host_options(url: str, user: str, secret: str) -> dict[str, object]:
    """Return the options of a file system that is reached by the name of a host."""
    parts = urlsplit(url)
    given = {
        "host": parts.hostname,
        "port": parts.port,
        "username": user or parts.username,
        "password": secret,
    }
    return {name: value for name, value in given.items() if value}


def _endpoint(url: str) -> str:
    if not url.startswith(("http://", "https://")) or "@" in url:
        raise ConfigError(
            f"[files] ENDPOINT_URL = {mask_password(url)}: expected a URL such as "
            "https://s3.example.org, without a user",
            command="mdfactory config edit",
        )
    return url


def _invalid(location: str, reason: str) -> ConfigError:
    return ConfigError(f"[files] URL = {location}: {reason}", command="mdfactory config edit")
