"""HTTP: reads requests whole, lets faults fall on them, sends replies."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from .wire import Reply, parse_query

if TYPE_CHECKING:
    from .server import FoundryServer


@dataclass(slots=True, eq=False)
class Request:
    """A line of the log, with times by `time.time`.

    No status means that no reply was sent; `ended` is when it was ready, or the connection gone.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    started: float = field(default_factory=time.time)
    ended: float | None = None
    status: int | None = None
    size: int = 0
    user: str | None = None
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class CutShortError(Exception):
    """The client went away before its body ended."""


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 keeps it open (H1)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    foundry: FoundryServer

    def serve(self) -> None:
        """Answer one request."""
        path, _, query = self.path.partition("?")
        entry = Request(self.command, path, parse_query(query))
        with self.foundry.asked:
            self.foundry.log.append(entry)
        try:
            self._serve(entry)
        except (ConnectionError, CutShortError):
            self.close_connection = True
        with self.foundry.asked:
            entry.ended = entry.ended or time.time()
            self.foundry.asked.notify_all()

    def _serve(self, entry: Request) -> None:
        faults = self.foundry.faults.take(f"{self.command} {self.path}")
        entry.faults = tuple(faults)
        if "delay" in faults:
            self.foundry.stopping.wait(faults["delay"].detail["seconds"])
        if "before" in faults:
            faults["before"].detail["action"]()
        if "reset" in faults:
            self._read(entry, faults["reset"].detail["after_bytes"])
            self._reset()
            return
        content = self._read(entry)
        if "answer" in faults:
            given = faults["answer"].detail
            headers = {"Content-Type": "application/json"} | given["headers"]
            self._send(entry, Reply(given["status"], given["content"], headers))
            return
        reply = self.foundry.answer(entry, self._headers(), content)
        if "lose reply" in faults:
            self._reset()
            return
        missing = faults["truncate"].detail["missing"] if "truncate" in faults else 0
        self._send(entry, reply, missing)

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _read(self, entry: Request, most: int | None = None) -> bytes:
        """Return the body, or about its first bytes."""
        content = b""
        for part in self._parts():
            if most is not None and len(content) >= most:
                break
            content += part
            entry.size = len(content)
        return content

    def _parts(self) -> Iterator[bytes]:
        """Yield the body as it comes, by length or in chunks (H2)."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield from self._exactly(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
            yield from self._exactly(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            part = self.rfile.read(min(size, 16384))
            if not part:
                raise CutShortError
            size -= len(part)
            yield part

    def _send(self, entry: Request, reply: Reply, missing: int = 0) -> None:
        """Send a reply, perhaps without its last bytes."""
        entry.status, entry.ended = reply.status, time.time()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.content)))
        if missing:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(reply.content[: len(reply.content) - missing])

    def _reset(self) -> None:
        """End the connection with an RST, which `Listener.shutdown_request` lets go out."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Write nothing: the log is `FoundryServer.log`."""


for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    setattr(Handler, f"do_{method}", Handler.serve)
