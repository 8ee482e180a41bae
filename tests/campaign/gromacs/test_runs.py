"""Runs: which files belong to production, status, progress and description."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.adopt import describe
from mdfactory.campaign.gromacs.runs import Run, is_run, parse_name
from mdfactory.campaign.scan_index import ScanIndex
from mdfactory.files import UnreadableError, list_folder
from opened import opened

TOPOLOGY = "[ molecules ]\nSOL 10\n"
LOG = """\
GROMACS version:    2024.3
Input Parameters:
   integrator                     = {integrator}
   tcoupl                         = V-rescale
   ref-t:      {temperature}

Started mdrun on rank 0 Sat Nov  7 09:05:06 2026
{end}
"""


def _log(temperature: float = 300, end: str = "", integrator: str = "md") -> str:
    return LOG.format(temperature=temperature, end=end, integrator=integrator)


FINISHED = _log(end="Finished mdrun")


def _run(folder: Path, files: dict[str, str], **options: Any) -> Run:
    for name, text in files.items():
        (folder / name).write_text(text)
    return _open(folder, **options)


def _open(folder: Path, **options: Any) -> Run:
    return Run(str(folder), list_folder(folder).files, **options)


def test_folders_that_gromacs_wrote_come_out_as_they_are(
    gromacs_folders: Path, expected: dict[str, Any]
) -> None:
    run = _open(gromacs_folders / expected["name"])
    assert is_run(run.names)
    assert run.status() == expected["status"]
    progress = run.progress()
    if expected["log"] is None:
        assert progress is None
    else:
        assert progress
        assert (progress.log, progress.end) == (expected["log"], expected["end"])
        times = progress.time_ps, progress.time_wanted_ps
        assert times == (expected["last_ps"], expected["wanted_ps"])
        assert progress.ns_per_day == expected["ns_per_day"]
    build = describe(run, "name")
    assert build["parametrization_config"]["forcefield"] == expected["forcefield"]
    assert build["parametrization_config"]["water_model"] == expected["water_model"]
    system = build["system"]
    molecules = [[molecule["name"], molecule["count"]] for molecule in system["molecules"]]
    assert molecules == expected["molecules"]
    conditions = system["temperature"], system["pressure"]
    assert conditions == (expected["temperature"], expected["pressure"])


@pytest.mark.parametrize(
    "names",
    ["topol.top a.mdp", "SYSTEM.TOP md.log", "topol.tpr x.gro"],
)
def test_is_run(names: str) -> None:
    assert is_run(names.split())


@pytest.mark.parametrize(
    "names",
    ["topol.top", "topol.top ff.itp posre.itp", "md.xtc md.log a.mdp", "a.tpr b.tpr", ""],
)
def test_folders_without_topology_or_without_anything_else_are_no_runs(names: str) -> None:
    assert not is_run(names.split())


@pytest.mark.parametrize(
    ("name", "stem", "part"),
    [
        ("md.log", "md", 1),
        ("MD.XTC", "md", 1),
        ("confout.gro", "md", 1),
        ("traj_comp.part0012.xtc", "md", 12),
        ("prod.part0002.gro", "prod", 2),
        ("confout.pdb", "confout", 1),
        ("step7_1.log", "step7_1", 1),
    ],
)
def test_parse_name(name: str, stem: str, part: int) -> None:
    file = parse_name(name)
    assert (file.stem, file.part) == (stem, part)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"md.log": FINISHED}, "completed"),
        ({"md.log": _log()}, "production"),
        ({"md.log": _log(), "md.gro": "x"}, "production"),
        ({"md.log": "foreign\n", "md.gro": "x"}, "completed"),
        ({"md.log": "foreign Finished mdrun\n"}, "production"),
        ({"md.log": ""}, "build"),
        ({"md.log": "", "npt.gro": "x"}, "equilibrated"),
        ({"md.log": FINISHED + "Restarting from checkpoint\n"}, "production"),
        ({"md.xtc": "x"}, "production"),
        ({"traj.trr": "x", "npt.cpt": "x"}, "production"),
        ({"md.xtc": "", "npt.cpt": "x"}, "equilibrated"),
        ({"npt.cpt": "", "eq1.gro": ""}, "build"),
        ({"npt.log": FINISHED, "npt.xtc": "x"}, "build"),
        ({"md.gro": "x"}, "completed"),
        ({"md.log": _log(integrator="steep"), "confout.gro": "x", "traj.trr": "x"}, "build"),
        ({"md_min.log": _log(integrator="cg"), "md_min.gro": "x"}, "build"),
        ({"md_min.log": _log(integrator="cg"), "md.log": FINISHED}, "completed"),
        ({"em.gro": "x", "em.log": "x"}, "build"),
    ],
)
def test_status(tmp_path: Path, files: dict[str, str], status: str) -> None:
    assert _run(tmp_path, files).status() == status


def _write_at(path: Path, seconds: float) -> None:
    path.write_text("x")
    os.utime(path, (seconds, seconds))


@pytest.mark.parametrize(
    ("ages", "status"),
    [
        ({"md.xtc": 10, "md.gro": 10}, "completed"),
        ({"md.xtc": 10, "md.gro": 10.9}, "completed"),
        ({"md.xtc": 10, "md.gro": 12}, "production"),
        ({"md.xtc": 10, "md.trr": 8, "confout.gro": 10}, "production"),
        ({"md.xtc": 10, "md.gro": 9, "md_centred.xtc": 5}, "completed"),
        ({"step7_1.xtc": 9, "step7_1.gro": 9, "step7_2.xtc": 5, "step7_2.cpt": 5}, "production"),
        ({"md.part0002.xtc": 5, "md.gro": 9}, "production"),
        ({"md.part0002.xtc": 5, "md.part0002.gro": 5, "md.gro": 9}, "completed"),
    ],
)
def test_status_without_a_log_compares_the_final_structure_with_trajectories(
    tmp_path: Path, ages: dict[str, float], status: str
) -> None:
    now = time.time()
    for name, age in ages.items():
        _write_at(tmp_path / name, now - age)
    assert _open(tmp_path).status() == status


def test_the_newest_log_is_the_one_that_started_last(tmp_path: Path) -> None:
    earlier = FINISHED.replace("Nov  7", "Nov  6")
    run = _run(tmp_path, {"step7_2.log": _log(), "step7_3.log": earlier})
    os.utime(tmp_path / "step7_3.log")
    assert run.status() == "production"
    progress = run.progress()
    assert progress
    assert progress.log == "step7_2.log"


def test_progress_of_a_run_that_is_silent_or_left_its_last_coordinates(tmp_path: Path) -> None:
    def end() -> str | None:
        progress = _open(tmp_path).progress()
        return progress.end if progress else None

    assert end() is None
    (tmp_path / "md.log").write_text(_log())
    assert end() == "running"
    os.utime(tmp_path / "md.log", (1, 1))
    assert end() == "silent"
    (tmp_path / "step12b.pdb").write_text("")
    assert end() == "failed"
    (tmp_path / "md.log").write_text(FINISHED)
    assert end() == "reached the end"


def test_logs_are_read_once_and_again_when_they_have_changed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    log = folder / "md.log"
    log.write_text(_log())
    with opened(folder) as files:
        for opened_logs in ([str(log)], []):
            with ScanIndex(tmp_path / "index", settled_after=0) as index:
                assert _open(folder, index=index).status() == "production"
            assert files.names() == opened_logs
    log.write_text(FINISHED)
    with ScanIndex(tmp_path / "index", settled_after=0) as index:
        assert _open(folder, index=index).status() == "completed"


@pytest.mark.parametrize(
    ("files", "temperature"),
    [
        ({"md.log": _log(310), "mdout.mdp": "tcoupl=yes\nref_t=1"}, 310.0),
        ({"md.log": "foreign", "mdout.mdp": "tcoupl=yes\nref_t=1"}, 1.0),
        ({"mdout.mdp": "tcoupl=yes\nref_t=1", "md.mdp": "tcoupl=yes\nref_t=2"}, 1.0),
        ({"mdout.mdp": "integrator=steep", "md.mdp": "tcoupl=yes\nref_t=2"}, 2.0),
        ({"md.mdp": "tcoupl=yes\nref_t=2", "grompp.mdp": "tcoupl=yes\nref_t=3"}, 2.0),
        ({"grompp.mdp": "tcoupl=yes\nref_t=3", "x.mdp": "tcoupl=yes\nref_t=4"}, 3.0),
        ({"em.mdp": "integrator=steep", "x.mdp": "tcoupl=yes\nref_t=4"}, 4.0),
        ({"a.mdp": "tcoupl=yes\nref_t=4", "b.mdp": "tcoupl=yes\nref_t=4"}, None),
        ({"em.mdp": "integrator=steep"}, None),
    ],
)
def test_describe_takes_the_parameters_of_production(
    tmp_path: Path, files: dict[str, str], temperature: float | None
) -> None:
    run = _run(tmp_path, {"topol.top": TOPOLOGY, **files})
    assert describe(run, "x")["system"]["temperature"] == temperature


def test_describe_applies_define_of_the_parameters(tmp_path: Path) -> None:
    topology = "[ molecules ]\n#ifdef BIG\nSOL N\n#else\nSOL 1\n#endif\n"
    run = _run(tmp_path, {"topol.top": topology, "md.mdp": "define = -DBIG -DN=9"})
    assert describe(run, "x")["system"]["molecules"] == [{"name": "SOL", "count": 9}]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"topol.top": TOPOLOGY, "md_a.log": _log(300), "md_b.log": _log(310)},
            r"several simulations: md_a \(300.0 K, no bar\), md_b \(310.0 K, no bar\)",
        ),
        (
            {
                "topol.top": TOPOLOGY,
                "md_9.mdp": "tcoupl=yes\nref_t=1",
                "md_10.mdp": "tcoupl=yes\nref_t=2",
            },
            r"several simulations: md_9 \(1.0 K, no bar\), md_10 \(2.0 K, no bar\)",
        ),
        ({"md.tpr": "", "md.gro": ""}, "has a .tpr and no .top file"),
        (
            {"a.top": TOPOLOGY, "b.top": "[ molecules ]\nNA 1\n", "x.gro": ""},
            "different molecules: a.top, b.top",
        ),
        ({"topol.top": "", "x.gro": ""}, r"topol.top: no \[ molecules \] in it"),
    ],
)
def test_describe_refuses_what_it_cannot_understand(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        describe(_run(tmp_path, files), "x")


def test_describe_takes_one_of_topologies_that_agree(tmp_path: Path) -> None:
    run = _run(tmp_path, {"a.top": TOPOLOGY, "b.top": TOPOLOGY, "x.gro": ""})
    assert describe(run, "x")["system"]["molecules"] == [{"name": "SOL", "count": 10}]
    run = _run(tmp_path, {"topol.top": "[ molecules ]\nNA 1\n"})
    assert describe(run, "x")["system"]["molecules"] == [{"name": "NA", "count": 1}]
