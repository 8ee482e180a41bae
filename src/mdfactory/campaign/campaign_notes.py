"""What a user should know of a campaign CSV: slips in its header, and counts that were rounded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import isclose
from typing import Any, Final, get_args

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.composition import Composition
from mdfactory.campaign.build_input.model import MODEL_BY_SIMULATION_TYPE, NOT_A_FIELD
from mdfactory.errors import BuildInputError, listed, most_similar
from mdfactory.records.vocabulary import SimulationType

MAX_ROW_PROBLEMS: Final = 10
"""Number of errors of one row that a message lists."""

MAX_ROUNDED_ROWS: Final = 10
"""Number of rows with rounded counts that are named."""

FRACTION_TOLERANCE: Final = 1e-3
"""Largest difference between a fraction that was rounded when it was written, and its count."""

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
    if "." in name and f"system.{name.partition('.')[0]}" in paths:  # as --where has it
        return f"system.{name}"
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


def overruled_amounts(values: Mapping[str, Any], build: BuildInput) -> str:
    """Return which given amounts the counts of all species overrule; empty if they agree.

    Parameters
    ----------
    values
        The values of which the BuildInput was made.
    build
        The BuildInput.
    """
    system = build.system
    if not isinstance(system, Composition) or not _has_counts(values):
        return ""
    given, total = values["system"], system.total_count
    differing = [
        (str(molecule["resname"]).upper(), float(molecule["fraction"]), fraction)
        for molecule in given["species"]
        for fraction in [float(molecule["count"]) / total]
        if molecule.get("fraction") is not None
        and abs(float(molecule["fraction"]) - fraction) > FRACTION_TOLERANCE
    ]
    parts = []
    if differing:
        names, fractions, own = zip(*differing, strict=True)
        parts.append(
            f"fractions of {', '.join(names)} ({_numbers(fractions)}) do not agree with their "
            f"counts, which count: {_numbers(own)}"
        )
    wanted = float(given.get("total_count") or 0)
    if wanted not in {0, total}:
        parts.append(
            f"a total_count of {wanted:,.0f} does not agree with the sum of the counts, which "
            f"counts: {total:,}"
        )
    if parts:
        parts.append("to change the composition, change the counts, or remove them")
    return "; ".join(parts)


def amounts_note(values: Mapping[str, Any], build: BuildInput) -> str:
    """Return what a user should know of the counts that a BuildInput has; empty if nothing.

    The parameters are those of `overruled_amounts`.
    """
    system = build.system
    if not isinstance(system, Composition) or _has_counts(values):
        return overruled_amounts(values, build)
    given, total = values["system"], int(float(values["system"]["total_count"]))
    if total == system.total_count:
        return ""
    why = "a count is the fraction times the total, without the digits after the point"
    fractions = (float(molecule["fraction"]) for molecule in given["species"])
    products = [(fraction, total * fraction) for fraction in fractions]
    # Products that would be whole if the fraction could be stored exactly.
    for fraction, product in products:
        if int(product) < round(product) and isclose(product, round(product)):
            why = (
                f"{fraction} x {total} is {product} in floating-point numbers, of which "
                f"{int(product):,} molecules stay; give counts instead"
            )
    return f"{system.total_count:,} molecules, not the total_count of {total:,}; {why}"


def _has_counts(values: Mapping[str, Any]) -> bool:
    """Whether every species has a count, in the values of a mixture."""
    return all(molecule.get("count") is not None for molecule in values["system"]["species"])


def _numbers(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


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
