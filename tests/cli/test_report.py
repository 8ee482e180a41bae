"""The command that writes a report: options, files, exit codes, and what no page may have."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mdfactory import Simulation
from mdfactory.platforms import user_name
from mdfactory.records.tables import SIMULATIONS
from mdfactory.report.campaign.molecule_lists import FieldReader
from mdfactory.report.payload import values_of_column
from mdfactory.testing.records import run

from .conftest import on

Program = Callable[..., Any]
Terminal = Callable[..., Any]
Plant = Callable[..., None]

COMPLETED_WITHOUT = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
DONE = "FD017140D9BF9DC3E566983C44C59E634D032C4D"
BLOB = re.compile(r'<script type="application/x-mdfactory" id="data-([\w-]+)">([^<]*)</script>')


def _blobs(page: Path) -> dict[str, bytes]:
    text = page.read_text(encoding="utf-8")
    return {name: zlib.decompress(base64.b64decode(data)) for name, data in BLOB.findall(text)}


def _core(page: Path) -> Any:
    return json.loads(_blobs(page)["core"])


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def test_a_report_of_each_store_has_its_records(
    kind: str, mdfactory: Program, pushed_all: Path, page: Path
) -> None:
    result = mdfactory("report", page)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("8 simulations, 5 analyses, 3 pictures written to ")
    core = _core(page)
    simulations = core["simulations"]
    rows = mdfactory("sync", "pull", "systems", "--sort", "hash").rows[1:]
    shown = [values_of_column(simulations["columns"][name], 8) for name in ("hash", "status")]
    assert [*zip(*shown, strict=True)] == [(row[0], row[3]) for row in rows]
    label = {"sqlite": "SQLite", "csv": "CSV", "postgres": "PostgreSQL", "foundry": "Foundry"}[kind]
    assert (core["store"], core["title"]) == (f"{label} store", pushed_all.name)
    assert [(one["name"], one["completed"], one["expected"]) for one in core["results"]][:2] == [
        ("box_size_timeseries", 4, 5),
        ("density_timeseries", 4, 5),
    ]


@pytest.mark.usefixtures("pushed_all")
def test_two_reports_of_one_store_are_the_same_bytes(mdfactory: Program, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("a.html", "b.html", "c.html"))
    assert mdfactory("report", first).code == mdfactory("report", second).code == 0
    assert first.read_bytes() == second.read_bytes()
    environment = os.environ | {
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "MDFACTORY_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "mdfactory", "report", str(third)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert first.read_bytes() == third.read_bytes()


def _everything(page: Path) -> str:
    return page.read_text(encoding="utf-8") + "".join(
        data.decode(errors="replace") for data in _blobs(page).values()
    )


def test_no_path_user_or_password_is_in_a_report(
    mdfactory: Program, campaign: Path, tmp_path: Path, database_url: str, monkeypatch: Any
) -> None:
    secret, user = "an-uncommon-secret", "an-uncommon-user"
    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", f"{database_url}&password={secret}")
    config, page = tmp_path / "config.ini", tmp_path / "report.html"
    config.write_text("[database]\nTYPE = postgres\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", config)
    owned = campaign.parent / "home" / user / "campaign"
    owned.parent.mkdir(parents=True)
    campaign.rename(owned)
    assert mdfactory("sync", "push", "all", owned, "--config", config).code == 0
    options = ["--where", f"directory ~ {owned}", "--config", config]
    assert mdfactory("report", page, *options).code == 0
    everything = _everything(page)
    assert "campaign" in everything
    assert [text for text in (str(tmp_path), user, secret) if text in everything] == []
    assert mdfactory("report", page, "--with-paths", *options).code == 0
    everything = _everything(page)
    assert str(owned) in everything
    assert secret not in everything


def test_users_and_hosts_of_the_log_are_in_no_directory(
    mdfactory: Program, campaign: Path, page: Path
) -> None:
    folders = [campaign / name for name in ("one", "two")]
    for folder, hash_ in zip(folders, (COMPLETED_WITHOUT, DONE), strict=True):
        target = folder / user_name() / hash_
        target.parent.mkdir(parents=True)
        (campaign / hash_).rename(target)
    mdfactory("sync", "init", "all")
    assert mdfactory("sync", "push", "all", campaign).code == 0
    assert mdfactory("report", page, "--where", "status = completed").code == 0
    core = _core(page)
    shown = values_of_column(core["simulations"]["columns"]["directory"], 4)
    assert shown[0] == "one/…/\x01"
    assert shown[3] == "two/…/\x01"


@pytest.mark.usefixtures("pushed_all")
def test_an_earlier_report_is_replaced_and_another_file_is_not(
    mdfactory: Program, page: Path
) -> None:
    assert [mdfactory("report", page).code for _ in range(2)] == [0, 0]
    other = page.with_name("thesis.html")
    other.write_text("<html>my thesis</html>", encoding="utf-8")
    result = mdfactory("report", other)
    assert (result.code, result.out) == (1, "")
    assert f"{other} is no report of mdfactory, and is not replaced" in result.err
    assert other.read_text(encoding="utf-8") == "<html>my thesis</html>"
    assert sorted(path.name for path in page.parent.iterdir() if path.is_file()) == [
        "report.html",
        "thesis.html",
    ]


@pytest.mark.usefixtures("pushed_all")
def test_a_report_is_not_written_over_a_store_or_into_nothing(
    mdfactory: Program, tmp_path: Path
) -> None:
    runs = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    before = runs.read_bytes()
    result = mdfactory("report", runs)
    assert (result.code, runs.read_bytes()) == (1, before)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "no" / "folder.html", tmp_path, tmp_path / "pipe"):
        result = mdfactory("report", path)
        assert result.code == 1
        assert str(path) in result.err


@pytest.mark.usefixtures("pushed_all")
def test_the_default_name_is_that_of_a_report(
    mdfactory: Program, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    values = mdfactory("report", "--json").json
    path = tmp_path / "mdfactory-report.html"
    assert values == {
        "command": "report",
        "path": "mdfactory-report.html",
        "bytes": path.stat().st_size,
        "counts": {"simulations": 8, "analyses": 5, "curves": values["counts"]["curves"],
                   "pictures": 3},
        "left_out": [],
        "skipped": [],
    }  # fmt: skip


@pytest.mark.usefixtures("pushed_all")
def test_filters_are_those_of_pull_systems(mdfactory: Program, page: Path) -> None:
    filters = [
        *("--status", "completed", "--simulation-type", "mixedbox", "--engine", "gromacs"),
        *("--parametrization", "smirnoff", "--where", "species.MEO.count > 20"),
        *("--contains", "CO", "--hash", "f"),
    ]
    rows = mdfactory("sync", "pull", "systems", *filters).rows[1:]
    assert mdfactory("report", page, *filters).code == 0
    core = _core(page)
    assert core["simulations"]["columns"]["hash"] == [row[0] for row in rows] == [DONE]
    assert "--status completed" in core["filters"]
    assert "--where species.MEO.count > 20" in core["filters"]
    for wrong in (["--status", "finished"], ["--where", "x > 1"], ["--tag", "=x"]):
        assert mdfactory("report", page, *wrong).code == 2


@pytest.mark.usefixtures("pushed_all")
@pytest.mark.parametrize("filters", [(), ("--simulation-type", "mixedbox"), ("--hash", "0")])
def test_the_command_of_missing_results_lists_what_is_counted(
    mdfactory: Program, terminal: Terminal, page: Path, filters: tuple[str, ...]
) -> None:
    assert mdfactory("report", page, *filters).code == 0
    found = [one for one in _core(page)["attention"] if " missing of " in one["text"]]
    assert [one["text"].split()[1] for one in found] == ["analyses", "artifacts"]
    for one in found:
        lines = terminal(*one["command"].split()[1:]).text.splitlines()
        total = next(line for line in lines if re.match("[0-9]+ simulation", line))
        count = sum(map(int, re.findall("([0-9]+) missing", total)))
        noun = one["text"].split()[1]
        simulations = total.split("  ")[0]
        assert one["text"] == f"{count} {noun} missing of {simulations}"


@pytest.mark.parametrize(
    ("config", "options", "shown", "note"),
    [
        ("lab/my.ini", [], "lab/my.ini", "Run the commands where this report was made"),
        ("{}/lab/my.ini", [], "FILE", "FILE stands for the path of my.ini"),
        ("{}/lab/my.ini", ["--with-paths"], "{}/lab/my.ini", ""),
    ],
)
def test_the_commands_of_a_report_ask_its_store(
    mdfactory: Program, tmp_path: Path, monkeypatch: Any, config: str, options: list[str],
    shown: str, note: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    mdfactory("demo", "lab")
    (tmp_path / "lab" / "mdfactory.ini").rename(tmp_path / "lab" / "my.ini")
    own = ["--config", config.format(tmp_path)]
    assert mdfactory(*own, "report", "page.html", *options).code == 0
    core = _core(tmp_path / "page.html")
    commands = [one["command"] for one in core["attention"]]
    start = f"mdfactory --config {shown.format(tmp_path)} sync "
    assert [command for command in commands if not command.startswith(start)] == []
    assert core["commands"].startswith(note)
    if shown != "FILE":
        [command] = [command for command in commands if "pull artifacts" in command]
        assert mdfactory(*command.split()[1:]).code == 0


@pytest.mark.usefixtures("pushed_all")
def test_a_command_that_lists_more_than_is_counted_says_so(mdfactory: Program, page: Path) -> None:
    where = "species.MEO.count > 0"
    assert mdfactory("report", page, "--status", "completed", "--where", where).code == 0
    [text] = [text for text in (one["text"] for one in _core(page)["attention"]) if "anal" in text]
    assert text.startswith("6 analyses missing of 2 simulations; the command lists those of all")


@pytest.mark.usefixtures("pushed_all")
def test_analyses_are_chosen_by_name(mdfactory: Program, page: Path) -> None:
    names = ["--analysis-name", "rdf_oxygen", "--analysis-name", "DENSITY_TIMESERIES"]
    assert mdfactory("report", page, *names).code == 0
    assert [one["name"] for one in _core(page)["analyses"]] == ["rdf_oxygen", "density_timeseries"]
    result = mdfactory("report", page, "--analysis-name", "viscosity")
    assert result.code == 1
    assert "no analysis named 'viscosity'" in result.err


@pytest.mark.usefixtures("pushed_all")
def test_title_colour_and_start_are_shown(mdfactory: Program, page: Path) -> None:
    options = ["--title", "Week <b>7</b>", "--colour", "species.SOL.count", "--from", "20%"]
    assert mdfactory("report", page, *options).code == 0
    core = _core(page)
    assert (core["title"], core["colour"], core["start"]) == (
        "Week <b>7</b>",
        "species.SOL.count",
        "20%",
    )
    assert "<b>7</b>" not in page.read_text(encoding="utf-8")
    simulations = core["simulations"]
    columns = {one["path"]: one["values"] for one in simulations["fields"]}
    reader = FieldReader(8, simulations["molecules"], columns)
    assert reader.values("species.SOL.count") == reader.values("system.species.SOL.count")
    assert mdfactory("report", page, "--colour", "status").code == 0
    assert _core(page)["colour"] == "status"


@pytest.mark.usefixtures("pushed_all")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--colour", "species.MEO.fracton"], "no simulation has a field 'species.MEO.fracton'"),
        (["--colour", "system.species.MEO"], "its fields are system.species.MEO.fraction"),
        (["--from", "20 days"], "20 days"),
        (["--max-size", "big"], "is no size"),
        (["--max-size", "10TB"], "is no size"),
        (["--statistics", "x.xlsx"], ".xlsx"),
        (["--from", "postgresql://me:hidden@host/db"], "expected a share"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    mdfactory: Program, page: Path, options: list[str], message: str
) -> None:
    result = mdfactory("report", page, *options)
    assert result.code == 2
    assert message in result.err
    assert "hidden" not in result.err
    assert not page.exists()


@pytest.mark.usefixtures("pushed_all")
def test_pictures_give_way_to_the_maximum_size(mdfactory: Program, page: Path) -> None:
    full = mdfactory("report", page, "--json").json["bytes"]
    without = mdfactory("report", page, "--no-artifacts", "--json").json
    assert without["counts"]["pictures"] == 0
    assert _core(page)["left_out"] == []
    size = f"{full - 20_000}"
    reduced = mdfactory("report", page, "--max-size", size, "--json").json
    assert reduced["bytes"] <= full - 20_000
    assert any("pictures" in text for text in reduced["left_out"])
    assert _core(page)["left_out"] == reduced["left_out"]
    before = page.read_bytes()
    result = mdfactory("report", page, "--max-size", "100kB")
    assert result.code == 1
    assert re.search(r"takes [\d,]+ bytes without all that can be left out", result.err)
    assert page.read_bytes() == before


@pytest.mark.usefixtures("pushed_all")
def test_artifacts_are_shown_where_their_files_are(
    mdfactory: Program, page: Path, pushed_all: Path
) -> None:
    mdfactory("report", page)
    artifacts = json.loads(_blobs(page)["artifacts"])
    pictures = [file for one in artifacts for file in one["files"] if file["picture"]]
    assert {file["path"] for file in pictures} == {"artifacts/density_plot/density_plot.png"}
    assert all(file["picture"].startswith("data:image/webp;base64,") for file in pictures)
    pushed_all.rename(pushed_all.parent / "moved")
    assert mdfactory("report", page).code == 0
    artifacts = json.loads(_blobs(page)["artifacts"])
    assert {file["note"] for one in artifacts for file in one["files"]} == {"not here"}
    texts = [one["text"] for one in _core(page)["attention"]]
    assert any("8 simulation folders cannot be seen" in text for text in texts)


@on("csv", "foundry")
def test_a_build_input_that_cannot_be_read_is_named(
    kind: str, mdfactory: Program, pushed_all: Path, plant: Plant, page: Path
) -> None:
    assert kind
    broken = run("F" * 40, input_data="{", directory=f"{pushed_all}/broken")
    plant(SIMULATIONS, [tuple(broken[name] for name in SIMULATIONS.columns)])
    result = mdfactory("report", page, "--json")
    assert result.code == 3
    assert f"skipped: BuildInput of {'F' * 40}" in result.err
    assert result.json["counts"]["simulations"] == 9
    assert [one["path"] for one in result.json["skipped"]] == [f"BuildInput of {'F' * 40}"]
    assert len(_core(page)["skipped"]) == 1


def test_a_store_that_was_not_initialised_names_the_command(mdfactory: Program, page: Path) -> None:
    result = mdfactory("report", page)
    assert result.code == 1
    assert "mdfactory sync init all" in result.err
    mdfactory("sync", "init", "all")
    assert mdfactory("report", page).code == 0
    assert _core(page)["simulations"]["count"] == 0


@pytest.mark.usefixtures("pushed_all")
def test_without_the_extra_the_line_that_installs_it_is_shown(page: Path) -> None:
    script = (
        "import sys; sys.modules['vl_convert'] = None\n"
        "from mdfactory.cli.app import run\n"
        f"sys.exit(run(['report', {str(page)!r}]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "Run: pip install 'mdfactory[report]'" in result.stderr
    assert not page.exists()


@pytest.mark.usefixtures("pushed_all")
def test_statistics_are_written_as_a_table(mdfactory: Program, page: Path) -> None:
    table = page.with_name("statistics.csv")
    assert mdfactory("report", page, "--statistics", table).code == 0
    header = table.read_text(encoding="utf-8").splitlines()[0]
    assert header == (
        "analysis,quantity,group,hash,mean,deviation,error,levelled,last,minimum,maximum,drift,"
        "maximum_at,first_minimum,first_minimum_at,integral"
    )
    assert mdfactory("report", page, "--statistics", page).code == 2


@pytest.mark.usefixtures("pushed_all")
def test_open_shows_the_page_in_the_browser(page: Path, tmp_path: Path) -> None:
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n', encoding="utf-8")
    browser.chmod(0o755)
    command = [sys.executable, "-m", "mdfactory", "report", str(page), "--open"]
    subprocess.run(command, env=os.environ | {"BROWSER": f"{browser} %s"}, check=True)
    assert seen.read_text(encoding="utf-8").strip() == page.as_uri()


def test_a_picture_that_was_replaced_is_said_to_be_so(
    mdfactory: Program, pushed_all: Path, page: Path
) -> None:
    folder = pushed_all / DONE
    [entry] = [
        one for one in Simulation.open(folder).results.registry().results if "plot" in one.name
    ]
    file = folder / ".analysis" / entry.files[0]
    file.write_bytes(file.read_bytes() + b"x")
    assert mdfactory("report", page).code == 0
    artifacts = json.loads(_blobs(page)["artifacts"])
    notes = {
        one["simulation"]: one["files"][0]["note"] for one in artifacts if "plot" in one["name"]
    }
    hashes = _core(page)["simulations"]["columns"]["hash"]
    assert notes[hashes.index(DONE)] == "changed since"
    assert [note for note in notes.values() if not note] == ["", ""]
