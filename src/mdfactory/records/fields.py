"""Fields of a BuildInput: dotted paths, evaluated by the shape of its JSON.

Paths are those of a campaign CSV: ``system.target_density``, ``system.species.MEO.fraction``. In a
list of molecules (objects with a ``resname`` or a ``name``), the next name in the path is that of a
molecule. No type of simulation is named here, so that newer types have fields, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

QUANTITIES: Final = frozenset({"fraction", "count", "concentration"})
"""Fields of a molecule that are 0 where a simulation does not have it; they are added up."""

MOLECULE_LISTS: Final = ("species", "molecules")
"""Names of lists of molecules; the first one is short for whatever list has a molecule."""

COMPOSITION: Final = "composition"
"""The field that is no path: the molecules of a simulation as text."""

MAX_PATH_CHARACTERS: Final = 256
"""Length of the dotted path of a field of a BuildInput. Those of this package are much shorter."""

SEGMENT: Final = re.compile(r""" "[^"]*" | '[^']*' | [^."']+ """, re.VERBOSE)
NEEDS_QUOTES: Final = re.compile(r"""[=!<>~"']|^\s|\s$|^$""")


UNITS: Final = {"count": "", "concentration": " M"}
"""Quantity that the text of a composition names -> its unit."""


class Lacking:
    """The type of `LACKING`: a list of molecules was reached, and it lacks the molecule."""


LACKING: Final = Lacking()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a BuildInput.

    Parameters
    ----------
    text
        The dotted path, as it was given.
    parts
        The names in the path. A name that contains dots may be in several parts.
    """

    text: str
    parts: tuple[str, ...]

    @property
    def is_quantity(self) -> bool:
        """Whether several values are added up."""
        return self.parts[-1] in QUANTITIES


def parse_field(text: str) -> Field:
    """Return the field of a dotted path; names in quotes may have any characters.

    Raises
    ------
    ValueError
        If the path is empty, or a name in it is empty or has a quote that is not closed. The
        second argument is the position of the fault.

    Examples
    --------
    >>> from mdfactory.records.fields import parse_field
    >>> parse_field('system.molecules."Na > 1".count').parts
    ('system', 'molecules', 'Na > 1', 'count')
    """
    parts, position = [], 0
    while True:
        match = SEGMENT.match(text, position)
        if not match or not match[0].strip():
            raise ValueError("expected a name", position)
        name = match[0]
        parts.append(name[1:-1] if name[0] in "\"'" else name)
        position = match.end()
        if position == len(text):
            return Field(text, tuple(parts))
        if text[position] != ".":
            raise ValueError("expected a dot or the end of the field", position)
        position += 1


def values_of(document: Mapping[str, Any], field: Field) -> list[Any]:
    """Return the values of a field in a BuildInput, as JSON has them.

    Parameters
    ----------
    document
        The BuildInput.
    field
        The field.

    Returns
    -------
    list
        No value if the field is absent; `LACKING` if only a molecule is absent that could be there;
        one value; or several, if several molecules of one name have different texts. Numbers of
        such molecules are added up.
    """
    if field.text == COMPOSITION:
        text = composition(document)
        return [] if text is None else [text]
    parts = field.parts
    if parts[0] == MOLECULE_LISTS[0] and parts[0] not in document:
        found = [value for part in _lists(document) for value in _of_molecules(part, parts[1:])]
    else:
        found = _walk(document, parts)
    if len(found) == 1:
        return found
    values = [value for value in found if value is not LACKING]
    if not values:
        return found[:1]
    numbers = [value for value in values if is_number(value)]
    if field.is_quantity and numbers:
        return [sum(numbers)]
    return [value for index, value in enumerate(values) if value not in values[:index]]


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _walk(value: Any, parts: tuple[str, ...]) -> list[Any]:
    """Return what is at the end of a path; `LACKING` where a list lacks the molecule.

    Lists, since generators cost more here, and this is called for each record.
    """
    if not parts:
        return [value]
    if isinstance(value, dict):
        found = []
        for name, rest in _divisions(parts):
            if name in value:
                found += _walk(value[name], rest)
        return found
    return _of_molecules(value, parts) if is_molecules(value) else []


def _of_molecules(molecules: list[dict[str, Any]], parts: tuple[str, ...]) -> list[Any]:
    """Return what is at the end of a path that begins with the name of a molecule."""
    if not parts:
        return [molecules]
    found = []
    is_there = False
    for name, rest in _divisions(parts):
        upper = name.upper()
        for molecule in molecules:
            if _is_named(molecule, name, upper):
                is_there = True
                found += _walk(molecule if rest else _without_name(molecule), rest)
    if not is_there and len(parts) > 1 and parts[-1] in QUANTITIES:
        return [LACKING]
    return found


@lru_cache(maxsize=64)
def _divisions(parts: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the names that a path may begin with, each with its rest; names may contain dots."""
    return tuple((".".join(parts[:end]), parts[end:]) for end in range(1, len(parts) + 1))


