"""Names of columns without their units, and units from extras, from names and from types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final


def name_set(*lines: str) -> frozenset[str]:
    """Return the names in some lines."""
    return frozenset(" ".join(lines).split())


UNITS_BY_SUFFIX: Final = {
    "fs": "fs",
    "ps": "ps",
    "ns": "ns",
    "us": "us",
    "nm": "nm",
    "nm2": "nm²",
    "nm3": "nm³",
    "ang": "Å",
    "ang2": "Å²",
    "ang3": "Å³",
    "angstrom": "Å",
    "g_cm3": "g/cm³",
    "kg_m3": "kg/m³",
    "cm2_s": "cm²/s",
    "nm2_ns": "nm²/ns",
    "k": "K",
    "bar": "bar",
    "kj_mol": "kJ/mol",
    "kcal_mol": "kcal/mol",
    "deg": "°",
    "rad": "rad",
    "percent": "%",
}
"""Suffix of a name, after an underscore -> unit."""

SUFFIXES_BY_LENGTH: Final = sorted(UNITS_BY_SUFFIX, key=len, reverse=True)

SPELLINGS: Final = {
    "a": "Å",
    "angstroms": "Å",
    "å": "Å",
    "a^2": "Å²",
    "å^2": "Å²",
    "å2": "Å²",
    "a2": "Å²",
    "nanometer": "nm",
    "nanometers": "nm",
    "nanometre": "nm",
    "nanometres": "nm",
    "nm^2": "nm²",
    "nm**2": "nm²",
    "nm^3": "nm³",
    "nm**3": "nm³",
    "femtosecond": "fs",
    "femtoseconds": "fs",
    "picosecond": "ps",
    "picoseconds": "ps",
    "nanosecond": "ns",
    "nanoseconds": "ns",
    "microsecond": "us",
    "microseconds": "us",
    "µs": "us",
    "μs": "us",
    "usec": "us",  # micro sign and Greek letter
    "g/cm3": "g/cm³",
    "g/cm^3": "g/cm³",
    "g cm-3": "g/cm³",
    "g/cc": "g/cm³",
    "g/ml": "g/cm³",
    "kg/m3": "kg/m³",
    "kg/m^3": "kg/m³",
    "kg m-3": "kg/m³",
    "kelvin": "K",
    "kj/mol": "kJ/mol",
    "kj/mole": "kJ/mol",
    "kj mol-1": "kJ/mol",
    "kj mol^-1": "kJ/mol",
    "kcal/mole": "kcal/mol",
    "kcal mol-1": "kcal/mol",
    "kcal mol^-1": "kcal/mol",
    "degree": "°",
    "degrees": "°",
}
"""Other spelling of a unit, in lower case -> unit."""

UNITS_BY_SPELLING: Final = {
    **{unit.lower(): unit for unit in UNITS_BY_SUFFIX.values()},
    **UNITS_BY_SUFFIX,
    **SPELLINGS,
}

TIME_UNITS: Final = frozenset({"fs", "ps", "ns", "us", "ms", "s"})

LENGTH_NAMES: Final = name_set(
    "x y z r lx ly lz box_x box_y box_z box_lx box_ly box_lz com_x com_y com_z "
    "distance distances dist displacement radius radii depth height width length thickness "
    "position end_to_end rmsd rmsf rg rg_total rg_x rg_y rg_z rgyr gyration "
    "radius_of_gyration gyration_radius"
)
"""Names of columns that are lengths, to which the extra ``length_unit`` belongs."""

IN_BRACKETS: Final = re.compile(r"(.+)[(\[]([^()\[\]]{1,20})[)\]]", re.DOTALL)
"""A name, and a short text in brackets behind it."""

TUPLE_LABEL: Final = re.compile(r"\((?:'[^']*'(?:, )?)+\)")
"""The Arrow name of a pandas label that is a tuple of texts."""


def unit_of(text: str) -> str:
    """Return a unit in the spelling of this package.

    Examples
    --------
    >>> from mdfactory.frames.planning.units import unit_of
    >>> unit_of("g/cm3"), unit_of("angstrom"), unit_of(" kT ")
    ('g/cm³', 'Å', 'kT')
    """
    return UNITS_BY_SPELLING.get(text.strip().lower().replace("\u212b", "å"), text.strip())


@lru_cache(maxsize=4096)
def split_name(name: str) -> tuple[str, str]:
    """Return a name in lower case, in words joined by ``_``, and the unit at its end.

    Examples
    --------
    >>> from mdfactory.frames.planning.units import split_name
    >>> split_name("density_g_cm3"), split_name("Time (ps)"), split_name("g_r")
    (('density', 'g/cm³'), ('time', 'ps'), ('g_r', ''))
    """
    if TUPLE_LABEL.fullmatch(name):
        name = "_".join(part for part in re.findall(r"'([^']*)'", name) if part)
    bracketed = IN_BRACKETS.fullmatch(name)
    if bracketed and (unit := UNITS_BY_SPELLING.get(bracketed[2].strip().lower())):
        return words(bracketed[1]), unit
    base = words(name)
    for suffix in SUFFIXES_BY_LENGTH:
        stem = base.removesuffix(f"_{suffix}")
        if stem not in {base, ""}:
            return stem, UNITS_BY_SUFFIX[suffix]
    return base, ""


def words(name: str) -> str:
    """Return the words of a name in lower case, joined by underscores."""
    return re.sub(r"[\W_]+", "_", name).strip("_").lower() or name


def units_of(labels: Iterable[tuple[str, str]], extras: Mapping[str, Any]) -> dict[str, str]:
    """Return the units of columns.

    Parameters
    ----------
    labels
        Arrow name and label of each column; they differ for some index levels.
    extras
        Extras of the registry entry, which any program may have written.
    """
    said, length = extras.get("units"), extras.get("length_unit")
    said = said if isinstance(said, Mapping) else {}
    length = unit_of(length) if isinstance(length, str) else ""
    units = {}
    for column, label in labels:
        own = said.get(column, said.get(label))
        unit = unit_of(own) if isinstance(own, str) else ""
        base, suffix = split_name(label)
        unit = unit or (length if base in LENGTH_NAMES else "") or suffix
        if unit:
            units[column] = unit
    return units
