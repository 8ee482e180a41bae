"""The configuration: settings, their sources, and writing them to a file."""

from mdfactory.config.settings import FoundryPaths, Settings, load

__all__ = ["FoundryPaths", "Settings", "load"]
