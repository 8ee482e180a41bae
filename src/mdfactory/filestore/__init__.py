"""The file store: a folder or an object store that keeps the files of artifacts."""

from __future__ import annotations

from pathlib import Path

from mdfactory.config import Settings
from mdfactory.errors import ConfigError
from mdfactory.filestore.file_store import FileStore


def configured_file_store(settings: Settings) -> FileStore | None:
    """Return the file store of the configuration; None if it names none.

    Raises
    ------
    ConfigError
        If its URL is invalid.
    """
    if not settings.files:
        return None
    return open_file_store(settings.files, settings.files_endpoint)


def open_file_store(url: str, endpoint_url: str = "") -> FileStore:
    """Open a file store; nothing is read before it is used.

    Parameters
    ----------
    url
        Absolute path of a folder, or a URL such as ``s3://bucket/prefix``; see `config.Settings`.
    endpoint_url
        URL of an own S3 server; empty for the default.

    Raises
    ------
    ConfigError
        If there is no URL, or it is invalid.
    """
    if not url:
        raise ConfigError(
            "no file store is configured: the section [files] has no URL, such as "
            "/project/md/files or s3://bucket/prefix",
            command="mdfactory config init --files FOLDER --yes",
        )
    if "://" not in url:
        from mdfactory.filestore.folder import Folder

        return FileStore(Folder(Path(url)))
    from mdfactory.filestore.remote import Remote
    from mdfactory.filestore.urls import parse_place

    return FileStore(Remote(parse_place(url, endpoint_url)))
