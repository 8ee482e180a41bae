"""Every table gets a plan: what is drawn follows from its columns, its index and its extras."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdfactory.campaign.recording import to_arrow
from mdfactory.frames.planning.kinds import with_levels
from mdfactory.frames.planning.samples import MAX_ROWS
from mdfactory.frames.plots import Plan, PlotKind, misfit, plan
from mdfactory.testing.frames import MODERATE, TEXT, columns, tables

CAMPAIGN = Path(__file__).parent.parent.parent / "examples" / "water_methanol"

NAMES = [f"R{number:02}" for number in range(40)]

Levels = Mapping[str, Any]


def noise(rows: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=rows)


def grid(*names: str, **levels: Any) -> pd.DataFrame:
    """Return a row for each combination of values, with columns of random numbers."""
    frame = pd.DataFrame(product(*levels.values()), columns=[*levels])
    return frame.assign(**{name: noise(len(frame)) for name in names})


def trace(**values: Any) -> pd.DataFrame:
    """Return a time series of 50 rows."""
    return pd.DataFrame({"time_ps": np.arange(50) * 2.0, "rmsd": noise(50), **values})


def plan_of(*frames: pd.DataFrame | pa.Table, name: str = "analysis", **extras: Any) -> Plan:
    return plan(name, [to_arrow(name, frame) for frame in frames], [extras] * len(frames))


def axes(planned: Plan) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], str]:
    """Return the kind, the axis, the quantities, the groups and the entity of a plan."""
    return str(planned.kind), planned.x, planned.y, planned.groups, planned.entity


def series(x: str, *y: str, groups: tuple[str, ...] = ()) -> tuple[Any, ...]:
    return "timeseries", (x,), y, groups, ""


def profile(x: tuple[str, ...], *y: str, groups: tuple[str, ...] = ()) -> tuple[Any, ...]:
    return "profile", x, y, groups, ""


def real(name: str) -> tuple[list[pa.Table], list[dict[str, Any]]]:
    """Return the frames of an analysis of the example campaign, and their extras."""
    files = sorted(CAMPAIGN.glob(f"*/.analysis/{name}.parquet"))
    entries = [json.loads((file.parent / "metadata.json").read_text("utf-8")) for file in files]
    frames = [pq.read_table(file) for file in files]
    return frames, [entry["analyses"][name]["extras"] for entry in entries]


# Frames of the example campaign


@pytest.mark.parametrize(
    ("name", "expected", "units"),
    [
        (
            "density_timeseries",
            series("time_ps", "density_g_cm3"),
            {"time_ps": "ps", "density_g_cm3": "g/cm³"},
        ),
        (
            "box_size_timeseries",
            series("time_ns", "Lx", "Ly", "Lz"),
            {"time_ns": "ns", "Lx": "nm", "Ly": "nm", "Lz": "nm"},
        ),
        ("hydrogen_bonds", series("frame", "count"), {}),
        ("rdf_oxygen", profile(("r_nm",), "g_r"), {"r_nm": "nm"}),
        ("system_chemistry", ("chemistry", (), (), (), ""), {}),
    ],
)
def test_plan_of_an_example_is_that_of_the_specification(
    name: str, expected: tuple[Any, ...], units: dict[str, str]
) -> None:
    frames, extras = real(name)
    planned = plan(name, frames, extras)
    assert axes(planned) == expected
    assert planned.units == units
    assert planned.notes == ()
    assert [*map(lambda *pair: misfit(planned, *pair), frames, extras)] == [""] * len(frames)


def test_lengths_of_a_box_share_a_plot() -> None:
    assert plan("box", *real("box_size_timeseries")).together == (("Lx", "Ly", "Lz"),)


# Time


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (trace(), series("time_ps", "rmsd")),
        (trace().sample(frac=1, random_state=1), series("time_ps", "rmsd")),
        (trace().set_index("time_ps"), series("time_ps", "rmsd")),
        (trace(frame=range(50), step=range(50)), series("time_ps", "rmsd")),
        (trace(time_ns=np.arange(50) / 500), series("time_ps", "rmsd")),
        (trace(T=noise(50) + 300), series("time_ps", "rmsd", "T")),
        (trace(z=noise(50), distance=noise(50)), series("time_ps", "rmsd", "z", "distance")),
        (trace(n=None), series("time_ps", "rmsd")),
        (
            pd.DataFrame({"step": range(9), "iteration": range(9), "e": noise(9)}),
            series("step", "e"),
        ),
        (pd.DataFrame({"T": range(9), "e": noise(9)}), series("T", "e")),
        (pd.DataFrame({"Time (ns)": range(9), "e": noise(9)}), series("Time (ns)", "e")),
        (pd.DataFrame({"frame": range(9), "resid": [5] * 8 + [7]}), series("frame", "resid")),
        (
            pd.DataFrame({"at": pd.date_range("2024", periods=9), "speed": noise(9)}),
            series("at", "speed"),
        ),
        (
            pd.DataFrame({"e": noise(9)}, pd.timedelta_range(0, periods=9, freq="ns", name="at")),
            series("at", "e"),
        ),
    ],
)
def test_plan_is_a_series_where_time_is_a_key(
    frame: pd.DataFrame, expected: tuple[Any, ...]
) -> None:
    assert axes(plan_of(frame)) == expected


def test_a_time_that_is_the_index_and_a_column_is_one_time() -> None:
    frame = trace().set_index("time_ps", drop=False)
    assert axes(plan_of(frame)) == series("time_ps", "rmsd")


def test_an_index_level_that_moves_with_the_time_says_the_same() -> None:
    frame = trace().set_index(pd.Index(np.arange(50) / 500))
    assert axes(plan_of(frame)) == series("time_ps", "rmsd")
    assert plan_of(frame).notes == ()


def test_a_date_beside_the_time_is_not_drawn() -> None:
    dates = pd.date_range("2024", periods=50).to_series()
    planned = plan_of(trace(written=dates.sample(frac=1, random_state=1).to_numpy()))
    assert axes(planned) == series("time_ps", "rmsd")
    assert planned.notes == ("not drawn: written",)


def test_the_first_rows_of_large_frames_are_enough() -> None:
    rows = MAX_ROWS + 1
    large = pa.table({"time": pa.array(range(rows)), "e": pa.array([0.5] * rows)})
    small = pa.table({"time": [0, 0], "e": [1.0, 2.0]})
    assert axes(plan("a", [large, small])) == series("time", "e")


def test_a_second_time_that_moves_otherwise_is_a_quantity() -> None:
    assert axes(plan_of(trace(t=noise(50)))) == series("time_ps", "rmsd", "t")


def test_a_temperature_is_no_time() -> None:
    frame = pd.DataFrame({"T_K": [300, 310, 320], "D": [1.0, 1.3, 1.7]})
    assert axes(plan_of(frame)) == profile(("T_K",), "D")


def test_restarted_runs_are_series_in_the_order_of_rows() -> None:
    frame = pd.concat([trace()[:30], trace()[20:]])
    assert axes(plan_of(frame.assign(frame=range(60)))) == series("time_ps", "rmsd")
    assert axes(plan_of(frame.reset_index(drop=True))) == series("time_ps", "rmsd")
    assert axes(plan_of(trace(), trace(), frame)) == series("time_ps", "rmsd")
    assert axes(plan_of(frame.assign(distance=noise(60)))) == series("time_ps", "rmsd", "distance")


def test_what_differs_after_a_restart_is_no_axis() -> None:
    frame = pd.concat([trace(bin=[1, 2] * 25), trace(bin=[3, 4] * 25)[30:]], ignore_index=True)
    assert axes(plan_of(frame)) == series("time_ps", "rmsd", "bin")


def test_a_counter_of_what_is_at_each_time_is_an_axis() -> None:
    planned = plan_of(grid("energy", time=range(5), index=range(20)))
    assert axes(planned) == profile(("index",), "energy")
    assert planned.mean_over == "time"


def test_a_time_of_one_value_is_in_the_caption() -> None:
    planned = plan_of(grid("thickness", time=[5], x=range(4), y=range(4)))
    assert axes(planned) == ("map", ("x", "y"), ("thickness",), (), "")
    assert (planned.mean_over, planned.notes) == ("", ("time: 5",))


# Groups


def areas() -> pd.DataFrame:
    frame = grid(frame=range(10), leaflet=["upper", "lower"], species=["POPC", "CHOL", "all"])
    numbers = frame.species.map({"POPC": 90, "CHOL": 10, "all": 100})
    return frame.assign(time_ns=frame.frame / 10, apl=noise(60), n_lipids=numbers)


def test_lipid_areas_are_series_by_leaflet_and_species_with_all_first() -> None:
    planned = plan_of(areas(), name="lipid_area")
    assert axes(planned) == series("time_ns", "apl", groups=("leaflet", "species"))
    assert (planned.first_group, planned.scalars) == ("all", ("n_lipids",))


@pytest.mark.parametrize("values", [["b", "a"], [True, False], pd.Categorical(["x", "y"])])
def test_texts_booleans_and_categories_are_groups(values: Any) -> None:
    assert plan_of(grid("e", time=range(9), part=values)).groups == ("part",)


def test_a_small_index_is_a_group_in_time() -> None:
    planned = plan_of(grid("area", time=range(9), leaflet_index=range(2)))
    assert axes(planned) == series("time", "area", groups=("leaflet_index",))


def test_replicas_are_groups() -> None:
    planned = plan_of(grid("rmsd", replica=range(3), time_ns=range(9)))
    assert axes(planned) == series("time_ns", "rmsd", groups=("replica",))
    planned = plan_of(grid("rmsf", replica=range(3), resid=range(9)))
    assert axes(planned) == profile(("resid",), "rmsf", groups=("replica",))
    planned = plan_of(grid("rg", replica=range(3), frame=range(9), molecule=range(5)))
    assert axes(planned) == ("population", ("frame",), ("rg",), ("replica",), "molecule")


def test_leaflets_that_are_numbers_are_groups_of_a_population() -> None:
    frame = grid("area", time=range(9), resid=range(8))
    planned = plan_of(frame.assign(leaflet=np.where(frame.resid < 4, 1, -1)))
    assert axes(planned) == ("population", ("time",), ("area",), ("leaflet",), "resid")


def test_two_indices_of_few_curves_are_groups_in_time() -> None:
    frame = grid("s", time=range(9), leaflet_index=range(2), tail_index=range(2))
    assert axes(plan_of(frame)) == series("time", "s", groups=("leaflet_index", "tail_index"))


def test_groups_without_time_are_bars() -> None:
    planned = plan_of(grid("apl", leaflet=["upper", "lower"], species=["POPC", "CHOL"]))
    assert axes(planned) == ("bars", (), ("apl",), ("leaflet", "species"), "")


def test_groups_of_one_value_are_in_the_caption() -> None:
    first, second = trace(species="POPC", force_field="x"), trace(species="DPPC", force_field="x")
    planned = plan_of(first, second)
    assert axes(planned) == series("time_ps", "rmsd")
    assert planned.notes == ("species: one value in each simulation", "force_field: x")
    assert planned.single == ("species", "force_field")


def test_a_state_that_alternates_in_time_is_no_group() -> None:
    planned = plan_of(trace(state=["open", "closed"] * 25))
    assert axes(planned) == series("time_ps", "rmsd")
    assert planned.notes == ("not drawn: state",)


def test_a_part_of_the_time_is_a_group() -> None:
    planned = plan_of(trace(phase=["equilibration"] * 20 + ["production"] * 30))
    assert planned.groups == ("phase",)


def test_groups_are_judged_over_all_frames() -> None:
    one, two = (grid("apl", time=range(9), species=names) for names in (["A"], ["A", "B"]))
    assert plan_of(one, two, one).groups == ("species",)
    assert plan_of(one, one).groups == ()


def test_groups_are_counted_in_each_frame() -> None:
    frames = [grid("apl", time=range(9), species=[f"A{n}", f"B{n}"]) for n in range(10)]
    assert plan_of(*frames).groups == ("species",)


# What completes the key


def test_an_order_parameter_is_a_profile_over_carbons_by_tail() -> None:
    frame = grid("order_parameter", resname=["POPC"], tail_index=[0, 1], carbon_index=range(15))
    planned = plan_of(frame)
    assert axes(planned) == profile(("carbon_index",), "order_parameter", groups=("tail_index",))
    assert planned.notes == ("resname: POPC",)


@pytest.mark.parametrize("carbons", [3, 12, 13])
def test_of_two_indices_the_longer_one_is_the_axis(carbons: int) -> None:
    planned = plan_of(grid("s", carbon_index=range(carbons), tail_index=[0, 1]))
    assert axes(planned) == profile(("carbon_index",), "s", groups=("tail_index",))


def test_an_axis_in_time_is_a_mean_over_time() -> None:
    planned = plan_of(grid("density", time_ps=range(6), species=["A", "B"], z_nm=range(30)))
    assert axes(planned) == profile(("z_nm",), "density", groups=("species",))
    assert (planned.mean_over, planned.notes) == ("time_ps", ("mean over time",))


def test_a_thickness_map_is_a_mean_over_time() -> None:
    frame = grid("thickness", "z_upper", time=range(5), x=range(6), y=range(7))
    planned = plan_of(frame.assign(frame=frame.time), length_unit="nm")
    assert axes(planned) == ("map", ("x", "y"), ("thickness", "z_upper"), (), "")
    assert planned.mean_over == "time"
    assert planned.units == {"x": "nm", "y": "nm", "thickness": "nm"}


@pytest.mark.parametrize(
    ("first", "second"),
    [("resid_i", "resid_j"), ("atom_1", "atom_2"), ("i", "j"), ("donor_id", "acceptor_id")],
)
def test_a_matrix_of_contacts_is_a_map(first: str, second: str) -> None:
    frame = grid("contact", **{first: range(9), second: range(9)})
    assert axes(plan_of(frame)) == ("map", (first, second), ("contact",), (), "")
    part = frame[frame[first] <= frame[second]].assign(contact=True)
    assert axes(plan_of(part)) == ("map", (first, second), ("contact",), (), "")


def test_contacts_in_time_are_a_mean_map() -> None:
    planned = plan_of(grid("contact", time=range(4), resid_i=range(5), resid_j=range(6)))
    assert axes(planned) == ("map", ("resid_i", "resid_j"), ("contact",), (), "")
    assert planned.mean_over == "time"


def test_numbers_that_fill_a_grid_are_a_map() -> None:
    planned = plan_of(grid("free_energy", pc1=[0.1, 0.2, 0.3], pc2=[5.0, 6.0, 7.0, 8.0]))
    assert axes(planned) == ("map", ("pc1", "pc2"), ("free_energy",), (), "")


def test_of_several_indices_the_longest_one_is_the_axis() -> None:
    frame = grid("s", chain_index=range(3), carbon_index=range(14), tail_index=range(2))
    groups = ("chain_index", "tail_index")
    assert axes(plan_of(frame)) == profile(("carbon_index",), "s", groups=groups)


def test_members_and_places_are_a_map() -> None:
    planned = plan_of(grid("density", molecule=range(20), z=range(30)))
    assert axes(planned) == ("map", ("z", "molecule"), ("density",), (), "")
    planned = plan_of(grid("energy", time=range(3), molecule=range(20), donor=NAMES))
    assert axes(planned) == ("map", ("molecule", "donor"), ("energy",), (), "")


def test_measured_places_are_no_map() -> None:
    frame = grid("rg", time=range(9), resid=range(20)).assign(x=noise(180), y=noise(180) + 1)
    assert axes(plan_of(frame)) == ("population", ("time",), ("rg", "x", "y"), (), "resid")


def test_radii_by_residue_are_a_population() -> None:
    frame = grid("rg_total", "rg_head", time=range(6), resid=range(30))
    frame = frame.assign(frame=frame.time, resname=np.where(frame.resid < 20, "POPC", "CHOL"))
    planned = plan_of(frame)
    expected = ("population", ("time",), ("rg_total", "rg_head"), ("resname",), "resid")
    assert axes(planned) == expected
    assert planned.mean_over == ""


def test_a_population_stays_one_where_a_run_was_restarted() -> None:
    frame = grid("rg", time=range(40), resid=range(9))
    assert plan_of(pd.concat([frame, frame[-18:]])).kind is PlotKind.population


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (grid("rmsf", resid=range(90)), profile(("resid",), "rmsf")),
        (
            grid("rmsf", chain=["A", "B"], resid=range(90)),
            profile(("resid",), "rmsf", groups=("chain",)),
        ),
        (
            grid("rmsf", resid=range(90)).assign(resname=["ALA", "GLY", "VAL"] * 30),
            profile(("resid",), "rmsf"),
        ),
        (grid("n", resname=NAMES), profile(("resname",), "n")),
        (grid("msd", lag_ps=range(50)), profile(("lag_ps",), "msd")),
        (
            pd.DataFrame({"index": range(50), "r": np.arange(50) / 10, "g": noise(50)}),
            profile(("r",), "g"),
        ),
        (
            pd.DataFrame({"e": noise(30), "volume": np.arange(30) ** 2.0}),
            profile(("volume",), "e"),
        ),
        (pd.DataFrame({"a": noise(30), "b": noise(30)[::-1]}), profile((), "a", "b")),
        (pd.DataFrame({"rg": noise(30)}), profile((), "rg")),
        (pd.DataFrame({"r": np.arange(30.0)}), profile((), "r")),
        (pd.DataFrame({"x": noise(9), "y": noise(9) ** 2}), profile((), "x", "y")),
        (
            grid(resid=range(9)).assign(helical=[True] * 4 + [False] * 5),
            profile(("resid",), "helical"),
        ),
    ],
)
def test_without_time_the_axis_is_what_completes_the_key(
    frame: pd.DataFrame, expected: tuple[Any, ...]
) -> None:
    assert axes(plan_of(frame)) == expected


def test_the_number_of_the_row_is_said() -> None:
    assert plan_of(pd.DataFrame({"rg": noise(30)})).notes == ("x is the number of the row",)


# One row, no rows, no numbers


def test_one_row_is_scalars_whatever_its_names() -> None:
    frame = pd.DataFrame({"time": [5.0], "x": [1.0], "y": [2.0], "species": ["A"], "n_id": [7]})
    planned = plan_of(frame, frame)
    assert axes(planned) == ("scalars", (), ("x", "y"), (), "")
    assert planned.notes == ("time: 5.0", "species: A", "n_id: 7")


def test_one_row_among_longer_frames_is_no_reason_for_scalars() -> None:
    assert plan_of(trace(), trace()[:1], trace()[:1]).kind is PlotKind.timeseries


@pytest.mark.parametrize(
    "frames", [[], [pa.table({})], [pa.table({"a": pa.array([], pa.int64())})]]
)
def test_frames_without_rows_are_empty(frames: list[pa.Table]) -> None:
    planned = plan("analysis", frames)
    assert (planned.kind, planned.notes) == (PlotKind.empty, ("no rows",))


def test_frames_without_rows_do_not_count() -> None:
    assert plan_of(pa.table({}), pa.table({}), to_arrow("a", trace())).kind is PlotKind.timeseries


def test_booleans_are_quantities_if_there_is_nothing_else() -> None:
    frame = pd.DataFrame({"time": range(50), "bound": noise(50) > 0})
    assert axes(plan_of(frame)) == series("time", "bound")


def test_nested_columns_are_named_in_a_note() -> None:
    frame = to_arrow("a", trace()).append_column("forces", pa.array([[1.0, 2.0]] * 50))
    planned = plan_of(frame.append_column("comment", pa.nulls(50)))
    assert axes(planned) == series("time_ps", "rmsd")
    assert planned.notes == ("not drawn: forces, comment",)


def test_texts_without_values_are_not_drawn() -> None:
    planned = plan_of(trace(part=pd.array([None] * 50, "string")))
    assert (axes(planned), planned.notes) == (series("time_ps", "rmsd"), ("not drawn: part",))


def test_a_frame_without_numbers_is_a_table_with_the_reason() -> None:
    planned = plan_of(pa.table({"path": [[1], [2]], "remark": ["a", "b"]}))
    assert (planned.kind, planned.y) == (PlotKind.table, ())
    assert planned.notes == ("no column has numbers: path, remark",)


def test_a_part_of_a_key_is_no_quantity() -> None:
    frame = grid(frame=range(9), resid=range(30)).assign(structure=["H", "E", "C"] * 90)
    planned = plan_of(frame)
    assert planned.kind is PlotKind.table
    assert planned.notes == ("no number is left to draw: frame, resid, structure",)
    assert plan_of(grid(resid_i=range(9), resid_j=range(9))).kind is PlotKind.table


def test_smiles_in_time_are_no_chemistry() -> None:
    molecules = pd.DataFrame({"smiles": ["O", "CO"], "count": [3, 4]})
    assert plan_of(molecules).kind is PlotKind.chemistry
    in_time = grid("count", frame=range(9), smiles=["O", "CO"])
    assert axes(plan_of(in_time)) == series("frame", "count", groups=("smiles",))


def test_columns_that_cannot_be_named_are_left_out() -> None:
    frame = pa.table([pa.array([1, 2, 3])] * 5, ["time", "a", "a", "", "b"])
    planned = plan_of(frame)
    assert axes(planned) == series("time", "b")
    assert planned.notes == ("not drawn: '', a",)


# Index


def windows(*numbers: int) -> pd.DataFrame:
    """Return gradients as alchemlyb returns them, with a level for each kind of lambda."""
    names = [f"{kind}-lambda" for kind in ("coul", "vdw")[: len(numbers)]]
    levels = [np.linspace(0, 1, number) for number in numbers]
    index = pd.MultiIndex.from_product([np.arange(20) * 0.2, *levels], names=["time", *names])
    return pd.DataFrame({name.split("-")[0]: noise(len(index)) for name in names}, index=index)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1,), series("time", "coul")),
        ((12,), series("time", "coul", groups=("coul-lambda",))),
        ((16,), profile(("coul-lambda",), "coul")),
        ((3, 4), series("time", "coul", "vdw", groups=("coul-lambda", "vdw-lambda"))),
        ((3, 16), profile(("vdw-lambda",), "coul", "vdw", groups=("coul-lambda",))),
    ],
)
def test_levels_of_lambda_are_groups_or_an_axis(
    numbers: tuple[int, ...], expected: tuple[Any, ...]
) -> None:
    planned = plan_of(windows(*numbers))
    assert axes(planned) == expected
    assert planned.mean_over == ("time" if expected[0] == "profile" else "")


@pytest.mark.parametrize("levels", [5, 30])
def test_a_level_of_numbers_is_the_axis_without_time(levels: int) -> None:
    frame = pd.DataFrame({"g": noise(levels)}, pd.Index(np.arange(levels) / 9, name="r"))
    assert axes(plan_of(frame)) == profile(("r",), "g")


def test_what_is_left_of_an_index_after_a_selection_is_no_axis() -> None:
    frame = trace(resid=1)[10:].drop(index=20)
    assert "__index_level_0__" in to_arrow("a", frame).schema.names
    assert axes(plan_of(frame)) == series("time_ps", "rmsd")


def test_a_range_with_a_name_is_a_level() -> None:
    frame = pd.DataFrame({"e": noise(9)}, pd.RangeIndex(0, 90, 10, name="time"))
    stored = pa.Table.from_pandas(frame)
    assert stored.schema.names == ["e"]
    planned = plan("analysis", [stored])
    assert axes(planned) == series("time", "e")
    assert misfit(planned, stored) == ""
    assert with_levels(stored)["time"].to_pylist() == [*range(0, 90, 10)]


# Errors and the order of quantities


@pytest.mark.parametrize(
    ("quantity", "error"),
    [
        ("rg", "rg_err"),
        ("rg_nm", "rg_nm_error"),
        ("rg_nm", "rg_std_nm"),
        ("rg_mean", "rg_sem"),
        ("Rg", "Rg_sd"),
        ("('rg', 'mean')", "('rg', 'std')"),
        ("value", "error"),
    ],
)
def test_an_error_belongs_to_its_quantity(quantity: str, error: str) -> None:
    frame = pd.DataFrame({"time": range(9), error: noise(9), quantity: noise(9)})
    planned = plan_of(frame)
    assert axes(planned) == series("time", quantity)
    assert planned.errors == {quantity: error}


def test_an_error_without_a_quantity_is_a_quantity() -> None:
    planned = plan_of(trace(fit_error=noise(50)))
    assert (planned.y, planned.errors) == (("rmsd", "fit_error"), {})


def test_an_error_is_no_axis() -> None:
    frame = pd.DataFrame({"dg": noise(9), "dg_error": np.arange(9.0), "part": np.arange(9) / 9})
    planned = plan_of(frame)
    assert (planned.x, planned.y, planned.errors) == (("part",), ("dg",), {"dg": "dg_error"})


def test_the_quantity_that_shares_a_word_with_the_analysis_comes_first() -> None:
    frame = pd.DataFrame({"time": range(9), "a": noise(9), "hbonds": noise(9), "c": noise(9)})
    assert plan_of(frame, name="hbond_timeseries").y == ("hbonds", "a", "c")
    assert plan_of(frame, name="time").y == ("a", "hbonds", "c")


def test_quantities_of_one_kind_of_name_and_one_unit_share_a_plot() -> None:
    names = ["Pres-XX", "Pressure", "Pres-YY", "PC1", "PC2", "Box-X", "Box-Y", "x_com", "y_com"]
    frame = pd.DataFrame({"Time": range(9), **{name: noise(9) for name in names}})
    planned = plan_of(frame, units={"Box-X": "nm", "Box-Y": "Å"})
    assert planned.together == (("Pres-XX", "Pres-YY"), ("PC1", "PC2"), ("x_com", "y_com"))


def test_a_constant_is_a_statistic_of_its_group() -> None:
    planned = plan_of(trace(n_atoms=450, box=3.5))
    assert (planned.y, planned.scalars) == (("rmsd", "box"), ("n_atoms",))
    planned = plan_of(grid("g", r=range(30)).assign(pairs=9, density=0.7))
    assert (planned.y, planned.scalars) == (("g",), ("pairs", "density"))
    assert plan_of(trace()[["time_ps"]].assign(n=4)).y == ("n",)
    other = plan_of(trace(n_atoms=450), trace(n_atoms=range(50)))
    assert (other.y, other.scalars) == (("rmsd", "n_atoms"), ())


# Units


def test_units_are_said_before_they_are_named() -> None:
    frame = pd.DataFrame({"time_ps": range(9), "r_nm": noise(9), "e_kj_mol": noise(9), "q": 1.5})
    planned = plan_of(frame, units={"time_ps": "ns", "q": "angstrom", "x": "K"}, length_unit="A")
    assert planned.units == {"time_ps": "ns", "r_nm": "Å", "e_kj_mol": "kJ/mol", "q": "Å"}


def test_units_of_a_level_are_said_by_its_name() -> None:
    frame = trace().set_index("time_ps", drop=False).rename_axis("time")[["rmsd"]]
    assert plan_of(frame, units={"time": "ns"}).units == {"time": "ns"}


def test_units_are_those_of_most_frames() -> None:
    frames = [to_arrow("a", trace())] * 3
    extras = [{"length_unit": unit} for unit in ("nm", "Å", "Å")]
    planned = plan("a", frames, extras)
    assert planned.units["rmsd"] == "Å"
    assert [misfit(planned, frame, own) for frame, own in zip(frames, extras, strict=True)] == [
        "has other units",
        "",
        "",
    ]


def test_a_duration_has_a_unit() -> None:
    frame = pd.DataFrame({"frame": range(3), "cost": pd.to_timedelta([1, 3, 2], "min")})
    planned = plan_of(frame)
    assert (axes(planned), planned.units) == (series("frame", "cost"), {"cost": "s"})


# Recorded plots


@pytest.mark.parametrize(
    ("plot", "expected"),
    [
        ({"y": "z"}, series("time_ps", "z")),
        ({"y": ["z", "rmsd"]}, series("time_ps", "z", "rmsd")),
        ({"x": "z"}, profile(("z",), "rmsd", "n")),
        ({"x": "z", "y": "rmsd"}, profile(("z",), "rmsd")),
        ({"kind": "timeseries", "x": "z", "y": "n"}, series("z", "n")),
        ({"kind": "table"}, ("table", (), (), (), "")),
        ({"kind": "scalars", "y": "n"}, ("scalars", (), ("n",), (), "")),
        ({"kind": "bars", "groups": "state"}, ("bars", (), ("rmsd", "z", "n"), ("state",), "")),
        ({"groups": ["state"]}, series("time_ps", "rmsd", "z", "n", groups=("state",))),
        ({"entity": "n", "y": "z"}, ("population", ("time_ps",), ("z",), ("state",), "n")),
        ({"kind": "map", "x": ["z", "n"]}, ("map", ("z", "n"), ("rmsd",), (), "")),
        ({"x": ["z", "n"]}, ("map", ("z", "n"), ("rmsd",), (), "")),
        ({"kind": "profile", "y": "rmsd"}, profile(("time_ps",), "rmsd")),
    ],
)
def test_a_recorded_plot_beats_what_is_guessed(
    plot: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    frame = trace(z=noise(50), n=[1.5, 2.5] * 25, state=["open", "closed"] * 25)
    planned = plan_of(frame, plot=plot)
    assert axes(planned) == expected
    assert not any("ignored" in note for note in planned.notes)
    assert misfit(planned, to_arrow("a", frame)) == ""


@pytest.mark.parametrize(
    ("plot", "reason"),
    [
        ("profile", "plot is a str; expected a dictionary"),
        (None, "plot is a NoneType"),
        ({"kind": "pie"}, "no kind 'pie'"),
        ({"kind": ["map"]}, "no kind ['map']"),
        ({"x": "speed"}, "no column or index level 'speed'"),
        ({"x": [["z"]]}, "no column or index level ['z']"),
        ({"colour": "z"}, "plot has 'colour'"),
        ({"x": "z", "y": "z"}, "a column is named twice"),
        ({"y": "state"}, "the values of state cannot be drawn"),
        ({"x": "forces"}, "the values of forces cannot be drawn"),
        ({"kind": "timeseries", "x": "state"}, "the values of state cannot be drawn"),
        ({"groups": "forces"}, "the values of forces cannot be drawn"),
        ({"kind": "map", "x": "z"}, "a map has two columns"),
        ({"kind": "map"}, "a map has two columns"),
        ({"kind": "profile", "x": ["z", "rmsd"]}, "a profile has one column"),
        ({"kind": "population"}, "a population needs x and entity"),
        ({"entity": ["z", "rmsd"]}, "at most two columns of x, and one of entity"),
    ],
)
def test_a_recorded_plot_that_does_not_fit_is_ignored_with_the_reason(
    plot: Any, reason: str
) -> None:
    frame = to_arrow("a", trace(z=noise(50), state=["open", "closed"] * 25))
    frame = frame.append_column("forces", pa.array([[1.0]] * 50))
    planned = plan("a", [frame], [{"plot": plot}])
    assert axes(planned) == series("time_ps", "rmsd", "z")
    assert reason in planned.notes[0]
    assert planned.notes[0].startswith("the recorded plot is ignored: plot")


def test_the_plot_that_most_record_counts() -> None:
    frame = to_arrow("a", trace(z=noise(50)))
    extras = [{"plot": {"y": name}} for name in ("rmsd", "z", "z")]
    planned = plan("a", [frame] * 4, extras)
    assert planned.y == ("z",)
    assert planned.notes == ("1 of 3 record another plot",)


# Frames that do not fit


def test_frames_with_other_columns_than_most_do_not_count() -> None:
    usual, other = trace(), trace().rename(columns={"rmsd": "rg"})
    planned = plan_of(other, usual, usual)
    assert planned.y == ("rmsd",)
    assert misfit(planned, to_arrow("a", other)) == "has other columns"


def test_columns_of_other_kinds_do_not_mix() -> None:
    kinds = (["a", 1, 2], [1, "a", 2], [1, 2, "a"], ["a", 1, None])
    frames = [pa.table({name: [v] * 3 for name, v in zip("abc", k, strict=True)}) for k in kinds]
    planned = plan("a", frames)
    assert dict(planned.columns) == {"a": "text", "b": "number", "c": "number"}
    assert [misfit(planned, frame) for frame in frames] == ["", *["has other types"] * 2, ""]


def _cast(frame: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    position = frame.schema.get_field_index(name)
    return frame.set_column(position, name, frame[name].cast(kind))


FRAME = to_arrow("a", grid("rmsd", "x_nm", time_ps=range(9), part=["a", "b"]).assign(kind="k"))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (FRAME, ""),
        (FRAME.select(FRAME.schema.names[::-1]), ""),
        (_cast(FRAME, "rmsd", pa.float32()), ""),
        (_cast(FRAME, "part", pa.dictionary(pa.int8(), pa.string())), ""),
        (FRAME.append_column("pressure", FRAME["rmsd"]), ""),
        (FRAME.append_column("comment", pa.nulls(18)), ""),
        (FRAME.set_column(3, "x_nm", pa.nulls(18)), ""),
        (_cast(FRAME, "kind", pa.dictionary(pa.int8(), pa.string())), ""),
        (FRAME.drop_columns("kind"), ""),
        (FRAME.slice(0, 0), "has no rows"),
        (FRAME.drop_columns("part"), "has other columns"),
        (FRAME.append_column("leaflet", FRAME["part"]), "has other columns"),
        (FRAME.append_column("resid", FRAME["time_ps"]), "has other columns"),
        (FRAME.append_column("rmsd", FRAME["rmsd"]), "has other columns"),
        (_cast(FRAME, "rmsd", pa.string()), "has other types"),
        (FRAME.rename_columns({"x_nm": "x_ang"}), "has other columns"),
        (
            FRAME.set_column(4, "kind", pa.array(["k", "l"] * 9)),
            "has several values of kind",
        ),
    ],
)
def test_misfit_says_why_a_frame_does_not_fit(frame: pa.Table, reason: str) -> None:
    planned = plan("a", [FRAME])
    assert misfit(planned, frame) == reason


def test_misfit_compares_the_units_of_what_is_drawn() -> None:
    frame = to_arrow("a", trace(resid=[5] * 50))
    planned = plan("a", [frame], [{"units": {"rmsd": "nm"}}])
    assert misfit(planned, frame, {"units": {"rmsd": "nanometer", "resid": "K"}}) == ""
    assert misfit(planned, frame, {"units": {"rmsd": "Å"}}) == "has other units"
    assert misfit(planned, frame) == "has other units"


def test_frames_of_a_plan_without_axes_have_the_same_columns() -> None:
    frame = pa.table({"smiles": ["O", "CO"], "count": [3, 4]})
    planned = plan("a", [frame])
    assert misfit(planned, frame.select(["count", "smiles"])) == ""
    assert misfit(planned, frame.drop_columns("smiles")) == "has other columns"


def test_only_frames_without_rows_fit_an_empty_plan() -> None:
    planned = plan("a", [FRAME.slice(0, 0)])
    assert misfit(planned, FRAME.slice(0, 0)) == ""
    assert misfit(planned, FRAME) == "has rows"


# Any table

KNOWN = (
    "time t T frame step index resid chain smiles x y z r i j x_i x_j tail_index carbon_index "
    "a_id species leaflet value value_err error rg_std time_ps __index_level_0__"
)
WORDS = st.sampled_from(KNOWN.split()) | TEXT
CELLS: tuple[st.SearchStrategy[Any], ...] = (
    st.integers(0, 2),
    st.floats(),
    st.sampled_from("abc"),
    st.booleans(),
    st.none(),
    st.sampled_from([0.0, 1.0, None, float("nan")]),
)


@st.composite
def metadata(draw: st.DrawFn, names: list[str]) -> bytes:
    """Draw pandas metadata, some of which pandas cannot read."""
    ranges = st.fixed_dictionaries(
        {
            "kind": st.just("range"),
            "name": st.none() | WORDS | st.integers(),
            "start": st.none() | st.integers(0, 3),
            "step": st.just(1),
        }
    )
    index = draw(st.lists(st.sampled_from(names) | WORDS | ranges if names else ranges))
    entries = [{"name": draw(st.none() | WORDS), "field_name": name} for name in names]
    whole = {"index_columns": index, "columns": entries, "column_indexes": []}
    return draw(st.just(json.dumps(whole).encode()) | st.binary(max_size=5))


def plain_columns(rows: int) -> list[st.SearchStrategy[pa.Array[Any]]]:
    """Return strategies for columns of few values."""
    return [st.lists(cell, min_size=rows, max_size=rows).map(pa.array) for cell in CELLS]


@st.composite
def frames(draw: st.DrawFn) -> pa.Table:
    """Draw tables of any types, often with names and values that make a key."""
    if draw(st.booleans()):
        return draw(tables())
    rows = draw(st.integers(0, 8))
    arrays = draw(st.lists(st.one_of(*plain_columns(rows), columns(rows)), max_size=6))
    names = [draw(WORDS) for _ in arrays]
    frame = pa.Table.from_arrays(arrays, names=names)
    if draw(st.booleans()):
        return frame.replace_schema_metadata({b"pandas": draw(metadata(names))})
    return frame


@st.composite
def analyses(draw: st.DrawFn) -> list[pa.Table]:
    """Draw some tables, often of the same columns with values of other types."""
    first, *others = draw(st.lists(frames(), min_size=1, max_size=3))
    names = first.schema.names
    for _ in range(draw(st.integers(0, 2))):
        rows = draw(st.integers(0, 4))
        arrays = [draw(st.sampled_from(plain_columns(rows)).flatmap(lambda c: c)) for _ in names]
        others.append(pa.Table.from_arrays(arrays, names=names))
    return [first, *others]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
COLUMNS = WORDS | st.lists(WORDS, max_size=2)
PLOTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from([*map(str, PlotKind)]),
        "x": COLUMNS,
        "y": COLUMNS,
        "groups": COLUMNS,
        "entity": COLUMNS,
    },
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={"units": ANY | st.dictionaries(WORDS, TEXT), "length_unit": ANY, "plot": ANY | PLOTS},
)


@pytest.mark.parametrize("name", ["replica", "copy"])
def test_a_small_integer_that_completes_the_key_is_a_group(name: str) -> None:
    series = plan_of(grid("rmsd", **{name: range(3), "time_ps": range(20)}))
    assert (series.kind, series.x, series.groups) == ("timeseries", ("time_ps",), (name,))
    profile = plan_of(grid("msd", **{name: range(3), "lag_ps": range(20)}))
    assert (profile.kind, profile.x, profile.groups) == ("profile", ("lag_ps",), (name,))
    assert (series.y, profile.y) == (("rmsd",), ("msd",))


def test_a_count_beside_times_that_repeat_is_no_group() -> None:
    counts = np.random.default_rng(3).integers(0, 5, 50)
    planned = plan_of(trace(n=counts, time_ps=np.repeat(np.arange(25.0), 2)))
    assert planned.groups == ()
    assert {*planned.y} == {"rmsd", "n"}


@pytest.mark.parametrize("levels", [{}, {"time_ps": range(3)}])
def test_a_grid_in_three_dimensions_is_a_table_with_the_reason(levels: Levels) -> None:
    planned = plan_of(grid("density", **levels, x=range(5), y=range(6), z=range(7)))
    assert planned.kind == "table"
    assert planned.notes == ("a grid in three dimensions: x, y, z",)


def test_a_column_of_a_matrix_is_no_axis() -> None:
    distances = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    planned = plan_of(pd.DataFrame(distances, columns=[*map(str, range(6))]))
    assert (planned.kind, planned.x) == ("profile", ())
    assert len(planned.y) == 6


def test_three_lengths_over_time_are_no_grid() -> None:
    times = np.arange(40.0)
    frame = pd.DataFrame({"time_ps": times, "x": times % 2, "y": times % 3, "z": times % 5})
    assert plan_of(frame).kind == "timeseries"


@MODERATE
@given(analyses(), st.lists(EXTRAS, max_size=3), TEXT)
def test_any_tables_have_a_plan(
    given_frames: list[pa.Table], extras: list[dict[str, Any]], name: str
) -> None:
    planned = plan(name, given_frames, extras)
    assert planned == plan(name, given_frames, extras)
    assert planned.kind in {PlotKind.chemistry, PlotKind.table, PlotKind.empty} or planned.y
    assert planned.drawn <= {*planned.columns}
    key = [*planned.x, *planned.groups, planned.entity, planned.mean_over]
    parts = [name for name in [*key, *planned.y, *planned.scalars] if name]
    assert len({*parts}) == len(parts)
    reasons = [misfit(planned, frame, {}) for frame in given_frames]
    assert "has rows" not in reasons


@MODERATE
@given(frames(), EXTRAS)
def test_a_frame_fits_its_own_plan(frame: pa.Table, extras: dict[str, Any]) -> None:
    reason = misfit(plan("a", [frame], [extras]), frame, extras)
    assert reason in {"", "has no rows"}
