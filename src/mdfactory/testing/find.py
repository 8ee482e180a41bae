"""The part of the contract suite about searches: the answer is the same on all stores."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from mdfactory.errors import QueryError
from mdfactory.records.query import OneOf, Prefix, Query, Sort
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.find import find
from mdfactory.sync.search import parse_search
from mdfactory.testing.raw import StoreUnderTest, read_hashes, write_records
from mdfactory.testing.records import DENSITY, analysis, overview, run


def _molecule(resname: str, count: int | None, **others: Any) -> dict[str, Any]:
    return {"resname": resname, "count": count, **others}


WATER, METHANOL = {"smiles": "O"}, {"smiles": "CO"}
STEROL: Final = "CC(C)CCC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C"

SYSTEMS: Final[dict[str, tuple[str, str, dict[str, Any], dict[str, str] | None]]] = {
    "A1": (
        "mixedbox",
        "completed",
        {
            "species": [
                _molecule("SOL", 60, fraction=0.6, **WATER),
                _molecule("MEO", 40, fraction=0.4, **METHANOL),
            ],
            "target_density": 0.9,
        },
        {"project": "x", "owner": "a=b"},
    ),
    "A2": (
        "mixedbox",
        "build",
        {"species": [_molecule("SOL", 9, fraction=1.0, **WATER)], "target_density": 1.0},
        {"project": "y"},
    ),
    "B1": (
        "bilayer",
        "production",
        {
            "species": [
                _molecule("CHL", 20, fraction=0.2, smiles=STEROL),
                _molecule("POP", 30, fraction=0.3, smiles="CCC"),
                _molecule("POP", 50, fraction=0.5, smiles="CCCC"),
            ],
            "monolayer": False,
        },
        None,
    ),
    "B2": (
        "lnp",
        "build",
        {
            "core": {"species": [_molecule("TRI", 0, fraction=1.0, smiles="CCO")]},
            "shell": {"species": [_molecule("POP", 7, fraction=1.0, smiles="CCC")]},
        },
        {},
    ),
    "C1": (
        "protein_mixedbox",
        "completed",
        {
            "protein": {"resname": "PRO", "count": 1},
            "species": [_molecule("SOL", None, concentration=55.0, **WATER)],
        },
        {"project": ""},
    ),
    "C2": (
        "adopted",
        "build",
        {
            "name": "T298/rep2",
            "molecules": [{"name": "a > b", "count": 3}, {"name": "SOL", "count": 500}],
            "temperature": 298.0,
        },
        None,
    ),
}
"""Hash -> type, status, system and tags of a simulation."""

ALL: Final = sorted(SYSTEMS)

SEARCHES: Final[list[tuple[dict[str, list[str]], list[str]]]] = [
    ({}, ALL),
    ({"where": ["system.species.MEO.fraction > 0.3"]}, ["A1"]),
    ({"where": ["system.species.MEO.fraction = 0"]}, ["A2", "B1", "C1"]),
    ({"where": ["species.POP.count > 5"]}, ["B1", "B2"]),
    ({"where": ["species.POP.count = 80"]}, ["B1"]),
    ({"where": ["species.SOL.count >= 9", "status != build"]}, ["A1"]),
    ({"where": ["species.SOL.count = 0"]}, ["B1", "B2"]),
    ({"where": ["species.SOL.concentration > 50"]}, ["C1"]),
    ({"where": ["system.molecules.SOL.count >= 500"]}, ["C2"]),
    ({"where": ['species."a > b".count = 3']}, ["C2"]),
    ({"where": ["system.name ~ REP"]}, ["C2"]),
    ({"where": ["system.monolayer = false"]}, ["B1"]),
    ({"where": ["system.target_density != 1.0"]}, ["A1", "B1", "B2", "C1", "C2"]),
    ({"where": ["simulation_type = lnp"]}, ["B2"]),
    ({"where": ["directory ~ /B"]}, ["B1", "B2"]),
    ({"where": ["tags.project = x"]}, ["A1"]),
    ({"tag": ["project"]}, ["A1", "A2", "C1"]),
    ({"tag": ["project="]}, ["C1"]),
    ({"tag": ["project=x", "owner=a=b"]}, ["A1"]),
    ({"tag": ["project=z"]}, []),
    ({"contains": ["CO"]}, ["A1", "B1", "B2"]),
    ({"contains": ["smarts:[OX2H2]", "CO"]}, ["A1"]),
    ({"contains": ["C1CCC2C(C1)CCC1C3CCCC3CCC21"]}, []),
    ({"contains": ["C1=C2CCCCC2C2CCC3CCCC3C2C1"]}, ["B1"]),
    ({"contains": ["N"]}, []),
]
"""Arguments of `parse_search` -> hashes of the simulations that meet them."""


class FindTests(StoreUnderTest):
    """Tests of searches by the BuildInputs of simulations."""

    @pytest.fixture
    def varied(self, store: Store) -> Store:
        """Return a store with simulations of several types, and results, in no order."""
        rows = [
            run(
                hash_,
                simulation_type=type_,
                status=status,
                input_data=json.dumps(
                    {"simulation_type": type_, "system": system, "tags": tags}, ensure_ascii=False
                ),
            )
            for hash_, (type_, status, system, tags) in SYSTEMS.items()
        ]
        write_records(store, SIMULATIONS, *rows[::2], *rows[1::2])
        counts = {"C2": 3, "A1": 30, "B1": 12, "A3": 7}  # A3 is in the store with results only
        write_records(
            store, DENSITY, *(analysis(hash_, row_count=count) for hash_, count in counts.items())
        )
        write_records(
            store,
            OVERVIEW,
            *(
                overview(hash_, name, row_count=count, status="completed" if count else "queued")
                for hash_, count in {**counts, "A2": 0}.items()
                for name in ("density", "rdf")
            ),
        )
        return store

    def test_searches_find_simulations_and_their_results(self, varied: Store) -> None:
        for arguments, expected in SEARCHES:
            assert _find(varied, SIMULATIONS, EVERYTHING, **arguments) == expected, arguments
            # For each table, except on conditions that are on columns of its own.
            if not any("status" in text for text in arguments.get("where", ())):
                lone = ["A3"] if not arguments else []
                results = sorted({"A1", "B1", "C2"} & {*expected}) + lone
                assert _find(varied, DENSITY, EVERYTHING, **arguments) == sorted(results), arguments

    def test_a_search_narrows_what_the_store_has_filtered(self, varied: Store) -> None:
        search = parse_search(where=["species.SOL.count > 5"])
        notes: list[str] = []
        with varied.transaction() as transaction:
            for where, expected in (
                ((Prefix("hash", "A"),), ["A1", "A2"]),
                ((OneOf("status", ("build",)),), ["A2", "C2"]),
                ((Prefix("hash", "B"),), []),
            ):
                found = find(transaction, SIMULATIONS, Query(where), search, notes.append)
                assert found.schema == SIMULATIONS.schema
                hashes = [row["hash"] for rows in found.batches for row in rows.to_pylist()]
                assert sorted(hashes) == expected
        assert notes == []

    def test_the_limit_counts_what_was_found_in_the_order_of_a_field(self, varied: Store) -> None:
        for table in (SIMULATIONS, DENSITY):
            for column, descending, limit, expected in (
                ("species.SOL.count", False, 2, ["A1", "C2"]),
                ("species.SOL.count", True, 1, ["C2"]),
                ("species.SOL.count", False, 0, []),
                ("hash", True, 2, ["C2", "A1"]),
            ):
                query = Query(sort=Sort(column, descending), limit=limit)
                search = {"where": ["species.SOL.count > 50"]}
                assert _find(varied, table, query, **search) == expected, (table.name, column)
        query = Query(sort=Sort("row_count", descending=True))
        assert _find(varied, DENSITY, query, where=["row_count > 5"]) == ["A1", "B1"]

    def test_fields_become_columns_of_their_kind(self, varied: Store) -> None:
        fields = ["composition", "species.SOL.count", "system.target_density", "system.name"]
        fields += ["system.monolayer", "status", "species.TRI"]
        search = parse_search(fields=fields)
        query = Query(columns=("hash", "status"), sort=Sort("hash"))
        with varied.transaction() as transaction:
            found = find(transaction, SIMULATIONS, query, search)
            rows = [tuple(row.values()) for part in found.batches for row in part.to_pylist()]
        names = ["hash", "status", *fields[:5], "species.TRI.count", "species.TRI.fraction"]
        assert found.schema.names == [*names, "species.TRI.smiles"]
        types = ["string", "string", "string", "int64", "double", "string", "bool", "int64"]
        assert [str(kind) for kind in found.schema.types] == [*types, "double", "string"]
        lacks = (None,) * 3
        assert rows == [
            ("A1", "completed", "SOL 60 + MEO 40", 60, 0.9, None, None, *lacks),
            ("A2", "build", "SOL 9", 9, 1.0, None, None, *lacks),
            ("B1", "production", "CHL 20 + POP 80", None, None, None, False, *lacks),
            ("B2", "build", "core: TRI 0 | shell: POP 7", None, None, None, None, 0, 1.0, "CCO"),
            ("C1", "completed", "PRO 1 + SOL 55.0 M", None, None, None, None, *lacks),
            ("C2", "build", "a > b 3 + SOL 500", 500, None, "T298/rep2", None, *lacks),
        ]

    def test_results_have_the_fields_of_their_simulations(self, varied: Store) -> None:
        query = Query(columns=("hash", "item_name", "status"), sort=Sort("hash"))
        fields = ["species.SOL.count", "engine"]
        notes: list[str] = []
        with varied.transaction() as transaction:
            found = find(transaction, OVERVIEW, query, parse_search(fields=fields), notes.append)
            rows = {tuple(row.values()) for part in found.batches for row in part.to_pylist()}
        assert found.schema.names == ["hash", "item_name", "status", *fields]
        assert {(row[0], *row[3:]) for row in rows} == {
            ("A1", 60, "gromacs"),
            ("A2", 9, "gromacs"),
            ("A3", None, None),
            ("B1", None, "gromacs"),
            ("C2", 500, "gromacs"),
        }
        assert len(rows) == 10
        assert notes == []

    def test_results_without_a_simulation_are_counted_and_meet_nothing(self, varied: Store) -> None:
        notes: list[str] = []
        search = parse_search(where=["row_count > 1", "engine = gromacs"])
        with varied.transaction() as transaction:
            found = find(transaction, OVERVIEW, Query(columns=("hash",)), search, notes.append)
            hashes = {row["hash"] for part in found.batches for row in part.to_pylist()}
        assert hashes == {"A1", "B1", "C2"}
        assert notes == ["2 records left out, whose simulation is not in the store"]
        assert _find(varied, OVERVIEW, where=["status = queued"]) == ["A2", "A2"]

    def test_simulations_without_smiles_are_counted(self, varied: Store) -> None:
        notes: list[str] = []
        with varied.transaction() as transaction:
            search = parse_search(contains=["O"])
            list(find(transaction, SIMULATIONS, Query(), search, notes.append).batches)
        assert notes == ["1 simulation left out, whose molecules have no SMILES"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["system.species.MEO.fracton > 1"], "there are system.species.MEO.fraction"),
            (["system.species.ETO.count > 1"], "no simulation has a field"),
            (["statsu = build"], "did you mean status?"),
            (["species.SOL.count > x"], "character 21: species.SOL.count is a number"),
            (["system.name > 3"], 'system.name is a text, and 3 is a number; write "3" in quotes'),
            (["hash = 3"], "hash is a text"),
            (["system.core = 3"], "is a section of several fields"),
        ],
    )
    def test_a_field_that_no_simulation_has_is_an_error(
        self, varied: Store, arguments: list[str], message: str
    ) -> None:
        with pytest.raises(QueryError) as caught:
            _find(varied, SIMULATIONS, where=arguments)
        assert message in str(caught.value)
        with pytest.raises(QueryError):
            _find(varied, DENSITY, where=arguments)

    def test_an_empty_store_gives_an_empty_answer(self, store: Store) -> None:
        query = Query(sort=Sort("system.x"))
        for table in (SIMULATIONS, DENSITY, OVERVIEW):
            where, fields = ["system.x > 1"], ["system.y", "composition"]
            assert _find(store, table, query, where=where, fields=fields, contains=["C"]) == []

    def test_clear_removes_what_a_search_finds(self, varied: Store) -> None:
        search = parse_search(where=["row_count > 10"])
        selection = select(varied, tables=[DENSITY], search=search)
        assert selection.lines == ["2 records of ANALYSIS_density that meet the conditions"]
        assert clear(varied, selection) == {DENSITY.name: 2}
        assert sorted(read_hashes(varied, DENSITY)) == ["A3", "C2"]
        query = Query((OneOf("item_name", ("density",)),), ("hash", "status"))
        rows = [row for part in varied.read(OVERVIEW, query) for row in part.to_pylist()]
        assert sorted(rows, key=str) == [
            {"hash": "A1", "status": "not_yet_run"},
            {"hash": "A2", "status": "queued"},
            {"hash": "A3", "status": "completed"},
            {"hash": "B1", "status": "not_yet_run"},
            {"hash": "C2", "status": "completed"},
        ]

    def test_clear_of_simulations_removes_all_of_them(self, varied: Store) -> None:
        search = parse_search(where=["status = build"])
        selection = select(varied, simulations=True, overview=True, tables=[DENSITY], search=search)
        removed = clear(varied, selection)
        assert removed == {SIMULATIONS.name: 3, OVERVIEW.name: 4, DENSITY.name: 1}
        assert sorted(read_hashes(varied)) == ["A1", "B1", "C1"]
        assert {*read_hashes(varied, OVERVIEW)} == {"A1", "A3", "B1"}
        assert len(self.raw_digests(SIMULATIONS)) == 3


EVERYTHING: Final = Query()


def _find(store: Store, table: Table, query: Query = EVERYTHING, **arguments: Any) -> list[str]:
    """Return the hashes of the records that are found; in order, unless the query has one."""
    with store.transaction() as transaction:
        found = find(transaction, table, query, parse_search(**arguments))
        hashes = [row["hash"] for rows in found.batches for row in rows.to_pylist()]
    return hashes if query.sort else sorted(hashes)
