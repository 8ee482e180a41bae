"""The version of the program; each entry of the log of a store has it, too."""

from __future__ import annotations

__version__ = "0.1.0"
