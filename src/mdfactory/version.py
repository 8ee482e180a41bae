"""The version of the program, which records of what was done also tell."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
