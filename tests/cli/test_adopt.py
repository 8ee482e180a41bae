"""`mdfactory adopt`, and adopted simulations in each command."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import on

Program = Callable[..., Any]
DATA = Path(__file__).parents[1] / "data" / "adopt"
STATUSES = {
    name: expected["status"]
    for name, expected in json.loads((DATA / "expected.json").read_text()).items()
}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """All folders that GROMACS wrote."""
    for archive in DATA.glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path / "lab", filter="data")
    return tmp_path / "lab"


def _initialised(program: Program) -> Program:
    assert program("sync", "init", "all").code == 0
    return program


def _statuses(program: Program) -> dict[str, str]:
    rows = program("sync", "pull", "systems", "--json").json["rows"]
    return {os.path.basename(row["directory"]): row["status"] for row in rows}


@on("sqlite", "postgres")
@pytest.mark.usefixtures("kind")
def test_plain_folders_are_adopted_pushed_and_found_on_each_store(
    mdfactory: Program, lab: Path
) -> None:
    store = _initialised(mdfactory)
    failed = store("sync", "push", "all", lab)
    assert failed.code == 1
    searched = "17 folders searched, none has a BuildInput YAML, but 15 GROMACS runs without one"
    assert f"no simulations found: {searched}. Run: mdfactory adopt " in failed.err
    dry = store("adopt", lab, "--json").json
    assert (dry["written"], dry["counts"]) == (False, {"adopted": 15, "existing": 0, "skipped": 0})
    assert {row["name"]: row["status"] for row in dry["rows"]} == STATUSES
    assert not list(lab.glob("*/build.yaml"))
    assert store("adopt", lab, "--write").code == 0
    assert store("sync", "push", "all", lab).code == 0
    assert _statuses(store) == STATUSES
    assert store("sync", "status", lab, "--exit-code").code == 0
    assert store("sync", "verify", lab).code == 0
    pulled = store("sync", "pull", "systems", "--simulation-type", "adopted", "--json").json
    assert len(pulled["rows"]) == 15
    assert pulled["rows"][0]["parametrization"] == "external"
    pushed = store("sync", "push", "systems", lab, "--update", "--json").json
    assert pushed["counts"]["unchanged"] == 15
    assert store("sync", "undo").code == 0
    assert _statuses(store) == {}


def test_status_shows_the_progress_of_runs(mdfactory: Program, lab: Path) -> None:
    store = _initialised(mdfactory)
    store("adopt", lab, "--write")
    store("sync", "push", "all", lab)
    long = store("sync", "status", lab, "--long").out
    lines = [line.split() for line in long.splitlines()]
    stopped = ["stopped", "0.00392", "of", "0.4", "ns", "69.65", "ns/day", f"{lab}/eth25_sigterm"]
    assert stopped in lines
    extended = f"reached the end 0.01 ns 105.5 ns/day {lab}/eth50_extended"
    assert extended.split() in lines
    assert "eth50_queued" not in long
    rows = store("sync", "status", lab, "--long", "--json").json["progress"]
    ends = {os.path.basename(row["directory"]): row["end"] for row in rows}
    assert ends["crashed"] == "failed"
    assert ends["minimised"] == "minimisation"
    assert "progress" not in store("sync", "status", lab, "--json").json


def test_a_narrow_terminal_shows_names_and_progress(
    mdfactory: Program, terminal: Callable[..., Any], lab: Path
) -> None:
    store = _initialised(mdfactory)
    narrow = {"COLUMNS": "60"}
    lines = terminal("adopt", lab, env=narrow).text.splitlines()
    assert lines[0].split()[::4] == ["name", "status"]
    assert {"walltime", "eth50_queued"} <= {line.split()[0] for line in lines}
    store("adopt", lab, "--write")
    assert "no run is left to adopt, 15 already" in store("adopt", lab).err
    store("sync", "push", "all", lab)
    (lab / "eth50_queued" / "confout.gro").touch()
    lines = terminal("sync", "status", lab, "--long", env=narrow).text.splitlines()
    shown = [line.split() for line in lines]
    assert ["production", "time", "speed", "directo…"] in shown
    assert ["failed", "0", "of", "0.12", "ns", "…crashed"] in shown
    assert "silent: the log has no end, and has not been written for an hour" in lines
    assert "1 simulation without a log of the production" in lines
    assert max(map(len, lines[:-1])) <= 64


def test_a_push_names_runs_that_it_leaves_out(
    mdfactory: Program, lab: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = _initialised(mdfactory)
    store("adopt", lab, "--write")
    (lab / "walltime" / "build.yaml").unlink()
    pushed = store("sync", "push", "all", lab, "-v")
    assert pushed.code == 0
    assert "1 GROMACS run without a BuildInput left out" in pushed.err
    assert f"run: mdfactory adopt {lab}" in pushed.err
    config = tmp_path / "lab.ini"
    config.write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", config)
    pushed = mdfactory("sync", "push", "all", lab, "--config", config)
    assert f"run: mdfactory --config {config} adopt {lab}" in pushed.err
    assert f"no BuildInput: {lab}/walltime" in caplog.text


def test_a_copied_folder_is_a_conflict_that_tells_what_to_do(mdfactory: Program, lab: Path) -> None:
    store = _initialised(mdfactory)
    store("adopt", lab, "--write")
    shutil.copytree(lab / "walltime", lab / "walltime2")
    failed = store("sync", "push", "all", lab)
    assert failed.code == 1
    for words in ("system.name", "--prefix", "delete the build.yaml of the copy"):
        assert words in failed.err
    assert "ionization" not in failed.err
    (lab / "walltime2" / "build.yaml").unlink()
    store("adopt", lab, "--write")
    assert store("sync", "push", "all", lab).code == 0


def test_a_folder_of_the_same_name_in_another_root_is_a_conflict_that_tells_what_to_do(
    mdfactory: Program, lab: Path, tmp_path: Path
) -> None:
    store = _initialised(mdfactory)
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        shutil.copytree(lab / "walltime", root / "walltime")
        store("adopt", root, "--write")
    assert store("sync", "push", "systems", first).code == 0
    failed = store("sync", "push", "systems", second)
    assert failed.code == 1
    assert "1 record" in failed.err
    assert "adopt folders of different roots with --prefix" in failed.err


def test_the_command_that_an_adoption_names_pushes_its_new_runs(
    mdfactory: Program, lab: Path, tmp_path: Path
) -> None:
    store = _initialised(mdfactory)
    own = tmp_path / "own"
    for name, options in (("walltime", ""), ("nacl_amber", " --diff")):
        shutil.copytree(lab / name, own / name)
        adopted = store("adopt", own, "--write")
        command = f"mdfactory sync push all {own}{options}"
        assert adopted.err.endswith(f"To push them: {command}\n")
        pushed = store(*command.split()[1:], "--json")
        assert (pushed.code, pushed.json["counts"]["inserted"]) == (0, 1)


def test_exit_codes(mdfactory: Program, lab: Path, tmp_path: Path) -> None:
    (lab / "walltime" / "topol.top").write_text("")
    assert mdfactory("adopt", lab).code == 3
    result = mdfactory("adopt", lab, "--write")
    assert result.code == 3
    assert f"skipped: {lab}/walltime: topol.top: no [ molecules ] in it" in result.err
    assert f"To push them: mdfactory sync push all {lab}\n" in result.err
    (tmp_path / "none").mkdir()
    assert mdfactory("adopt", tmp_path / "none").code == 1
    assert mdfactory("adopt", tmp_path / "missing").code == 1
    assert mdfactory("adopt", "").code == 2
    assert mdfactory("adopt", lab, "--prefix=").code == 2


def test_the_stems_of_the_configuration_count(mdfactory: Program, lab: Path) -> None:
    store = _initialised(mdfactory)
    store("adopt", lab, "--write")
    config = Path(os.environ["MDFACTORY_CONFIG_DIR"]) / "config.ini"
    config.parent.mkdir(parents=True, exist_ok=True)
    before = config.read_text() if config.exists() else ""
    config.write_text(f"{before}\n[adopt]\nPRODUCTION = final*\nEQUILIBRATED = md\n")
    store("sync", "push", "systems", lab)
    assert _statuses(store)["eth25_sigterm"] == "equilibrated"
