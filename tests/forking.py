"""The warnings filter of tests whose programs fork."""

from __future__ import annotations

from typing import Final

FORK_WARNING_FILTER: Final = "ignore:This process:DeprecationWarning"
"""Python warns of a fork in a process with threads; the children of these tests only die."""
