"""The errors of fsspec and its libraries, as errors of a file store, without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mdfactory.errors import FileStoreError, MDFactoryError, MissingFileError, one_line
from mdfactory.filestore.urls import RemotePlace

CUT_ANSWERS: Final = {"ClientPayloadError", "IncompleteReadError", "ResponseStreamingError"}
"""Names of the errors of connections that end in the middle of an answer."""

NO_FILE_CODES: Final = {"", "NoSuchKey", "NoSuchUpload"}
"""Codes of S3 that say that there is no file. A mere 404 may come from a broken server."""

BEYOND_END_CODES: Final = {"InvalidRange", "416"}
"""Codes of S3 for a part that begins at the end of a file."""

HINTS: Final = {
    "NoCredentialsError": ". Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PermissionError": ". May this account read and write there?",
}
"""Name of an error of a library -> what to do."""


class BeyondEndError(Exception):
    """A part was asked for that begins at the end of a file."""


@contextmanager
def explained(
    place: RemotePlace, problem: str, missing: type[FileStoreError] = MissingFileError
) -> Iterator[None]:
    """Turn the errors of libraries in a block into `FileStoreError`.

    Parameters
    ----------
    place
        The file store, whose secrets are masked.
    problem
        What failed, such as ``cannot be read``.
    missing
        Type of the error if a file does not exist.
    """
    try:
        yield
    except (MDFactoryError, ImportError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # of whatever library
        chain = list(_chain(error))
        texts = [str(each) for each in chain]
        code = next(filter(None, map(_code, chain)), "")
        # A traceback shows the messages of all causes.
        cause = error if [*map(place.mask, texts)] == texts else None
        if code in BEYOND_END_CODES:
            raise BeyondEndError from cause
        is_missing = isinstance(error, FileNotFoundError) and code in NO_FILE_CODES
        reason = one_line(place.mask(texts[0] or type(error).__name__))
        text = f"the file store {place.location} {problem}: {reason}"
        hint = HINTS.get(type(error).__name__, "")
        raise (missing if is_missing else FileStoreError)(f"{text}{hint}") from cause


def _chain(error: BaseException | None) -> Iterator[Any]:
    """Yield an error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _code(error: Any) -> str:
    """Return the code in the answer of S3 that an error has; empty if it has none."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
