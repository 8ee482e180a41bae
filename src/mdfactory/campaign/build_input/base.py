"""What all models of a BuildInput share."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["MOST", "Model", "Real", "Whole"]

MOST: Final = 2**63 - 1
"""Molecules of one system, at most: what every reader of JSON takes for a whole number."""


def _not_boolean(given: object) -> object:
    if isinstance(given, bool):
        raise ValueError("a boolean is no number")  # noqa: TRY004  # pydantic wants ValueError
    return given


Whole = Annotated[int, BeforeValidator(_not_boolean)]
Real = Annotated[float, BeforeValidator(_not_boolean)]
"""Numbers; to pydantic alone ``true`` would be 1."""


class Model(BaseModel):
    """A frozen model that refuses keys it does not know and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def _settle(self, **values: Any) -> None:
        """Set fields to their normalised values, while the model is being validated."""
        self.__dict__.update(values)
