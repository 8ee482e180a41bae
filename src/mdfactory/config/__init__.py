"""The configuration: settings, their sources, and writing them to a file."""

from mdfactory.config.edit import save
from mdfactory.config.settings import (
    FoundryPaths,
    Paths,
    Setting,
    Settings,
    active_file,
    cache_folder,
    has_password,
    load,
    mask_password,
    resolve_value,
    template,
    with_password,
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
