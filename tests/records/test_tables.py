"""Record tables have the names and columns of existing installations."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mdfactory.errors import InvalidNameError
from mdfactory.records.arrow import array, nulls, texts
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    artifact_table,
    table_named,
)

COLUMNS = {
    "RUN_DATABASE": (
        "hash, engine, parametrization, simulation_type, input_data, input_data_type, directory, "
        "status, timestamp_utc"
    ),
    "ANALYSIS_OVERVIEW": (
        "hash, simulation_type, directory, item_type, item_name, status, row_count, file_count, "
        "updated_at"
    ),
    "ANALYSIS_rdf": (
        "hash, directory, simulation_type, row_count, columns, data_csv, data_path, timestamp_utc"
    ),
    "ARTIFACT_rdf": "hash, directory, simulation_type, file_count, files, checksums, timestamp_utc",
}
TABLES = [SIMULATIONS, OVERVIEW, analysis_table("rdf"), artifact_table("rdf")]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_record_tables_have_their_columns_in_order(table: Table) -> None:
    assert ", ".join(table.columns) == COLUMNS[table.name]
    assert set(table.key) | set(table.summary) | set(table.bulky) <= set(table.columns)


@pytest.mark.parametrize("name", ["a", "area_per_lipid", "X9_", "a" * 48, "Overviews"])
def test_a_valid_name_names_a_table(name: str) -> None:
    assert analysis_table(name).name == f"ANALYSIS_{name}"
    assert artifact_table(name).name == f"ARTIFACT_{name}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "9a",
        "_a",
        "a-b",
        "a b",
        "a" * 49,
        'a"; DROP TABLE x',
        "é",
        "a\n",
        "overview",
        "OverView",
    ],
)
def test_an_invalid_name_is_refused_with_its_name(name: str) -> None:
    for result_table in (analysis_table, artifact_table):
        with pytest.raises(InvalidNameError) as caught:
            result_table(name)
        assert name.lower() in str(caught.value).lower() or repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "namespace", "columns"),
    [
        ("run_database", Namespace.runs, SIMULATIONS.columns),
        ("ANALYSIS_OVERVIEW", Namespace.results, OVERVIEW.columns),
        ("ANALYSIS_AREA_PER_LIPID", Namespace.results, analysis_table("a").columns),
        ("artifact_density_plot", Namespace.results, artifact_table("a").columns),
    ],
)
def test_table_named_finds_a_record_table_in_any_case(
    name: str, namespace: Namespace, columns: tuple[str, ...]
) -> None:
    table = table_named(name, namespace)
    assert table is not None
    assert (table.name, table.columns) == (name, columns)


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("RUN_DATABASE", Namespace.results),
        ("ANALYSIS_rdf", Namespace.runs),
        ("_mdfactory_digest", Namespace.results),
        ("sqlite_stat1", Namespace.runs),
        ("ANALYSIS_", Namespace.results),
        ("ANALYSIS_a-b", Namespace.results),
        ("ARTIFACT_overview", Namespace.results),
    ],
)
def test_table_named_is_none_for_other_tables(name: str, namespace: Namespace) -> None:
    assert table_named(name, namespace) is None


def test_texts_returns_the_values_given_to_array() -> None:
    column = array(["", "a", "é😀"], pa.string())
    assert column.equals(pa.array(["", "a", "é😀"], pa.string()))
    assert texts(column) == texts(pa.chunked_array([column])) == ["", "a", "é😀"]


@pytest.mark.parametrize("data_type", [pa.int64(), pa.list_(pa.string()), pa.decimal128(5, 2)])
def test_nulls_have_the_given_type(data_type: pa.DataType) -> None:
    assert nulls(2, data_type).equals(pa.array([None, None], data_type))
