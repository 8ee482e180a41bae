"""The page of defaults lists all fields that can be left out, with the defaults of the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from documents import PAGES
from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.model import MODEL_BY_SIMULATION_TYPE
from mdfactory.campaign.build_input.parametrization import ParametrizationConfig
from mdfactory.campaign.campaign_csv import read_rows

TEXT = PAGES["docs/defaults.md"].read_text(encoding="utf-8")


def _models(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _defaults(model: type[Model], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and default of each field that has no fields of its own."""
    for name, field in model.model_fields.items():
        if name in {"parametrization_config", "type"}:
            continue
        inner = [*_models(field.annotation)]
        path = f"{prefix}{name}"
        for part in inner:
            is_list = "list[" in str(field.annotation)
            yield from _defaults(part, f"{path}.<RESNAME>." if is_list else f"{path}.")
        if not inner and not field.is_required():
            yield path, _written(field.get_default(call_default_factory=True))


def _written(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _rows(cells: int) -> Iterator[tuple[str, str, str]]:
    """Yield type, field and default of each row of the table with so many cells."""
    for line in TEXT.splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(row) == cells and re.fullmatch("`.+`", row[1]):
            yield row[0], row[1].strip("`"), row[2].strip("`")


def test_the_page_lists_the_defaults_of_all_types() -> None:
    listed = [
        (name, field, default)
        for types, field, default in _rows(4)
        for name in (MODEL_BY_SIMULATION_TYPE if types == "all" else types.split(", "))
    ]
    expected = {
        (str(name), *default)
        for name, model in MODEL_BY_SIMULATION_TYPE.items()
        for default in _defaults(model)
    }
    assert {(str(name), *others) for name, *others in listed} == expected
    assert len(listed) == len(expected)


def test_the_page_lists_the_defaults_of_all_parametrizations() -> None:
    expected = {
        (model.model_fields["type"].default, *default)
        for model in _models(ParametrizationConfig)
        for default in _defaults(model)
    }
    assert sorted(_rows(3)) == sorted(expected)


def test_replicas_have_hashes_of_their_own_by_their_seeds(tmp_path: Path) -> None:
    block = re.search(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    file = tmp_path / "replicas.csv"
    file.write_text(block[1], encoding="utf-8")
    rows = read_rows(file)
    assert not rows.problems
    assert len({row.build_input.hash for row in rows.rows}) == 3
    assert [row.build_input.tags["temperature"] for row in rows.rows] == ["300", "310", "300"]
