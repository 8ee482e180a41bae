"""Tables as the specification names them, made by code, and their plans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from corpus.plot_cases import FRAMES, Expected, bars, case, map_over, population, profile, series
from mdfactory.frames.plots import PlotKind

LEAFLETS = ("upper", "lower")

LIPIDS = ("POPC", "CHOL", "all")

TIME = pd.Series(np.arange(50) * 10.0)


def _noise(rows: int, mean: float = 0.0, name: str = "") -> np.ndarray:
    """Return random numbers, which are the same each time."""
    return mean + np.random.default_rng([*name.encode()]).normal(size=rows)


def _grid(**levels: Sequence[Any]) -> pd.DataFrame:
    """Return a row for each combination of values."""
    return pd.DataFrame(product(*levels.values()), columns=[*levels])


def _with(frame: pd.DataFrame, *names: str, mean: float = 0.0, **columns: Any) -> pd.DataFrame:
    """Return a table with columns of random numbers, and others."""
    return frame.assign(**{name: _noise(len(frame), mean, name) for name in names}, **columns)


def _trace(*names: str, **columns: Any) -> pd.DataFrame:
    """Return a time series of 50 rows."""
    return _with(pd.DataFrame({"time_ps": TIME}), *names, **columns)


def _areas() -> pd.DataFrame:
    counts = {"POPC": 100, "CHOL": 28, "all": 128}
    frame = _grid(frame=range(40), leaflet=LEAFLETS, species=LIPIDS)
    frame.insert(0, "time_ns", frame.frame / 10)
    return _with(frame, "apl", mean=60, n_lipids=frame.species.map(counts))


def _order(names: Sequence[str], carbons: int) -> pd.DataFrame:
    frame = _grid(resname=names, tail_index=range(2), carbon_index=range(2, carbons + 2))
    return _with(frame, "order_parameter")


RESIDUES = [f"R{number:02}" for number in range(40)]

CASES = [
    case(
        "area_per_lipid_by_species",
        "2, 5, 6",
        series(
            "time_ns",
            first="apl",
            y=["apl"],
            groups=("leaflet", "species"),
            first_group="all",
            scalars=("n_lipids",),
            units={"time_ns": "ns", "apl": ""},
        ),
        lambda: [_areas(), _areas()],
        "area_per_lipid",
    ),
    case(
        "thickness_map_in_time",
        "4",
        map_over("x", "y", first="thickness", mean_over="time", units={"x": "nm", "y": "nm"}),
        lambda: _with(
            _grid(time=range(5), x=range(20), y=range(20)), "thickness", "z_upper", mean=4
        ).pipe(lambda frame: frame.assign(frame=frame.time)),
        "bilayer_thickness_map",
        length_unit="nm",
    ),
    case(
        "order_parameter",
        "4, 5: one residue name is in the caption",
        profile("carbon_index", first="order_parameter", groups=("tail_index",), notes=("POPC",)),
        lambda: _order(["POPC"], 15),
        "tail_order_parameter",
    ),
    case(
        "order_parameter_of_lipids",
        "4",
        profile("carbon_index", first="order_parameter", groups=("resname", "tail_index")),
        lambda: _order(["POPC", "DPPE"], 15),
        "tail_order_parameter",
    ),
    case(
        "order_parameter_of_short_tails",
        "4: of two small indices, the longer one is the axis",
        profile("carbon_index", first="order_parameter", groups=("tail_index",)),
        lambda: _order(["DEC"], 9),
        "tail_order_parameter",
    ),
    case(
        "lipid_rg",
        "4",
        population(
            "time",
            "resid",
            first="rg_total",
            y=["rg_total", "rg_head", "rg_tails"],
            groups=("resname",),
        ),
        lambda: _with(
            _grid(time=range(10), resid=range(60)), "rg_total", "rg_head", "rg_tails", mean=8
        ).pipe(lambda t: t.assign(frame=t.time, resname=np.where(t.resid < 40, "POPC", "CHOL"))),
    ),
    case(
        "one_column",
        "4: the number of the row is the axis",
        profile(first="rg", y=["rg"]),
        lambda: pd.DataFrame({"rg": _noise(30)}),
    ),
    case(
        "one_monotone_column",
        "4: an axis needs a number left as y",
        profile(first="work", y=["work"]),
        lambda: pd.DataFrame({"work": np.arange(30) ** 1.5}),
    ),
    case(
        "time_unordered",
        "3",
        series("time_ps", first="rmsd", y=["rmsd"]),
        lambda: _trace("rmsd").sample(frac=1, random_state=7).reset_index(drop=True),
    ),
    case(
        "time_unordered_with_index",
        "0: the numbers of sorted rows are no coordinate",
        series("time_ps", first="rmsd", y=["rmsd"]),
        lambda: _trace("rmsd").sample(frac=1, random_state=7),
    ),
    case(
        "residue_names",
        "4: texts of more than 12 values are ids",
        profile("resname", first="contacts", y=["contacts"]),
        lambda: _with(pd.DataFrame({"resname": RESIDUES}), "contacts"),
    ),
    case(
        "residue_names_in_time",
        "4",
        population("time", "resname", first="contacts", y=["contacts"]),
        lambda: _with(_grid(time=range(6), resname=RESIDUES), "contacts"),
    ),
    case(
        "one_row",
        "3",
        Expected(PlotKind.scalars, first="density_kg_m3", units={"density_kg_m3": "kg/m3"}),
        lambda: pd.DataFrame({"density_kg_m3": [997.0], "viscosity": [0.89], "solvent": ["SOL"]}),
    ),
    case(
        "one_row_with_time",
        "3: one row is always scalars",
        Expected(PlotKind.scalars, first="rmsd", y=frozenset({"rmsd"})),
        lambda: pd.DataFrame({"time_ps": [100.0], "rmsd": [0.2]}),
    ),
    case(
        "contact_matrix",
        "4: a pair by name",
        map_over("residue_i", "residue_j", first="contact", y=["contact"]),
        lambda: _with(_grid(residue_i=range(30), residue_j=range(30)), "contact"),
    ),
    case(
        "contact_matrix_of_ids",
        "4: two ids",
        map_over("donor_id", "acceptor_id", first="occupancy", y=["occupancy"]),
        lambda: _with(_grid(donor_id=range(30), acceptor_id=range(20)), "occupancy"),
    ),
    case(
        "rmsf_by_chain",
        "2: a text of few values is a group, whatever its name",
        profile("resid", first="rmsf", groups=("chain",), y=["rmsf"]),
        lambda: _with(_grid(chain=["A", "B"], resid=range(1, 101)), "rmsf"),
    ),
    case(
        "value_with_error",
        "2",
        series("time_ps", first="rg", y=["rg"], errors={"rg": "rg_err"}),
        lambda: _trace("rg", "rg_err"),
    ),
    case(
        "profile_with_error",
        "2",
        profile("q", first="S", y=["S"], errors={"S": "S_std"}),
        lambda: _with(pd.DataFrame({"q": np.linspace(0.1, 3, 40)}), "S", "S_std"),
        "structure_factor",
    ),
    case(
        "nulls",
        "9",
        series("time_ps", first="rmsd", y=["rmsd"], drawn=("25",)),
        lambda: pa.table({"time_ps": TIME, "rmsd": [None, 0.5] * 25, "comment": pa.nulls(50)}),
    ),
    case(
        "nested",
        "9: a table, with the reason",
        Expected(PlotKind.table, notes=("path",)),
        lambda: pa.table({"path": [[1, 2], [3]], "point": [{"x": 1.0}, {"x": 2.0}]}),
    ),
    case(
        "nested_beside_numbers",
        "9: what is left out is said",
        series("time_ps", first="energy", y=["energy"], notes=("forces",)),
        lambda: pa.table({"time_ps": TIME, "energy": _noise(50), "forces": [[0.1, 0.2]] * 50}),
    ),
    case(
        "timestamps",
        "2",
        series("measured", first="speed", y=["speed"]),
        lambda: _with(
            pd.DataFrame({"measured": pd.date_range("2026-11-01", periods=30, freq="h")}), "speed"
        ),
        units={"speed": "ns/day"},
    ),
    case(
        "duration_index",
        "0, 2: a time that is a duration",
        series("time", first="rmsd", y=["rmsd"]),
        lambda: _with(
            pd.DataFrame(index=pd.timedelta_range(0, periods=30, freq="ns", name="time")), "rmsd"
        ),
    ),
    case(
        "boolean",
        "2: booleans are 0 and 1 if nothing else is there",
        series("time_ps", first="is_bound", y=["is_bound"], groups=()),
        lambda: _trace(is_bound=_noise(50) > 0),
    ),
    case(
        "boolean_group",
        "2",
        series("time_ps", first="distance_nm", y=["distance_nm"], groups=("is_bound",)),
        lambda: _with(_grid(time_ps=range(20), is_bound=[True, False]), "distance_nm"),
    ),
    case(
        "groups_without_time",
        "3",
        bars(first="apl", y=["apl"], groups=("leaflet", "species"), first_group="all"),
        lambda: _with(_grid(leaflet=LEAFLETS, species=LIPIDS), "apl"),
    ),
    case(
        "categories",
        "2",
        series("step", first="energy", y=["energy"], groups=("term",)),
        lambda: _with(_grid(step=range(30), term=["bond", "angle"]), "energy").astype(
            {"term": "category"}
        ),
    ),
    case(
        "restart",
        "4",
        series("time_ps", first="energy", y=["energy"], drawn=("restart",)),
        lambda: pd.concat([_trace("energy")[:35], _trace("energy")[30:]], ignore_index=True),
    ),
    case(
        "two_times",
        "2",
        series("time_ps", first="rmsd", y=["rmsd"], units={"time_ps": "ps"}),
        lambda: _trace("rmsd", time_ns=TIME / 1000),
    ),
    case(
        "two_counters_and_time",
        "2",
        series("t", first="rmsd", y=["rmsd"]),
        lambda: _with(
            pd.DataFrame({"step": range(30), "frame": range(30), "t": range(30)}), "rmsd"
        ),
    ),
    case("no_rows", "2", Expected(PlotKind.empty), lambda: _trace("rmsd")[:0]),
    case("no_columns", "2", Expected(PlotKind.empty), lambda: pa.table({})),
    case(
        "texts_only",
        "4",
        Expected(PlotKind.table),
        lambda: pd.DataFrame({"molecule": RESIDUES, "remark": RESIDUES[::-1]}),
    ),
    case(
        "said_kind",
        "1: said beats guessed",
        profile("distance_nm", first="force", y=["force"], mean_over=None),
        lambda: _trace("force", distance_nm=np.linspace(0, 1, 50)),
        plot={"kind": "profile", "x": "distance_nm", "y": "force"},
    ),
    case(
        "said_unknown_column",
        "1: ignored, with the reason",
        series("time_ps", first="force", notes=("speed",)),
        lambda: _trace("force"),
        plot={"kind": "profile", "x": "speed"},
    ),
    case(
        "said_units",
        "1: said beats the suffix",
        series("time_ps", first="dG_kcal_mol", units={"dG_kcal_mol": "kJ/mol", "time_ps": "ps"}),
        lambda: _trace("dG_kcal_mol"),
        units={"dG_kcal_mol": "kJ/mol"},
    ),
    case(
        "box",
        "3: x is a value where time is the key",
        series(
            "time_ps", first="x", y=["x", "y", "z"], together=("x", "y", "z"), units={"x": "nm"}
        ),
        lambda: _trace("x", "y", "z", mean=5),
        length_unit="nm",
    ),
    case(
        "density_distribution",
        "4",
        profile(
            "z_nm",
            first="density_kg_m3",
            groups=("species",),
            mean_over="time",
            y=["density_kg_m3"],
            first_group="all",
        ),
        lambda: _with(
            _grid(time=range(5), species=LIPIDS, z_nm=np.linspace(-3, 3, 31)), "density_kg_m3"
        ),
    ),
    case(
        "density_distribution_of_few_bins",
        "4: few distances are an axis, too",
        profile("z", first="density", groups=("species",), first_group="all"),
        lambda: _with(_grid(species=LIPIDS, z=np.linspace(-3, 3, 7)), "density"),
    ),
    case(
        "constant_count",
        "5: an integer that is constant is a statistic",
        series("time_ps", first="density", y=["density"], scalars=("n_atoms",)),
        lambda: _trace("density", n_atoms=450),
    ),
    case(
        "angles",
        "1, 4",
        profile("angle_deg", first="probability", units={"angle_deg": "deg"}),
        lambda: _with(pd.DataFrame({"angle_deg": np.arange(-180.0, 180, 10)}), "probability"),
    ),
    case(
        "autocorrelation",
        "2, 4",
        profile("lag_ps", first="C", y=["C"], errors={"C": "C_error"}, units={"lag_ps": "ps"}),
        lambda: pd.DataFrame({"lag_ps": TIME, "C": np.exp(-TIME / 99), "C_error": 0.01}),
    ),
    case(
        "aggregate",
        "0, 3: labels of several levels",
        bars(first="('area', 'mean')", groups=("resname",)),
        lambda: (
            pd.read_parquet(FRAMES / "lipid_area.parquet")
            .groupby("resname")
            .agg({"area": ["mean", "max"]})
        ),
    ),
    case(
        "species_of_each_simulation",
        "2: groups are counted in each simulation",
        series("time_ps", first="apl", y=["apl"], groups=("species",)),
        lambda: [
            _with(_grid(time_ps=range(20), species=[f"L{n}", f"M{n}"]), "apl") for n in range(10)
        ],
    ),
    case(
        "molecules",
        "2, 4",
        population("time_ps", "molecule_id", first="charge", y=["charge"]),
        lambda: _with(_grid(time_ps=range(8), molecule_id=range(500, 540)), "charge"),
    ),
    case(
        "free_energy_surface",
        "open: two columns that form a grid are a map",
        map_over("cv1", "cv2", first="free_energy_kj_mol", y=["free_energy_kj_mol"]),
        lambda: _with(
            _grid(cv1=np.linspace(0, 1, 20), cv2=np.linspace(-1, 1, 15)), "free_energy_kj_mol"
        ),
    ),
    case(
        "secondary_structure",
        "2, 4: an id is no quantity",
        Expected(PlotKind.table),
        lambda: _grid(frame=range(10), resid=range(30)).assign(structure=["H", "E", "C"] * 100),
    ),
    case(
        "time_in_brackets",
        "1, 2: what OpenMM writes",
        series(
            "Time (ps)",
            first="Potential Energy (kJ/mole)",
            units={"Time (ps)": "ps", "Temperature (K)": "K"},
        ),
        lambda: _with(
            pd.DataFrame({'#"Step"': range(40), "Time (ps)": np.arange(40) / 10}),
            "Potential Energy (kJ/mole)",
            "Temperature (K)",
        ),
        "state",
    ),
    case(
        "several_columns_of_labels",
        "7",
        series(
            "time",
            first="('A', 'x')",
            together=("('A', 'x')", "('A', 'y')"),
        ),
        lambda: pd.DataFrame(
            _noise(80).reshape(20, 4),
            columns=pd.MultiIndex.from_product([["A", "B"], ["x", "y"]]),
            index=pd.Index(range(20), name="time"),
        ),
    ),
]
