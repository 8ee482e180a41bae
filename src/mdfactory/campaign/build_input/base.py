"""What all models of a BuildInput share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """A frozen model that refuses keys it does not know and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def _settle(self, **values: Any) -> None:
        """Set fields to their normalised values, while the model is being validated."""
        self.__dict__.update(values)
