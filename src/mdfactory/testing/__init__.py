"""What the tests of a new store need: the contract suite, and a store in memory.

`StoreTests` is the suite; its two parts, `RecordTests` and `HistoryTests`, can be run apart.
Needs the extra ``mdfactory[testing]``.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("mdfactory.testing.stores", "mdfactory.testing.history")

from mdfactory.testing.history import HistoryTests  # noqa: E402
from mdfactory.testing.memory import MemoryStore  # noqa: E402
from mdfactory.testing.stores import RecordTests, StoreTests  # noqa: E402

__all__ = ["HistoryTests", "MemoryStore", "RecordTests", "StoreTests"]
