"""The BuildInput, its canonical JSON and its hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha1
from typing import Any, Final, Self

from pydantic import ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.composition import Bilayer, Lnp, MixedBox
from mdfactory.campaign.build_input.parametrization import ParametrizationConfig
from mdfactory.errors import BuildInputError
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationType

__all__ = ["BuildInput"]


class BuildInput(Model):
    """What a simulation is made of; the input that its folder was built from.

    Make one with `parse`: the type of simulation decides what its system looks like.

    Attributes
    ----------
    simulation_type
        What is simulated.
    system
        The molecules and their arrangement.
    parametrization
        Where force-field parameters come from.
    parametrization_config
        Choices of that source.
    engine
        The program that runs the simulation.
    """

    model_config = ConfigDict(extra="ignore")

    simulation_type: SimulationType
    system: Model
    parametrization: Parametrization = Parametrization.cgenff
    parametrization_config: ParametrizationConfig
    engine: Engine = Engine.gromacs

    @classmethod
    def parse(cls, values: object) -> BuildInput:
        """Validate and normalise the values of a BuildInput.

        Parameters
        ----------
        values
            A mapping as a YAML or JSON file holds it.

        Raises
        ------
        BuildInputError
            Naming each field that is wrong, and why.

        Examples
        --------
        >>> from mdfactory import BuildInput
        >>> water = {"smiles": "O", "resname": "SOL", "count": 450}
        >>> box = BuildInput.parse({"simulation_type": "mixedbox", "system": {"species": [water]}})
        >>> box.hash
        'EB3965712A911E7FF313BCB826F03EC699E236E2'
        >>> box.system.target_density
        1.0
        """
        if not isinstance(values, Mapping):
            raise BuildInputError([("", "it holds no mapping of keys to values")])
        kind = values.get("simulation_type")
        model = MODELS.get(kind) if isinstance(kind, str) else None
        if model is None:
            raise BuildInputError([("simulation_type", _not_among(values, MODELS))])
        try:
            return model.model_validate(values)
        except ValidationError as error:
            problems = [_problem(one) for one in error.errors(include_url=False)]
            raise BuildInputError(problems) from error
        except ArithmeticError as error:
            raise BuildInputError([("system", f"its numbers are out of range: {error}")]) from error

    @cached_property
    def canonical_json(self) -> str:
        """The normalised model as JSON: fields in their order, no spaces, shortest floats."""
        return self.model_dump_json()

    @cached_property
    def hash(self) -> str:
        """The identity of the simulation: SHA-1 of the canonical JSON, 40 upper-case digits."""
        return sha1(self.canonical_json.encode(), usedforsecurity=False).hexdigest().upper()

    @model_validator(mode="before")
    @classmethod
    def _choose_config(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Let the parametrization decide which configuration is read, and its defaults."""
        config = values.get("parametrization_config")
        if config is None:
            config = {}
        if isinstance(config, Mapping):
            config = {"type": values.get("parametrization", Parametrization.cgenff.value), **config}
        return {**values, "parametrization_config": config}

    @model_validator(mode="after")
    def _check_config(self) -> Self:
        if self.parametrization_config.type != self.parametrization:
            raise ValueError(
                f"parametrization_config: its type is {self.parametrization_config.type}, "
                f"but the parametrization is {self.parametrization}"
            )
        return self


class MixedBoxInput(BuildInput):
    """The BuildInput of a mixed box."""

    system: MixedBox


class BilayerInput(BuildInput):
    """The BuildInput of a bilayer or monolayer."""

    system: Bilayer


class LnpInput(BuildInput):
    """The BuildInput of a lipid nanoparticle."""

    system: Lnp


MODELS: Final[dict[str, type[BuildInput]]] = {
    SimulationType.mixedbox: MixedBoxInput,
    SimulationType.bilayer: BilayerInput,
    SimulationType.lnp: LnpInput,
}

LARGE: Final = 10**20

PROBLEMS: Final = {"missing": "is missing", "extra_forbidden": "is not a field of the model"}


def _problem(error: ErrorDetails) -> tuple[str, str]:
    """Return the field and what is wrong with it, from an error of pydantic."""
    field = ".".join(str(part) for part in error["loc"])
    what = PROBLEMS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] != "value_error" and isinstance(error["input"], str | int | float):
        what = f"{what} (it is {_shown(error['input'])})"
    return field, what


def _shown(value: object) -> str:
    """Return a value as a message can show it, whatever somebody put into a file."""
    if isinstance(value, str | float | bool):
        return repr(value[:60] if isinstance(value, str) else value)
    if isinstance(value, int):
        return str(value) if abs(value) < LARGE else "a number of more than 20 digits"
    return f"a {type(value).__name__}"


def _not_among(values: Mapping[str, Any], known: Iterable[str]) -> str:
    if "simulation_type" not in values:
        return PROBLEMS["missing"]
    return f"{_shown(values['simulation_type'])} is none of {', '.join(known)}"
