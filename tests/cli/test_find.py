"""The options that find simulations, on each command that takes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation
from mdfactory.campaign.build_input import BuildInput

Program = Callable[..., Any]
Terminal = Callable[..., Any]

RICHEST = "24BD07FDFF267DCC30C3B24D924351B4BE4D4E84"
RICH = ["--where", "system.species.MEO.fraction > 0.5"]
DONE = "FD017140D9BF9DC3E566983C44C59E634D032C4D"

COMMANDS = (
    *("pull systems", "pull analysis", "pull analysis --analysis-name rdf_oxygen"),
    *("pull analysis --analysis-name rdf_oxygen --data", "pull artifacts", "status", "verify"),
    *("pull artifacts --artifact-name density_plot", "clear systems", "clear analysis --all"),
    "clear all",
)


@pytest.mark.usefixtures("pushed_all")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--where", "species.MEO.fracton > 1", "--where 'species.MEO.fracton > 1': no simulation"),
        ("--where", "species.MEO.fraction >", "character 23: expected a value"),
        ("--where", "species.MEO.fraction", "; put the condition in quotes: --where 'FIELD OP"),
        ("--where", "status = build and engine = x", "character 16: repeat --where for each"),
        ("--where", "status = build or status = x", "conditions are not alternatives; select"),
        ("--where", "MEO > 1", "did you mean species.MEO.fraction or species.MEO.count?"),
        ("--where", "fraction > 1", "did you mean species.SOL.fraction or species.MEO.fraction?"),
        ("--where", "zzz > 1", ", and "),
        ("--where", "species.MEO.fraction > x", "character 24: species.MEO.fraction is a number"),
        ("--where", "species.MEO.fraction > 20 %", "and 20 % is a text; write 20 % as 0.2"),
        ("--where", "species.MEO.fraction > 0,25", "and 0,25 is a text; write 0.25"),
        ("--where", "status == completed", "a value, not =; the operator is =\n"),
        ("--where", "species.MEO.fraction => 0.2", "a value, not >; the operator is >="),
        ("--where", "'status = completed'", "OP VALUE; the condition is in quotes twice"),
        ("--contains", "C(", "--contains 'C(': RDKit cannot read this SMILES"),
        ("--contains", "acetone", "cannot read this SMILES, and a name is none: that of acetone"),
        ("--tag", "=x", "--tag '=x': expected KEY=VALUE or KEY"),
    ],
)
def test_each_command_refuses_what_it_cannot_find(
    mdfactory: Program, command: str, option: str, value: str, message: str
) -> None:
    result = mdfactory("sync", *command.split(), option, value)
    assert result.code == 2
    assert message in result.err


@pytest.mark.usefixtures("pushed_all")
def test_pull_narrows_sorts_and_adds_columns(mdfactory: Program) -> None:
    arguments = [*RICH, "--field", "composition", "--field", "system.species.MEO.fraction"]
    result = mdfactory("sync", "pull", "systems", *arguments, "--sort", "-species.MEO.fraction")
    assert result.rows[0][-2:] == ["composition", "system.species.MEO.fraction"]
    assert [row[-2:] for row in result.rows[1:]] == [
        ["SOL 45 + MEO 405", "0.9"],
        ["SOL 135 + MEO 315", "0.7"],
    ]
    shown = mdfactory("sync", "pull", "systems", *RICH, "--field", "status", "--json").json
    assert [list(row) for row in shown["rows"]] == [list(row) for row in shown["rows"][:1]] * 2
    assert list(shown["rows"][0]).count("status") == 1


@pytest.mark.usefixtures("pushed_all")
def test_results_are_those_of_the_simulations_found(mdfactory: Program) -> None:
    done = ["--where", "species.MEO.fraction = 0.5"]
    for command in ("analysis", "artifacts"):
        result = mdfactory("sync", "pull", command, *done, "--where", "status = completed")
        assert {row[0] for row in result.rows[1:]} == {DONE}
    data = ("--analysis-name", "density_timeseries", "--data")
    result = mdfactory("sync", "pull", "analysis", *data, *done, "--field", "composition")
    assert result.rows[0] == ["hash", "time_ps", "density_g_cm3", "composition"]
    assert {(row[0], row[-1]) for row in result.rows[1:]} == {(DONE, "SOL 225 + MEO 225")}


@pytest.mark.usefixtures("pushed_all")
@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
def test_fields_are_written_to_files(mdfactory: Program, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"found{ending}"
    fields = ["species.MEO.fraction", "system.ionization.neutralize", "system.ionization.seed"]
    options = [word for field in fields for word in ("--field", field)]
    assert mdfactory("sync", "pull", "systems", *RICH, *options, "--output", file).code == 0
    if ending == ".parquet":
        rows = pq.read_table(file).select(["hash", *fields]).to_pylist()
    elif ending == ".json":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
    else:
        header, *lines = file.read_text().splitlines()
        assert header.endswith(",".join(fields))
        assert {line.split(",", 1)[0] for line in lines} >= {RICHEST}
        assert next(line for line in lines if line.startswith(RICHEST)).endswith(",0.9,True,")
        return
    (row,) = [row for row in rows if row["hash"] == RICHEST]
    assert [row[field] for field in fields] == [0.9, True, None]
    assert len(rows) == 2


def test_tags_select_simulations(mdfactory: Program, tmp_path: Path) -> None:
    for count, tags in ((1, {"project": "x"}), (2, {"project": "y=z"}), (3, {})):
        species = [{"resname": "SOL", "smiles": "O", "count": count}]
        build_input = {"simulation_type": "mixedbox", "system": {"species": species}, "tags": tags}
        Simulation.create(tmp_path / "lab", BuildInput.parse(build_input))
    mdfactory("sync", "init", "all")
    assert mdfactory("sync", "push", "all", tmp_path / "lab").code == 0
    count = ["--field", "species.SOL.count", "--sort", "species.SOL.count"]
    for given, expected in (
        (["project=x"], ["1"]),
        (["project=y=z"], ["2"]),
        (["project"], ["1", "2"]),
        (["project", "project=x"], ["1"]),
        (["owner"], []),
    ):
        options = [word for tag in given for word in ("--tag", tag)]
        result = mdfactory("sync", "pull", "systems", *options, *count)
        assert [row[-1] for row in result.rows[1:]] == expected
    for given, note in (
        ("projct", "no simulation has the tag 'projct' (did you mean 'project'?)"),
        ("tags.project=x", "the tag 'tags.project=x' (did you mean 'project'?)"),
        ("project:x", "the tag 'project:x' (did you mean 'project'?)"),
        ("project=y=", "the tag 'project=y=' (did you mean 'y=z'?)"),
        ("project=other", "the tag 'project=other'; it is x, y=z"),
        ("owner=x", "no simulation has the tag 'owner=x'; there are project"),
    ):
        for command in ("pull systems", "pull analysis", "clear systems --yes"):
            result = mdfactory("sync", *command.split(), "--tag", given)
            assert (result.code, note in result.err) == (0, True), result.err


@pytest.mark.usefixtures("pushed_all")
def test_simulations_without_the_number_of_a_condition_are_counted(
    mdfactory: Program, tmp_path: Path
) -> None:
    molecules = [{"name": name, "count": 3} for name in ("MEO", "SOL", "ETH")]
    system = {"name": "rep1", "molecules": molecules}
    adopted = {"simulation_type": "adopted", "parametrization": "external", "system": system}
    Simulation.create(tmp_path / "lab", BuildInput.parse(adopted))
    assert mdfactory("sync", "push", "all", tmp_path / "lab").code == 0
    for command in ("pull systems", "status"):
        found = mdfactory("sync", *command.split(), "--where", "species.MEO.fraction > 0.5")
        note = "1 simulation left out, without a number in species.MEO.fraction\n"
        assert note in found.err
    found = mdfactory("sync", "pull", "systems", "--where", "species.MEO.count > 0")
    assert (found.err, len(found.rows)) == ("", 10)
    unknown = mdfactory("sync", "pull", "systems", "--where", "species.ETH.fraction > 0.5")
    assert unknown.err.endswith("did you mean species.ETH.count?\n")


@pytest.mark.usefixtures("pushed_all")
def test_a_column_of_tables_is_no_field(mdfactory: Program) -> None:
    command = ("sync", "pull", "analysis", "--analysis-name", "density_timeseries")
    for options in (("--data", "--where", "density_g_cm3 > 0.9"), ("--sort", "density_g_cm3")):
        result = mdfactory(*command, *options)
        assert result.code == 2
        text = "density_g_cm3 is a column of the tables of density_timeseries, and no field"
        assert text in result.err


@pytest.mark.usefixtures("pushed_all")
def test_an_unknown_name_lists_the_results_with_records(mdfactory: Program) -> None:
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf")
    names = "box_size_timeseries, density_timeseries, hydrogen_bonds, rdf_oxygen, system_chemistry"
    assert f"; it has {names}\n" in result.err


@pytest.mark.usefixtures("pushed_all")
def test_a_terminal_counts_the_rows_of_tables(terminal: Terminal) -> None:
    data = ("--analysis-name", "density_timeseries", "--data", "--limit", "2")
    text = terminal("sync", "pull", "analysis", *data).text
    assert text.splitlines()[-1].endswith(" rows of 2 simulations")


@pytest.mark.usefixtures("pushed_all")
def test_clear_shows_what_a_search_finds_and_removes_it(mdfactory: Program) -> None:
    few = ["--analysis-name", "rdf_oxygen", "--where", "species.MEO.fraction < 0.5"]
    result = mdfactory("sync", "clear", "analysis", *few)
    assert result.code == 1
    assert "nothing was cleared" in result.err
    result = mdfactory("sync", "clear", "analysis", *few, "--yes")
    assert result.out == "ANALYSIS_rdf_oxygen: 3 records removed\n"
    left = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen")
    assert [row[0] for row in left.rows[1:]] == [DONE]
    assert mdfactory("sync", "verify", "--quick").code == 0
    assert mdfactory("sync", "undo").code == 0
    assert len(mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen").rows) == 5


@pytest.mark.usefixtures("pushed_all")
def test_status_and_verify_look_at_the_simulations_found(mdfactory: Program) -> None:
    result = mdfactory("sync", "status", *RICH)
    assert result.out.splitlines()[1].split() == ["systems", "0", "0", "2", "0", "0", "0"]
    assert mdfactory("sync", "verify", *RICH, "--json").json["checked"]["RUN_DATABASE"] == 2
    result = mdfactory("sync", "verify", "--tag", "project")
    assert (result.code, result.out) == (2, "")
    assert "nothing was checked" in result.err


@pytest.mark.usefixtures("pushed_all")
def test_a_terminal_shows_records_in_place_of_the_matrix(terminal: Terminal) -> None:
    where = ["--where", "status = completed", "--where", "species.MEO.fraction = 0.5"]
    text = terminal("sync", "pull", "analysis", *where, env={"COLUMNS": "200"}).text
    assert text.startswith("hash")
    assert text.count(DONE[:12]) >= 5
