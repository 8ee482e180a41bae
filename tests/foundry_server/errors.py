"""Refusals in the form that the client reads (E1), under the names that it knows (E2)."""

from __future__ import annotations

import uuid
from typing import Any

CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHORIZED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL",
}


def error_body(status: int, name: str, /, **parameters: Any) -> dict[str, Any]:
    """Return the body of an error reply (E1)."""
    return {
        "errorCode": CODES.get(status, "CUSTOM_SERVER"),
        "errorName": name,
        "errorInstanceId": str(uuid.uuid4()),
        "parameters": parameters,
    }


class RefusedError(Exception):
    """A request that Foundry refuses: 400, unless another status is known (E2)."""

    def __init__(self, name: str, status: int = 400, /, **parameters: Any) -> None:
        super().__init__(name)
        self.status = status
        self.body = error_body(status, name, **parameters)


class NothingError(Exception):
    """What was asked for does not exist, which Foundry says with an empty 204 (E3)."""
