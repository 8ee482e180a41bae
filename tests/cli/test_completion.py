"""Completion: what a shell offers for the options of a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.model import MODEL_BY_SIMULATION_TYPE
from mdfactory.cli.app import app
from mdfactory.cli.options import FieldName


def _models(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _is_collection(annotation: Any) -> bool:
    return any(kind in str(annotation) for kind in ("list[", "tuple[", "dict["))


def _paths(model: type[Model], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all fields that have one value."""
    for name, field in model.model_fields.items():
        if _is_collection(field.annotation):
            continue
        inner = [*_models(field.annotation)]
        for part in inner:
            yield from _paths(part, f"{prefix}{name}.")
        if not inner:
            yield prefix + name


def test_all_fields_of_build_inputs_are_offered() -> None:
    paths = {path for model in MODEL_BY_SIMULATION_TYPE.values() for path in _paths(model)}
    assert {*get_args(FieldName)} == {"composition", *paths}


def test_the_completion_of_a_shell_has_the_fields() -> None:
    for shell in ("bash", "zsh", "fish"):
        script = app.generate_completion(shell=shell)
        for option in ("where", "field"):
            assert option in script
        assert script.count("system.ionization.concentration") >= 2
