"""The BuildInput, its canonical JSON and its hash."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha1
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.composition import Bilayer, Lnp, MixedBox
from mdfactory.errors import BuildInputError
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationType


class Cgenff(Model):
    """Parameters from CGenFF."""

    type: Literal["cgenff"] = "cgenff"


class Smirnoff(Model):
    """Parameters from an OpenFF force field.

    Parameters
    ----------
    forcefield, water_model
        Names of the offxml files of OpenFF.
    charge_method
        Name of OpenFF's method to assign partial charges.
    """

    type: Literal["smirnoff"] = "smirnoff"
    forcefield: str = "openff-2.2.0.offxml"
    water_model: str = "opc3.offxml"
    charge_method: str = "openff-gnn-am1bcc-0.1.0-rc.3.pt"


ParametrizationConfig = Annotated[Cgenff | Smirnoff, Field(discriminator="type")]


class BuildInput(Model):
    """The input from which a simulation folder was built.

    A BuildInput is normalised: SMILES are canonical, counts and fractions are computed from each
    other, defaults are filled in. Its hash identifies the simulation. Use `parse` to make one; the
    simulation type decides which fields `system` has.

    Attributes
    ----------
    simulation_type
        Type of the simulation: ``mixedbox``, ``bilayer`` or ``lnp``.
    system
        The molecules and their arrangement.
    parametrization
        Source of the force-field parameters: ``cgenff`` or ``smirnoff``.
    parametrization_config
        Options of the source of the parameters.
    engine
        Program that runs the simulation: ``gromacs``.

    Examples
    --------
    >>> from mdfactory import BuildInput
    >>> species = [
    ...     {"smiles": "O", "resname": "SOL", "fraction": 0.9},
    ...     {"smiles": "CO", "resname": "MEO", "fraction": 0.1},
    ... ]
    >>> system = {"species": species, "total_count": 1000}
    >>> box = BuildInput.parse({"simulation_type": "mixedbox", "system": system})
    >>> [(molecule.resname, molecule.count) for molecule in box.system.species]
    [('SOL', 900), ('MEO', 100)]
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
            Mapping of field names to values, as read from a YAML or JSON file.

        Returns
        -------
        BuildInput
            An instance of the subclass for the simulation type.

        Raises
        ------
        BuildInputError
            If a field is invalid; ``problems`` lists all invalid fields with the reasons.

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
            raise BuildInputError([("", "not a mapping of keys to values")])
        simulation_type = values.get("simulation_type")
        if not isinstance(simulation_type, str) or simulation_type not in MODEL_BY_SIMULATION_TYPE:
            known = ", ".join(MODEL_BY_SIMULATION_TYPE)
            reason = f"{_format_value(simulation_type)} is not one of {known}"
            if "simulation_type" not in values:
                reason = REASON_BY_ERROR_TYPE["missing"]
            raise BuildInputError([("simulation_type", reason)])
        try:
            return MODEL_BY_SIMULATION_TYPE[simulation_type].model_validate(values)
        except ValidationError as error:
            problems = [_to_problem(details) for details in error.errors(include_url=False)]
            raise BuildInputError(problems) from error
        except ArithmeticError as error:
            raise BuildInputError([("system", f"its numbers are out of range: {error}")]) from error

    @cached_property
    def canonical_json(self) -> str:
        """The normalised BuildInput as JSON: fixed order of fields, no spaces, shortest floats."""
        return self.model_dump_json()

    @cached_property
    def hash(self) -> str:
        """Identity of the simulation: SHA-1 of the canonical JSON, 40 upper-case hex digits."""
        return sha1(self.canonical_json.encode(), usedforsecurity=False).hexdigest().upper()

    @model_validator(mode="before")
    @classmethod
    def _set_config_type(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Set the type of the configuration, if it has none, to the parametrization."""
        config = values.get("parametrization_config")
        if config is None:
            config = {}
        if isinstance(config, Mapping):
            config = {"type": values.get("parametrization", Parametrization.cgenff.value), **config}
        return {**values, "parametrization_config": config}

    @model_validator(mode="after")
    def _check_config_type(self) -> Self:
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


MODEL_BY_SIMULATION_TYPE: Final[dict[str, type[BuildInput]]] = {
    SimulationType.mixedbox: MixedBoxInput,
    SimulationType.bilayer: BilayerInput,
    SimulationType.lnp: LnpInput,
}

MAX_SHOWN_DIGITS: Final = 20
MAX_SHOWN_CHARACTERS: Final = 60

NOT_A_MAPPING: Final = "is not a mapping of keys to values"

REASON_BY_ERROR_TYPE: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of the model",
    "string_type": "is not a text; in YAML, put it in single quotes",
    "model_type": NOT_A_MAPPING,
    "model_attributes_type": NOT_A_MAPPING,
}
"""Error type of pydantic -> reason that is clearer than pydantic's message."""


def _to_problem(error: ErrorDetails) -> tuple[str, str]:
    """Return the field and the reason of a pydantic error."""
    field = ".".join(str(part) for part in error["loc"])
    reason = REASON_BY_ERROR_TYPE.get(error["type"], error["msg"].removeprefix("Value error, "))
    # The messages of our own validators ("value_error") contain the value where it is useful.
    if error["type"] != "value_error" and isinstance(error["input"], str | int | float):
        reason = f"{reason} (got {_format_value(error['input'])})"
    return field, reason


def _format_value(value: object) -> str:
    """Return a short text for a value of any type and size."""
    if isinstance(value, str):
        return repr(value[:MAX_SHOWN_CHARACTERS])
    if isinstance(value, float | bool):
        return repr(value)
    if not isinstance(value, int):
        return f"a {type(value).__name__}"
    # Python refuses to convert integers of thousands of digits to text.
    if abs(value) >= 10**MAX_SHOWN_DIGITS:
        return f"a number of more than {MAX_SHOWN_DIGITS} digits"
    return str(value)
