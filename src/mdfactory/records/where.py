"""Conditions on fields: ``system.species.MEO.fraction > 0.3``, parsed and evaluated."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mdfactory.errors import QueryError
from mdfactory.records.fields import LACKING, Field, is_number, parse_field

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "~": lambda value, text: text.casefold() in value.casefold(),
}
"""Operator -> its function. ``!=`` is the opposite of ``=``."""

WORDS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}

FIELD_PART: Final = re.compile(r"""(?:"[^"]*"|'[^']*'|[^=!<>~"'])*""")
OPERATOR: Final = re.compile(r"!=|<=|>=|[=<>~]")
QUOTED: Final = re.compile(r""""[^"]*"|'[^']*'""")
NUMBER: Final = re.compile(
    r"[+-]?(\d+(?P<fraction>\.\d*)?|(?P<point>\.\d+))(?P<exponent>[eE][+-]?\d+)?"
)

MAX_INTEGER_DIGITS: Final = 400
"""Digits of a whole number in a condition; Python refuses those of some thousands."""

SPELLINGS: Final = {"==": "=", "=>": ">=", "=<": "<=", "<>": "!=", "=~": "~", "~=": "~"}
"""Operator of another language -> the one that is meant."""

DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")

IN_QUOTES: Final = "; put the condition in quotes: --where 'FIELD OP VALUE'"
"""What to do if a shell has divided a condition, or has taken ``>`` for itself."""

JOINED: Final = re.compile(r"\s(and|or|&&|\|\|)\s[^=!<>~]*[=!<>~]", re.IGNORECASE)
"""The beginning of a second condition in one."""

REPEAT: Final = "repeat --where for each condition that must hold"
NO_ALTERNATIVES: Final = "conditions are not alternatives; select each in a command of its own"
JOINT_REMEDIES: Final = {
    **dict.fromkeys(["and", "&&"], REPEAT),
    **dict.fromkeys(["or", "||"], NO_ALTERNATIVES),
}
"""Word between two conditions -> what to do."""

KINDS: Final = {
    "number": "a number",
    "text": "a text",
    "bool": "true or false",
    "null": "null",
    "group": "a section of several fields",
    "list": "a list",
}
"""Kind of a value -> what messages call it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a field.

    Parameters
    ----------
    text
        The condition as it was given.
    field
        The field that is compared.
    operator
        One of ``= != < <= > >= ~``.
    value
        A number, text, bool or None; a text for ``~``.
    position
        Position of the value in `text`.
    """

    text: str
    field: Field
    operator: str
    value: float | str | bool | None
    position: int

    @property
    def is_numeric(self) -> bool:
        """Whether numbers are compared."""
        return is_number(self.value)

    def is_met(self, values: Sequence[Any]) -> bool:
        """Return whether a simulation meets the condition.

        Parameters
        ----------
        values
            The values of the field in the simulation; see `fields.values_of`.
        """
        is_opposite = self.operator == "!="
        operator = "=" if is_opposite else self.operator
        for value in values:  # a loop: it is called for each record, and faster than `any`
            if self._holds(operator, value):
                return not is_opposite
        return is_opposite

    def _holds(self, operator: str, value: Any) -> bool:
        if value is LACKING:
            value = 0
        return kind_of(value) == kind_of(self.value) and OPERATORS[operator](value, self.value)

    def accepts(self, kind: str) -> bool:
        """Return whether a value of this kind can be compared; anything can be null."""
        return self.value is None or kind == kind_of(self.value)

    def check_kinds(self, kinds: Collection[str], inner: Sequence[str] = ()) -> None:
        """Check that the field can be compared with the value.

        Parameters
        ----------
        kinds
            The kinds of the values that simulations have; see `kind_of`.
        inner
            Fields inside the field that can be compared with the value, for the message.

        Raises
        ------
        QueryError
            If they are all of other kinds than the value.
        """
        others = [kind for kind in KINDS if kind in kinds and kind != "null"]
        if not others or any(map(self.accepts, kinds)):
            return
        kind = others[0]
        is_what = " or ".join(KINDS[name] for name in others)
        if kind in {"group", "list"}:
            remedy = f"; write {' or '.join(inner)}" if inner else ""
            reason = f"{self.field.text} is {is_what}, which cannot be compared{remedy}"
            _fail(self.text, 0, reason)
        value = self.text[self.position :].strip()
        hint = f'; write "{value}" in quotes to compare texts' if kind == "text" else ""
        if kind == "number":
            hint = _number_hint(value)
        needed = KINDS[kind_of(self.value)]
        _fail(
            self.text,
            self.position,
            f"{self.field.text} is {is_what}, and {value} is {needed}{hint}",
        )


