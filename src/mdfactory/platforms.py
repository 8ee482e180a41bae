"""The operating systems that the package runs on."""

from __future__ import annotations

import sys

from mdfactory.errors import UnsupportedPlatformError

__all__ = ["require_posix"]


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
