"""The configuration: what is set, by whom, and how it is written down."""

from mdfactory.config.edit import save
from mdfactory.config.settings import (
    FoundryPaths,
    Paths,
    Setting,
    Settings,
    active_file,
    cache_folder,
    load,
    masked,
    password_in,
    template,
    valued,
    with_password,
)

__all__ = [
    "FoundryPaths",
    "Paths",
    "Setting",
    "Settings",
    "active_file",
    "cache_folder",
    "load",
    "masked",
    "password_in",
    "save",
    "template",
    "valued",
    "with_password",
]
