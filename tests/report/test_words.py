"""The words of a page about a store of several kinds of simulations and results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chromium import needs_browser
from mdfactory import Simulation
from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ResultType, SimulationType
from mdfactory.report.page import asset
from mdfactory.report.report import write_report
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DONE = "FD017140D9BF9DC3E566983C44C59E634D032C4D"
ONLY_WATER = "CC4D"

pytestmark = needs_browser


@pytest.fixture
def page(browser: Browser, campaign: Path) -> Iterator[Page]:
    """A page of the example campaign, with adopted runs and an analysis by species."""
    expected = Catalogue({SimulationType.mixedbox: {ResultType.analysis: ["area"]}})
    write_report(_store(campaign), campaign / "report.html", catalogue=expected)
    page = browser.new_page()
    page.goto((campaign / "report.html").as_uri())
    page.locator("html[data-ready]").wait_for()
    yield page
    page.close()


def _store(campaign: Path) -> MemoryStore:
    for folder in campaign.glob("*/.analysis"):
        species = ["SOL"] if folder.parent.name.startswith(ONLY_WATER) else ["MEO", "SOL"]
        results = Simulation.open(folder.parent).results
        times = [k for k in range(40) for _ in species]
        values = [1.0 + k % 7 for k in times]
        msd = {"time_ps": times, "species": species * 40, "D": values}
        results.record_analysis("msd", _table(msd), units={"D": "1e-9 m2/s"})
        results.record_analysis("viscosity", _table({"value_mpa_s": [0.8]}))
    store = MemoryStore()
    scope = Scope(simulations=True, results=list(ResultType))
    initialise(store, simulations=True, results=scope.results)
    push(store, str(campaign), scope=scope)
    write_records(store, SIMULATIONS, _adopted(f"{1:040X}", "cold", 298.15, 1.01325))
    write_records(store, SIMULATIONS, _adopted(f"{2:040X}", "warm", 310.15, 1.5))
    return store


def _table(columns: dict[str, Any]) -> Any:
    import pyarrow as pa

    return pa.table(columns)


def _adopted(hash_: str, name: str, kelvin: float, bar: float) -> dict[str, str]:
    molecules = [{"name": "ETH", "count": 14}, {"name": "SOL", "count": 179}]
    system = {"name": name, "molecules": molecules, "temperature": kelvin, "pressure": bar}
    own = {"simulation_type": "adopted", "parametrization": "external", "engine": "gromacs"}
    document = json.dumps({**own, "system": system})
    return run(hash_, **own, status="production", input_data=document)


def _show(page: Page, fragment: str) -> str:
    page.evaluate("fragment => { location.hash = fragment; }", fragment)
    section = fragment.partition("/")[0]
    page.locator(f'#sections a[href="#{section}"][aria-current]').wait_for()
    return page.inner_text("main")


def test_the_names_of_adopted_runs_are_shown(page: Page) -> None:
    undone = page.locator("section", has_text="Not completed").locator("tr")
    assert undone.filter(has_text="cold: ETH 14 + SOL 179").count() == 1
    assert undone.filter(has_text="warm: ETH 14 + SOL 179").count() == 1


def test_temperatures_and_pressures_are_shown_as_they_are_with_units(page: Page) -> None:
    assert "298.15 to 310.15" in page.locator("tr", has_text="temperature (K)").first.inner_text()
    own = _show(page, f"simulations/{1:040X}")
    assert page.inner_text("h1") == "cold: ETH 14 + SOL 179"
    assert "temperature (K)\t298.15" in own
    assert "pressure (bar)\t1.01325" in own


def test_a_simulation_has_each_field_once(page: Page) -> None:
    _show(page, f"simulations/{1:040X}")
    heads = page.locator("table.varying th").all_inner_texts()
    assert {"simulation type", "parametrization"} <= {*heads}
    assert len(heads) == len({*heads})


def test_a_column_of_statistics_names_its_group_and_its_analysis(page: Page) -> None:
    _show(page, "simulations")
    heads = page.locator(".scroller thead th").all_inner_texts()
    assert "msd: D of MEO (1e-9 m2/s)" in heads
    assert "hydrogen bonds: count" in heads
    assert "density (g/cm³)" in heads
    place = heads.index("msd: D of MEO (1e-9 m2/s)")
    cells = page.locator("tr", has_text=ONLY_WATER).locator("td").nth(place)
    assert cells.inner_text() == "–"  # noqa: RUF001  # a dash
    assert page.locator("tr", has_text="FD01").locator("td").nth(place).inner_text()


def test_fields_that_vary_and_those_that_do_not_are_named_in_one_way(page: Page) -> None:
    text = page.inner_text("main")
    assert "system." not in text
    assert page.locator("dt span[title='engine']").inner_text() == "engine"


def test_results_that_no_simulation_has_come_last(page: Page) -> None:
    text = _show(page, "matrix").replace("\u200b", "")
    assert text.index("last_frame_pdb") < text.index("area")


def test_a_card_says_which_groups_and_quantities_its_plots_leave_out(page: Page) -> None:
    _show(page, "analyses")
    cards = page.locator(".card")
    assert "1 of 2 groups (species MEO) shown" in cards.filter(has_text="msd").inner_text()
    assert "1 of 3 quantities (Lx) shown" in cards.filter(has_text="Lx").first.inner_text()
    assert "shown" not in cards.filter(has_text="g(r)").first.inner_text()
    assert "groups (" not in _show(page, "analyses/msd")


def test_an_analysis_without_curves_is_on_the_page_of_a_simulation(page: Page) -> None:
    text = _show(page, f"simulations/{DONE}")
    assert "Analyses without curves" in text
    assert "viscosity\tvalue mpa s: 0.8." in text
    assert "system_chemistry\tmolecules" in text.replace("\u200b", "")
    assert "Mean D (MEO, 1 of 2 groups): " in text
    [water] = [path.name for path in _folders(page) if path.name.startswith(ONLY_WATER)]
    assert "Mean D (SOL, 1 of 2 groups): " in _show(page, f"simulations/{water}")


def _folders(page: Page) -> list[Path]:
    from urllib.parse import unquote, urlsplit

    return [*Path(unquote(urlsplit(page.url).path)).parent.iterdir()]


def _written(browser: Browser, expression: str) -> str:
    """Return the value of an expression of the page's script, with a plain minus."""
    page = browser.new_page()
    found = page.evaluate(f"() => {{ {asset('script/data.js')} return {expression}; }}")
    page.close()
    return str(found).replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ("118.9234567, 121.261", "118.9 to 121.3"),
        ("0.4928451234, 0.494", "0.4928 to 0.4940"),
        ("0.1, 0.96", "0.10 to 0.96"),
        ("298.15, 310", "298.15 to 310.00"),
        ("18, 1405", "18 to 1,405"),
        ("2, 2", "2"),
        ("0.0002, 123.4567891", "0.0002 to 123.5"),
        ("1e-9, 2.5", "1e-9 to 2.5"),
        ("-1.25, 0", "-1.25 to 0.00"),
    ],
)
def test_both_ends_of_a_range_have_as_many_decimals(browser: Browser, ends: str, text: str) -> None:
    assert _written(browser, f"formatRange([{ends}])") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("298.15", "298.15"),
        ("Math.fround(298.15)", "298.15"),
        ("1.01325", "1.01325"),
        ("1 / 3", "0.3333"),
        ("0.1 + 0.2", "0.3"),
        ("298.1534", "298.2"),
        ("1234567.5", "1.23e6"),
        ("1.2345e-9", "1.2345e-9"),
        ("1e-5 / 3", "3.33e-6"),
        ("0", "0"),
        ("12345", "12,345"),
    ],
)
def test_numbers_that_people_write_are_not_rounded(browser: Browser, value: str, text: str) -> None:
    assert _written(browser, f"formatValue({value})") == text
