"""A proxy between a client and a server of S3, which does harm to requests."""

from __future__ import annotations

import http.client
import itertools
import math
import socket
import struct
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "date", "server", "expect"}

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Fault = Callable[["Handler"], None]
"""Handles a request instead of the server."""


def answers(status: int, code: str = "", **headers: str) -> Fault:
    """Return a fault that answers with an error; without a code its body is no XML."""

    def answer(handler: Handler) -> None:
        body = f"<Error><Code>{code}</Code><Message>of {code}</Message></Error>" if code else "Oops"
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        handler.reply(status, given, body.encode())

    return answer


def cuts_request(handler: Handler) -> None:
    """Close the connection before the request has been read."""
    handler.reset()


def cuts_answer(handler: Handler) -> None:
    """Let the server do what is asked, and close the connection without a word."""
    handler.relay()
    handler.reset()


def cuts_answer_in_the_middle(handler: Handler) -> None:
    """Let the server do what is asked, and send half of its answer."""
    status, headers, body = handler.relay()
    length = len(body) or 100  # of an answer without a body, half of one that it announces
    handler.reply(status, headers, body[: len(body) // 2], length=length)
    handler.reset()


def closes_answer_in_the_middle(handler: Handler) -> None:
    """Do the same, but end the connection as if all were well."""
    status, headers, body = handler.relay()
    handler.reply(status, headers, body[: len(body) // 2], length=len(body) or 100)
    handler.close_connection = True


def shortens_answer(handler: Handler) -> None:
    """Answer with half of a body, whose length is announced as if that were all."""
    status, headers, body = handler.relay()
    handler.reply(status, headers, body[: len(body) // 2])


def delays(seconds: float) -> Fault:
    """Return a fault that takes its time, after which all is well."""

    def delay(handler: Handler) -> None:
        handler.relay()
        time.sleep(seconds)
        handler.reply(*handler.relay())

    return delay


def hangs(handler: Handler) -> None:
    """Read the request, and never answer."""
    handler.relay()
    handler.proxy.closed.wait()


def pages_uploads(most: int) -> Fault:
    """Return a handler of listings of uploads that returns so many of them at a time."""

    def page(handler: Handler) -> None:
        status, headers, body = handler.relay()
        query = parse_qs(urlsplit(handler.path).query)
        after = query.get("key-marker", [""])[0], query.get("upload-id-marker", [""])[0]
        root = ET.fromstring(body)  # noqa: S314  # of our own server
        uploads = root.findall(f"{{{NAMESPACE}}}Upload")
        names = [
            tuple(each.findtext(f"{{{NAMESPACE}}}{tag}") or "" for tag in ("Key", "UploadId"))
            for each in uploads
        ]
        order = sorted(range(len(uploads)), key=names.__getitem__)
        left = [index for index in order if names[index] > after]
        for index in set(range(len(uploads))) - set(left[:most]):
            root.remove(uploads[index])
        if len(left) > most:
            root.find(f"{{{NAMESPACE}}}IsTruncated").text = "true"
            for tag, text in zip(("Key", "UploadId"), names[left[most - 1]], strict=True):
                ET.SubElement(root, f"{{{NAMESPACE}}}Next{tag}Marker").text = text
        handler.reply(status, headers, ET.tostring(root))

    return page


class Handler(BaseHTTPRequestHandler):
    """A connection of a client."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle_expect_100(self) -> bool:
        """Leave it to `relay` whether a body is read."""
        return True

    def parse_request(self) -> bool:
        """Handle all methods alike."""
        if not super().parse_request():
            return False
        setattr(self, f"do_{self.command}", self.do)
        return True

    def do(self) -> None:
        """Relay a request, or do harm to it."""
        self.answered: tuple[int, list[tuple[str, str]], bytes] | None = None
        fault = self.proxy.next_fault(f"{self.command} {self.path}")
        if fault:
            fault(self)
        else:
            self.reply(*self.relay())

    def relay(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server, once."""
        if not self.answered:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server = http.client.HTTPConnection(self.proxy.server)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_HEADERS}
            server.request(self.command, self.path, body, headers)
            with server.getresponse() as answer:
                kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_HEADERS]
                self.answered = answer.status, kept, answer.read()
            server.close()
        return self.answered

    def reply(
        self, status: int, headers: list[tuple[str, str]], body: bytes, length: int | None = None
    ) -> None:
        """Answer the client."""
        if not self.answered and self.command in {"PUT", "POST"}:
            self.close_connection = True  # its body was not read
        self.send_response_only(status)
        is_head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() != "content-length" or is_head:
                self.send_header(name, value)
        if not is_head:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if not is_head:
            self.wfile.write(body)
        self.wfile.flush()

    def reset(self) -> None:
        """End the connection, so that the client notices at once."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Listener(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def shutdown_request(self, request: Any) -> None:
        """Close a connection without saying goodbye, so that a reset is one."""
        self.close_request(request)

    def handle_error(self, *_: object) -> None:
        """Print nothing of clients that have gone."""


class Proxy:
    """A proxy on a port of 127.0.0.1, as a context manager.

    Parameters
    ----------
    server
        URL of the server.

    Attributes
    ----------
    url : str
        URL of the proxy.
    log : list of str
        Method and path of each request.
    closed : Event
        Set at the end.
    """

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server).netloc
        self.log: list[str] = []
        self.closed = Event()
        self._faults: list[tuple[Fault, str, Any]] = []
        self._lock = Lock()
        handler = type("Handler", (Handler,), {"proxy": self})
        self._listener = Listener(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._listener.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self._listener.shutdown()
        self._listener.server_close()

    def fail(self, fault: Fault, times: float = math.inf, on: str = "") -> None:
        """Do harm to the next requests whose method and path contain a text."""
        count = itertools.count()
        self._faults.append((fault, on, lambda: next(count) < times))

    def heal(self) -> None:
        """Do no more harm."""
        self._faults.clear()

    def next_fault(self, line: str) -> Fault | None:
        """Return what is done to a request."""
        with self._lock:
            self.log.append(line)
            for fault, on, is_left in self._faults:
                if on in line and is_left():
                    return fault
        return None
