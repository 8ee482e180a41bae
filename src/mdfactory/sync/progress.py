"""Progress of a long operation."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, int], None]
"""Called with the current step, such as ``writing``, and the number of items done."""
