"""Base class and number types of the models of a BuildInput."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

MAX_MOLECULES: Final = 2**63 - 1
"""Largest number of molecules in one system: the largest signed 64-bit integer."""


def _reject_boolean(value: object) -> object:
    """Raise an error for ``true`` and ``false``, which pydantic would convert to 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")  # noqa: TRY004  # pydantic wants ValueError
    return value


Integer = Annotated[int, BeforeValidator(_reject_boolean)]
Real = Annotated[float, BeforeValidator(_reject_boolean)]


class Model(BaseModel):
    """Frozen model that rejects unknown keys and infinite or undefined numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def set_fields(self, **values: Any) -> None:
        """Replace fields by their normalised values; only validators may call this."""
        self.__dict__.update(values)
