"""The page in a browser: it shows the data that it holds, and runs nothing else."""

from __future__ import annotations

import csv
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import StringIO
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chromium import needs_browser
from corpus import pages
from corpus.plots import CASES
from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.frames.plots import PlotKind
from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.campaign.snapshot import read_snapshot
from mdfactory.report.page import SCRIPTS, asset, build, page_script, vega_bundle
from mdfactory.report.payload import encode, to_json
from mdfactory.report.plots.fill import SCREEN, fill
from mdfactory.report.plots.view import NO_PLOT
from mdfactory.report.report import write_report
from mdfactory.sync.completeness import count_results, read_completeness
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Download, Page

SECTIONS = ("overview", "matrix", "analyses", "simulations", "artifacts")
MAX_ELEMENTS = 3000
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def bundle() -> str:
    return vega_bundle()


class Opened:
    """A page that is open in the browser, and what it reported.

    Parameters
    ----------
    page
        The page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    @property
    def elements(self) -> int:
        count: int = self.page.locator("*").count()
        return count

    @property
    def count(self) -> str:
        return self.page.inner_text("#count")

    def show(self, fragment: str) -> None:
        """Follow a fragment, and let all plots be drawn, as somebody who scrolls to the end."""
        self.page.evaluate("fragment => { location.hash = fragment; }", fragment)
        section = fragment.partition("/")[0].removeprefix("#")
        self.page.locator(f'#sections a[href="#{section}"][aria-current]').wait_for()
        for plot in self.page.locator("#main .plot").all():
            plot.scroll_into_view_if_needed()
        for plot in self.page.locator("#main .plot").all():
            plot.locator("canvas, p").first.wait_for()

    def column(self, title: str) -> list[str]:
        """Return the texts of a column of the table that is shown, of the rows in the document."""
        heads = self.page.locator(".scroller thead th").all_inner_texts()
        place = [re.sub(r"\s*[▲▼]", "", head).strip() for head in heads].index(title)
        cells = self.page.locator(f".scroller tbody tr[data-place] td:nth-child({place + 1})")
        return cells.all_inner_texts()

    def sort(self, title: str) -> None:
        self.page.locator(".scroller thead button").filter(has_text=title).first.click()

    def download(self, button: str) -> str:
        with self.page.expect_download() as waiting:
            self.page.locator("#main button").filter(has_text=button).first.click()
        download: Download = waiting.value
        return Path(download.path()).read_text("latin-1" if button == "PNG" else "utf-8")


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser, bundle: str, tmp_path: Path) -> Iterator[Open]:
    """Open a page of data; when the test ends, no page has reported faults or asked a server."""
    pages_opened: list[Opened] = []
    contexts = []

    def open_page(
        core: dict[str, Any],
        blobs: dict[str, str] | None = None,
        fragment: str = "",
        **options: Any,
    ) -> Opened:
        path = tmp_path / f"report-{len(pages_opened)}.html"
        path.write_bytes(build(core, blobs or {}, bundle))
        settings = {"viewport": {"width": 1280, "height": 900}, "offline": True, **options}
        context = browser.new_context(**settings)
        contexts.append(context)
        shown = Opened(context.new_page())
        pages_opened.append(shown)
        shown.page.goto(f"{path.as_uri()}{fragment}")
        if settings.get("java_script_enabled", True):
            shown.page.locator("html[data-ready]").wait_for()
        return shown

    yield open_page
    faults = [fault for page in pages_opened for fault in page.faults]
    asked = [url[:80] for page in pages_opened for url in page.requests if _is_request(url)]
    for context in contexts:
        context.close()
    assert (faults, asked) == ([], [])


def _is_request(url: str) -> bool:
    return not url.startswith(("file:///", "data:image/", "blob:"))


# The file


def test_build_returns_the_same_bytes_of_the_same_data(bundle: str) -> None:
    assert build(*pages.campaign(8), bundle) == build(*pages.campaign(8), bundle)


def test_build_names_the_program_at_the_head_of_the_page(bundle: str) -> None:
    page = build(pages.core(2), {}, bundle)
    assert b'<meta name="generator" content="mdfactory 0.1.0">' in page[:4096]


def test_build_allows_no_script_but_the_two_of_the_page(bundle: str) -> None:
    page = build(pages.core(2), {}, bundle).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    digests = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in (page_script(), bundle)
    ]
    assert f"script-src {' '.join(digests)};" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_build_closes_no_element_by_a_text(bundle: str) -> None:
    core = pages.core(2, name=lambda _: "</script><script>fail()</script>") | {
        "title": "</title><script>fail()</script>",
        "skipped": ["<!--<script>"],
    }
    page = build(core, {}, bundle).decode()
    assert page.count("<script>") == 1
    assert page.count("</title>") == 1
    assert "<!--<script" not in page


def test_page_script_writes_no_markup() -> None:
    script = page_script()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in script
    assert {f"{name}.js" for name in SCRIPTS} == {
        path.name for path in _script_folder().iterdir() if path.suffix == ".js"
    }


def test_no_two_parts_of_the_script_declare_a_name() -> None:
    declared = re.compile(r"^(?:async )?(?:function|const|let) (\w+)", re.MULTILINE)
    counts = Counter(declared.findall(page_script()))
    assert [name for name, count in counts.items() if count > 1] == []


def _script_folder() -> Path:
    import mdfactory.report

    return Path(mdfactory.report.__path__[0]) / "script"


def test_vega_bundle_is_kept_in_the_cache_folder_and_made_again_if_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDFACTORY_CACHE_DIR", str(tmp_path / "cache"))
    bundle = vega_bundle()
    (kept,) = (tmp_path / "cache").iterdir()
    assert bundle in kept.read_text("utf-8")
    kept.write_text(kept.read_text("utf-8")[:-100], "utf-8")
    assert vega_bundle() == bundle
    assert bundle in kept.read_text("utf-8")


# Navigation


@needs_browser
def test_each_section_is_shown_by_its_fragment(opened: Open) -> None:
    shown = opened(*pages.campaign(8))
    titles = []
    for section in SECTIONS:
        shown.show(f"#{section}")
        titles.append(shown.page.inner_text("h1"))
    assert titles == ["water_methanol", "Matrix", "Analyses", "Simulations", "Artifacts"]


@needs_browser
@pytest.mark.parametrize(
    "fragment", ["", "#nowhere", "#%E0%A4%A", "#simulations/ABC", "#analyses/x"]
)
def test_an_unknown_fragment_shows_the_overview(opened: Open, fragment: str) -> None:
    shown = opened(pages.core(8), fragment=fragment)
    assert shown.page.inner_text("h1") == "water_methanol"
    assert shown.page.get_attribute("#sections a[aria-current]", "href") == "#overview"


@needs_browser
def test_a_deep_link_opens_a_simulation_and_an_analysis(opened: Open) -> None:
    core, blobs = pages.campaign(8)
    hash_ = pages.hash_of(5)
    shown = opened(core, blobs, fragment=f"#simulations/{hash_}")
    assert shown.page.inner_text("h1") == "SOL 5"
    assert hash_ in shown.page.inner_text("main")
    again = opened(core, blobs, fragment=f"#simulations/{hash_[:8].lower()}")
    assert again.page.inner_text("h1") == "SOL 5"
    analysis = opened(core, blobs, fragment="#analyses/density")
    assert analysis.page.inner_text("h1") == "density"


@needs_browser
@pytest.mark.parametrize("section", ["matrix", "analyses", "simulations"])
def test_a_deep_link_to_a_section_opens_its_top(opened: Open, section: str) -> None:
    core, blobs = pages.campaign(40)
    shown = opened(core, blobs, fragment=f"#{section}")
    assert shown.page.evaluate("window.scrollY") == 0


@needs_browser
def test_the_back_button_returns_to_the_section_before(opened: Open) -> None:
    shown = opened(pages.core(8))
    shown.page.locator("nav a", has_text="Simulations").click()
    shown.page.locator("tr[data-place] td:last-child").nth(5).click()
    shown.page.locator("h1", has_text="SOL 5").wait_for()
    shown.page.go_back()
    shown.page.locator("h1", has_text="Simulations").wait_for()
    shown.page.go_back()
    shown.page.locator("h1", has_text="water_methanol").wait_for()


@needs_browser
def test_the_table_is_used_by_the_keyboard_alone(opened: Open) -> None:
    shown = opened(pages.core(50), fragment="#simulations")
    shown.page.locator(".scroller").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "ArrowDown"):
        shown.page.keyboard.press(key)
    shown.page.keyboard.press("Enter")
    shown.page.locator("h1", has_text=re.compile("^SOL 1$")).wait_for()


@needs_browser
def test_all_controls_are_reached_by_the_tab_key_and_have_names(opened: Open) -> None:
    shown = opened(*pages.campaign(8), fragment="#analyses")
    reached = set()
    for _ in range(40):
        shown.page.keyboard.press("Tab")
        reached.add(
            shown.page.evaluate(
                "() => { const node = document.activeElement;"
                " return node.getAttribute('aria-label') ?? node.textContent.trim(); }"
            )
        )
    assert {"free text", "add a filter", "colour by", "Matrix", "SVG of density"} <= reached
    assert "" not in reached


@needs_browser
def test_a_slash_leads_to_the_free_text(opened: Open) -> None:
    shown = opened(pages.core(8))
    shown.page.keyboard.press("/")
    shown.page.keyboard.type("SOL 5")
    shown.page.locator("#count", has_text="1 of 8").wait_for()


# Filter, colour and order


@needs_browser
def test_the_filter_by_status_holds_for_all_sections(opened: Open) -> None:
    shown = opened(*pages.campaign(60))
    shown.page.locator("#statuses button", has_text="equilibrated").click()
    assert shown.count == "10 of 60 simulations"
    shown.show("#simulations")
    assert set(shown.column("status")) == {"equilibrated"}
    assert len(shown.column("status")) == 10
    shown.show("#matrix")
    assert (
        shown.page.locator("tr.heading")
        .all_inner_texts()[0]
        .startswith("status: equilibrated (10)")
    )
    shown.show("#analyses/density")
    assert "No statistics of the simulations chosen." in shown.page.inner_text("main")
    shown.page.locator("#clear").click()
    assert shown.count == "60 simulations"


@needs_browser
@pytest.mark.parametrize(
    ("text", "count"),
    [("sol 7", 1), ("spce", 3), ("round=1", 2), ("SPCE round=2", 1), ("campaign", 10), ("none", 0)],
)
def test_the_free_text_finds_words_in_all_fields(opened: Open, text: str, count: int) -> None:
    shown = opened(pages.core(10))
    shown.page.fill("#search", text)
    expected = f"{count} of 10 simulations" if count < 10 else "10 simulations"
    shown.page.locator("#count", has_text=re.compile(f"^{expected}$")).wait_for()


@needs_browser
def test_a_field_is_filtered_by_its_range_its_value_and_a_tag(opened: Open) -> None:
    core = pages.core(60)
    shown = opened(core, fragment="#simulations")
    shown.page.select_option("#add select", label="MEO fraction")
    shown.page.get_by_label("MEO fraction at least").fill("0.25")
    shown.page.get_by_label("MEO fraction at most").fill("0.5")
    wanted = [n for n in range(60) if 0.25 <= pages.fraction_of(n) <= 0.5]
    shown.page.locator("#count", has_text=f"{len(wanted)} of 60").wait_for()
    shown.page.select_option("#add select", label="water model")
    shown.page.get_by_label("water model", exact=True).select_option("spce")
    wanted = [n for n in wanted if n % 3 == 2]
    assert shown.column("composition") == [f"SOL {n}" for n in wanted]
    shown.page.select_option("#add select", label="round = 1")
    wanted = [n for n in wanted if n % 2 and n % 3 == 1]
    assert shown.count == f"{len(wanted)} of 60 simulations"
    for _ in range(3):
        shown.page.locator("#conditions button").first.click()
    assert shown.count == "60 simulations"


@needs_browser
def test_what_needs_attention_is_shown_by_a_click(opened: Open) -> None:
    core = pages.core(60)
    shown = opened(core)
    wanted = core["attention"][0]["simulations"]
    shown.page.locator(".attention button", has_text="show").click()
    shown.show("#simulations")
    assert shown.column("hash") == [pages.hash_of(number)[:8] for number in wanted]


@needs_browser
def test_a_column_sorts_all_rows_whatever_is_on_the_screen(opened: Open) -> None:
    shown = opened(pages.core(5000), fragment="#simulations")
    fractions = [pages.fraction_of(number) for number in range(5000)]
    shown.sort("MEO fraction")
    assert float(shown.column("MEO fraction")[0]) == pytest.approx(min(fractions), abs=1e-4)
    shown.sort("MEO fraction")
    assert float(shown.column("MEO fraction")[0]) == pytest.approx(max(fractions), abs=1e-4)
    assert shown.page.locator("th[aria-sort=descending]").count() == 1


@needs_browser
def test_the_colour_is_that_of_all_sections(opened: Open) -> None:
    shown = opened(*pages.campaign(12), fragment="#analyses/density")
    shown.page.select_option("#colour select", label="water model")
    shown.show("#analyses/density")
    assert shown.page.locator("#legend").inner_text().split() == ["opc3", "spce", "tip3p"]
    specification = json.loads(shown.download("specification"))
    assert {row["colour"] for row in specification["datasets"]["curves"]} <= {
        "opc3",
        "spce",
        "tip3p",
    }
    shown.show("#simulations")
    titles = shown.page.locator(".scroller i.dot").evaluate_all(
        "dots => dots.map(dot => dot.title)"
    )
    assert titles[:3] == ["water model: opc3", "water model: tip3p", "water model: spce"]


# Size


@needs_browser
@pytest.mark.parametrize("count", [400, 2000])
def test_no_section_has_more_elements_than_the_limit(opened: Open, count: int) -> None:
    shown = opened(*pages.campaign(count))
    for fragment in (*SECTIONS, "analyses/density", f"simulations/{pages.hash_of(5)}"):
        shown.show(f"#{fragment}")
        assert shown.elements <= MAX_ELEMENTS, fragment


@needs_browser
def test_failed_runs_come_first_of_what_is_not_done(opened: Open) -> None:
    core = pages.core(30)
    core["progress"] = [
        [number, {"state": state, "text": ""}] for number, state in ((8, "running"), (14, "failed"))
    ]
    shown = opened(core)
    rows = shown.page.locator("section", has_text="Progress").locator("table tr")
    assert rows.count() == 10
    assert [rows.nth(k).locator("td").last.inner_text() for k in (0, 1)] == ["failed", "running"]
    shown.page.get_by_text("show all 15").click()
    assert shown.count == "15 of 30 simulations"


@needs_browser
def test_the_molecules_of_an_analysis_are_drawn_once(opened: Open) -> None:
    core, blobs = pages.campaign(6)
    rows = [[f"{number:08}", "SOL", "O", 400 + number] for number in range(6)]
    rows.append(["00000000", "MEO", "CO", 45])
    core["analyses"] = [{
        "name": "system_chemistry", "kind": "chemistry", "records": 6, "views": [],
        "quantities": [], "groups": [], "rows": {
            "columns": ["simulation", "resname", "smiles", "count"], "rows": rows,
        },
    }]  # fmt: skip
    core["simulations"]["molecules"]["kinds"] = [[0, "SOL", "O"]]
    blobs["molecules"] = encode(to_json({"pictures": [PIXEL], "of": [0]}))
    shown = opened(core, blobs, fragment="#analyses")
    lines = shown.page.locator(".card tbody tr")
    assert lines.all_inner_texts() == ["\tSOL\tO\t400 to 405\t6", "\tMEO\tCO\t45\t1"]
    shown.page.locator(".card img").wait_for()
    assert lines.first.locator("img").get_attribute("alt") == "structure of O"


@needs_browser
def test_each_of_very_many_simulations_is_found_by_its_hash(opened: Open) -> None:
    count = 100_000
    shown = opened(pages.core(count), fragment="#simulations")
    for number in (0, 4711, count - 1):
        shown.page.fill("#search", pages.hash_of(number)[:10])
        shown.page.locator("tr[data-place]", has_text=pages.hash_of(number)[:8]).wait_for()
        shown.page.locator("#count", has_text=re.compile("^1 of 100,000")).wait_for()
        assert shown.column("composition") == [f"SOL {number}"]
    shown.page.fill("#search", "")
    shown.page.locator("#count", has_text=re.compile("^100,000")).wait_for()
    shown.page.locator(".scroller").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    shown.page.locator("tr[data-place]", has_text="SOL 99999").wait_for()
    assert shown.elements <= MAX_ELEMENTS


@needs_browser
@pytest.mark.parametrize("width", [420, 1000])
def test_no_section_is_wider_than_the_window(opened: Open, width: int) -> None:
    shown = opened(*pages.campaign(30), viewport={"width": width, "height": 800})
    for fragment in (*SECTIONS, "analyses/density", f"simulations/{pages.hash_of(5)}"):
        shown.show(f"#{fragment}")
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= width, fragment


@needs_browser
@pytest.mark.parametrize("width", [420, 1000, 1400])
def test_no_map_is_cut_with_the_legend_of_its_colours(opened: Open, width: int) -> None:
    maps = [case for case in CASES if case.expected.kind is PlotKind.map]
    core, blobs, _ = pages.stored(maps, 9, pages.FIELD)
    shown = opened(core, blobs, viewport={"width": width, "height": 900})
    names = [entry["name"] for entry in core["analyses"]]
    for fragment in ("analyses", *(f"analyses/{name}" for name in names)):
        shown.show(f"#{fragment}")
        for plot in shown.page.locator("#main .plot:has(canvas)").all():
            cut = plot.evaluate("node => node.scrollWidth - node.clientWidth")
            assert cut <= 0, (fragment, plot.get_attribute("aria-label"))


@needs_browser
def test_the_matrix_is_an_image_above_400_simulations(opened: Open) -> None:
    table = opened(pages.core(400), fragment="#matrix")
    assert table.page.locator("canvas").count() == 0
    assert table.page.locator(".scroller").count() == 1
    image = opened(pages.core(401), fragment="#matrix")
    assert image.page.locator("canvas").count() == 1
    totals = image.page.locator(".totals tbody tr", has_text="completed").inner_text().split()
    result = pages.core(401)["results"][0]
    assert totals[-1] == f"{result['completed']}/{result['expected']}"
    image.page.locator("canvas").click(position={"x": 5, "y": 1})
    image.page.locator("h1", has_text="SOL 0").wait_for()


# Plots and files

INK = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let k = 0; k < data.length; k += 4) {
    if (data[k + 3] > 200) colours.add(data.slice(k, k + 3).join());
  }
  return colours.size;
}"""


