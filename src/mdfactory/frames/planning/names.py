"""What the names of columns say: time, counters, members, coordinates, pairs of axes, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mdfactory.frames.planning.kinds import Column
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.planning.units import TIME_UNITS, name_set

SMILES: Final = "smiles"

TIMES: Final = name_set("time t times sim_time simulation_time")

COUNTERS: Final = name_set(
    "frame frames frame_index frame_number step steps timestep iteration index"
)

IDS: Final = name_set(
    "resid residue residue_number resnum resnr resindex residue_index molecule molid mol atom "
    "atom_number atom_index chain"
)

INDICES: Final = name_set("replica replicate repeat run trajectory traj walker window leaflet")
"""Names of integers that number parts of the data, as those that end with ``_index`` do."""

COORDINATES: Final = name_set(
    "r z distance q k bin bins angle lag radius depth position height theta phi psi tau lag_time "
    "lagtime delta_t lambda frequency bin_center bin_centre cutoff xi cv reaction_coordinate "
    "carbon carbon_number mode component"
)

COORDINATE_ENDS: Final = ("_bin", "_lambda", "_coordinate")

PAIRS: Final = (
    *(("x", "y"), ("x", "z"), ("y", "z"), ("phi", "psi"), ("theta", "phi")),
    *(("i", "j"), ("row", "column"), ("row", "col")),
)
"""Names of two columns that are the axes of a map."""

PAIR_ENDS: Final = (("_i", "_j"), ("_1", "_2"), ("_a", "_b"), ("_x", "_y"))
"""Ends of names of which the rest is the same."""

ERROR_ENDS: Final = ("err", "error", "sem", "stderr", "std", "sd", "stdev")
"""Last words of the names of errors; errors of a mean before deviations."""


def is_time(column: Column, units: Mapping[str, str]) -> bool:
    """Whether a column is a time by its name or its type."""
    if column.kind is ColumnKind.timestamp:
        return True
    if column.is_level and column.kind is ColumnKind.duration:
        return True
    is_other = column.base == "t" and units.get(column.name, "ps") not in TIME_UNITS
    return column.is_numeric and column.base in TIMES and not is_other


def is_counter(column: Column) -> bool:
    """Whether a column counts frames or steps."""
    return column.is_numeric and column.base in COUNTERS


def is_id(column: Column) -> bool:
    """Whether a column names members: residues, molecules, atoms."""
    if column.base in IDS or column.base.endswith("_id"):
        return True
    return column.base in {"i", "j"} or _member_of_pair(column.base)


def _member_of_pair(base: str) -> bool:
    """Whether a name is one of two of a matrix, such as ``resid_1``."""
    stem, _, end = base.rpartition("_")
    is_named = stem in IDS or stem.endswith("_id")
    return bool(stem) and (end in {"i", "j"} or (is_named and end in {*"12ab"}))


def is_index(column: Column) -> bool:
    """Whether a column has integers that number something."""
    return column.is_integer and (column.base in INDICES or column.base.endswith("_index"))


def is_coordinate(column: Column) -> bool:
    """Whether a column may be an axis."""
    return column.is_level or column.base in COORDINATES or column.base.endswith(COORDINATE_ENDS)


def is_error(column: Column) -> bool:
    """Whether a column is an error of another one."""
    return column.is_numeric and column.base.rpartition("_")[2] in ERROR_ENDS


def has_no_part_in_a_key(column: Column) -> bool:
    """Whether a column has plain numbers, or nothing that can be drawn."""
    if column.kind in {ColumnKind.nothing, ColumnKind.other}:
        return True
    is_part = any(test(column) for test in (is_id, is_coordinate, is_counter, is_index))
    return column.is_numeric and not is_part and column.base not in TIMES


def named_pairs(columns: Iterable[Column]) -> list[tuple[str, str]]:
    """Return the columns that are the axes of a map by their names."""
    kinds = {ColumnKind.number, ColumnKind.text}
    names = {column.base: column.name for column in columns if column.kind in kinds}
    pairs = [*PAIRS]
    for first, second in PAIR_ENDS:
        stems = [name.removesuffix(first) for name in names if name.endswith(first)]
        pairs += [(stem + first, stem + second) for stem in stems]
    return [(names[a], names[b]) for a, b in pairs if a in names and b in names]
