"""The contract suites for tests of a new store or file store, and a store in memory.

`StoreTests` is the suite for stores. Its two parts, `RecordTests` and `HistoryTests`, can be run
separately. `FileStoreTests` is the suite for file stores.
The extra ``mdfactory[testing]`` is required.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"mdfactory.testing.{module}"
        for module in ("file_stores", "find", "history", "raw", "stores", "writes")
    )
)

from mdfactory.testing.file_stores import FileStoreTests  # noqa: E402
from mdfactory.testing.history import HistoryTests  # noqa: E402
from mdfactory.testing.memory import MemoryStore  # noqa: E402
from mdfactory.testing.stores import RecordTests, StoreTests  # noqa: E402

__all__ = ["FileStoreTests", "HistoryTests", "MemoryStore", "RecordTests", "StoreTests"]
