"""Pages of reports whose data are made by code: campaigns of any size, with curves or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha1
from typing import Any

import numpy as np

from corpus.plot_cases import Case
from mdfactory.frames.curves import Curve, Drawing
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.frames.plots import plan as plan_of
from mdfactory.frames.statistics import WHOLE, Statistic
from mdfactory.report.analyses import Analyses, Detail
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.report.drawn.curve_data import PackedCurve, pack_curves
from mdfactory.report.drawn.entries import AnalysisContent, Simulations, content_of
from mdfactory.report.drawn.summaries import restricted, summary_of
from mdfactory.report.payload import encode, to_column, to_json, values_of_column
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.panels import Member
from mdfactory.report.plots.specification import specification
from mdfactory.report.plots.view import View, view_of

FIELD = "system.species.MEO.fraction"
STATUSES = ["build", "equilibrated", "production", "completed"]
FIGURES = ("mean", "deviation", "error", "levelled", "last", "minimum", "maximum", "drift")

Json = dict[str, Any]


def hash_of(number: int) -> str:
    return sha1(str(number).encode(), usedforsecurity=False).hexdigest().upper()


def fraction_of(number: int) -> float:
    """Return a fraction between 0 and 1 that differs from those of the next 997 simulations."""
    return number * 389 % 997 / 997


def status_of(number: int) -> str:
    return STATUSES[min(number % 6, 3)]


def core(count: int, name: Callable[[int], str] = "SOL {0}".format) -> Json:
    """Return what a page of some simulations shows at once; it has no analyses.

    Parameters
    ----------
    count
        Number of simulations.
    name
        Number of a simulation -> its composition.
    """
    numbers = range(count)
    statuses = [status_of(number) for number in numbers]
    done = [status == "completed" for status in statuses]
    states = "".join((".x"[number % 7 > 0]) if done[number] else " " for number in numbers)
    columns = {
        "hash": [hash_of(number) for number in numbers],
        "simulation_type": ["mixedbox"] * count,
        "status": statuses,
        "composition": [name(number) for number in numbers],
        "directory": ["campaign/\u0001"] * count,
        "timestamp_utc": ["2026-11-20 10:11:12"] * count,
    }
    fields = [
        _field(FIELD, "number", [fraction_of(number) for number in numbers]),
        _field("water_model", "text", [("opc3", "tip3p", "spce")[n % 3] for n in numbers]),
    ]
    lacking = [number for number in numbers if states[number] == "."]
    return {
        "version": "0.1.0",
        "title": "water_methanol",
        "as_of": "2026-11-23 00:27 UTC",
        "store": "SQLite store",
        "filters": [],
        "start": "20%",
        "left_out": [],
        "skipped": [],
        "statuses": STATUSES,
        "simulations": {
            "count": count,
            "columns": {key: to_column(values) for key, values in columns.items()},
            "fields": fields,
            "same": [["engine", "gromacs"]],
            "molecules": {"lists": [], "paths": [], "kinds": [], "of": to_column([None] * count)},
            "tags": [{"round": str(number % 3)} if number % 2 else None for number in numbers],
        },
        "colour": FIELD,
        "results": [
            {
                "name": "density",
                "item": "analysis",
                "completed": states.count("x"),
                "expected": sum(done),
                "states": states,
                "times": to_column(["2026-11-22 10:11:12" if s == "x" else None for s in states]),
            }
        ],
        "progress": [[3, {"state": "silent", "text": "12.5 of 100 ns"}]] if count > 3 else [],
        "attention": [
            {
                "text": f"{len(lacking)} completed simulations lack results",
                "level": "warning",
                "command": "mdfactory sync pull analysis --status not_yet_run",
                "simulations": lacking,
            }
        ],
        "commands": "The commands ask the store that is configured where they are run.",
        "analyses": [],
        "artifacts": [],
    }


def _field(path: str, kind: str, values: Sequence[Any]) -> Json:
    return {"path": path, "kind": kind, "varies": True, "values": to_column(values)}


def drawn_simulations(data: Json) -> list[int]:
    """Return the simulations that have the result."""
    return [number for number, state in enumerate(data["results"][0]["states"]) if state == "x"]


def members_of(data: Json, plan: Plan, points: int = 60) -> list[Member]:
    """Return curves and statistics of all quantities, which fall with the fraction."""
    return [_member(number, plan, points) for number in drawn_simulations(data)]


def _member(number: int, plan: Plan, points: int) -> Member:
    curves = [*_curves(number, plan, points)]
    statistics = [
        Statistic(
            curve.quantity,
            curve.group,
            mean=float(np.nanmean(curve.y)),
            deviation=float(np.nanstd(curve.y)),
            error=0.002,
            levelled=bool(number % 5),
            last=float(curve.y[-1]),
            minimum=float(np.nanmin(curve.y)),
            maximum=float(np.nanmax(curve.y)),
            drift=0.1,
        )
        for curve in curves
    ]
    return Member(hash_of(number), Drawing(tuple(curves), {}), statistics)


def _curves(number: int, plan: Plan, points: int) -> Iterator[Curve]:
    random = np.random.default_rng(number)
    for rank, quantity in enumerate(plan.y):
        x = np.linspace(0, 100 + number % 3, points)
        y = 1 + rank - 0.2 * fraction_of(number) + 0.01 * random.standard_normal(points)
        y[number % points] = np.nan if number % 4 == 0 else 1 + rank
        yield Curve(quantity, (), (x,), y)


def density_plan(*quantities: str) -> Plan:
    names = quantities or ("density_g_cm3",)
    units = {"time_ps": "ps", **dict.fromkeys(names, "g/cm³")}
    return Plan(PlotKind.timeseries, x=("time_ps",), y=names, together=(names,), units=units)


def colour_of(data: Json) -> Colour:
    numbers = range(data["simulations"]["count"])
    return Colour(FIELD, {hash_of(n): fraction_of(n) for n in numbers}, is_number=True)


def view(data: Json, plan: Plan, members: Sequence[Member]) -> View:
    return view_of("density", plan, members, colour_of(data), plan.y)


def analysis(data: Json, plan: Plan, members: Sequence[Member]) -> Json:
    """Return the entry of an analysis in the data of a page."""
    shown = view(data, plan, members)
    number_of = {hash_of(number): number for number in range(data["simulations"]["count"])}
    quantities = list(plan.y)
    statistics: Json = {"simulation": [], "quantity": [], "group": []}
    statistics |= {name: [] for name in FIGURES}
    for member in members:
        for part in member.statistics:
            statistics["simulation"].append(number_of[member.hash])
            statistics["quantity"].append(quantities.index(part.quantity))
            statistics["group"].append(0)
            for name in FIGURES:
                statistics[name].append(getattr(part, name))
    return {
        "name": "density",
        "records": len(members),
        "drawn": len(members),
        "kind": str(plan.kind),
        "reason": "",
        "notes": ["thinned to 60 points"],
        "caption": [],
        "quantities": [
            {"name": q, "title": "density (g/cm³)", "unit": "g/cm³"} for q in quantities
        ],
        "groups": [],
        "group_values": [[]],
        "x": {"title": shown.x_title, "scale": shown.x_factor, "type": shown.x_type},
        "views": [
            {
                "quantity": 0,
                "panels": [
                    {"quantity": quantities.index(panel.quantity), "group": 0, "title": panel.title}
                    for panel in shown.panels
                ],
                "specification": specification(plan, shown),
            }
        ],
        "others": [],
        "statistics": statistics,
    }


def curves_blob(data: Json, plan: Plan, members: Sequence[Member]) -> bytes:
    """Return the curves as the page has them."""
    number_of = {hash_of(number): number for number in range(data["simulations"]["count"])}
    return pack_curves(
        PackedCurve(number_of[member.hash], plan.y.index(curve.quantity), 0, curve.x, curve.y)
        for member in members
        for curve in member.drawing.curves
    )


def campaign(count: int, *quantities: str) -> tuple[Json, dict[str, str]]:
    """Return the data of a page of some simulations with one analysis, and its other data."""
    data = core(count)
    plan = density_plan(*quantities)
    members = members_of(data, plan)
    data["analyses"] = [analysis(data, plan, members)]
    return data, {"analysis-0": encode(curves_blob(data, plan, members))}


def stored(cases: Sequence[Case], count: int, colour: str) -> tuple[Json, dict[str, str], Analyses]:
    """Return the data of a page of simulations that have the tables of some cases.

    Parameters
    ----------
    cases
        The cases; each is an analysis.
    count
        Number of simulations, which share the tables of a case.
    colour
        The field that colours them, which some lack.
    """
    data = core(count)
    hashes = [hash_of(number) for number in range(count)]
    data["colour"] = colour
    field = next(one for one in data["simulations"]["fields"] if one["path"] == colour)
    values = values_of_column(field["values"], count)
    values[2::7] = [None] * len(values[2::7])
    if colour != FIELD:
        values = ["__proto__" if value == "spce" else value for value in values]
    field["values"] = to_column(values)
    simulations = Simulations(
        {hash_: number for number, hash_ in enumerate(hashes)},
        Colour(colour, dict(zip(hashes, values, strict=True)), is_number=colour == FIELD),
        [status_of(number) for number in range(count)],
        {hash_: f"SOL {number}" for number, hash_ in enumerate(hashes)},
        Privacy([]),
    )
    contents = [_content(case, hashes, simulations) for case in cases]
    analyses = Analyses(contents=contents)
    data["analyses"] = [content.entry() | {"records": count} for content in contents]
    return data, dict(analyses.encoded(Detail())), analyses


def _content(case: Case, hashes: Sequence[str], simulations: Simulations) -> AnalysisContent:
    """Return the analysis of a case."""
    frames = case.frames()
    made = restricted(plan_of(case.analysis, frames, [case.extras] * len(frames)))
    whole = [summary_of(made, frame, case.extras, WHOLE).to_bytes() for frame in frames]
    summaries = {hash_: whole[number % len(whole)] for number, hash_ in enumerate(hashes)}
    return content_of(case.name, made, summaries, [], simulations)


def artifact(number: int, picture: str | None, note: str | None = None) -> Json:
    """Return the entry of an artifact of one file."""
    file = {"path": "plot.png", "size": 1234, "sha256": "AB" * 32, "picture": picture, "note": note}
    return {"simulation": number, "name": "plot", "files": [file], "time": "2026-11-22 10:11:12"}


def artifacts(*entries: Json) -> dict[str, str]:
    return {"artifacts": encode(to_json(list(entries)))}
