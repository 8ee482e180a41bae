"""Search: what is asked of the BuildInputs of simulations, and which simulations meet it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from mdfactory.errors import MDFactoryError, QueryError, StoreError, counted, one_line
from mdfactory.records.fields import Field, parse_field, smiles_of, values_of
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.records.where import Comparison, parse_comparison


@dataclass(frozen=True, slots=True)
class Search:
    """What to ask of the BuildInputs of simulations.

    Parameters
    ----------
    where
        Conditions on fields; all must be met.
    contains
        SMILES, or SMARTS after ``smarts:``, each of which is in a species of the simulation.
    tags
        Tags that the simulation has: key and value; any value if None.
    fields
        Fields to add as columns.
    """

    where: tuple[Comparison, ...] = ()
    contains: tuple[str, ...] = ()
    tags: tuple[tuple[str, str | None], ...] = ()
    fields: tuple[Field, ...] = ()

    @property
    def narrows(self) -> bool:
        """Whether the search leaves out any records."""
        return bool(self.where or self.contains or self.tags)

    def __bool__(self) -> bool:
        return self.narrows or bool(self.fields)


EVERYTHING: Final = Search()
"""The search that all records meet."""


def parse_search(
    where: Sequence[str] = (),
    contains: Sequence[str] = (),
    tag: Sequence[str] = (),
    fields: Sequence[str] = (),
) -> Search:
    """Return the search that texts describe.

    Parameters
    ----------
    where
        Conditions ``FIELD OP VALUE``; see `records.where`.
    contains
        SMILES or ``smarts:...``.
    tag
        ``KEY=VALUE``, divided at the first ``=``, or ``KEY``.
    fields
        Dotted paths, or ``composition``.

    Raises
    ------
    QueryError
        If one of them cannot be read.
    """
    where, contains, tag = _texts("where", where), _texts("contains", contains), _texts("tag", tag)
    fields = _texts("field", fields)
    if contains:
        from mdfactory.campaign.substructure import substructure_matcher

        substructure_matcher(contains)  # all are valid
    return Search(
        tuple(map(parse_comparison, where)),
        contains,
        tuple(map(_parse_tag, tag)),
        tuple(parse_column(text) for text in dict.fromkeys(fields)),
    )


def _texts(option: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return texts as a tuple; a single text is one of them, not a sequence of characters.

    Raises
    ------
    QueryError
        If one is empty, as that of an unset variable: it would select everything; or is no text.
    """
    texts = (given,) if isinstance(given, str) else tuple(given)
    for text in texts:
        if not isinstance(text, str):
            raise QueryError(f"--{option} {text!r:.80}: expected a text")
        if not text.strip():
            raise QueryError(f"--{option} is empty. Leave it out to select all records")
    return texts


def _parse_tag(text: str) -> tuple[str, str | None]:
    key, divider, value = text.partition("=")
    if not key.strip():
        raise QueryError(f"--tag {text!r:.80}: expected KEY=VALUE or KEY")
    return key, value if divider else None


def parse_column(text: str, option: str = "--field") -> Field:
    """Return the field of an option, which is named in the error."""
    try:
        return parse_field(text.strip())
    except ValueError as error:
        reason, position = error.args
        raise QueryError(f"{option} {text!r:.200}, character {position + 1}: {reason}") from error


@contextmanager
def reading_json(what: str) -> Iterator[None]:
    """Name what is read in errors of the block.

    Raises
    ------
    StoreError
        If another program has stored a text that is not the expected JSON.
    """
    try:
        yield
    except (ValueError, RecursionError) as error:
        if isinstance(error, MDFactoryError):
            raise
        raise StoreError(
            f"{what} cannot be read as JSON: {one_line(error)}", command="mdfactory sync verify"
        ) from error


class Subject:
    """A record that is looked at: some of its columns, and the BuildInput of its simulation.

    Parameters
    ----------
    columns
        Column -> value, of the simulation's record and, for a result, of its own.
    simulation
        The subject of the simulation, if the record is that of a result.
    """

    __slots__ = ("_document", "_values", "columns", "simulation")

    def __init__(self, columns: Mapping[str, Any], simulation: Subject | None = None) -> None:
        self.columns = columns
        self.simulation = simulation
        self._document: dict[str, Any] | None = None
        self._values: dict[str, list[Any]] | None = None

    @property
    def hash(self) -> str:
        """The hash of the simulation."""
        return str(self.columns["hash"])

    @property
    def document(self) -> dict[str, Any]:
        """The BuildInput, which is parsed once."""
        if self.simulation is not None:
            return self.simulation.document
        if self._document is None:
            try:
                self._document = _load_object(self.columns[INPUT_COLUMN])
            except (ValueError, RecursionError):
                with self.reading():
                    raise
        return self._document

    def of_result(self, columns: Mapping[str, Any]) -> Subject:
        """Return the subject of a result of this simulation; its own columns come first."""
        return Subject({**self.columns, **columns}, self)

    def values(self, field: Field) -> list[Any]:
        """Return the values of a column or field; see `records.fields.values_of`."""
        if field.text in self.columns:
            return [self.columns[field.text]]
        if self.simulation is None:
            return values_of(self.document, field)
        return self.simulation._values_for_results(field)  # noqa: SLF001  # of this class

    def _values_for_results(self, field: Field) -> list[Any]:
        """Return the values of a field, and keep them: a simulation has many results."""
        if self._values is None:
            self._values = {}
        if field.text not in self._values:
            self._values[field.text] = values_of(self.document, field)
        return self._values[field.text]

    def reading(self) -> AbstractContextManager[None]:
        """Name the record in errors of the block; see `reading_json`."""
        return reading_json(f"input_data of {self.hash}")

    @property
    def tags(self) -> Mapping[str, Any]:
        """The tags of the simulation."""
        tags = self.document.get("tags")
        return tags if isinstance(tags, dict) else {}


def _load_object(text: str) -> dict[str, Any]:
    try:
        value = from_json(text)  # twice as fast as the standard library
    except ValueError:  # nested too deeply, or half of a surrogate pair
        value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is no object")  # noqa: TRY004  # as for all that is no BuildInput
    return value


class Judge:
    """Decides whether simulations meet a search, and counts those that it cannot judge."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.without_smiles = 0
        self.without_number: Counter[str] = Counter()
        if search.contains:
            from mdfactory.campaign.substructure import substructure_matcher

            self._contained = substructure_matcher(search.contains)

    def __call__(self, subject: Subject) -> bool:
        """Return whether a record meets the search."""
        for comparison in self._search.where:
            values = subject.values(comparison.field)
            if not comparison.is_met(values):
                if comparison.is_numeric and values in ([], [None]):
                    self.without_number[comparison.field.text] += 1
                return False
        for key, value in self._search.tags:
            tags = subject.tags
            if key not in tags or value not in {None, tags[key]}:
                return False
        return not self._search.contains or self._has_substructures(subject)

    def _has_substructures(self, subject: Subject) -> bool:
        smiles = smiles_of(subject.document)
        self.without_smiles += not smiles
        contained = zip(*map(self._contained, smiles), strict=True)
        return bool(smiles) and all(map(any, contained))

    def notes(self) -> Iterator[str]:
        """Yield what the user should know of the answer."""
        if self.without_smiles:
            number = counted(self.without_smiles, "simulation")
            yield f"{number} left out, whose molecules have no SMILES"
        for field, count in self.without_number.items():
            yield f"{counted(count, 'simulation')} left out, without a number in {field}"
