"""The analyses of a report, from each store to the page."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mdfactory as package
from mdfactory.records.query import Query
from mdfactory.records.tables import analysis_table
from mdfactory.report.drawn.curve_data import unpack_curves
from mdfactory.stores.store import Store

from .conftest import on

Program = Callable[..., Any]

BLOB = re.compile(r'<script type="application/x-mdfactory" id="data-([\w-]+)">([^<]*)</script>')


def _blobs(page: Path) -> dict[str, bytes]:
    text = page.read_text(encoding="utf-8")
    return {name: zlib.decompress(base64.b64decode(data)) for name, data in BLOB.findall(text)}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


@pytest.mark.usefixtures("kind", "pushed_all")
@on("sqlite", "postgres")
def test_the_numbers_of_a_page_are_those_of_each_store(mdfactory: Program, page: Path) -> None:
    assert mdfactory("report", page).code == 0
    blobs = _blobs(page)
    core = json.loads(blobs["core"])
    hashes = core["simulations"]["columns"]["hash"]
    kinds = {entry["name"]: entry["kind"] for entry in core["analyses"]}
    assert kinds == {
        "box_size_timeseries": "timeseries",
        "density_timeseries": "timeseries",
        "hydrogen_bonds": "timeseries",
        "rdf_oxygen": "profile",
        "system_chemistry": "chemistry",
    }
    for place, entry in enumerate(core["analyses"]):
        if entry["kind"] == "chemistry":
            continue
        frames = package.open_store().analysis(entry["name"])
        figure = "maximum" if entry["kind"] == "profile" else "mean"
        columns = entry["statistics"]
        names = [quantity["name"] for quantity in entry["quantities"]]
        shown = {
            (hashes[simulation], names[quantity]): value
            for simulation, quantity, value in zip(
                columns["simulation"], columns["quantity"], columns[figure], strict=True
            )
        }
        by_hash = frames.groupby("hash")[names].agg("max" if figure == "maximum" else "mean")
        assert shown == pytest.approx(by_hash.stack().to_dict(), rel=1e-9)
        curves = list(unpack_curves(blobs[f"analysis-{place}"]))
        assert len(curves) == len(shown)
        for curve in curves:
            own = frames[frames["hash"] == hashes[curve.simulation]][names[curve.quantity]]
            assert curve.y.max() == pytest.approx(own.max(), abs=(own.max() - own.min()) / 65_534)


def _damage(store: Store, name: str) -> str:
    """Change the text of a frame as no program should; return the hash of its simulation."""
    table = analysis_table(name)
    with store.transaction(write=True) as transaction:
        (rows,) = transaction.read(table, Query(limit=1))
        (record,) = rows.to_pylist()
        record["data_csv"] += "9,9\n"
        changed = type(rows).from_pylist([record], schema=rows.schema)
        transaction.backend.remove(table, [(record["hash"],)])
        transaction.backend.put(table, changed)
    return str(record["hash"])


@pytest.mark.usefixtures("kind", "pushed_all")
@on("csv", "foundry")
def test_a_frame_that_cannot_be_read_is_named_and_the_code_is_3(
    mdfactory: Program, page: Path
) -> None:
    hash_ = _damage(package.open_store().store, "density_timeseries")
    result = mdfactory("report", page)
    assert result.code == 3
    assert hash_ in result.err
    core = json.loads(_blobs(page)["core"])
    (sentence,) = core["skipped"]
    assert hash_ in sentence
    (entry,) = (entry for entry in core["analyses"] if entry["name"] == "density_timeseries")
    assert (entry["records"], entry["drawn"]) == (4, 3)


@pytest.mark.usefixtures("kind", "pushed_all")
@on("postgres", "foundry")
def test_two_reports_of_each_store_are_the_same_bytes(mdfactory: Program, page: Path) -> None:
    assert mdfactory("report", page).code == 0
    first = page.read_bytes()
    assert mdfactory("report", page).code == 0
    assert page.read_bytes() == first
