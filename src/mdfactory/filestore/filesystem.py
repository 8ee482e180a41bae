"""The file systems of fsspec, and how they are opened."""

from __future__ import annotations

import logging
from typing import Any, Final

from mdfactory.errors import ConfigError, one_line
from mdfactory.filestore.failures import explained
from mdfactory.filestore.urls import RemotePlace

S3_OPTIONS: Final[dict[str, Any]] = {
    "use_listings_cache": False,
    "fixed_upload_size": True,
    "config_kwargs": {
        "retries": {"mode": "standard", "total_max_attempts": 4},
        "connect_timeout": 5,
        "max_pool_connections": 32,
    },
}
"""Options of s3fs: nothing is answered from memory, the parts of an upload have one size, and
requests are repeated, with a limit."""

ANSWER_SECONDS: Final = 120.0
"""How long to wait for an answer. The time in which a part is sent counts, too: several parts at
once share a slow line."""

TELLTALE_LOGGERS: Final = ("botocore", "aiobotocore")
"""Loggers of libraries whose debug messages contain session tokens, and the URLs of servers; others
say where keys were found."""


def open_filesystem(place: RemotePlace, answer_seconds: float = ANSWER_SECONDS) -> Any:
    """Open the file system of fsspec for a place.

    Parameters
    ----------
    place
        The place.
    answer_seconds
        How long to wait for an answer of S3 before a request is repeated.

    Raises
    ------
    ConfigError
        If fsspec does not know its protocol, or its library is not installed.
    FileStoreError
        If it cannot be opened, such as a host that is not reached.
    """
    try:
        import fsspec  # type: ignore[import-untyped]

        opening = fsspec.get_filesystem_class(place.protocol)
    except ValueError as error:
        text = f"[files] URL = {place.location}: fsspec knows no protocol {place.protocol!r}"
        raise ConfigError(text, command="mdfactory config edit") from error
    except ImportError as error:
        command = "pip install 'mdfactory[s3]'" if place.is_s3 else ""
        text = f"the file store {place.location} needs a library: {one_line(error)}"
        raise ConfigError(text, command=command) from error
    with explained(place, "cannot be opened"):
        options = {**place.options}
        if place.is_s3:
            config = {**S3_OPTIONS["config_kwargs"], "read_timeout": answer_seconds}
            options = {**S3_OPTIONS, **options, "config_kwargs": config}
        opened = opening(skip_instance_cache=True, **options)
    if place.is_s3:
        opened.retries = 1  # botocore repeats requests; both together would go on for an hour
        for logger in map(logging.getLogger, TELLTALE_LOGGERS):
            if not logger.level:
                logger.setLevel(logging.WARNING)
    return opened
