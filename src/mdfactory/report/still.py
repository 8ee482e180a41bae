"""What the page shows without JavaScript: the overview, and the totals of the matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from mdfactory.report.campaign.molecule_lists import FieldReader
from mdfactory.report.payload import values_of_column

MAX_FIELDS: Final = 40
"""Maximum number of fields that are listed."""

MAX_VALUES: Final = 6
"""Maximum number of values of a field that are listed."""

Core = Mapping[str, Any]


def still(core: Core) -> str:
    """Return the markup of the overview and of the totals of the matrix.

    Parameters
    ----------
    core
        The data that the page shows at once.
    """
    title, count = escape(core["title"]), core["simulations"]["count"]
    source = escape(f"{core['store']}, as of {core['as_of']}")
    simulations = "simulation" if count == 1 else "simulations"
    return "\n".join(
        [
            f'<section id="overview"><h1>{title}</h1>',
            f'<p class="dim">{count:,} {simulations}, {source}</p>',
            _list("What to do next", _attention(core)),
            _table("Simulations", ("type", "status", "simulations"), _counts(core)),
            _table("What varies", ("field", "values"), _varying(core)),
            _table("What is the same", ("field", "value"), _same(core)),
            _list("About this report", [*core["left_out"], *core["skipped"]]),
            "</section>",
            '<section id="matrix"><h1>Matrix</h1>',
            _table("Results", ("result", "kind", "there", "expected"), _totals(core)),
            "</section>",
            '<section id="analyses"><h1>Analyses</h1></section>',
        ]
    )


def _attention(core: Core) -> Iterator[str]:
    for item in core["attention"]:
        command = item.get("command")
        yield f"{item['text']}. Run: {command}" if command else item["text"]
    if core["commands"] and any(item.get("command") for item in core["attention"]):
        yield core["commands"]


def _counts(core: Core) -> list[tuple[str, str, int]]:
    """Return the number of simulations of each type and status, in the order of progress."""
    columns = core["simulations"]["columns"]
    count = core["simulations"]["count"]
    types, statuses = (
        values_of_column(columns[name], count) for name in ("simulation_type", "status")
    )
    counts = Counter(zip(map(str, types), map(str, statuses), strict=True))
    order = {status: place for place, status in enumerate(core["statuses"])}
    keys = sorted(counts, key=lambda key: (key[0], order.get(key[1], len(order)), key[1]))
    return [(*key, counts[key]) for key in keys]


def _varying(core: Core) -> Iterator[tuple[str, str]]:
    """Yield the fields that vary, with their ranges or most frequent values."""
    simulations = core["simulations"]
    columns = {field["path"]: field["values"] for field in simulations["fields"]}
    reader = FieldReader(
        simulations["count"], simulations["molecules"], columns, simulations["same"]
    )
    varying = (field for field in simulations["fields"] if field["varies"])
    for field, _ in zip(varying, range(MAX_FIELDS), strict=False):
        values = [value for value in reader.values(field["path"]) if value is not None]
        yield _titled(core, field["path"]), _range(field["kind"], values)


def _range(kind: str, values: Sequence[Any]) -> str:
    if kind == "number" and values:
        return f"{min(values):.6g} to {max(values):.6g}"
    common = Counter(map(str, values)).most_common(MAX_VALUES + 1)
    texts = [f"{value} ({count})" for value, count in common[:MAX_VALUES]]
    return ", ".join([*texts, "…"] if len(common) > MAX_VALUES else texts)


def _same(core: Core) -> Iterator[tuple[str, Any]]:
    for path, value in core["simulations"]["same"][:MAX_FIELDS]:
        yield _titled(core, path), "none" if value is None else value


def _titled(core: Core, path: str) -> str:
    """Return a field with its unit, if it has one."""
    unit = core["simulations"].get("units", {}).get(path)
    return f"{path} ({unit})" if unit else path


def _totals(core: Core) -> Iterator[tuple[str, str, int, int]]:
    for result in core["results"]:
        yield result["name"], result["item"], result["completed"], result["expected"]


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    if not lines:
        return ""
    return f'<section class="card"><h2>{title}</h2><ul class="plain-list">{lines}</ul></section>'


def _table(title: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table with a heading; nothing if it has no rows."""
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return ""
    return (
        f'<section class="card"><h2>{title}</h2><table class="plain"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></section>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
