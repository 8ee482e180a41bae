"""The browser in which pages of reports are tested."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or ""
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
)

# The automatic CI must not skip these tests; elsewhere a browser may lack.
needs_browser = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="there is no chromium: apt-get install --no-install-recommends chromium",
)
