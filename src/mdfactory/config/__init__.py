"""The configuration: settings, their sources, and writing them to a file."""

from mdfactory.config.edit import save
from mdfactory.config.passwords import has_password, mask_password, with_password
from mdfactory.config.settings import (
    FoundryPaths,
    Paths,
    Setting,
    Settings,
    active_file,
    cache_folder,
    load,
    resolve_value,
    template,
)

__all__ = [
    "FoundryPaths",
    "Paths",
    "Setting",
    "Settings",
    "active_file",
    "cache_folder",
    "has_password",
    "load",
    "mask_password",
    "resolve_value",
    "save",
    "template",
    "with_password",
]
