"""Which results count as missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from mdfactory import Simulation
from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.errors import NotInitialisedError, QueryError
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode, ResultId, ResultType, SimulationType
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.completeness import MIN_SIMULATIONS, expect, read_completeness
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.records import overview, records, run

ALL = Scope(simulations=True, results=list(ResultType))
COMPLETED_WITHOUT = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
FRESH = "2071DE6353CF75B3049856E059488D3CE307F956"


def _analysis(name: str) -> ResultId:
    return ResultType.analysis, name


CHEMISTRY, PDB = _analysis("system_chemistry"), (ResultType.artifact, "last_frame_pdb")
OF_A_MIXED_BOX = expect(Catalogue(), {})


@pytest.mark.parametrize("status", ["production", "completed"])
def test_the_catalogue_is_expected_of_a_simulation_that_has_run(status: str) -> None:
    assert OF_A_MIXED_BOX.judge("mixedbox", status, ()) == {CHEMISTRY: False, PDB: False}


@pytest.mark.parametrize("status", ["build", "equilibrated", "of a newer version", None])
def test_nothing_is_missing_before_a_simulation_has_run(status: str | None) -> None:
    assert OF_A_MIXED_BOX.judge("mixedbox", status, ()) == {}


@pytest.mark.parametrize("status", ["build", None])
def test_a_simulation_that_has_results_can_have_the_others(status: str | None) -> None:
    assert OF_A_MIXED_BOX.judge("mixedbox", status, {CHEMISTRY}) == {CHEMISTRY: True, PDB: False}


def test_nothing_is_expected_of_an_unknown_type() -> None:
    assert OF_A_MIXED_BOX.judge("proteoliposome", "completed", ()) == {}


def test_a_name_of_the_configuration_is_expected_of_its_type() -> None:
    added = Catalogue({SimulationType.lnp: {ResultType.analysis: ["pKa"]}})
    assert expect(added, {}).judge("lnp", "completed", ()) == {_analysis("pKa"): False}
    assert _analysis("pKa") not in expect(added, {}).judge("mixedbox", "completed", ())


def test_a_name_is_expected_once_several_simulations_of_the_type_have_it() -> None:
    tried = {("lnp", "analysis", "tried"): 1, ("bilayer", "analysis", "tried"): 500}
    assert expect(Catalogue(), tried).judge("lnp", "completed", ()) == {}
    used = {("lnp", "analysis", "used"): MIN_SIMULATIONS}
    assert expect(Catalogue(), used).judge("lnp", "completed", ()) == {_analysis("used"): False}


def test_a_result_that_one_simulation_has_is_shown_there() -> None:
    expectations = expect(Catalogue(), {("lnp", "analysis", "Tried"): 1})
    assert expectations.judge("lnp", "completed", {_analysis("tried")}) == {
        _analysis("Tried"): True
    }


def test_names_are_compared_regardless_of_case() -> None:
    spelt = {("lnp", "analysis", "RMSD"): 1, ("lnp", "analysis", "rmsd"): 1}
    assert expect(Catalogue(), spelt).judge("lnp", "completed", ()) == {_analysis("RMSD"): False}
    upper = expect(Catalogue(), {("mixedbox", "analysis", "SYSTEM_CHEMISTRY"): 1})
    assert upper.judge("mixedbox", "completed", {CHEMISTRY}) == {CHEMISTRY: True, PDB: False}


def test_results_of_an_unknown_kind_are_left_out() -> None:
    assert expect(Catalogue(), {("lnp", "movie", "m"): 9}).judge("lnp", "completed", ()) == {}


# In a store


@pytest.fixture
def store(campaign: Path) -> Store:
    """The example campaign: 4 completed, of which 1 has no results, 1 production, 3 before."""
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    return store


def _counts(store: Store, **filters: str) -> dict[str, tuple[int, int]]:
    """Return name -> number of simulations that have the result, and that lack it."""
    judged = read_completeness(store, Catalogue(), **filters)
    marks = Counter((name, done) for row in judged for (_, name), done in row.results.items())
    return {name: (marks[name, True], marks[name, False]) for name, _ in marks}


def test_only_simulations_that_have_run_miss_results(store: Store) -> None:
    assert _counts(store) == {
        "box_size_timeseries": (4, 1),
        "density_plot": (3, 2),
        "density_timeseries": (4, 1),
        "hydrogen_bonds": (3, 2),
        "last_frame_pdb": (3, 2),
        "rdf_oxygen": (4, 1),
        "system_chemistry": (4, 1),
    }
    simulations = list(read_completeness(store, Catalogue()))
    assert [row.hash for row in simulations] == sorted(row.hash for row in simulations)
    assert len(simulations) == 8
    assert [row.hash for row in simulations if not any(row.results.values())][1:2] == [FRESH]


def test_filters_select_simulations_and_results_but_change_no_expectation(store: Store) -> None:
    assert _counts(store, hash_prefix=COMPLETED_WITHOUT[:6].lower(), item_type="artifact") == {
        "density_plot": (0, 1),
        "last_frame_pdb": (0, 1),
    }
    assert _counts(store, item_type="analysis", status="completed")["hydrogen_bonds"] == (3, 0)
    assert _counts(store, item_type="analysis", status="not_yet_run")["hydrogen_bonds"] == (0, 2)
    missing = list(read_completeness(store, Catalogue(), status="not_yet_run"))
    assert [row.hash[:4] for row in missing] == ["0BDC", "9696", "E647"]
    assert _counts(store, simulation_type="lnp") == {}


@pytest.mark.parametrize("filters", [{"hash_prefix": "x"}, {"status": ""}, {"item_type": "plot"}])
def test_an_invalid_filter_is_an_error(store: Store, filters: dict[str, str]) -> None:
    with pytest.raises(QueryError):
        _counts(store, **filters)


def test_a_name_that_a_later_push_brings_is_missing_of_earlier_ones(
    store: Store, campaign: Path
) -> None:
    """Jobs push their own folders: the overview has no row for results of later jobs."""
    names = [COMPLETED_WITHOUT, "CC4D89E0997487E23A5CA417BC302361B5440904"]
    for name in names:
        Simulation.open(campaign / name).results.record_analysis("late", pa.table({"x": [1]}))
        push(store, str(campaign / name), ConflictMode.update, ALL)
    late = OneOf("item_name", ("late",))
    assert store.count(OVERVIEW, (late,)) == 2
    assert _counts(store)["late"] == (2, 3)


def test_a_simulation_whose_record_is_not_in_the_store_can_have_what_it_has(
    store: Store, campaign: Path
) -> None:
    clear(store, select(store, simulations=True))
    assert _counts(store)["hydrogen_bonds"] == (3, 1)
    assert store.count(SIMULATIONS) == 0


def test_a_store_of_results_alone_is_judged(campaign: Path) -> None:
    store = MemoryStore()
    initialise(store, results=list(ResultType))
    push(store, str(campaign), scope=Scope(results=list(ResultType)))
    assert _counts(store)["hydrogen_bonds"] == (3, 1)


def test_a_store_without_an_overview_is_an_error() -> None:
    with pytest.raises(NotInitialisedError):
        list(read_completeness(MemoryStore(), Catalogue()))


def test_one_simulation_does_not_make_five_hundred_incomplete() -> None:
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    hashes = [f"{number:040X}" for number in range(501)]
    rows = [overview(hash_, "tried") for hash_ in hashes]
    rows[7] |= {"status": "completed", "row_count": 5}
    runs = [run(hash_, status="completed") for hash_ in hashes]
    batches = [(SIMULATIONS, records(SIMULATIONS, *runs)), (OVERVIEW, records(OVERVIEW, *rows))]
    store.write(batches, ConflictMode.force)
    assert _counts(store, item_type="analysis") == {"tried": (1, 0), "system_chemistry": (0, 501)}
