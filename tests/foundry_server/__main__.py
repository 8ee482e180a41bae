"""The server as a program: its URL is the first line that it prints."""

from __future__ import annotations

import argparse
import sys
import threading

from . import FoundryServer, User


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m foundry_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--token", action="append", help="who may enter, instead of the usual")
    asked = parser.parse_args()
    tokens = {token: User(token) for token in asked.token or ()}
    with FoundryServer(asked.port, tokens or None) as foundry:
        sys.stdout.write(f"{foundry.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
