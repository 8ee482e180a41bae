"""Faults on order: which requests fail, and how."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import error_body

BESIDES = ("delay", "before")
"""Kinds that fall on a request besides another; one of each."""


@dataclass(slots=True, eq=False)
class Fault:
    """A rule: what happens to requests that match, after the first `skip`, to `times` of them.

    `pattern` is searched in ``METHOD /path`` and in ``METHOD /path?query``, as they are sent.
    """

    kind: str
    pattern: re.Pattern[str]
    skip: int = 0
    times: int | None = 1
    seen: int = 0
    hits: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    def due(self, target: str) -> bool:
        """Count a request, and tell whether the rule falls on it."""
        path = target.partition("?")[0]
        if not (self.pattern.search(path) or self.pattern.search(target)):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times is None or self.hits < self.times)


class Faults:
    """The rules of a server. Each method adds one and returns it; its `hits` tell what it did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def answer(
        self,
        pattern: str,
        status: int,
        *,
        headers: dict[str, str] | None = None,
        body: Any = None,
        name: str = "Default:Fault",
        skip: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """Answer without doing the work; the body is an error of this name, or as given."""
        given = error_body(status, name) if body is None else body
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        detail = {"status": status, "headers": headers or {}, "content": content}
        return self._add("answer", pattern, skip, times, **detail)

    def delay(self, pattern: str, seconds: float, *, skip: int = 0, times: int | None = 1) -> Fault:
        """Wait before the work is done; other faults apply, too."""
        return self._add("delay", pattern, skip, times, seconds=seconds)

    def before(
        self,
        pattern: str,
        action: Callable[[], object],
        *,
        skip: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """Do something else before the work is done; other faults apply, too."""
        return self._add("before", pattern, skip, times, action=action)

    def reset(
        self, pattern: str, *, after_bytes: int = 0, skip: int = 0, times: int | None = 1
    ) -> Fault:
        """Reset the connection when so much of the body has been read; the work is not done."""
        return self._add("reset", pattern, skip, times, after_bytes=after_bytes)

    def lose_reply(self, pattern: str, *, skip: int = 0, times: int | None = 1) -> Fault:
        """Do the work, then reset the connection instead of telling."""
        return self._add("lose reply", pattern, skip, times)

    def truncate(
        self, pattern: str, *, missing: int = 1, skip: int = 0, times: int | None = 1
    ) -> Fault:
        """Do the work, promise the whole reply, and close before its last bytes are sent."""
        return self._add("truncate", pattern, skip, times, missing=missing)

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def take(self, target: str) -> dict[str, Fault]:
        """Return the faults of a request by kind: those besides, and one other."""
        with self._lock:
            due = [rule for rule in self._rules if rule.due(target)]
            taken: dict[str, Fault] = {}
            for rule in due:
                taken.setdefault(rule.kind if rule.kind in BESIDES else "other", rule)
            for rule in taken.values():
                rule.hits += 1
        return {rule.kind: rule for rule in taken.values()}

    def _add(self, kind: str, pattern: str, skip: int, times: int | None, **detail: Any) -> Fault:
        rule = Fault(kind, re.compile(pattern), skip, times, detail=detail)
        with self._lock:
            self._rules.append(rule)
        return rule