def kind_of(value: object) -> str:
    """Return the kind of a value of JSON, a key of `KINDS`."""
    if is_number(value):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    return "list" if isinstance(value, list) else "group"


def parse_comparison(text: str) -> Comparison:
    """Return the condition of an expression ``FIELD OP VALUE``.

    Parameters
    ----------
    text
        The expression. Blanks round the operator are optional. Names and texts may be in quotes.

    Raises
    ------
    QueryError
        If the expression is incomplete; the message has the position of the fault.

    Examples
    --------
    >>> from mdfactory.records.where import parse_comparison
    >>> condition = parse_comparison("system.species.MEO.fraction > 0.3")
    >>> condition.field.parts[-2:], condition.operator, condition.value
    (('MEO', 'fraction'), '>', 0.3)
    """
    match = FIELD_PART.match(text)
    end = match.end() if match else 0
    given = OPERATOR.match(text, end)
    if not given:
        is_open = text[end:][:1] in {'"', "'"}
        expected = "a closing quote" if is_open else f"one of = != < <= > >= ~{IN_QUOTES}"
        if not QUOTED.sub("", text.strip()) and OPERATOR.search(text):
            expected = "FIELD OP VALUE; the condition is in quotes twice"
        _fail(text, end, f"expected {expected}")
    field = _parse_field(text, end)
    rest = text[given.end() :]
    position = given.end() + len(rest) - len(rest.lstrip())
    value = _parse_value(text, position, is_text=given[0] == "~")
    if (value is None or isinstance(value, bool)) and given[0] not in {"=", "!="}:
        _fail(text, end, "true, false and null are compared with = and != only")
    return Comparison(text, field, given[0], value, position)


def _parse_field(text: str, end: int) -> Field:
    """Return the field before the operator, which is at `end`."""
    start = len(text) - len(text.lstrip())
    try:
        return parse_field(text[start:end].rstrip())
    except ValueError as error:
        reason, position = error.args
        _fail(text, start + position, str(reason))


def _parse_value(text: str, position: int, *, is_text: bool) -> float | str | bool | None:
    """Return the value after the operator."""
    value = text[position:].rstrip()
    if not value:
        _fail(text, position, f"expected a value{IN_QUOTES}")
    if value[0] in "\"'":
        end = value.find(value[0], 1)
        if end != len(value) - 1 or end == 0:
            expected = "a closing quote" if end <= 0 else "the end after the closing quote"
            _fail(text, position + (len(value) if end <= 0 else end + 1), f"expected {expected}")
        return value[1:-1]
    if joined := JOINED.search(value):
        remedy = JOINT_REMEDIES[joined[1].lower()]
        _fail(text, position + joined.start(1), f"{remedy}, or write a text in quotes")
    if is_text:
        return value
    if given := OPERATOR.match(value):
        meant = SPELLINGS.get(f"{text[position - 1]}{given[0]}")
        remedy = f"the operator is {meant}" if meant else "write a text in quotes"
        _fail(text, position, f"expected a value, not {given[0]}; {remedy}")
    if value in WORDS:
        return WORDS[value]
    return _to_number(value)


def _number_hint(value: str) -> str:
    """Return how to write a text as a number, if it looks like one; else nothing."""
    number = _to_number(value.removesuffix("%").strip())
    if value.endswith("%") and isinstance(number, float | int):
        return f"; write {value} as {number / 100:.10g}"
    return f"; write {value.replace(',', '.')}" if DECIMAL_COMMA.fullmatch(value) else ""


def _to_number(value: str) -> float | str:
    """Return the number that a text is; otherwise the text."""
    match = NUMBER.fullmatch(value)
    if not match or not value.isascii():
        return value
    if not any(match.group("fraction", "point", "exponent")):
        return int(value) if len(value) < MAX_INTEGER_DIGITS else value
    number = float(value)
    return number if math.isfinite(number) else value


def _fail(text: str, position: int, reason: str) -> NoReturn:
    raise QueryError(f"--where {text!r:.200}, character {position + 1}: {reason}")
