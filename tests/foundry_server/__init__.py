"""A local server that plays Palantir Foundry for tests; `protocol.md` says what it rests on.

Start it in a test (``with FoundryServer() as foundry: ...``) or as a program of its own
(``PYTHONPATH=tests python -m foundry_server``).
"""

from .handler import Request
from .parquet import dump, foundry_schema, schema_of
from .server import ALICE, BOB, READER, Dump, FoundryServer, Kept
from .settings import Settings, User

__all__ = [
    "ALICE",
    "BOB",
    "READER",
    "Dump",
    "FoundryServer",
    "Kept",
    "Request",
    "Settings",
    "User",
    "dump",
    "foundry_schema",
    "schema_of",
]
