"""`read_topology`: includes, macros and conditions, and the bounds of what is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mdfactory.campaign.gromacs.topology import Topology, read_topology
from mdfactory.files import UnreadableError

MOLECULES = "[ molecules ]\nSOL 10\n"


def _read(
    folder: Path, text: str, *, macros: dict[str, str] | None = None, **others: str
) -> Topology:
    for name, content in others.items():
        (folder / f"{name}.itp").write_text(content)
    (folder / "topol.top").write_text(text)
    return read_topology(str(folder / "topol.top"), macros, [str(folder / "more")])


def _molecules(folder: Path, text: str, **options: str) -> dict[str, int]:
    return dict(_read(folder, text, **options).molecules)


@pytest.mark.parametrize(
    ("text", "molecules"),
    [
        (MOLECULES, {"SOL": 10}),
        ("[molecules]\nSOL\t10;x\n\n;\nETH 2 ; ten", {"SOL": 10, "ETH": 2}),
        ("[ Molecules ]\r\nSOL 10\r\n", {"SOL": 10}),
        ("[ molecules ]\nSOL 1\nNA 2\nSOL 3\n", {"SOL": 4, "NA": 2}),
        ("[ molecules ]\nSOL 0\nNA 2\n", {"NA": 2}),
        ("[ molecules ]\nSO\\\nL 2\nNA \\\n 3", {"NA": 3, "SO": 0}),
        ("#define N 7\n[ molecules ]\nSOL N\n", {"SOL": 7}),
        ("#define N M\n#define M 7\n[ molecules ]\nSOL N\n", {"SOL": 7}),
        ("#define N 7\n#undef N\n#define N 8\n[ molecules ]\nSOL N\n", {"SOL": 8}),
        ("[ molecules ]\n#ifdef BIG\nSOL 9\n#else\nSOL 8\n#endif\n", {"SOL": 8}),
        ("[ molecules ]\n#ifndef BIG\nSOL 9\n#else\nSOL 8\n#endif\n", {"SOL": 9}),
        ("#define A\n[ molecules ]\n#ifdef A\n#ifdef B\nX 1\n#else\nY 2\n#endif\n#endif", {"Y": 2}),
        ("[ molecules ]\n#ifdef A\n#ifndef B\nX 1\n#endif\n#define C\n#endif\nZ 1", {"Z": 1}),
        ("# ifdef A\n# endif\n[ molecules ]\n  NA+ 3\n[ system ]\nSOL 1\n", {"NA+": 3}),
    ],
)
def test_read_topology_counts_molecules(
    tmp_path: Path, text: str, molecules: dict[str, int]
) -> None:
    if "SO" in molecules:  # a continued name is two words, and so no line of molecules
        with pytest.raises(UnreadableError, match=r"topol.top, line 3: expected a molecule type"):
            _molecules(tmp_path, text)
        return
    assert list(_molecules(tmp_path, text).items()) == list(molecules.items())


def test_read_topology_applies_the_macros_of_the_parameters(tmp_path: Path) -> None:
    text = "[ molecules ]\n#ifdef BIG\nSOL N\n#endif\nNA 1\n"
    assert _read(tmp_path, text, macros={"BIG": "", "N": "5"}).molecules == {"SOL": 5, "NA": 1}
    assert _read(tmp_path, text).molecules == {"NA": 1}


def test_read_topology_follows_includes(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "far.itp").write_text("#define N 4\n#include <near.itp>\n")
    (tmp_path / "more" / "near.itp").write_text("[ molecules ]\nSOL N\n")
    topology = _read(
        tmp_path,
        '#include "./../lab/oplsaa.ff/forcefield.itp"\n#include "a.itp"\nETH 1\n',
        a='#include "oplsaa.ff/spce.itp"\n#include "far.itp"\n',
    )
    assert topology == Topology({"SOL": 4, "ETH": 1}, "oplsaa", "spce")


def test_read_topology_follows_includes_from_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "shared" / "toppar").mkdir(parents=True)
    (tmp_path / "shared" / "all.itp").write_text(MOLECULES)
    (tmp_path / "shared" / "toppar" / "first.itp").write_text('#include "../all.itp"\n')
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "toppar").symlink_to("../shared/toppar")
    assert _molecules(tmp_path / "run", '#include "toppar/first.itp"\n') == {"SOL": 10}


def test_read_topology_keeps_names_that_are_no_utf8_apart(tmp_path: Path) -> None:
    (tmp_path / "topol.top").write_bytes(b"; \xe9\n[ molecules ]\nA\xe9 1\nA\xe8 2\n")
    assert list(read_topology(str(tmp_path / "topol.top")).molecules.values()) == [1, 2]


@pytest.mark.parametrize(
    ("includes", "forcefield", "water_model"),
    [
        ((), None, None),
        (("a.ff/forcefield.itp", "b.ff/tip3p.itp"), "a", "tip3p"),
        (("toppar/forcefield.itp", "b.ff/tip9p.itp"), None, None),
        (("./lab/amber99.ff/sub/ff.itp", "opc3.itp"), "amber99", "opc3"),
        (("spc.itp", "a.ff/tip4p.itp"), None, "spc"),
    ],
)
def test_read_topology_takes_the_force_field_of_the_first_include(
    tmp_path: Path, includes: tuple[str, ...], forcefield: str | None, water_model: str | None
) -> None:
    text = "".join(f'#include "{include}"\n' for include in includes)
    topology = _read(tmp_path, "#ifdef NO\n#include 'x'\n#endif\n" + text + MOLECULES)
    assert (topology.forcefield, topology.water_model) == (forcefield, water_model)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"topol.top: no \[ molecules \] in it"),
        ('#include "a/mols.itp"\n', r"topol.top: no \[ molecules \] in it; not found: a/mols.itp"),
        ("[ molecules ]\nSOL 0\n", r"no \[ molecules \]"),
        ("[ molecules ]\nSOL\n", "topol.top, line 2: expected a molecule type and its count"),
        ("[ molecules ]\nSOL -1\n", "topol.top, line 2: expected"),
        ("[ molecules ]\nSOL 1.5\n", "topol.top, line 2: expected"),
        ("[ molecules ]\nSOL N\n", "topol.top, line 2: expected"),
        ("#define N M\n#define M N\n[ molecules ]\nSOL N\n", "topol.top, line 4: expected"),
        ("[ molecules ]\nSOL 1 2\n", "topol.top, line 2: expected"),
        ("[ molecules ]\nSOL ٣\n", "topol.top, line 2: expected"),
        ("#ifdef A\n" + MOLECULES, "topol.top: #ifdef without #endif"),
        ("#endif\n" + MOLECULES, "topol.top, line 1: #endif is not expected"),
        ("\n#else\n" + MOLECULES, "topol.top, line 2: #else is not expected"),
        ("#if A\n#endif\n" + MOLECULES, "topol.top, line 1: #if is not expected"),
        ('#include "topol.top"\n' + MOLECULES, "topol.top: includes itself"),
        ('#include "loop.itp"\n' + MOLECULES, "topol.top: includes itself"),
        ('#include "pipe.itp"\n' + MOLECULES, "pipe.itp is not a file"),
        ("SOL\0" + MOLECULES, "topol.top is not a text file"),
        ("[ molecules ]\n" + "SOL 1\n" * 10_001, "line 10002: more than 10,000 lines"),
        ('#include "nowhere.itp"\n' * 1001 + MOLECULES, "line 1001: more than 1,000 includes"),
        ("[ molecules ]\nSOL " + "9" * 5000, "topol.top, line 2: expected"),
    ],
)
def test_read_topology_names_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "loop.itp").write_text('#include "topol.top"\n')
    os.mkfifo(tmp_path / "pipe.itp")
    with pytest.raises(UnreadableError, match=reason):
        _read(tmp_path, text)


def test_read_topology_bounds_depth_and_size(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.itp").write_text(f'#include "{number + 1}.itp"\n')
    with pytest.raises(UnreadableError, match="nested more than 32 deep"):
        _read(tmp_path, '#include "0.itp"\n' + MOLECULES)
    with (tmp_path / "big.itp").open("wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(UnreadableError, match="big.itp is larger than 63 MiB"):
        _read(tmp_path, '#include "big.itp"\n' + MOLECULES)
