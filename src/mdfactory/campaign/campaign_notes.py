"""What a user should know of a campaign CSV: slips in its header, and counts that were rounded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, get_args

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.model import MODEL_BY_SIMULATION_TYPE, NOT_A_FIELD
from mdfactory.errors import BuildInputError, listed, most_similar
from mdfactory.records.vocabulary import SimulationType

MAX_ROW_PROBLEMS: Final = 10
"""Number of errors of one row that a message lists."""

MAX_ROUNDED_ROWS: Final = 10
"""Number of rows with rounded counts that are named."""

TOTAL_COUNT: Final = "system.total_count"

REPLICA_HINT: Final = (
    "Replicas are rows whose BuildInputs differ: give each row its own number in a column "
    "system.ionization.seed"
)
"""What to do if rows are the same simulation."""

NO_IONS_HINT: Final = (
    ". A system.ionization of null has no seed: for a system without salt, replace that column by "
    "system.ionization.neutralize with false and system.ionization.concentration with 0"
)
"""The same, if the rows have no ions."""


def replica_hint(build: BuildInput) -> str:
    """Return how to make replicas of a simulation that is in several rows."""
    has_ions = getattr(build.system, "ionization", None) is not None
    return REPLICA_HINT if has_ions else REPLICA_HINT + NO_IONS_HINT


def ignored_fields(
    ignored: Iterable[str], given: Collection[str], builds: Sequence[BuildInput]
) -> str:
    """Return the fields that are ignored, with those that were probably meant and their values.

    Parameters
    ----------
    ignored
        Names of the ignored fields, such as columns of a campaign CSV.
    given
        Names of all fields that are given.
    builds
        The BuildInputs. A value is told if it is the same in all.
    """
    texts = []
    for name in sorted(ignored):
        meant = _meant_field(name)
        values = {_value_at(build, meant) for build in builds} if meant not in given else {""}
        value = f" It is {values.pop()} now" if len(values) == 1 and "" not in values else ""
        texts.append(f"{name} (did you mean '{meant}'?{value})" if meant else name)
    return ", ".join(texts)


def field_suggestion(name: str) -> str:
    """Return in parentheses which field was meant by one that a model lacks."""
    if name in _field_paths():
        return " (a field of other simulation types)"
    meant = _meant_field(name)
    return f" (did you mean '{meant}'?)" if meant else ""


@cache
def _meant_field(name: str) -> str:
    """Return which field was meant, by its path or else by its last name; empty if none was."""
    paths = _field_paths()
    by_name: dict[str, str] = {}
    for path in paths:
        by_name.setdefault(path.rpartition(".")[2], path)
    return most_similar(name, paths) or by_name.get(name.rpartition(".")[2].lower(), "")


def _value_at(build: BuildInput, path: str) -> str:
    """Return the value of a field as text; empty if it is absent or no single value."""
    value: object = build
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, str):
        return f"'{value}'"
    return str(value) if isinstance(value, int | float) else ""


def row_reason(error: BuildInputError) -> str:
    """Return why a row is invalid, with the field that was probably meant for an unknown one."""
    lines = []
    for field, reason in error.problems:
        hint = field_suggestion(field) if reason.startswith(NOT_A_FIELD) else ""
        lines.append(f"{field}: {reason}{hint}" if field else f"{reason}{hint}")
    return "; ".join(listed(lines, MAX_ROW_PROBLEMS))


def rounded_note(number: int, given: Mapping[str, str], build: BuildInput) -> str:
    """Return the note on a row whose counts do not sum to its total count; empty if they do.

    Parameters
    ----------
    number
        Number of the row.
    given
        Name of a column -> its cell; without blank cells.
    build
        BuildInput of the row, whose total count is the sum of the counts.
    """
    total: int | None = getattr(build.system, "total_count", None)
    wanted = given.get(TOTAL_COUNT)
    if total is None or wanted is None or float(wanted) in {0, total}:
        return ""
    counts = [float(cell) for name, cell in given.items() if name.endswith(".count")]
    if sum(counts) == total:
        why = "the counts are given, and the total is their sum"
    else:
        why = "a count is the fraction times the total, without the digits after the point"
    return f"row {number}: {total:,} molecules, not the total_count of {float(wanted):,.0f}; {why}"


def first_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the first notes on rows, and how many more rows there are."""
    return tuple(listed(list(notes), MAX_ROUNDED_ROWS, " rows with such counts"))


@cache
def _field_paths() -> tuple[str, ...]:
    """Return the dotted paths of the fields of all types that are built, in their order."""
    models = {**MODEL_BY_SIMULATION_TYPE}
    del models[SimulationType.adopted]
    return tuple(dict.fromkeys(path for model in models.values() for path in _paths(model)))


def _paths(model: type[Model], parent: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{parent}{name}"
        yield path
        for inner in _models(field.annotation):
            yield from _paths(inner, f"{path}.")


def _models(annotation: Any) -> Iterator[type[Model]]:
    """Yield the models that a field may have; not those in a list, whose paths name molecules."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    elif getattr(annotation, "__origin__", None) not in {list, tuple, dict}:
        for inner in get_args(annotation):
            yield from _models(inner)
