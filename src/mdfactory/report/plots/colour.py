"""The field of the BuildInput that colours the simulations of a plot."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from mdfactory.errors import QueryError, StoreError, displayed
from mdfactory.records.fields import (
    LACKING,
    MOLECULE_LISTS,
    QUANTITIES,
    Field,
    as_cell,
    composition,
    flatten,
    is_number,
    parse_field,
)
from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.report.plots.themes import CATEGORIES
from mdfactory.stores.keys import hash_condition, key_batches
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.search import Search, Subject, parse_column
from mdfactory.sync.survey import survey

OTHERS: Final = "other"
"""Category of all values that have no colour of their own."""

FRACTION: Final = "fraction"
"""Name of the quantity of a molecule that comes before all other numbers."""

FIELD_UNITS: Final[Mapping[str, str]] = {
    "system.temperature": "K",
    "system.pressure": "bar",
    "system.target_density": "g/cm³",
    "system.sizing.target_density": "g/cm³",
    "system.ionization.concentration": "mol/L",
}
"""Field of a BuildInput -> its unit; see `campaign.build_input`."""

SEED: Final = "seed"
"""A number whose name has this word is random, and no quantity of a campaign."""


@dataclass(frozen=True, slots=True)
class Colour:
    """The values of a field over the simulations of a plot.

    Parameters
    ----------
    field
        Dotted path or column; empty if the simulations are told apart by their hashes, or not.
    values
        Hash -> number, or text of a category; None where the simulation lacks the field.
    is_number
        Whether all values are numbers.
    """

    field: str = ""
    values: Mapping[str, float | str | None] = dataclasses.field(default_factory=dict)
    is_number: bool = False

    @property
    def varies(self) -> bool:
        """Whether the simulations differ in this field."""
        return len(set(self.values.values())) > 1

    @property
    def title(self) -> str:
        """The field in words, such as ``MEO fraction`` or ``temperature (K)``."""
        unit = FIELD_UNITS.get(self.field)
        title = field_title(self.field)
        return f"{title} ({unit})" if unit else title

    @property
    def categories(self) -> tuple[str, ...]:
        """The texts that have a colour of their own, most frequent first, and then others."""
        texts = [value for value in self.values.values() if isinstance(value, str)]
        counts = Counter(sorted(texts))
        if len(counts) <= len(CATEGORIES):
            return tuple(sorted(counts))
        common = [text for text, _ in counts.most_common(len(CATEGORIES) - 1)]
        return (*common, OTHERS)


def field_title(path: str) -> str:
    """Return the title of a field: its names without those of the lists that it is in."""
    if "." not in path:
        return path.replace("_", " ")
    parts = parse_field(path).parts
    names = [part for part in parts if part not in {"system", *MOLECULE_LISTS}]
    return " ".join(names).replace("_", " ") or path


def read_colour(
    transaction: Transaction, hashes: Collection[str], path: str | None = None
) -> tuple[Colour, dict[str, str]]:
    """Read the field that colours simulations, and their compositions.

    Parameters
    ----------
    transaction
        A transaction of the store.
    hashes
        Hashes of the simulations.
    path
        The field, or a column of the simulations. Default: the number that has most values,
        a fraction if one varies, over all simulations of the store, so that its plots have one
        colour; over these ones if they do not differ in it.

    Returns
    -------
    Colour
        The field, with a value for each hash.
    dict of str to str
        Hash -> composition of the simulation.

    Raises
    ------
    QueryError
        If no simulation has the field, or it has subfields; the message lists fields.
    """
    if path is None and not transaction.has(SIMULATIONS):
        return Colour(), {}
    transaction.require(SIMULATIONS)
    if path is not None:
        chosen: Field | None = parse_column(path, "--colour")
    else:
        chosen = choose_field(_subjects(transaction))
    colour, compositions = _read(transaction, hashes, chosen)
    if path is None and not colour.varies:
        chosen = choose_field(_subjects(transaction, hashes))
        colour, compositions = _read(transaction, hashes, chosen)
    if chosen and path and not any(value is not None for value in colour.values.values()):
        _check_field(transaction, chosen)
    return colour, compositions


def _read(
    transaction: Transaction, hashes: Collection[str], chosen: Field | None
) -> tuple[Colour, dict[str, str]]:
    """Return the values of a field and the compositions of simulations."""
    values: dict[str, float | str | None] = dict.fromkeys(hashes)
    compositions = {}
    for subject in _subjects(transaction, hashes):
        with subject.reading():
            compositions[subject.hash] = composition(subject.document) or ""
        if chosen is not None:
            values[subject.hash] = _value(subject, chosen)
    return _colour(chosen.text, values) if chosen else Colour(), compositions


def choose_field(subjects: Iterator[Subject]) -> Field | None:
    """Return the field that colours curves if none is given; see `colour_rank`."""
    values: dict[str, list[float]] = {}
    number = 0
    for subject in subjects:
        with suppress(StoreError), subject.reading():  # one that no plot has may be damaged
            paths = _numbers(subject.document)
            number += 1
            for path, value in paths.items():
                values.setdefault(path, []).append(value)
    ranks = []
    for path, numbers in values.items():
        name = parse_field(path).parts[-1]
        absent = number - len(numbers) if name in QUANTITIES else 0
        distinct = len({*numbers, *([0.0] if absent else [])})
        mean = fmean(numbers) * len(numbers) / number
        ranks.append(colour_rank(path, name, distinct, mean))
    best = min(filter(None, ranks), default=None)
    return parse_field(best[-1]) if best else None


def colour_rank(
    path: str, name: str, distinct: int, mean: float
) -> tuple[bool, int, float, str] | None:
    """Return the rank of a number as the field that colours curves; None if it cannot be that.

    The lowest rank wins: that of the number with most values, a fraction if one varies. Of two with
    as many values, that with the smaller mean counts: a campaign varies the solute. A seed is
    random, and no quantity.

    Parameters
    ----------
    path, name
        Dotted path of the field, and the last name in it.
    distinct
        Number of different values.
    mean
        Mean over all simulations.
    """
    if distinct <= 1 or SEED in name.lower():
        return None
    return name != FRACTION, -distinct, mean, path


def _numbers(document: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a BuildInput by their paths; those of one path are added up."""
    numbers: dict[str, float] = {}
    for path, value in flatten(document):
        if is_number(value) and abs(value) < float("inf"):
            numbers[path] = numbers.get(path, 0.0) + value
    return numbers