def is_molecules(value: Any) -> bool:
    """Whether a value is a list of molecules, by its shape; an empty list is one."""
    if not isinstance(value, list):
        return False
    for entry in value:  # a loop: it is called for each record, and faster than `all`
        if not isinstance(entry, dict):
            return False
        if not isinstance(entry["resname"] if "resname" in entry else entry.get("name"), str):
            return False
    return True


def _is_named(molecule: Mapping[str, Any], name: str, upper: str) -> bool:
    """Whether a molecule has this name; residue names are upper case, others are as written."""
    if "resname" in molecule:
        return molecule["resname"] in (name, upper)
    return bool(molecule["name"] == name)


def _name(molecule: Mapping[str, Any]) -> str:
    return str(molecule.get("resname", molecule.get("name")))


def _without_name(molecule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a molecule but its name, which is part of their paths."""
    return {key: child for key, child in molecule.items() if key not in {"resname", "name"}}


def _lists(document: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Return all lists of molecules in a BuildInput, at any depth of its objects."""
    found = []
    for name, value in document.items():
        kind = type(value)
        if kind is list:
            if (value or name in MOLECULE_LISTS) and is_molecules(value):
                found.append(value)
        elif kind is dict and value:
            found += _lists(value)
    return found


def smiles_of(document: Mapping[str, Any]) -> set[str]:
    """Return the SMILES of all molecules of a BuildInput."""
    molecules = chain.from_iterable(_lists(document))
    return {text for entry in molecules if isinstance(text := entry.get("smiles"), str)}


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path of each field of a BuildInput, and its value.

    Raises
    ------
    ValueError
        If a path is longer than `MAX_PATH_CHARACTERS`.
    """
    if len(path) > MAX_PATH_CHARACTERS:  # each field inside would repeat it
        raise ValueError(f"the path of a field has more than {MAX_PATH_CHARACTERS} characters")
    if isinstance(value, dict):
        for name, child in value.items():
            yield from flatten(child, _joined(path, name))
    elif value and is_molecules(value):
        for molecule in value:
            named = _joined(path, _name(molecule))
            yield from flatten(_without_name(molecule), named)
    else:
        yield path, value


def short_paths(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the short paths of the quantities of all molecules: ``species.MEO.count``."""
    for molecule in chain.from_iterable(_lists(document)):
        for name in QUANTITIES & molecule.keys():
            yield _joined(_joined(MOLECULE_LISTS[0], _name(molecule)), name)


def _joined(path: str, name: str) -> str:
    """Return a path with one more name, in quotes if it has characters of an operator."""
    if NEEDS_QUOTES.search(name):
        name = f"'{name}'" if '"' in name else f'"{name}"'
    return f"{path}.{name}" if path else name


def composition(document: Mapping[str, Any]) -> str | None:
    """Return the molecules of a BuildInput as text: ``SOL 405 + MEO 45``; None if it has none.

    Where the parts of a system have lists of their own, each is named: ``core: ... | shell: ...``.
    A protein comes first.
    """
    system = document.get("system")
    if not isinstance(system, dict):
        return None
    own = [system[name] for name in MOLECULE_LISTS if is_molecules(system.get(name))]
    molecules = [*_single_molecules(system), *chain.from_iterable(own)]
    texts = [_list_text(molecules)] if molecules else []
    for name, part in system.items():
        if isinstance(part, dict) and (inner := list(_lists(part))):
            texts.append(f"{name}: {_list_text(chain.from_iterable(inner))}")
    return " | ".join(texts) or None


def _single_molecules(system: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the molecules of a system that are no list, such as a protein."""
    for value in system.values():
        if isinstance(value, dict) and isinstance(value.get("resname"), str):
            yield value


def _list_text(molecules: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of molecules; numbers of molecules of one name are added up."""
    amounts: dict[tuple[str, str], float | None] = {}
    for molecule in molecules:
        given = ((molecule.get(name), unit) for name, unit in UNITS.items())
        amount, unit = next((pair for pair in given if is_number(pair[0])), (None, ""))
        key = (_name(molecule), unit)
        before = amounts.get(key)
        amounts[key] = amount if before is None else before + (amount or 0)
    return " + ".join(
        name if amount is None else f"{name} {amount}{unit}"
        for (name, unit), amount in amounts.items()
    )


def as_cell(values: Sequence[Any]) -> Any:
    """Return the values of a field as the value of a cell: a number, text, bool or None.

    Lists and objects are JSON; several values are separated by a semicolon.
    """
    cells = [
        json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if isinstance(value, list | dict)
        else value
        for value in values
        if value is not LACKING
    ]
    if len(cells) > 1:
        return "; ".join(map(str, cells))
    return cells[0] if cells else None