@needs_browser
@pytest.mark.parametrize("count", [8, 300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_plot_has_ink_of_several_colours(opened: Open, count: int, scheme: str) -> None:
    shown = opened(*pages.campaign(count, "density", "other"), color_scheme=scheme)
    for fragment in (
        "#overview",
        "#analyses",
        "#analyses/density",
        f"#simulations/{pages.hash_of(5)}",
    ):
        shown.show(fragment)
        inks = [canvas.evaluate(INK) for canvas in shown.page.locator(".plot canvas").all()]
        assert inks, fragment
        assert min(inks) > 5, fragment


@needs_browser
def test_the_page_follows_the_system_to_dark_and_back(opened: Open) -> None:
    shown = opened(*pages.campaign(8), fragment="#analyses/density")
    brightness = []
    for scheme in ("light", "dark", "light"):
        shown.page.emulate_media(color_scheme=scheme)
        shown.page.evaluate("() => new Promise((go) => setTimeout(go, 100))")
        shown.show("#analyses/density")
        colour = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness.append(sum(map(int, re.findall(r"\d+", colour)[:3])))
    assert brightness[0] == brightness[2] > 600
    assert brightness[1] < 200


@needs_browser
def test_the_script_fills_data_as_python_does(opened: Open, browser: Browser) -> None:
    core = pages.core(900)
    plan = pages.density_plan("density", "other")
    members = pages.members_of(core, plan, points=250)
    for chosen in (members[:9], members[:100], members):
        view = pages.view(core, plan, chosen)
        expected = fill(view, chosen, pages.colour_of(core), {})
        found = _fill_in_browser(browser, plan, chosen, view)
        for name, rows in expected.items():
            assert len(found[name]) == len(rows), name
            for row, other in zip(rows, found[name], strict=True):
                differing = [key for key in row if not _same(row[key], other.get(key))]
                assert not differing, (name, row["panel"], row.get("name", ""))


def _same(value: Any, other: Any, size: float = 1) -> bool:
    """Whether values are the same, but for the digits that Python leaves out."""
    if isinstance(value, list):
        size = max((abs(part) for part in value if isinstance(part, float)), default=1)
        return len(value) == len(other) and all(
            _same(*pair, size) for pair in zip(value, other, strict=True)
        )
    if isinstance(value, float) and isinstance(other, int | float):
        return abs(value - other) <= 1e-4 * max(size, abs(value))
    return bool(value == other)


def _fill_in_browser(browser: Browser, plan: Any, members: Any, view: Any) -> Any:
    """Return what the script makes of the same curves."""
    number_of = {pages.hash_of(number): number for number in range(900)}
    quantities = list(plan.y)
    given = {
        "view": {
            "kind": str(view.kind),
            "x_type": view.x_type,
            "x_factor": view.x_factor,
            "figure": "mean",
            "error": "error",
            "has_many": view.has_many,
            "has_spread": view.has_spread,
            "panels": [{"quantity": quantities.index(p.quantity), "group": 0} for p in view.panels],
        },
        "colours": [pages.fraction_of(number) for number in range(900)],
        "members": [
            {
                "row": number_of[member.hash],
                "name": member.hash[:8],
                "text": "",
                "curves": [
                    {
                        "quantity": quantities.index(curve.quantity),
                        "group": 0,
                        "x": [curve.x[0].tolist()],
                        "y": [None if isnan(value) else value for value in curve.y.tolist()],
                    }
                    for curve in member.drawing.curves
                ],
                "statistics": [
                    {
                        "quantity": quantities.index(part.quantity),
                        "group": 0,
                        "mean": part.mean,
                        "error": part.error,
                        "levelled": part.levelled,
                    }
                    for part in member.statistics
                ],
            }
            for member in members
        ],
    }
    call = "return fill(given.view, given.members, {kind: 'number', of: (k) => given.colours[k]});"
    page = browser.new_page()
    try:
        script = asset("script/data.js") + asset("script/fill.js")
        return page.evaluate(f"given => {{ {script} {call} }}", given)
    finally:
        page.close()


def _trends(browser: Browser, sets: list[dict[str, Any]]) -> list[Any]:
    """Return what the script says of the trend of each set of points."""
    page = browser.new_page()
    try:
        script = asset("script/data.js") + asset("script/trends.js")
        call = "return sets.map(({ pairs, errors }) => trendOf(pairs, errors));"
        found: list[Any] = page.evaluate(f"sets => {{ {script} {call} }}", sets)
        return found
    finally:
        page.close()


def _points(number: int, slope: float, seed: int, errors: float = 0.0) -> dict[str, Any]:
    """Return points about a line, whose noise has the standard deviation 1."""
    random = np.random.default_rng(seed)
    x = random.random(number)
    y = slope * x + random.standard_normal(number)
    return {"pairs": [*zip(x.tolist(), y.tolist(), strict=True)], "errors": [errors] * number}


@needs_browser
@pytest.mark.parametrize("number", [6, 8, 20, 90, 250])
def test_trends_in_noise_are_said_of_one_in_a_hundred(browser: Browser, number: int) -> None:
    sets = [_points(number, 0, seed) for seed in range(600 if number < 100 else 150)]
    trends = _trends(browser, sets)
    assert sum(trend["isSure"] and trend["isLarge"] for trend in trends) <= 0.02 * len(sets)


@needs_browser
@pytest.mark.parametrize(("number", "sign"), [(6, 1), (8, -1), (20, -1), (90, 1), (250, -1)])
def test_a_trend_beyond_the_noise_is_said(browser: Browser, number: int, sign: int) -> None:
    sets = [_points(number, 100 * sign, seed, errors=1) for seed in range(100)]
    trends = _trends(browser, sets)
    # Points of six may be so close that noise changes their order.
    assert sum(one["isSure"] and one["isLarge"] for one in trends) >= (70 if number < 8 else 99)
    assert {one["rank"] > 0 for one in trends} == {sign > 0}


@needs_browser
def test_no_trend_is_said_of_few_points_or_of_one_value(browser: Browser) -> None:
    line = [(k, k) for k in range(20)]
    sets = [line[:5], line[:6], [(1, k) for k in range(9)], [(k, 1) for k in range(9)]]
    found = _trends(browser, [{"pairs": pairs, "errors": []} for pairs in sets])
    assert found == [None, {"rank": 1, "isSure": True, "isLarge": True}, None, None]
    within = _trends(browser, [{"pairs": line, "errors": [10] * 20}])
    assert within == [{"rank": 1, "isSure": True, "isLarge": False}]


@needs_browser
def test_an_analysis_says_its_trend_or_that_there_is_none(opened: Open) -> None:
    core, blobs = pages.campaign(60)
    shown = opened(core, blobs, fragment="#analyses/density")
    assert "It falls with MEO fraction (rank correlation " in shown.page.inner_text(".finding")
    assert "p < 0.01)" in shown.page.inner_text(".finding")
    statistics = core["analyses"][0]["statistics"]
    statistics["error"] = [0.5] * len(statistics["error"])
    core["analyses"][0]["views"][0]["error"] = "error"
    within = opened(core, blobs, fragment="#analyses/density").page.inner_text(".finding")
    assert "No clear trend with MEO fraction: the change is within the error bars" in within
    few = opened(*pages.campaign(8), fragment="#analyses/density").page.inner_text(".finding")
    assert "trend" not in few
    assert "It " not in few


def _species(**counts: Any) -> list[dict[str, Any]]:
    numbers = [count for count in counts.values() if isinstance(count, int)]
    return [
        {
            "resname": name,
            "smiles": f"{'C' * len(name)}O",
            "count": count,
            "fraction": count / sum(numbers) if isinstance(count, int) else 0.5,
        }
        for name, count in counts.items()
    ]


SYSTEMS: list[dict[str, Any]] = [
    {"species": _species(SOL=405, MEO=45)},
    {"species": _species(MEO=7, SOL=2, ACN=11)},
    {"species": _species(SOL=3)},
    {"species": []},
    {},
    {"species": _species(SOL=2.0, MEO=1)},
    {"species": [*_species(SOL=5), *_species(SOL=6)]},
    {"species": [*_species(SOL=5), {"resname": "MEO", "concentration": 0.15, "ion": True}]},
    {"species": [*_species(SOL=5), {"resname": "MEO", "smiles": "other", "ion": False}]},
    {"species": [{"resname": "SOL"}, {"resname": "ETH", "count": None}]},
    {"core": {"species": _species(SOL=3, MEO=1)}, "shell": {"species": _species(SOL=1)}},
    {"core": {"species": []}, "shell": {"species": _species(SOL=3, ACN=9)}},
    {"protein": {"resname": "LYZ", "count": 1}, "species": _species(SOL=8, MEO=2)},
    {"species": _species(**{"/home/ann/x": 2, "a.b": 1})},
    {"species": _species(SOL="many", MEO=True)},
]


@needs_browser
@pytest.mark.parametrize("count", [3, len(SYSTEMS) - 1, len(SYSTEMS)])
def test_the_script_reads_fields_and_compositions_as_python_does(
    browser: Browser, count: int
) -> None:
    store = MemoryStore()
    initialise(store, simulations=True, results=())
    for number, system in enumerate(SYSTEMS[:count]):
        document = {"simulation_type": "mixedbox", "system": system}
        record = run(pages.hash_of(number), input_data=json.dumps(document))
        write_records(store, SIMULATIONS, record)
    with store.transaction() as transaction:
        snapshot = read_snapshot(transaction, Catalogue())
    core = {"simulations": snapshot.simulations(), "progress": [], "results": []}
    call = """take(given); return [
        Object.fromEntries(fields.map(({ path, of }) => [path, allRows().map(of)])),
        allRows().map(columns.composition)];"""
    script = "".join(asset(f"script/{name}.js") for name in ("data", "campaign", "molecules"))
    page = browser.new_page()
    found, compositions = page.evaluate(f"given => {{ {script} {call} }}", core)
    page.close()
    paths = snapshot.shown_paths
    for field in snapshot.fields:
        assert found[paths[field.path]] == snapshot.values_of(field.path), field.path
    assert compositions == [text and snapshot.privacy.text(text) for text in snapshot.compositions]


@needs_browser
@pytest.mark.parametrize("colour", [pages.FIELD, "water_model"])
@pytest.mark.parametrize(
    ("count", "step"),
    [(2, 1), (9, 4), pytest.param(9, 1, marks=pytest.mark.long), (200, 9)],  # each case is in one
)
def test_the_page_fills_the_plots_of_all_kinds_as_python_does(
    opened: Open, colour: str, count: int, step: int
) -> None:
    core, blobs, analyses = pages.stored(CASES[::step], count, colour)
    shown = opened(core, blobs)
    script = "".join(asset(f"script/{name}.js") for name in SCRIPTS if name != "start")
    begin = (
        "themes = JSON.parse(byId('themes').textContent); take(await blob('core'));"
        "Object.assign(state, { rows: allRows(), colour: core.colour });"
    )
    lists = "await Promise.all(core.analyses.map(async (analysis) => Promise.all("
    lists += "analysis.views.map(async (view) => (await filled(analysis, view)).rows))))"
    found = shown.page.evaluate(f"async () => {{ {script} {begin} return {lists}; }}")
    kinds = set()
    for content, views in zip(analyses.contents, found, strict=True):
        for (names, view), rows in zip(content.views, views, strict=True):
            kinds.add(str(view.kind))
            for name, expected in content.rows(names, view, SCREEN).items():
                assert len(rows[name]) == len(expected), (content.name, name)
                for row, other in zip(expected, rows[name], strict=True):
                    differing = [key for key in row if not _same(row[key], other.get(key))]
                    assert not differing, (content.name, name, differing, row.get("name", ""))
    assert {"timeseries", "profile", "bars", "map"} <= kinds


@needs_browser
@pytest.mark.parametrize("first", [0, 1, 2])
def test_each_table_of_the_corpus_has_a_plot_with_ink_or_its_reason(
    opened: Open, first: int
) -> None:
    core, blobs, _ = pages.stored(CASES[first::3], 8, pages.FIELD)
    shown = opened(core, blobs, fragment="#analyses")
    shown.show("#analyses")
    cards = shown.page.locator(".cards > .card").all()
    assert len(cards) == len(core["analyses"])
    for card, analysis in zip(cards, core["analyses"], strict=True):
        inks = [canvas.evaluate(INK) for canvas in card.locator(".plot canvas").all()]
        if analysis["views"] and analysis["kind"] not in NO_PLOT:
            assert inks, analysis["name"]
            assert min(inks) > 3, analysis["name"]
        else:
            assert card.locator("table").count() or analysis["reason"] in card.inner_text()


@needs_browser
def test_other_quantities_have_plots_even_if_each_is_one_number(opened: Open) -> None:
    case = next(case for case in CASES if case.name == "area_per_lipid_by_species")
    core, blobs, _ = pages.stored([case], 8, pages.FIELD)
    assert any(quantity.get("scalar") for quantity in core["analyses"][0]["quantities"])
    shown = opened(core, blobs)
    shown.show("#analyses/area_per_lipid_by_species")
    others = len(core["analyses"][0]["views"]) - 1
    assert shown.page.locator(".small-cards canvas").count() == others > 0


@needs_browser
def test_an_analysis_may_have_the_name_of_a_property_of_every_object(opened: Open) -> None:
    core, blobs = pages.campaign(8)
    core["analyses"][0]["name"] = core["results"][0]["name"] = "constructor"
    shown = opened(core, blobs)
    shown.show("#analyses/constructor")
    assert shown.page.locator(".plot canvas").count() == 2


@needs_browser
def test_many_analyses_are_shown_in_parts(opened: Open) -> None:
    core, blobs = pages.campaign(60)
    (analysis,), (result,) = core["analyses"], core["results"]
    names = [f"density_{number:03}" for number in range(300)]
    core["analyses"] = [analysis | {"name": name} for name in names]
    core["results"] = [result | {"name": name} for name in names]
    shown = opened(core, blobs)
    for section in SECTIONS:
        shown.page.evaluate("fragment => { location.hash = fragment; }", section)
        shown.page.locator(f'#sections a[href="#{section}"][aria-current]').wait_for()
        assert shown.elements <= MAX_ELEMENTS, section
    shown.page.evaluate("location.hash = '#analyses'")
    for _ in range(4):
        shown.page.locator("#main button", has_text="next").first.click()
    titles = shown.page.locator(".cards h2").all_inner_texts()
    assert [title.replace("\u200b", "") for title in titles] == names[240:]
    assert shown.page.locator("#main button", has_text="next").first.is_disabled()


@needs_browser
def test_simulations_without_the_colour_are_grey_and_counted(opened: Open) -> None:
    case = next(case for case in CASES if case.name == "density_timeseries_example")
    core, blobs, _ = pages.stored([case], 3, pages.FIELD)
    shown = opened(core, blobs)
    assert "1 without it" in shown.page.inner_text("#legend")
    shown.show("#analyses")
    grey = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const own = [0x8a, 0x8a, 0x8a].join();
      for (let k = 0; k < data.length; k += 4) if (data.slice(k, k + 3).join() === own) return true;
      return false;
    }"""
    assert shown.page.locator(".plot canvas").first.evaluate(grey)


@needs_browser
def test_the_axis_of_the_colour_is_that_of_the_simulations_chosen(opened: Open) -> None:
    core, blobs = pages.campaign(30)
    shown = opened(core, blobs, fragment="#analyses/density")
    chosen = pages.drawn_simulations(core)[0]
    shown.page.fill("#search", pages.hash_of(chosen)[:8])
    shown.page.locator("#count", has_text="1 of 30").wait_for()
    axis = json.loads(shown.download("specification"))["hconcat"][1]["layer"][0]["encoding"]["x"]
    fractions = [pages.fraction_of(number) for number in range(30)]
    assert axis["scale"]["domain"] == pytest.approx([min(fractions), max(fractions)])
    assert axis["axis"]["tickCount"] == 5
    assert "labelExpr" in axis["axis"]


@needs_browser
def test_the_statistics_are_saved_as_they_are(opened: Open) -> None:
    core, blobs = pages.campaign(20)
    shown = opened(core, blobs, fragment="#analyses/density")
    rows = list(csv.DictReader(StringIO(shown.download("statistics (CSV)"))))
    statistics = core["analyses"][0]["statistics"]
    assert list(rows[0]) == ["analysis", "quantity", "group", "hash", *pages.FIGURES]
    assert [row["hash"] for row in rows] == [pages.hash_of(n) for n in statistics["simulation"]]
    assert [float(row["mean"]) for row in rows] == statistics["mean"]
    assert {row["quantity"] for row in rows} == {"density_g_cm3"}


@needs_browser
def test_the_curves_are_saved_as_drawn(opened: Open) -> None:
    core, blobs = pages.campaign(20)
    shown = opened(core, blobs, fragment="#analyses/density")
    rows = list(csv.DictReader(StringIO(shown.download("curves as drawn"))))
    plan = pages.density_plan()
    members = pages.members_of(core, plan)
    assert len(rows) == sum(len(member.drawing.curves[0].y) for member in members)
    own = [row for row in rows if row["hash"] == members[0].hash]
    curve = members[0].drawing.curves[0]
    values = [float(row["value"]) if row["value"] else float("nan") for row in own]
    spread = float(max(values) - min(value for value in values if not isnan(value)))
    assert values == pytest.approx(list(curve.y), abs=spread / 65534, nan_ok=True)
    assert [float(row["time (ps)"]) for row in own] == pytest.approx(list(curve.x[0]), abs=2e-3)


@needs_browser
def test_a_plot_is_saved_as_picture_and_as_specification(opened: Open) -> None:
    shown = opened(*pages.campaign(8), fragment="#analyses/density")
    svg = shown.download("SVG")
    assert svg.startswith("<svg")
    assert "MEO fraction" in svg
    assert shown.download("PNG").startswith("\x89PNG")
    specification = json.loads(shown.download("specification"))
    assert len(specification["datasets"]["curves"]) == len(pages.drawn_simulations(pages.core(8)))
    assert specification["usermeta"]["mdfactory"]["kind"] == "timeseries"


@needs_browser
def test_the_statistics_are_a_table_when_it_is_asked_for(opened: Open) -> None:
    shown = opened(*pages.campaign(30), fragment="#analyses/density")
    assert shown.page.locator("table").count() == 0
    shown.page.locator("summary").click()
    table = shown.page.locator("table[aria-label='statistics of density']")
    table.wait_for()
    assert table.locator("tbody tr[aria-rowindex]").count() == len(
        pages.drawn_simulations(pages.core(30))
    )
    assert "± 0.0020" in table.inner_text()


@needs_browser
def test_a_picture_is_enlarged_by_a_click(opened: Open) -> None:
    shown = opened(pages.core(8), pages.artifacts(pages.artifact(5, PIXEL)), fragment="#artifacts")
    shown.page.locator("button.picture").click()
    shown.page.locator("dialog img").wait_for()
    shown.page.keyboard.press("Escape")
    shown.page.locator("dialog").wait_for(state="detached")


# A store


@needs_browser
def test_the_numbers_equal_those_of_the_store(browser: Browser, campaign: Path) -> None:
    store = MemoryStore()
    every = list(ResultType)
    initialise(store, simulations=True, results=every)
    push(store, str(campaign), scope=Scope(simulations=True, results=every))
    path = campaign / "report.html"
    write_report(store, path)
    with store.transaction() as transaction:
        columns = ("hash", "status")
        stored = dict(transaction.values(SIMULATIONS, Query(columns=columns)))
    totals = count_results(read_completeness(store, Catalogue()))
    results = {name: (one.completed, one.missing) for (_, name), one in totals.items()}
    context = browser.new_context(offline=True)
    shown = Opened(context.new_page())
    shown.page.goto(f"{path.as_uri()}#simulations")
    shown.page.locator("html[data-ready]").wait_for()
    statuses = shown.column("status")
    hashes = shown.column("hash")
    assert dict(zip(hashes, statuses, strict=True)) == {
        hash_[:8]: status for hash_, status in stored.items()
    }
    assert shown.page.locator("#statuses b").all_inner_texts() == ["2", "1", "1", "4"]
    shown.show("#overview")
    counts = shown.page.locator(".bars .bar-title").all_inner_texts()
    assert {text.replace("\u200b", "").split()[0]: text.split()[1:] for text in counts} == {
        name: [str(there), "of", str(there + missing)] for name, (there, missing) in results.items()
    }
    context.close()
    assert shown.faults == []


# Print, and without JavaScript


@needs_browser
def test_print_has_overview_matrix_pictures_and_500_rows(opened: Open) -> None:
    core, blobs = pages.campaign(700)
    core["analyses"][0]["picture"] = PIXEL
    shown = opened(core, blobs, fragment="#artifacts")
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    shown.page.emulate_media(media="print")
    printed = shown.page.locator("#print")
    assert printed.is_visible()
    assert not shown.page.locator("main").is_visible()
    assert not shown.page.locator("#bar").is_visible()
    assert printed.locator("h1").all_inner_texts() == [
        "water_methanol", "Matrix", "Analyses", "Simulations",
    ]  # fmt: skip
    assert printed.locator("figure img").count() == 1
    assert printed.locator("table").last.locator("tbody tr").count() == 500
    assert "500 of 700 simulations" in printed.inner_text()
    shown.page.emulate_media(media="screen")
    shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.page.locator("#print").count() == 0
    assert len(shown.page.pdf()) > 10_000


@needs_browser
def test_print_has_all_results_of_the_matrix(opened: Open) -> None:
    core = pages.core(20)
    [result] = core["results"]
    core["results"] = [result | {"name": f"long_name_of_a_result_{k}"} for k in range(16)]
    shown = opened(core, viewport={"width": 700, "height": 900})  # of a sheet
    shown.page.emulate_media(media="print")
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    table = shown.page.locator("#print table", has_text="long_name_of_a_result_15").last
    box = table.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 700


@needs_browser
def test_without_javascript_there_are_overview_totals_and_pictures(opened: Open) -> None:
    core, blobs = pages.campaign(60)
    core["analyses"][0]["picture"] = PIXEL
    shown = opened(core, blobs, java_script_enabled=False)
    text = shown.page.inner_text("main")
    assert "60 simulations, SQLite store, as of 2026-11-23 00:27 UTC" in text
    assert core["attention"][0]["text"] in text
    rows = shown.page.locator("tr", has_text="density").all_inner_texts()
    result = core["results"][0]
    assert rows[0].split() == [
        "density", "analysis", str(result["completed"]), str(result["expected"]),
    ]  # fmt: skip
    assert shown.page.locator("#pictures img").is_visible()
    assert not shown.page.locator("#bar").is_visible()


# Hostile data

HOSTILE = [
    "<img src=x onerror=fail()>",
    "</script><script>fail()</script>",
    "\"'`\\${fail()}",
    "x" * 10_000,
    "\u202eright to left\u202c \u0000\u0007\u2028",
    "javascript:fail()",
    "=HYPERLINK(fail)",
    "__proto__",
]


@needs_browser
def test_hostile_texts_run_nothing_and_are_shown_as_they_are(opened: Open) -> None:
    core, blobs = pages.campaign(60)
    core["simulations"]["columns"]["composition"] = [HOSTILE[n % 8] for n in range(60)]
    core["simulations"]["fields"].append({
        "path": HOSTILE[0], "kind": "text", "varies": True,
        "values": [HOSTILE[n % 8] for n in range(60)],
    })  # fmt: skip
    core["simulations"]["same"] += [[text, text] for text in HOSTILE]
    core["simulations"]["tags"] = [{HOSTILE[n % 8]: HOSTILE[n % 7]} for n in range(60)]
    core["attention"] = [
        {"text": text, "command": text, "level": text, "simulations": [1]} for text in HOSTILE
    ]
    core["skipped"] = core["left_out"] = core["filters"] = HOSTILE
    core["artifacts"] = [{"name": text, "completed": 1, "pictures": 1} for text in HOSTILE]
    entries = [
        pages.artifact(n, PIXEL, note=HOSTILE[n % 8]) | {"name": HOSTILE[n % 8]} for n in range(16)
    ]
    entries.append(pages.artifact(17, "javascript:fail()"))
    core["simulations"]["molecules"] = {
        "lists": [[HOSTILE[0], [1] * 60]],
        "paths": [[0, text] for text in HOSTILE],
        "kinds": [[number, text, text] for number, text in enumerate(HOSTILE)],
        "of": [list(range(8))] * 60,
    }
    drawings = {"pictures": [PIXEL], "of": [0] * 8}
    blobs |= pages.artifacts(*entries) | {"molecules": encode(to_json(drawings))}
    shown = opened(core, blobs)
    scripts = shown.page.locator("script").count()
    for fragment in (*SECTIONS, "analyses/density", f"simulations/{pages.hash_of(0)}"):
        shown.show(f"#{fragment}")
        shown.page.select_option("#colour select", index=1)
        shown.page.select_option("#colour select", label=HOSTILE[0])
    assert shown.page.locator("h1").inner_text() == HOSTILE[0]
    shown.page.select_option("#add select", label=HOSTILE[0])
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    # The two that were added are the scripts of Vega, which the policy allows.
    assert shown.page.locator("script").count() <= scripts + 1
    assert (
        shown.page.locator("main img[src=x], main [onerror], main [href^=javascript]").count() == 0
    )
    assert not shown.page.evaluate("'fail' in window")


@needs_browser
def test_texts_that_spreadsheets_take_for_formulas_are_saved_as_texts(opened: Open) -> None:
    core = pages.core(3, name=lambda number: ["=1+1", '@a"b', "x\ny"][number])
    shown = opened(core, fragment="#simulations")
    rows = list(csv.reader(StringIO(shown.download("Table as CSV"))))
    assert [row[1] for row in rows[1:]] == ["'=1+1", "'@a\"b", "x\ny"]
