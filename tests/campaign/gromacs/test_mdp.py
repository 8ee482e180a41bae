"""Run parameters: names as people write them, thermostats and barostats."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdfactory.campaign.gromacs import mdp
from mdfactory.files import UnreadableError

NVT = {"integrator": "md", "tcoupl": "v-rescale", "ref-t": "300"}
NPT = {**NVT, "pcoupl": "C-rescale", "pcoupltype": "isotropic", "ref-p": "1.0"}


def test_read_mdp_takes_each_spelling_of_a_name(tmp_path: Path) -> None:
    text = "; x = 1\nRef_T = 298.15 ; K\r\n tau-t=\ndefine = -DA=1 -DB\nnoise\nref_t = 300\n"
    (tmp_path / "a.mdp").write_text(text)
    assert mdp.read_mdp(str(tmp_path / "a.mdp")) == {
        "ref-t": "300",
        "tau-t": "",
        "define": "-DA=1 -DB",
    }


def test_read_mdp_refuses_what_is_no_text_or_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.mdp").write_bytes(b"integrator = md\0")
    with pytest.raises(UnreadableError, match=r"a\.mdp is not a text file"):
        mdp.read_mdp(str(tmp_path / "a.mdp"))
    with (tmp_path / "b.mdp").open("wb") as file:
        file.truncate(2 * 2**20)
    with pytest.raises(UnreadableError, match=r"b\.mdp is larger than 1 MiB"):
        mdp.read_mdp(str(tmp_path / "b.mdp"))


@pytest.mark.parametrize(
    ("changes", "temperature", "pressure"),
    [
        ({}, 300.0, 1.0),
        ({"pcoupl": "no"}, 300.0, None),
        ({"pcoupl": ""}, 300.0, None),
        ({"tcoupl": "No"}, None, 1.0),
        ({"tcoupl": "no", "integrator": "SD"}, 300.0, 1.0),
        ({"ref-t": "300 300"}, 300.0, 1.0),
        ({"ref-t": "300 310"}, None, 1.0),
        ({"ref-t": "warm"}, None, 1.0),
        ({"ref-t": "nan"}, None, 1.0),
        ({"ref-t": ""}, None, 1.0),
        ({"pcoupltype": ""}, 300.0, 1.0),
        ({"pcoupltype": "SemiIsotropic", "ref-p": "1 1"}, 300.0, 1.0),
        ({"pcoupltype": "semi_isotropic", "ref-p": "1 2"}, 300.0, None),
        (
            {"pcoupltype": "semiisotropic", "ref-p": "1 2", "compressibility": "0 4.5e-5"},
            300.0,
            2.0,
        ),
        ({"pcoupltype": "anisotropic", "ref-p": "1 1 1 0 0 0"}, 300.0, 1.0),
        ({"pcoupltype": "anisotropic", "ref-p": "1 1 5 0 0 0"}, 300.0, None),
        ({"pcoupltype": "surface-tension", "ref-p": "500 1.5"}, 300.0, 1.5),
        ({"pcoupltype": "something", "ref-p": "1"}, 300.0, None),
    ],
)
def test_conditions(
    changes: dict[str, str], temperature: float | None, pressure: float | None
) -> None:
    assert mdp.conditions({**NPT, **changes}) == mdp.Conditions(temperature, pressure)


def test_logged_conditions_compare_the_coupled_directions() -> None:
    coupled = {"ref-p": [1.0, 1.0, 3.0], "compressibility": [1e-5, 1e-5, 0.0]}
    assert mdp.logged_conditions(NPT, coupled).pressure == 1.0
    assert mdp.logged_conditions(NPT, {"ref-p": [1.0, 1.0, 3.0]}).pressure is None
    tension = {**NPT, "pcoupltype": "Surface-Tension"}
    assert mdp.logged_conditions(tension, {"ref-p": [300.0, 300.0, 2.0]}).pressure == 2.0


def test_macros_and_include_folders() -> None:
    parameters = {"define": "-DA -D B=2 -DC='x y' -E", "include": "-I../top -I /lab/ff -Ix -J"}
    assert mdp.macros(parameters) == {"A": "", "B": "2", "C": "x y"}
    assert mdp.include_folders(parameters, "/run") == ["/run/../top", "/lab/ff", "/run/x"]
    assert mdp.macros({"define": "-DA='"}) == {"A": "'"}
