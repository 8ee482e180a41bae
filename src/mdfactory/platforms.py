"""The operating system: which ones are supported, and the name of the user."""

from __future__ import annotations

import os
import sys

from mdfactory.errors import UnsupportedPlatformError


def require_posix(platform: str = sys.platform) -> None:
    """Raise an error on Windows, which has no POSIX file locks and cannot replace open files.

    Parameters
    ----------
    platform
        Name of the operating system, as in ``sys.platform``.

    Raises
    ------
    UnsupportedPlatformError
        If the operating system is Windows.
    """
    if platform == "win32":
        raise UnsupportedPlatformError(
            "mdfactory does not run on Windows: its stores need POSIX file locks. "
            "Use Linux, macOS, or the Windows Subsystem for Linux (WSL)"
        )


def user_name() -> str:
    """Return the name of the user, or the number of one without a name, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
