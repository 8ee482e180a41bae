"""Tables that analysis tools made of simulations, and their plans."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from corpus.plot_cases import (
    FRAMES,
    Expected,
    bars,
    case,
    example,
    map_over,
    population,
    profile,
    real,
    series,
)
from mdfactory.frames.plots import PlotKind

LEVEL = "__index_level_0__"

"""Arrow name of an index level without a name."""

GMX_UNITS = {
    "Time": "ps",
    "Potential": "kJ/mol",
    "Total Energy": "kJ/mol",
    "Temperature": "K",
    "Pressure": "bar",
    "Box-X": "nm",
    "Box-Y": "nm",
    "Box-Z": "nm",
    "Density": "kg/m^3",
}

"""What pyedr returns as units of an energy file."""


def _upper_triangle(frame: pd.DataFrame) -> pd.DataFrame:
    upper = frame[frame.resid_i < frame.resid_j].reset_index(drop=True)
    return upper[["resid_i", "resid_j", "distance_ang"]]


CASES = [
    # Tables of the example campaign
    example(
        "density_timeseries",
        "1, 3",
        series(
            "time_ps",
            first="density_g_cm3",
            y=["density_g_cm3"],
            units={"time_ps": "ps", "density_g_cm3": "g/cm3"},
        ),
    ),
    example(
        "box_size_timeseries",
        "1, 2, 7",
        series(
            "time_ns",
            first="Lx",
            y=["Lx", "Ly", "Lz"],
            together=("Lx", "Ly", "Lz"),
            units={"time_ns": "ns", "Lx": "nm", "Ly": "nm", "Lz": "nm"},
        ),
        length_unit="nm",
    ),
    example(
        "hydrogen_bonds", "2", series("frame", first="count", y=["count"], units={"count": ""})
    ),
    example(
        "rdf_oxygen", "4", profile("r_nm", first="g_r", y=["g_r"], units={"r_nm": "nm", "g_r": ""})
    ),
    example("system_chemistry", "2", Expected(PlotKind.chemistry)),
    # Free energies, by alchemlyb
    real(
        "u_nk_vdw",
        "0: 16 windows are a coordinate",
        profile("fep-lambda", first="0.0", mean_over="time", together=("0.0", "0.05", "1.0")),
        "u_nk",
    ),
    real(
        "u_nk_window",
        "0, 5: one window is in the caption",
        series("time", first="0.0", together=("0.0", "0.05", "1.0"), notes=("fep-lambda",)),
        "u_nk",
    ),
    real("dhdl_coulomb", "0", series("time", first="fep", groups=("fep-lambda",), y=["fep"])),
    real(
        "dhdl_vdw", "0, 4", profile("fep-lambda", first="fep", mean_over="time", y=["fep"]), "dhdl"
    ),
    real(
        "dhdl_abfe",
        "0: a level of 5 values is a group, one of 16 a coordinate",
        profile("vdw-lambda", first="coul", groups=("coul-lambda",), mean_over="time"),
    ),
    real(
        "u_nk_abfe",
        "0: labels of columns are tuples",
        profile("vdw-lambda", first="('0.0', '0.0')", groups=("coul-lambda",), mean_over="time"),
    ),
    real(
        "dhdl_amber",
        "0: 12 windows are groups",
        series("time", first="dHdl", groups=("lambdas",), y=["dHdl"]),
    ),
    real("ti_dhdl", "open: numbers without a time are an axis", profile("fep-lambda", first="fep")),
    real("mbar_delta_f", "0, 3: a level without a name", bars(first="0.0", groups=(LEVEL,))),
    real(
        "convergence",
        "2, 4: columns of errors are no axis",
        profile(
            "data_fraction",
            first="Forward",
            y=["Forward", "Backward"],
            errors={"Forward": "Forward_Error", "Backward": "Backward_Error"},
        ),
    ),
    # Energies that panedr reads
    real(
        "energies",
        "1, 2: the index repeats the time",
        series(
            "Time",
            first="Potential",
            units={name: unit.replace("^", "") for name, unit in GMX_UNITS.items()},
            together=("Box-X", "Box-Y", "Box-Z"),
        ),
        units=GMX_UNITS,
    ),
    real(
        "energies_protein",
        "1: no unit is recorded",
        series("Time", first="Bond", units={"Time": "", "Bond": ""}),
    ),
    real("energy_index", "0, 7", series("Time", first="Density"), "density"),
    # Proteins, by MDAnalysis
    real(
        "protein_rmsd",
        "2: a time whose unit stands in brackets is a time",
        series(
            "Time (ns)",
            first="Backbone",
            y=["Backbone", "CORE", "LID", "NMP"],
            units={"Time (ns)": "ns", "LID": ""},
        ),
    ),
    real("rmsd", "2", series("time", first="rmsd", y=["rmsd"], units={"time": ""})),
    real(
        "gyration", "1, 2", series("time_ps", first="rg_ang", units={"rg_ang": "Å"}, y=["rg_ang"])
    ),
    real("rmsf", "4: the residue is the axis, its name is no axis", profile("resid", first="rmsf")),
    real(
        "ramachandran",
        "4",
        population(
            "frame",
            "resid",
            first="phi_deg",
            y=["phi_deg", "psi_deg"],
            units={"phi_deg": "deg", "psi_deg": "deg"},
        ),
    ),
    real(
        "ramachandran_histogram",
        "open: two columns that form a grid are a map",
        map_over("phi", "psi", first="count"),
    ),
    case(
        "ramachandran_said",
        "1",
        map_over("phi", "psi", first="count", units={"phi": "deg"}),
        lambda: pq.read_table(FRAMES / "ramachandran_histogram.parquet"),
        plot={"kind": "map", "x": ["phi", "psi"], "y": "count"},
        units={"phi": "deg", "psi": "deg"},
    ),
    real("contacts", "2", series("Frame", first="Contacts from first frame")),
    real(
        "pca_projection",
        "2, 7",
        series(
            "Time (ps)",
            first="PC1",
            y=["PC1", "PC2", "PC3"],
            together=("PC1", "PC2", "PC3"),
            units={"Time (ps)": "ps"},
        ),
    ),
    real("pca_variance", "4: the first monotone column", profile("component", first="variance")),
    case(
        "contact_map",
        "4: booleans are 0 and 1",
        map_over("resid_i", "resid_j", first="contact", y=["contact"]),
        lambda: pq.read_table(
            FRAMES / "contact_map.parquet", columns=["resid_i", "resid_j", "contact"]
        ),
    ),
    case(
        "distance_pairs",
        "4: a pair by name; a distance is here what is measured",
        map_over("resid_i", "resid_j", first="distance_ang", units={"distance_ang": "Å"}),
        lambda: _upper_triangle(pd.read_parquet(FRAMES / "contact_map.parquet")),
    ),
    # Solutions, by MDAnalysis
    real(
        "rdf_pairs",
        "4, 7",
        profile("r_ang", first="rdf", y=["rdf", "cdf"], groups=("pair",), units={"r_ang": "Å"}),
    ),
    real("rdf_wide", "4: strictly monotone", profile("bins", first="rdf"), "rdf"),
    real("msd", "4", profile("lag_time_ps", first="msd_ang2", units={"lag_time_ps": "ps"})),
    real("msd_plain", "4", profile("lag", first="msd", units={"lag": "", "msd": ""}), "msd"),
    real("msd_particles", "0", profile("lag_ps", first="1", units={"lag_ps": "ps"})),
    real("hydrogen_bond_count", "3", series("time", first="count", y=["count"])),
    real(
        "hydrogen_bond_types", "3", bars(first="count", groups=("donor", "acceptor"), y=["count"])
    ),
    real("hydrogen_bond_lifetime", "4", profile("tau", first="autocorrelation")),
    real("density_map", "4", map_over("x", "y", first="density", y=["density"])),
    real("density_profile", "4", profile("z", first="density", units={"z": "Å"}), length_unit="Å"),
    real("linear_density", "4", profile("z", first="mass_density")),
    real("residue_gyration", "4", population("time", "resid", first="rg", y=["rg"])),
    # Lipids, by lipyphilic
    real(
        "leaflets",
        "4: the numbers that a selection of rows leaves in the index are no coordinate",
        population("time", "resid", first="leaflet", y=["leaflet"]),
    ),
    real(
        "lipid_area",
        "4",
        population("time", "resid", first="area", y=["area"], groups=("resname", "leaflet")),
    ),
    real("lipid_area_wide", "0: times are labels of columns", profile("resid", first="0.0")),
    real(
        "area_per_lipid",
        "2, 5, 6",
        series(
            "time_ps",
            first="apl",
            y=["apl"],
            groups=("leaflet", "species"),
            first_group="all",
            errors={"apl": "apl_std"},
            scalars=("n_lipids",),
            units={"time_ps": "ps", "apl": ""},
        ),
    ),
    real("area_describe", "0, 3", bars(first="area", groups=(LEVEL,))),
    real("area_summary", "0, 3", bars(first="mean", groups=("resname", "leaflet"))),
    real("membrane_thickness", "3", series("time", first="thickness", y=["thickness"])),
    real(
        "bilayer_thickness_map",
        "4",
        map_over("x", "y", first="thickness", mean_over="time", units={"x": "Å", "y": "Å"}),
        length_unit="Å",
    ),
    real(
        "z_positions",
        "4",
        population("frame", "resid", first="z_position", groups=("resname", "leaflet")),
    ),
    real(
        "leaflet_distribution",
        "5: what is constant is not all y",
        series("time", first="n", y=["n"], groups=("leaflet", "resname"), scalars=()),
    ),
    # Tables that were read from the output of GROMACS
    real(
        "gmx_energy",
        "2",
        series("Time (ps)", first="Potential", units={"Time (ps)": "ps", "Potential": ""}),
    ),
    real(
        "gmx_rms",
        "1, 2: units in brackets",
        series("Time (ps)", first="RMSD (nm)", units={"Time (ps)": "ps", "RMSD (nm)": "nm"}),
    ),
    real("gmx_rdf", "4", profile("r (nm)", first="name OW", units={"r (nm)": "nm"})),
    real(
        "gmx_density",
        "4",
        profile("Average coordinate (nm)", first="System", units={"Average coordinate (nm)": "nm"}),
    ),
    real("gmx_gyrate", "2", series("Time (ps)", first="Rg")),
    real("gmx_hbond", "7", series("Time (ps)", first="Hydrogen bonds"), "hydrogen_bonds"),
]
