"""The store as DataFrames."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from html import escape, unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

import mdfactory
from mdfactory import Records, Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.cli.app import run
from mdfactory.display import records_html
from mdfactory.errors import (
    ConfigError,
    FrameCorruptError,
    InvalidNameError,
    NotInitialisedError,
    QueryError,
    SchemasDifferError,
    StoreError,
    UnknownNameError,
)
from mdfactory.frames.extras import extras_of
from mdfactory.records.arrow import batch
from mdfactory.records.query import Prefix
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores import store_at
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing.records import records as as_records
from mdfactory.testing.records import run as run_record

MAIN = Path(__file__).parent.parent
FIRST = "9696455838C189BE031418DE5280D6042B243D8D"
ALL = Scope(simulations=True, results=list(ResultType))
METHANOL = "system.species.MEO.fraction"


@pytest.fixture
def campaign(pushed: Callable[[str], Path]) -> Path:
    """The example campaign, after a push into the configured store."""
    return pushed("all")


@pytest.fixture
def records(campaign: Path) -> Records:
    """The example campaign in the configured store."""
    assert campaign
    return mdfactory.open_store()


def test_systems_are_a_frame(records: Records) -> None:
    frame = records.systems(status="completed", sort="-hash", limit=3)
    assert list(frame.columns)[:2] == ["hash", "engine"]
    assert len(frame) == 3
    assert list(frame["hash"]) == sorted(frame["hash"], reverse=True)
    assert set(frame["status"]) == {"completed"}


def test_fields_of_the_input_become_columns(records: Records) -> None:
    frame = records.systems(fields=["system.species", "parametrization_config.forcefield"])
    assert len(frame) == 8
    assert {METHANOL, "system.species.SOL.count", "system.species.MEO.smiles"} <= set(frame)
    assert set(frame["parametrization_config.forcefield"]) == {"openff-2.2.0.offxml"}
    row = frame[frame["hash"] == FIRST].iloc[0]
    built = Simulation.open(row["directory"]).build_input
    (fraction,) = (species.fraction for species in built.system.species if species.resname == "MEO")
    assert row[METHANOL] == fraction


def test_the_error_for_an_unknown_field_lists_the_known_fields(records: Records) -> None:
    with pytest.raises(QueryError, match=r"'system\.temperature'.* system\.total_count"):
        records.systems(fields=["system.temperature"])


def test_an_analysis_is_one_tidy_frame(records: Records, campaign: Path) -> None:
    frame = records.analysis("density_timeseries", fields=[METHANOL])
    assert list(frame.columns) == ["hash", "time_ps", "density_g_cm3", METHANOL]
    assert frame["hash"].nunique() == 4
    pulled = frame[frame["hash"] == FIRST][["time_ps", "density_g_cm3"]].reset_index(drop=True)
    own = pd.read_parquet(campaign / FIRST / ".analysis" / "density_timeseries.parquet")
    assert_frame_equal(pulled, own, check_exact=True)


def test_a_frame_keeps_its_dtypes_and_its_index(records: Records, campaign: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], "Int8"),
            "c": pd.Categorical(["b", "a"], ["b", "a", "c"]),
            "t": pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Berlin"),
        },
        index=pd.Index([10, 20], name="frame"),
    )
    Simulation.open(campaign / FIRST).results.record_analysis("own", frame)
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    back = records.analysis("own")
    assert list(back.pop("hash")) == [FIRST, FIRST]
    own = pd.read_parquet(campaign / FIRST / ".analysis" / "own.parquet")
    assert_frame_equal(back, own, check_exact=True)


def test_the_overview_is_filtered(records: Records) -> None:
    assert len(records.overview()) == 56
    missing = records.overview(item_type="analysis", status="not_yet_run", hash="e6")
    assert list(missing["item_name"]) == ["hydrogen_bonds"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"status": "complete"}, "status='complete': no status is called that .did you mean 'comp"),
        ({"simulation_type": "mixbox"}, "simulation_type='mixbox': .*did you mean 'mixedbox'"),
        ({"hash": "xyz"}, "hash='xyz' is not a hash prefix"),
        ({"hash": ""}, "hash= is empty"),
        ({"hash": 5}, "hash= takes one text, not 5"),
        ({"status": 3}, "status= takes one text, not 3"),
        ({"simulation_type": ["lnp"]}, r"simulation_type= takes one text, not \['lnp'\]"),
    ],
)
def test_a_misspelt_filter_is_an_error_that_names_the_argument(
    records: Records, filters: dict[str, Any], message: str
) -> None:
    for read in (records.systems, records.overview):
        with pytest.raises(QueryError, match=message) as caught:
            read(**filters)
        assert "--" not in str(caught.value)
    if "status" not in filters:
        for read in (records.analyses, records.artifacts, partial(records.analysis, "rdf_oxygen")):
            with pytest.raises(QueryError, match=message):
                read(**filters)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"limit": "3"}, "the limit must be a whole number of rows, 0 or more, not '3'"),
        ({"limit": 2.5}, "0 or more, not 2.5"),
        ({"limit": -1}, "0 or more, not -1"),
        ({"sort": 3}, "sort= takes the name of a column, not 3"),
        ({"sort": ["hash"]}, r"sort= takes the name of a column, not \['hash'\]"),
    ],
)
def test_a_limit_or_order_of_another_type_is_an_error(
    records: Records, own: dict[str, Any], message: str
) -> None:
    analysis = partial(records.analysis, "rdf_oxygen")
    artifact = partial(records.artifact, "density_plot")
    for read in (records.systems, records.overview, analysis, artifact):
        with pytest.raises(QueryError, match=message):
            read(**own)


def test_a_limit_may_be_a_number_of_numpy(records: Records) -> None:
    assert len(records.systems(limit=np.int64(3))) == 3  # type: ignore[arg-type]


def test_a_filter_takes_values_that_only_the_store_knows(records: Records) -> None:
    with records.store.transaction(write=True) as transaction:
        row = next(iter(transaction.read(SIMULATIONS))).to_pylist()[0]
        newer = batch([tuple((row | {"status": "archived"}).values())], SIMULATIONS.schema)
        transaction.write([(SIMULATIONS, newer)], ConflictMode.force)
    assert list(records.systems(status="archived")["hash"]) == [row["hash"]]
    with pytest.raises(QueryError, match="did you mean 'archived'.* in the store archived"):
        records.systems(status="archive")


def test_errors_about_frames_name_the_arguments(records: Records, campaign: Path) -> None:
    other = pd.DataFrame({"time_ps": ["a"], "density_g_cm3": [1.0]})
    Simulation.open(campaign / FIRST).results.record_analysis("density_timeseries", other)
    push(records.store, str(campaign), ConflictMode.force, ALL)
    with pytest.raises(SchemasDifferError) as caught:
        records.analysis("density_timeseries")
    message = str(caught.value)
    assert "Select fewer simulations with hash= or simulation_type=" in message
    assert "union=True" in message
    assert "--" not in message


def test_names_of_results_are_listed_with_counts(records: Records) -> None:
    analyses = records.analyses()
    assert [*map(tuple, analyses.to_numpy())] == [
        ("box_size_timeseries", 4, 1),
        ("density_timeseries", 4, 1),
        ("hydrogen_bonds", 3, 2),
        ("rdf_oxygen", 4, 1),
        ("system_chemistry", 4, 1),
    ]
    assert list(analyses.columns) == ["name", "completed", "missing"]
    assert list(records.artifacts(hash="fd01")["missing"]) == [0, 0]
    empty = records.artifacts(hash="FFFF")
    assert (list(empty.columns), len(empty)) == (list(analyses.columns), 0)
    assert empty["missing"].dtype == analyses["missing"].dtype == "int64"


def test_names_of_the_configuration_are_missing(records: Records, tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[catalogue]\nMIXEDBOX_ARTIFACTS = movie\n", encoding="utf-8")
    artifacts = mdfactory.open_store(config=config).artifacts()
    assert ("movie", 0, 5) in [*map(tuple, artifacts.to_numpy())]


def test_a_notebook_shows_how_many_of_what_and_how_far(records: Records) -> None:
    page = ET.fromstring(f"<div>{records._repr_html_()}</div>")  # noqa: S314  # our own
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows[:2] == [
        [None, "build", "equilibrated", "production", "completed"],
        ["mixedbox", "2", "1", "1", "4"],
    ]
    assert ["hydrogen_bonds", "analysis", "3", "2"] in rows
    assert "8 simulations in the SQLite store" in records._repr_html_()
    assert repr(records).startswith("<Records of the SQLite store ")


def test_the_summary_of_a_large_store_counts_simulations_only(records: Records) -> None:
    html = records_html(records.store, records.catalogue, max_simulations=7)
    assert "8 simulations" in html
    assert "hydrogen_bonds" not in html
    assert "analyses() and artifacts()" in html


def test_html_is_escaped_and_loads_nothing(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    store = SqliteStore(tmp_path / f"{evil}runs.db", tmp_path / "analysis.db")
    initialise(store, simulations=True)
    rows = as_records(SIMULATIONS, run_record("A" * 40, simulation_type=evil, status=evil))
    store.write([(SIMULATIONS, rows)], ConflictMode.force)
    html = Records(store)._repr_html_()
    assert html.count(escape(evil)) == 3
    assert evil not in html
    assert not re.search(
        "https?:|src=|url\\(|color|<script|<style|<link", html.replace(escape(evil), "")
    )


def test_a_store_that_cannot_be_read_shows_why(tmp_path: Path) -> None:
    records = mdfactory.open_store(f"sqlite:///{tmp_path}")
    assert "runs.db has no tables. Check its URL" in records._repr_html_()


def test_without_pandas_the_error_names_the_extra() -> None:
    script = "import sys; sys.modules['pandas'] = None; import mdfactory; mdfactory.open_store()"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "needs pandas, which is not installed" in result.stderr
    assert "Run: pip install 'mdfactory[notebook]'" in result.stderr


def test_the_command_of_an_error_is_for_the_store_that_was_opened(tmp_path: Path) -> None:
    """Without its configuration, it would create tables in another store."""
    config = tmp_path / "my lab.ini"
    config.write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    store, options = mdfactory.open_store(config=config), f"--config '{config}'"
    for read in (store.systems, partial(store.analysis, "rdf_oxygen"), store.analyses):
        with pytest.raises(NotInitialisedError, match=f"Run: .* init all {options}$"):
            read()
    assert options in unescape(store._repr_html_())
    with pytest.raises(NotInitialisedError, match="Run: mdfactory sync init all$"):
        mdfactory.open_store().systems()


def test_a_missing_configuration_is_named_in_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Run: mdfactory config init --config .*lab\.ini$"):
        mdfactory.open_store(config=tmp_path / "lab.ini")


def test_a_url_where_no_store_is_says_so(tmp_path: Path) -> None:
    store = mdfactory.open_store(f"sqlite:///{tmp_path}/typo")
    message = f"No store yet: the SQLite store {tmp_path}/typo/runs.db has no tables. Check its URL"
    with pytest.raises(NotInitialisedError) as caught:
        store.systems()
    assert str(caught.value) == message


def test_an_artifact_has_its_files_and_checksums(records: Records) -> None:
    frame = records.artifact("density_plot")
    assert len(frame) == 3
    assert frame["files"].iloc[0] == ["artifacts/density_plot/density_plot.png"]
    assert list(frame["checksums"].iloc[0]) == frame["files"].iloc[0]


@pytest.mark.parametrize("text", ["?", '{"a":' * 2000 + "1" + "}" * 2000])
def test_json_of_others_that_cannot_be_read_is_named(records: Records, text: str) -> None:
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    with closing(sqlite3.connect(data / "runs.db")) as runs, runs:
        runs.execute("UPDATE RUN_DATABASE SET input_data = ? WHERE hash = ?", (text, FIRST))
    with closing(sqlite3.connect(data / "analysis.db")) as results, results:
        results.execute("UPDATE ARTIFACT_density_plot SET checksums = ?", (text,))
    with pytest.raises(StoreError, match=f"input_data of {FIRST} cannot be read as JSON"):
        records.systems(fields=["system.species"])
    with pytest.raises(StoreError, match="checksums of .* cannot be read as JSON"):
        records.artifact("density_plot")


def test_a_field_of_others_with_a_very_long_path_is_refused(records: Records) -> None:
    """Each of the fields inside would repeat the path."""
    inner = {"\x1b" + "k" * 500_000: dict.fromkeys(map(str, range(20_000)), 0)}
    text = json.dumps({"system": inner})
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    with closing(sqlite3.connect(data / "runs.db")) as runs, runs:
        runs.execute("UPDATE RUN_DATABASE SET input_data = ? WHERE hash = ?", (text, FIRST))
    with pytest.raises(StoreError, match=f"input_data of {FIRST}.* more than 256 characters"):
        records.systems(fields=["system"])


def test_an_error_shows_names_of_others_in_printable_characters(records: Records) -> None:
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    with closing(sqlite3.connect(data / "runs.db")) as runs, runs:
        runs.execute("UPDATE RUN_DATABASE SET input_data = ?", (json.dumps({"\x1b[31m": 1}),))
    with pytest.raises(QueryError, match=r"the first has '\\x1b\[31m'"):
        records.systems(fields=["system.species"])


RANGE = {"kind": "range", "name": None, "start": 0, "stop": 3, "step": 1}


@pytest.mark.parametrize(
    "index",
    [
        *(["absent"], ["a", "a"]),
        *([RANGE | change] for change in ({"step": 0}, {"stop": 10**400}, {"name": []})),
    ],
    ids=["absent", "twice", "step", "huge", "name"],
)
def test_metadata_of_others_that_pandas_cannot_read_is_named(
    records: Records, campaign: Path, index: list[object]
) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]})
    Simulation.open(campaign / FIRST).results.record_analysis("own", frame)
    path = campaign / FIRST / ".analysis" / "own.parquet"
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[b"pandas"]) | {"index_columns": index}
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(metadata)}), path)
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    with pytest.raises(FrameCorruptError, match="own: pandas cannot read the stored tables: "):
        records.analysis("own")


def test_errors_list_the_valid_names(records: Records) -> None:
    with pytest.raises(UnknownNameError, match="rdf_oxygen"):
        records.analysis("rdf")
    meant = r"no analysis named 'rdf_oxigen' \(did you mean 'rdf_oxygen'\?\); it has "
    with pytest.raises(UnknownNameError, match=meant):
        records.analysis("rdf_oxigen")
    with pytest.raises(UnknownNameError, match="but an analysis of this name.*pull analysis --an"):
        records.artifact("rdf_oxygen")
    with pytest.raises(InvalidNameError, match="5 is not a valid name of an analysis"):
        records.analysis(5)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="item_type='plot': .* there are analysis, artifact"):
        records.overview(item_type="plot")


def test_an_empty_answer_is_a_frame_without_rows(records: Records) -> None:
    assert records.systems(hash="FFFF").empty
    assert records.analysis("rdf_oxygen", hash="FFFF", fields=[METHANOL]).empty
    assert records.systems(hash="FFFF", fields=[METHANOL]).empty


def test_a_store_is_opened_by_its_url(records: Records, tmp_path: Path) -> None:
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    assert len(mdfactory.open_store(f"sqlite:///{data}").systems()) == 8
    assert "runs.db" in repr(mdfactory.open_store(f"sqlite:///{data}"))
    with pytest.raises(NotInitialisedError):
        mdfactory.open_store(f"sqlite:///{tmp_path}").systems()
    for url in ("sqlite:/x", "mysql:///x", "sqlite", "sqlite:///"):
        with pytest.raises(ConfigError, match="sqlite:///"):
            mdfactory.open_store(url)


def test_a_url_may_be_one_file(tmp_path: Path) -> None:
    (tmp_path / "lab.db").touch()
    store = store_at(f"sqlite:///{tmp_path / 'lab.db'}")
    initialise(store, simulations=True, results=list(ResultType))
    assert store.owns(tmp_path / "lab.db")
    assert not (tmp_path / "runs.db").exists()


def test_the_example_of_the_documents_runs(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """As a script would, beside the folder of the tour."""
    assert run(["demo", str(tmp_path / "mdfactory-demo")]) == 0
    text = (MAIN / "docs" / "notebooks.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 4
    environment = os.environ | {"MPLBACKEND": "agg"}
    warnings = ["error", *(pytestconfig.getoption("pythonwarnings") or ())]
    subprocess.run(
        [sys.executable, *(f"-W{warning}" for warning in warnings), "-c", "\n".join(blocks)],
        cwd=tmp_path, env=environment, check=True,
    )  # fmt: skip
    assert (tmp_path / "density.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("filters", [{"hash": ""}, {"hash": []}, {"status": ""}])
def test_an_empty_filter_is_an_error_and_selects_nothing(
    records: Records, filters: dict[str, Any]
) -> None:
    with pytest.raises(QueryError, match="Leave it out to select all"):
        records.systems(**filters)


def test_an_empty_type_of_result_is_an_error(records: Records) -> None:
    with pytest.raises(QueryError, match="item_type= is empty"):
        records.overview(item_type="")


def record_everywhere(campaign: Path, count: int, frame: pd.DataFrame, **own: Any) -> list[str]:
    """Record a frame as analysis ``own`` of the first simulations; return their hashes."""
    folders = sorted(campaign.iterdir())[:count]
    for number, folder in enumerate(folders):
        given = {key: value(number) if callable(value) else value for key, value in own.items()}
        Simulation.open(folder).results.record_analysis("own", frame, **given)
    return [folder.name for folder in folders]


def test_labels_that_are_numbers_come_back_beside_an_index_of_hashes(
    records: Records, campaign: Path
) -> None:
    states = pd.MultiIndex.from_tuples([(0.0, 0.5), (1.0, 0.5)], names=["time", "fep-lambda"])
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=[0.0, 0.25], index=states)
    hashes = record_everywhere(campaign, 2, frame)
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    read = records.analysis("own")
    assert read.index.names == ["hash", "time", "fep-lambda"]
    for hash_ in hashes:
        assert_frame_equal(read.xs(hash_), frame, check_exact=True)
    assert_frame_equal(records.analysis("own", hash=hashes[0]).droplevel("hash"), frame)
    with_field = records.analysis("own", fields=["system.target_density"])
    assert list(with_field) == [0.0, 0.25, "system.target_density"]
    assert with_field.index.equals(read.index)


def test_units_and_extras_are_attributes(records: Records, campaign: Path) -> None:
    frame = pd.DataFrame([[1.0, 2.0]], columns=[0.0, 0.25], index=pd.Index([0.5], name="time"))
    frame.attrs = {"temperature": 300}
    units = {0.0: "kT", 0.25: "kT", "time": "ps"}
    hashes = record_everywhere(campaign, 2, frame, units=units, extras={"by": "us"})
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    for hash_ in (None, hashes[0]):
        read = records.analysis("own", hash=hash_)
        assert read.attrs == {"temperature": 300, "units": units, "extras": {"by": "us"}}
        assert [read.attrs["units"][label] for label in read.columns] == ["kT", "kT"]


def test_units_and_extras_that_differ_are_left_out_with_warnings(
    records: Records, campaign: Path
) -> None:
    frame = pd.DataFrame({"x": [1.0], "y": [2.0]})
    record_everywhere(
        campaign,
        2,
        frame,
        units=lambda number: {"x": "nm", "y": ["nm", "pm"][number]},
        extras=lambda number: {"by": "us"} | ({"only": 1} if number else {}),
    )
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    with pytest.warns(UserWarning, match="left out") as caught:
        read = records.analysis("own")
    assert read.attrs == {"units": {"x": "nm"}, "extras": {"by": "us"}}
    assert [str(warning.message) for warning in caught] == [
        "extra only: differs between simulations, left out",
        "unit of y: differs between simulations, left out",
    ]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "[]",
        '{"extras": 5}',
        '{"extras": {"units": [1]}}',
        '{"extras": {"units": {"x": {}, "y": null}}}',
        "[" * 5000,
    ],
)
def test_units_of_other_programs_that_are_no_units_are_left_out(entry: str) -> None:
    assert extras_of(entry) == ({}, {})


def test_fields_stand_beside_columns_of_several_levels(records: Records, campaign: Path) -> None:
    frame = pd.DataFrame({"res": [1, 1, 2], "rg": [1.0, 2.0, 3.0]})
    record_everywhere(campaign, 1, frame.groupby("res").agg({"rg": ["mean", "std"]}))
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    read = records.analysis("own", fields=["system.target_density"])
    assert list(read) == [("rg", "mean"), ("rg", "std"), ("system.target_density", "")]
    assert read["system.target_density"].notna().all()


def test_a_field_is_shown_once_and_never_hides_a_column(records: Records, campaign: Path) -> None:
    systems = records.systems(fields=["engine", "system.target_density", "system.target_density"])
    assert list(systems.columns)[-2:] == ["timestamp_utc", "system.target_density"]
    frame = pd.DataFrame({"engine": [1, 2], "engine_1": [3, 4]}, index=[5, 7])
    record_everywhere(campaign, 1, frame)
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    read = records.analysis("own", fields=["engine"])
    assert list(read) == ["hash", "engine", "engine_1", "engine_2"]
    assert list(read["engine_2"]) == ["gromacs", "gromacs"]
    assert list(read["engine"]) == [1, 2]
    assert list(read.index) == [5, 7]


def test_counts_of_species_that_some_simulations_lack_stay_integers(
    records: Records, campaign: Path
) -> None:
    water = campaign / "water"
    water.mkdir()
    text = "simulation_type: mixedbox\nparametrization: smirnoff\nsystem:\n  target_density: 1.0\n"
    species = "  species: [{resname: SOL, smiles: O, count: 5}]\n"
    (water / "build.yaml").write_text(text + species, encoding="utf-8")
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    systems = records.systems(fields=["system.species"])
    counts = systems["system.species.MEO.count"]
    assert (str(counts.dtype), counts.isna().sum()) == ("Int64", 1)
    assert str(systems["system.species.SOL.count"].dtype) == "int64"
    overview = records.overview(fields=["system.species.MEO.count"])
    assert str(overview["system.species.MEO.count"].dtype) == "Int64"


def test_artifacts_without_simulation_have_no_fields(records: Records) -> None:
    field = "system.species.SOL.count"
    held = list(records.artifact("density_plot")["hash"])
    records.store.delete(SIMULATIONS, (Prefix("hash", held[0]),))
    counts = records.artifact("density_plot", fields=[field]).set_index("hash")[field]
    assert str(counts.dtype) == "Int64"
    assert counts.isna().to_dict() == {hash_: hash_ == held[0] for hash_ in held}


def test_results_without_simulation_have_no_fields(records: Records) -> None:
    records.store.delete(SIMULATIONS, (Prefix("hash", FIRST),))
    read = records.analysis("rdf_oxygen", fields=["system.species.SOL.count"])
    assert read[read["hash"] == FIRST]["system.species.SOL.count"].isna().all()
    assert str(read["system.species.SOL.count"].dtype) == "Int64"
    assert read[read["hash"] != FIRST]["system.species.SOL.count"].notna().all()


def test_units_of_the_registry_win_over_attributes(records: Records, campaign: Path) -> None:
    frame = pd.DataFrame({"x": [1.0]})
    frame.attrs = {"units": {"x": "old"}}
    record_everywhere(campaign, 2, frame, units=lambda number: {"x": ["nm", "pm"][number]})
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    with pytest.warns(UserWarning, match="unit of x: differs"):
        assert records.analysis("own").attrs == {}
    with pytest.warns(UserWarning, match="unit of x: differs"):
        records.analysis("own", fields=["engine"])


def test_a_unit_of_half_a_character_is_read(records: Records, campaign: Path) -> None:
    record_everywhere(campaign, 1, pd.DataFrame({"x": [1.0]}), units={"x": "\ud800"})
    push(records.store, str(campaign), ConflictMode.skip, ALL)
    assert records.analysis("own").attrs["units"] == {"x": "\ud800"}


def test_each_method_narrows_by_composition(records: Records) -> None:
    rich = ["species.MEO.fraction > 0.4"]
    systems = records.systems(where=rich, fields=["composition"], sort="-species.MEO.fraction")
    assert list(systems["composition"])[-1] == "SOL 225 + MEO 225"
    assert len(systems) == 3
    done = set(systems[systems["status"] == "completed"]["hash"])
    assert set(records.overview(where=[*rich, "status = completed"])["hash"]) == done
    assert set(records.analysis("rdf_oxygen", where=rich)["hash"]) == done
    assert set(records.artifact("density_plot", where=rich, contains=["CO"])["hash"]) == done
    counts = records.analyses(where=rich).set_index("name")
    assert (counts["completed"]["rdf_oxygen"], counts["missing"]["rdf_oxygen"]) == (1, 0)
    with pytest.warns(UserWarning, match="no simulation has the tag 'project', nor any other"):
        assert set(records.artifacts(tag=["project"])["name"]) == set()


def test_errors_of_a_search_name_the_argument(records: Records) -> None:
    with pytest.raises(QueryError, match=r"^where='species.MEO.count > x', character 21: "):
        records.systems(where=["species.MEO.count > x"])
    with pytest.raises(QueryError, match=r"^contains='C\(': RDKit cannot read"):
        records.analyses(contains=["C("])
