"""Requests, replies, and the table of endpoints: what of HTTP the endpoints see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, unquote_plus

from .errors import RefusedError

if TYPE_CHECKING:
    from .server import FoundryServer
    from .settings import User
    from .state import State


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Reply:
        """Return a reply in JSON."""
        content = json.dumps(value, default=str).encode()
        return cls(status, content, {"Content-Type": "application/json"})

    @classmethod
    def octets(cls, content: bytes, status: int = 200, **headers: str) -> Reply:
        """Return a reply of bytes."""
        return cls(status, content, {"Content-Type": "application/octet-stream"} | headers)


NOTHING = Reply(204)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, whole, of someone who may make it."""

    server: FoundryServer
    user: User
    query: dict[str, list[str]]
    headers: dict[str, str]
    content: bytes

    @property
    def state(self) -> State:
        """What the server keeps."""
        return self.server.state

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        try:
            return json.loads(self.content or b"{}")
        except ValueError:
            raise RefusedError("Default:InvalidArgument", body="not JSON") from None

    def field(self, name: str, kind: type = str) -> Any:
        """Return a field that the body must have."""
        body = self.json
        if not isinstance(body, dict) or not isinstance(body.get(name), kind):
            raise RefusedError("Default:InvalidArgument", field=name)
        return body[name]

    def value(self, name: str, default: str = "") -> str:
        """Return one value of the query."""
        return self.query.get(name, [default])[-1]

    def says(self, name: str) -> bool:
        """Whether the query says yes: booleans come as Python writes them (H3)."""
        return self.value(name).lower() == "true"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line of the table (protocol.md, "Endpoints")."""

    method: str
    pattern: re.Pattern[str]
    answer: Callable[..., Reply]
    writes: bool

    def arguments(self, method: str, path: str) -> list[str] | None:
        """Return the parts of a path that fill the gaps of this one, decoded (H4)."""
        match = self.pattern.fullmatch(path)
        if method != self.method or match is None:
            return None
        return [
            unquote(part) if name == "path" else unquote_plus(part)
            for name, part in match.groupdict().items()
        ]


ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str, template: str, *, writes: bool = False
) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
    """Answer requests for a path; ``{name}`` is one segment, ``{path}`` all that follow."""
    gaps = template.replace("{path}", "(?P<path>.+)")
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", gaps))

    def register(answer: Callable[..., Reply]) -> Callable[..., Reply]:
        ENDPOINTS.append(Endpoint(method, pattern, answer, writes))
        return answer

    return register


def find(method: str, path: str) -> tuple[Endpoint, list[str]] | None:
    """Return the endpoint for a request, and the arguments in its path."""
    for each in ENDPOINTS:
        arguments = each.arguments(method, path)
        if arguments is not None:
            return each, arguments
    return None


def parse_query(text: str) -> dict[str, list[str]]:
    """Return the values of a query string by name."""
    return parse_qs(text, keep_blank_values=True)
