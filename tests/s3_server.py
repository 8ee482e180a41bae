"""A server that speaks S3 on a port of 127.0.0.1, in a process of its own.

``python s3_server.py`` prints its URL, and ends when its standard input is closed: whatever becomes
of who started it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment of a user of the server, which takes any key."""

PAGE_KEYS = 10
"""Number of files that the server lists at a time."""


@contextmanager
def serving() -> Iterator[str]:
    """Run a server during the block, and yield its URL."""
    command = [sys.executable, "-W", "ignore", __file__]
    environment = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE_KEYS)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment) as program:
        assert program.stdin
        assert program.stdout
        yield program.stdout.readline().decode().strip()
        program.stdin.close()


def connected(url: str) -> Any:
    """Return a client of a server, which is not ours."""
    import boto3

    names = {name.lower(): value for name, value in CREDENTIALS.items() if "METADATA" not in name}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **names)


def main() -> None:
    """Serve until the standard input is closed."""
    os.environ.pop("WERKZEUG_SERVER_FD", None)
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        def send_response(self, code: int, message: str | None = None) -> None:
            """Answer without a second header ``Server``, which strict clients refuse."""
            self.send_response_only(code, message)

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
