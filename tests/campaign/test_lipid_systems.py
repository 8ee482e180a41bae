"""Bilayers and nanoparticles: composition, counts and invalid input; values computed by hand."""

from __future__ import annotations

import json
from math import ceil, pi
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.build_input.composition import _share_out
from mdfactory.campaign.build_input.species import molecular_weight
from mdfactory.errors import BuildInputError

DECANOL = {"smiles": "CCCCCCCCCCO", "resname": "DEC"}
CHOLESTEROL = {
    "smiles": "CC(C)CCC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C",
    "resname": "CHL",
}
OPEN_PHOSPHORUS = (
    "CCCCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCCCC"
)


def _bilayer(*species: dict[str, Any], **system: Any) -> dict[str, Any]:
    return {"simulation_type": "bilayer", "system": {"species": list(species), **system}}


def _lnp(inner: list[dict[str, Any]], outer: list[dict[str, Any]], **system: Any) -> dict[str, Any]:
    """Make a nanoparticle; ``core`` and ``shell`` are the fields of these other than species."""
    parts = {part: system.pop(part, {}) for part in ("core", "shell")}
    return {
        "simulation_type": "lnp",
        "system": {
            "radius": 50,
            "core": {"species": inner, **parts["core"]},
            "shell": {"species": outer, **parts["shell"]},
            **system,
        },
    }


def _half(species: dict[str, Any], fraction: float = 0.5) -> dict[str, Any]:
    return {**species, "fraction": fraction}


BOTH = [_half(DECANOL), _half(CHOLESTEROL)]


def _system(values: dict[str, Any]) -> Any:
    return json.loads(BuildInput.parse(values).canonical_json)["system"]


# Bilayers


def test_a_bilayer_has_its_defaults() -> None:
    assert _system(_bilayer({**DECANOL, "count": 2})) == {
        "species": [
            {
                "fraction": 1.0,
                "count": 2,
                "resname": "DEC",
                "smiles": "CCCCCCCCCCO",
                "head_atoms": [10],
                "tail_atoms": [0],
                "branch_atoms": [],
            }
        ],
        "total_count": 2,
        "z_padding": 20.0,
        "monolayer": False,
        "ionization": {
            "neutralize": True,
            "concentration": 0.15,
            "min_distance": 5.0,
            "seed": None,
        },
    }


def test_atoms_are_computed_unless_all_three_are_given() -> None:
    given_ = {"head_atoms": [5], "tail_atoms": [1, 2], "branch_atoms": [3]}
    (species,) = _system(_bilayer({**DECANOL, "count": 2, **given_}))["species"]
    assert {name: species[name] for name in given_} == given_
    computed = {"head_atoms": [10], "tail_atoms": [0], "branch_atoms": []}
    for absent in given_:
        for blank in ([], None):
            fields = {**DECANOL, "count": 2, **given_, absent: blank}
            (species,) = _system(_bilayer(fields))["species"]
            assert {name: species[name] for name in given_} == computed


def test_an_odd_count_needs_a_monolayer() -> None:
    odd = _bilayer({**DECANOL, "count": 3})
    with pytest.raises(BuildInputError, match="3 of DEC.*even counts.*monolayer"):
        BuildInput.parse(odd)
    odd["system"]["monolayer"] = True
    assert _system(odd)["total_count"] == 3


def test_fractions_that_give_an_odd_count_are_rejected() -> None:
    with pytest.raises(BuildInputError, match="5 of DEC, 5 of CHL"):
        BuildInput.parse(_bilayer(*BOTH, total_count=10))
    assert _system(_bilayer(*BOTH, total_count=12))["total_count"] == 12


@pytest.mark.parametrize(
    ("fractions", "total", "remedy"),
    [
        ((0.5, 0.5), 10, "set total_count to 12"),
        ((0.75, 0.25), 100, "set total_count to 104"),
        ((0.9, 0.1), 30, "set total_count to 40"),
        ((0.667, 0.333), 10, "set total_count to 9"),  # no near total loses no molecule
        ((1, 0), 9, "set total_count to 10"),
        ((0.999, 0.001), 1111, "give even counts"),
    ],
)
def test_a_total_that_two_leaflets_can_share_is_suggested(
    fractions: tuple[float, float], total: int, remedy: str
) -> None:
    lipids = [
        {**lipid, "fraction": fraction} for lipid, fraction in zip(BOTH, fractions, strict=True)
    ]
    with pytest.raises(BuildInputError, match=f"two leaflets; {remedy}, or set monolayer"):
        BuildInput.parse(_bilayer(*lipids, total_count=total))
    suggested = remedy.rpartition(" ")[2]
    if suggested.isdigit():
        BuildInput.parse(_bilayer(*lipids, total_count=int(suggested)))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (_bilayer({**DECANOL, "count": 0}), "has no molecules"),
        (_bilayer({**DECANOL, "count": 2}, z_padding=-1), "z_padding"),
        (_bilayer({**DECANOL, "count": 2}, target_density=1), "target_density: is not a field"),
        (_bilayer({"smiles": "CCCC", "resname": "BUT", "count": 2}), "species.0: CCCC .*no head"),
        (_bilayer({"smiles": "OCCO", "resname": "EG", "count": 2}), "species.0: OCCO .*no tail"),
        (_bilayer({"smiles": "CC[C@H](C)CCO", "resname": "X", "count": 2}), "share atom 3"),
        (_bilayer({"smiles": "CCCCCCO.Cl", "resname": "X", "count": 2}), "several fragments"),
        (_bilayer({"smiles": OPEN_PHOSPHORUS, "resname": "DSP", "count": 2}), "phosphorus"),
        (
            _bilayer(
                {**DECANOL, "count": 2, "head_atoms": [11], "tail_atoms": [0], "branch_atoms": [1]}
            ),
            "DEC: there is no atom 11 in CCCCCCCCCCO, which has 11 atoms",
        ),
        (
            _bilayer(
                {**DECANOL, "count": 2, "head_atoms": [1], "tail_atoms": [-1], "branch_atoms": [1]}
            ),
            "no atom -1",
        ),
        (
            _bilayer({**DECANOL, "count": 2, "tail_atoms": {0}}),
            "tail_atoms: is a set, which has no order",
        ),
    ],
)
def test_an_invalid_bilayer_is_rejected(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuildInputError, match=problem):
        BuildInput.parse(values)


