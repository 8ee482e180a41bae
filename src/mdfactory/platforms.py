"""The operating systems that the package runs on."""

from __future__ import annotations

import sys

from mdfactory.errors import UnsupportedPlatformError

__all__ = ["require_posix"]


def require_posix(platform: str = sys.platform) -> None:
    """Refuse Windows, whose file locks and replacements of open files are not those of POSIX.

    Parameters
    ----------
    platform
        The operating system, as ``sys.platform`` names it.

    Raises
    ------
    UnsupportedPlatformError
        If it is Windows.
    """
    if platform == "win32":
        raise UnsupportedPlatformError(
            "mdfactory does not run on Windows: its stores need the file locks of POSIX. "
            "Use Linux, macOS, or the Windows Subsystem for Linux (WSL)"
        )