def _subjects(transaction: Transaction, hashes: Collection[str] | None = None) -> Iterator[Subject]:
    """Yield the simulations of some hashes; all of the store if none are given."""
    columns = SIMULATIONS.columns
    batches = key_batches([(hash_,) for hash_ in hashes or ()])
    conditions = [()] if hashes is None else [(hash_condition(keys),) for keys in batches]
    for condition in conditions:
        query = Query(condition, columns)
        for row in transaction.values(SIMULATIONS, query):
            yield Subject(dict(zip(columns, row, strict=True)))


def _value(subject: Subject, chosen: Field) -> float | str | None:
    """Return the value of a field: a number, a text, or None; absent molecules are 0."""
    values = subject.values(chosen)
    if values and all(value is LACKING for value in values):
        return 0.0 if chosen.is_quantity else None
    if any(isinstance(value, dict | list) and value for value in values):
        _fail_with_subfields(subject, chosen)
    cell = as_cell(values)
    if is_number(cell):
        return float(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    return None if cell is None else str(cell)


def _fail_with_subfields(subject: Subject, chosen: Field) -> None:
    prefix = f"{chosen.text}."
    with subject.reading():
        paths = [path for path, _ in flatten(subject.document) if path.startswith(prefix)]
    known = ", ".join(map(displayed, paths[:100])) or "none"
    raise QueryError(f"--colour {chosen.text!r:.200} is no single value; its fields are {known}")


def _check_field(transaction: Transaction, chosen: Field) -> None:
    """Raise an error that names fields, if no simulation of the store has this one."""
    survey(transaction, SIMULATIONS, Search(fields=(chosen,)))


def _colour(path: str, values: dict[str, float | str | None]) -> Colour:
    present = [value for value in values.values() if value is not None]
    if all(isinstance(value, float) for value in present):
        return Colour(path, values, is_number=True)
    texts = {hash_: None if value is None else str(value) for hash_, value in values.items()}
    return Colour(path, texts)
