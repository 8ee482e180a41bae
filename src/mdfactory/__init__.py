"""The registry of a lab's molecular-dynamics campaigns."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from mdfactory.version import __version__

if TYPE_CHECKING:
    from mdfactory.campaign.build_input import BuildInput
    from mdfactory.campaign.results import Results
    from mdfactory.campaign.simulation import Simulation
    from mdfactory.errors import MDFactoryError
    from mdfactory.notebook import Records, open_store
    from mdfactory.pushing import push

__all__ = [
    "BuildInput",
    "MDFactoryError",
    "Records",
    "Results",
    "Simulation",
    "__version__",
    "open_store",
    "push",
]

_MODULES = {
    "BuildInput": "mdfactory.campaign.build_input",
    "MDFactoryError": "mdfactory.errors",
    "Records": "mdfactory.notebook",
    "Results": "mdfactory.campaign.results",
    "Simulation": "mdfactory.campaign.simulation",
    "open_store": "mdfactory.notebook",
    "push": "mdfactory.pushing",
}
"""Public name -> the module that defines it."""


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)


def __getattr__(name: str, platform: str = sys.platform) -> object:
    """Import a public name only when it is used, so that the program starts fast."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mdfactory.platforms import require_posix

    require_posix(platform)
    return getattr(import_module(_MODULES[name]), name)
