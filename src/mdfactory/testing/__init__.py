"""The contract suite for tests of a new store, and a store in memory.

`StoreTests` is the suite. Its two parts, `RecordTests` and `HistoryTests`, can be run separately.
The extra ``mdfactory[testing]`` is required.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"mdfactory.testing.{module}" for module in ("find", "history", "raw", "stores", "writes"))
)

from mdfactory.testing.history import HistoryTests  # noqa: E402
from mdfactory.testing.memory import MemoryStore  # noqa: E402
from mdfactory.testing.stores import RecordTests, StoreTests  # noqa: E402

__all__ = ["HistoryTests", "MemoryStore", "RecordTests", "StoreTests"]