# Nanoparticles


@pytest.mark.parametrize(
    ("fractions", "total", "shares"),
    [
        ([0.5, 0.5], 5, [3, 2]),  # equal remainders: the earlier one first
        ([0.25, 0.25, 0.5], 10, [3, 2, 5]),
        ([0.4, 0.2, 0.38, 0.02], 242, [97, 48, 92, 5]),  # .8 .4 .96 .84: three are rounded up
        ([1 / 3, 1 / 3, 1 / 3], 10, [4, 3, 3]),
        ([0.0, 1.0], 7, [0, 7]),
        ([0.999, 0.001], 10, [10, 0]),
    ],
)
def test_share_out_uses_largest_remainders(
    fractions: list[float], total: int, shares: list[int]
) -> None:
    assert _share_out(fractions, total) == shares


def test_a_nanoparticle_has_its_defaults() -> None:
    system = _system(_lnp(BOTH, BOTH))
    assert list(system) == ["radius", "shell_thickness", "core", "shell", "padding", "ionization"]
    assert (system["radius"], system["shell_thickness"], system["padding"]) == (50.0, 28.0, 25.0)
    assert list(system["core"]) == [
        "species", "target_density", "replication_factor", "input_fractions",
    ]  # fmt: skip
    assert list(system["shell"]) == ["species", "z0", "area_per_lipid", "input_fractions"]
    assert system["core"]["input_fractions"] == {"DEC": 0.5, "CHL": 0.5}
    assert "head_atoms" in system["shell"]["species"][0]
    assert "head_atoms" not in system["core"]["species"][0]


