"""The statistics behind a report, as a table."""

from __future__ import annotations

from mdfactory.report.table import FIGURES, NAMES, statistics_table

HASHES = ["A" * 40, "B" * 40]


def test_each_simulation_quantity_and_group_has_a_row() -> None:
    entry = {
        "name": "area",
        "quantities": [{"name": "apl"}, {"name": "height"}],
        "group_values": [["upper", "POPC"], ["lower", "POPC"]],
        "statistics": {
            "simulation": [0, 0, 1],
            "quantity": [0, 1, 0],
            "group": [0, 1, None],
            "mean": [1.5, None, 2.5],
            "levelled": [True, None, False],
        },
    }
    table = statistics_table([entry, {"name": "empty"}], HASHES)
    assert table.column_names == [*NAMES, *FIGURES]
    rows = table.select([*NAMES, "mean", "levelled", "drift"]).to_pylist()
    assert [[*row.values()] for row in rows] == [
        ["area", "apl", "upper, POPC", HASHES[0], 1.5, True, None],
        ["area", "height", "lower, POPC", HASHES[0], None, None, None],
        ["area", "apl", "upper, POPC", HASHES[1], 2.5, False, None],
    ]


def test_a_table_without_groups_has_empty_ones() -> None:
    statistics = {"simulation": [1], "maximum": [2.0]}
    entry = {"name": "rdf", "quantities": [{"name": "g"}], "group_values": []}
    [row] = statistics_table([entry | {"statistics": statistics}], HASHES).to_pylist()
    assert (row["quantity"], row["group"], row["hash"], row["maximum"]) == ("g", "", HASHES[1], 2.0)


def test_without_statistics_the_table_has_its_columns() -> None:
    assert statistics_table([], HASHES).column_names == [*NAMES, *FIGURES]
