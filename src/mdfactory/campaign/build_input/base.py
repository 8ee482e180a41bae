"""Base class of the models of a BuildInput, and the types of their numbers and texts."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from mdfactory.campaign.strict_yaml import AmbiguousInteger, UnquotedNumber

MAX_MOLECULES: Final = 2**63 - 1
"""Largest number of molecules in one system: the largest signed 64-bit integer."""


REAL_LIMIT: Final = 1e16
"""Bound of the absolute value of reals: releases of pydantic write larger ones differently."""

INTEGER: Final = re.compile(r"(-?[0-9]+)(?:\.0*)?")
REAL: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""The texts that are numbers; not those that few programs read, such as ``1_000`` or ``+5``."""


def _check_integer(value: object) -> object:
    """Return a value that is an integer for pydantic only if it is one for everybody else."""
    if not isinstance(value, str):
        return _check_number(value)
    match = INTEGER.fullmatch(value)
    if not match or isinstance(value, AmbiguousInteger):
        raise PydanticCustomError(
            "integer", "expected a whole number in digits without leading zeros, such as 450"
        )
    return match[1]


def _check_real(value: object) -> object:
    if isinstance(value, AmbiguousInteger) or (
        isinstance(value, str) and not REAL.fullmatch(value)
    ):
        raise PydanticCustomError(
            "real", "expected a finite decimal number without leading zeros, such as 0.15 or 1e-05"
        )
    return _check_number(value)


def _check_number(value: object) -> object:
    """Raise an error for booleans and bytes, which pydantic would convert to numbers."""
    if isinstance(value, bool | bytes | bytearray):
        kind = "boolean" if isinstance(value, bool) else "byte string"
        raise ValueError(f"a {kind} is not a number")  # noqa: TRY004  # for pydantic
    return value


def check_order(value: object) -> object:
    """Raise an error for a set, whose order would change from run to run, and with it the hash."""
    if isinstance(value, set | frozenset):
        raise PydanticCustomError("order", "is a set, which has no order; write a list")
    return value


def _check_quoted(value: object) -> object:
    """Raise an error for a number of YAML that is left as text because programs differ on it."""
    if isinstance(value, UnquotedNumber):
        raise PydanticCustomError("text", "is a number, not a text; put it in quotes")
    return value


Integer = Annotated[int, BeforeValidator(_check_integer)]
Real = Annotated[float, Field(gt=-REAL_LIMIT, lt=REAL_LIMIT), BeforeValidator(_check_real)]
Text = Annotated[str, Field(strict=True), BeforeValidator(_check_quoted)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(check_order)]
TextByText = Annotated[dict[Text, Text], AfterValidator(lambda texts: dict(sorted(texts.items())))]
"""Mapping of text to text, sorted by key."""


class Model(BaseModel):
    """Frozen model that rejects unknown keys and infinite or undefined numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def set_fields(self, **values: Any) -> None:
        """Replace fields by their normalised values; only validators may call this."""
        self.__dict__.update(values)