def test_the_core_has_the_counts_of_its_density() -> None:
    core = _system(_lnp(BOTH, BOTH, radius=128, core={"target_density": 0.9}))["core"]
    # Core radius 100 A, 0.9 g/cm3; mean of 158.285 and 386.664 Da.
    mass = 0.9 * 4 / 3 * pi * 100**3 * 1e-24 * 6.022e23
    mean = (molecular_weight(DECANOL["smiles"]) + molecular_weight(CHOLESTEROL["smiles"])) / 2
    total = ceil(mass / mean)
    assert 8_300 < total < 8_400
    assert core["replication_factor"] == 4
    assert sum(species["count"] for species in core["species"]) == ceil(total / 64)
    assert [species["fraction"] for species in core["species"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("radius", "factor", "counts"),
    [
        # Core radius r; total = ceil(0.95 x 4/3 pi r^3 x 0.6022 / 272.475); shares of total / n^3.
        (28 + 30, 2, [15, 15]),  # 238: 64ths 4, 27ths 9, 8ths 30
        (28 + 10, 1, [5, 4]),  # 9: no n gives 5 of each, so the whole
        (28 + 11, 1, [6, 6]),  # 12
        (28 + 32, 3, [6, 5]),  # 289: 64ths 5, 27ths 11
        (28 + 42, 4, [6, 5]),  # 652: 64ths 11 = 6, 5
    ],
)
def test_the_largest_replication_with_five_of_each_is_taken(
    radius: float, factor: int, counts: list[int]
) -> None:
    core = _system(_lnp(BOTH, BOTH, radius=radius))["core"]
    total = ceil(0.95 * 4 / 3 * pi * (radius - 28) ** 3 * 0.6022 / 272.4745)
    assert core["replication_factor"] == factor
    assert [species["count"] for species in core["species"]] == counts, total


@pytest.mark.parametrize(
    ("area", "counts"),
    [
        # 4 pi 22^2 = 6082.1 square angstrom.
        (10, [39, 38]),  # 609: an eighth is 77
        (70, [6, 5]),  # 87: an eighth is 11
        (100, [8, 8]),  # 61: an eighth is 8, a quarter is 16
        (200, [8, 8]),  # 31: a quarter is 8, a half is 16
        (400, [8, 8]),  # 16: a half is 8, so the whole
        (1000, [4, 3]),  # 7: nothing gives 5 of each, so the whole
    ],
)
def test_the_smallest_part_of_the_shell_with_five_of_each_is_taken(
    area: float, counts: list[int]
) -> None:
    shell = _system(_lnp(BOTH, BOTH, shell={"area_per_lipid": area}))["shell"]
    assert [species["count"] for species in shell["species"]] == counts


def test_a_nanoparticle_ignores_given_counts_and_keeps_zero_counts() -> None:
    rare = [{**_half(DECANOL, 0.9999), "count": 9}, {**_half(CHOLESTEROL, 0.0001), "count": 9}]
    assert [species["count"] for species in _system(_lnp(BOTH, rare))["shell"]["species"]] == [
        94,
        0,
    ]


def test_input_fractions_have_the_order_of_the_species() -> None:
    given_ = {"input_fractions": {"CHL": 0.5, "DEC": 0.5}}
    assert BuildInput.parse(_lnp(BOTH, BOTH, core=given_)).hash == (
        BuildInput.parse(_lnp(BOTH, BOTH)).hash
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (_lnp(BOTH, BOTH, radius=0), "system.radius"),
        (_lnp(BOTH, BOTH, radius=28), "shell_thickness: 28 leaves no core"),
        (_lnp(BOTH, BOTH, shell_thickness=0), "system.shell_thickness"),
        (_lnp(BOTH, BOTH, padding=-1), "system.padding"),
        (_lnp([], BOTH), "system.core: species: the fractions sum to 0"),
        (_lnp(BOTH, [_half(DECANOL)]), "system.shell: species: the fractions sum to 0.5"),
        (
            _lnp(BOTH, [{**DECANOL, "count": 5}]),
            "system.shell: species: DEC without fraction; give every species a fraction: ",
        ),
        (
            _lnp([_half(DECANOL), _half(DECANOL)], BOTH),
            "core: species: duplicate resname DEC",
        ),
        (_lnp(BOTH, BOTH, core={"target_density": 0}), "system.core.target_density"),
        (_lnp(BOTH, BOTH, shell={"area_per_lipid": 0}), "system.shell.area_per_lipid"),
        (_lnp(BOTH, BOTH, core={"z0": 1}), "system.core.z0: is not a field"),
        (
            _lnp(BOTH, BOTH, shell={"input_fractions": {"DEC": 0.4, "CHL": 0.6}}),
            "system.shell: input_fractions",
        ),
        (_lnp(BOTH, BOTH, core={"input_fractions": {"DEC": 1.0}}), "system.core: input_fractions"),
        (_lnp([{"smiles": "*", "resname": "X", "fraction": 1}], BOTH), "out of range"),
        (_lnp(BOTH, BOTH, radius=1e15), "out of range"),
    ],
)
def test_an_invalid_nanoparticle_is_rejected(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuildInputError, match=problem):
        BuildInput.parse(values)


# Every type

LIPIDS = [
    DECANOL,
    CHOLESTEROL,
    {"smiles": "CCCCCCCCN(CCCCCCCC)CCCCCCCC", "resname": "TOA"},
    {
        "smiles": "CCCCCCCCCCCCCCCCCC(=O)OC[C@H](CO[P@](=O)([O-])OCC[N+](C)(C)C)"
        "OC(=O)CCCCCCCCCCCCCCCCC",
        "resname": "DSP",
    },
]


@st.composite
def _fractions(draw: st.DrawFn) -> list[dict[str, Any]]:
    lipids = draw(st.permutations(LIPIDS))[: draw(st.integers(1, len(LIPIDS)))]
    weights = draw(st.lists(st.integers(1, 100), min_size=len(lipids), max_size=len(lipids)))
    return [
        {**lipid, "fraction": weight / sum(weights)}
        for lipid, weight in zip(lipids, weights, strict=True)
    ]


BILAYERS = st.builds(
    lambda species, padding, monolayer: _bilayer(
        *({**lipid, "count": 2 * count} for lipid, count in species.values()),
        z_padding=padding,
        monolayer=monolayer,
    ),
    st.dictionaries(
        st.sampled_from("ABC"),
        st.tuples(st.sampled_from(LIPIDS), st.integers(1, 10**5)),
        min_size=1,
    ),
    st.floats(0, 1e4),
    st.booleans(),
)
NANOPARTICLES = st.builds(
    lambda core, shell, radius, thickness: _lnp(
        core, shell, radius=thickness + radius, shell_thickness=thickness
    ),
    _fractions(),
    _fractions(),
    st.floats(1, 300),
    st.floats(1, 100),
)


@given(BILAYERS | NANOPARTICLES)
@settings(deadline=None)
def test_the_hash_survives_writing_and_reading_yaml(values: dict[str, Any]) -> None:
    build = BuildInput.parse(values)
    # A YAML dump sorts keys, those of input_fractions too.
    text = yaml.safe_dump(json.loads(build.canonical_json), sort_keys=True)
    assert BuildInput.parse(yaml.safe_load(text)).hash == build.hash
