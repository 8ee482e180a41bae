"""Names of columns are compared without their units, and say their units."""

from __future__ import annotations

import pytest
from hypothesis import given

from mdfactory.frames.planning.units import UNITS_BY_SUFFIX, split_name, unit_of, units_of
from mdfactory.testing.frames import TEXT

SUFFIXES = "fs ps ns us nm nm2 ang g_cm3 kg_m3 k bar kj_mol kcal_mol deg percent".split()  # noqa: SIM905


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_is_a_unit(suffix: str) -> None:
    assert split_name(f"Mean value_{suffix.upper()}") == ("mean_value", UNITS_BY_SUFFIX[suffix])
    assert split_name(suffix) == (suffix, "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("time_ps", ("time", "ps")),
        ("r_nm", ("r", "nm")),
        ("area_nm2", ("area", "nm²")),
        ("D_nm2_ns", ("d", "nm²/ns")),
        ("angle_deg", ("angle", "°")),
        ("Time (ns)", ("time", "ns")),
        ("RMSD [Å]", ("rmsd", "Å")),
        ("Potential Energy (kJ/mole)", ("potential_energy", "kJ/mol")),
        ("LJ (SR)", ("lj_sr", "")),
        ("Pres-XX", ("pres_xx", "")),
        ("('rg', 'mean')", ("rg_mean", "")),
        ("('rg', '')", ("rg", "")),
        ("g_r", ("g_r", "")),
        ("chain_a", ("chain_a", "")),
        ("%", ("%", "")),
        ("", ("", "")),
        ("x(" + " " * 10_000, ("x", "")),
    ],
)
def test_split_name_separates_the_unit(name: str, expected: tuple[str, str]) -> None:
    assert split_name(name) == expected


@given(TEXT)
def test_split_name_takes_any_name(name: str) -> None:
    base, unit = split_name(name)
    assert bool(base) == bool(name)
    assert unit in {"", *UNITS_BY_SUFFIX.values()}


@pytest.mark.parametrize(
    ("typed", "unit"),
    [
        ("Angstrom", "Å"),
        ("\u212b", "Å"),
        ("A", "Å"),
        ("nanometers", "nm"),
        ("\u00b5s", "us"),
        ("\u03bcs", "us"),
        ("Picoseconds", "ps"),
        ("kg/m^3", "kg/m³"),
        ("kj/mol", "kJ/mol"),
        ("degree", "°"),
        ("kT", "kT"),
        (" mN/m ", "mN/m"),
    ],
)
def test_unit_of_knows_other_spellings(typed: str, unit: str) -> None:
    assert unit_of(typed) == unit


def test_what_is_said_counts_before_the_unit_of_lengths_and_before_names() -> None:
    labels = [("Lx", "Lx"), ("z_nm", "z_nm"), ("rate_ps", "rate_ps"), ("level", "r"), ("n", "n")]
    extras = {"units": {"Lx": "Bohr", "r": "pm", "rate_ps": " "}, "length_unit": "angstrom"}
    expected = {"Lx": "Bohr", "z_nm": "Å", "rate_ps": "ps", "level": "pm"}
    assert units_of(labels, extras) == expected


@pytest.mark.parametrize("units", [None, 5, ["nm"], {"r": 5}, {"r": None}, {"r": ""}])
def test_units_that_are_no_texts_do_not_count(units: object) -> None:
    assert units_of([("r", "r")], {"units": units, "length_unit": units}) == {}
