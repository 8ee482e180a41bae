"""The BuildInput, its canonical JSON and its hash."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha1
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from mdfactory.campaign.build_input.adopted import AdoptedSystem
from mdfactory.campaign.build_input.base import Model, TextByText
from mdfactory.campaign.build_input.composition import Bilayer, Lnp, MixedBox
from mdfactory.campaign.build_input.parametrization import ParametrizationConfig, ProteinForceField
from mdfactory.campaign.build_input.protein import ProteinBox, ProteinMixedBox
from mdfactory.errors import BuildInputError
from mdfactory.records.tags import join_tags
from mdfactory.records.vocabulary import Engine, Parametrization, SimulationType

Tags = Annotated[TextByText, BeforeValidator(lambda given: {} if given is None else given)]
"""Tags, sorted by key; null means none."""


class BuildInput(Model):
    """The input from which a simulation folder was built.

    A BuildInput is normalised: SMILES are canonical, counts and fractions are computed from each
    other, defaults are filled in. Its hash identifies the simulation. Use `parse` to make one; the
    simulation type decides which fields `system` has.

    Attributes
    ----------
    simulation_type
        Type of the simulation: ``mixedbox``, ``bilayer``, ``lnp``, ``proteinbox``,
        ``protein_mixedbox`` or ``adopted``.
    system
        The molecules and their arrangement.
    parametrization
        Source of the force-field parameters: ``pdb2gmx`` for a proteinbox, ``charmm`` for a
        protein_mixedbox, ``external`` for an adopted simulation, ``cgenff`` (the default) or
        ``smirnoff`` for all others.
    parametrization_config
        Options of the source of the parameters.
    engine
        Program that runs the simulation: ``gromacs``.
    tags
        Texts by key, sorted by key. They are no part of the identity: the hash is the same with
        and without them.

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
    parametrization: Annotated[Parametrization, Field(validate_default=True)] = (
        Parametrization.cgenff
    )
    parametrization_config: ParametrizationConfig
    engine: Engine = Engine.gromacs
    tags: Annotated[Tags, Field(default_factory=dict, exclude=True)]

    parametrizations: ClassVar[tuple[Parametrization, ...]] = ()
    """The parametrizations that the simulation type allows."""

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
            problems = [*map(_to_problem, _own_errors(error))]
            raise BuildInputError(problems) from error
        except ArithmeticError as error:
            raise BuildInputError([("system", f"its numbers are out of range: {error}")]) from error

    @cached_property
    def canonical_json(self) -> str:
        """The normalised BuildInput, without its tags, as JSON.

        It has a fixed order of fields, no spaces, and floats in their shortest form.
        """
        return self.model_dump_json()

    @property
    def input_data(self) -> str:
        """The canonical JSON with the tags, as a record holds it."""
        return join_tags(self.canonical_json, self.tags)

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

    @field_validator("parametrization", mode="before")
    @classmethod
    def _check_parametrization(cls, given: object, info: ValidationInfo) -> object:
        if given not in cls.parametrizations:
            raise ValueError(
                f"a {info.data['simulation_type']} needs {' or '.join(cls.parametrizations)}, "
                f"not {_format_value(given)}"
            )
        return given

    @model_validator(mode="after")
    def _check_config_type(self) -> Self:
        if self.parametrization_config.type != self.parametrization:
            raise ValueError(
                f"parametrization_config: its type is {self.parametrization_config.type}, "
                f"but the parametrization is {self.parametrization}"
            )
        return self


class SmallMoleculeInput(BuildInput):
    """The BuildInput of a system without a protein."""

    parametrizations = (Parametrization.cgenff, Parametrization.smirnoff)


class MixedBoxInput(SmallMoleculeInput):
    """The BuildInput of a mixed box."""

    system: MixedBox


class BilayerInput(SmallMoleculeInput):
    """The BuildInput of a bilayer or monolayer."""

    system: Bilayer


class LnpInput(SmallMoleculeInput):
    """The BuildInput of a lipid nanoparticle."""

    system: Lnp


class ProteinInput(BuildInput):
    """The BuildInput of a system with a protein."""

    system: ProteinBox | ProteinMixedBox

    @model_validator(mode="after")
    def _check_merged_chains(self) -> Self:
        config, chains = self.parametrization_config, self.system.protein.chains
        if chains and isinstance(config, ProteinForceField) and config.merge_all:
            raise ValueError(
                "parametrization_config.merge_all: all chains are merged, so "
                f"system.protein.chains cannot select {', '.join(chains)}"
            )
        return self


class ProteinBoxInput(ProteinInput):
    """The BuildInput of a protein in water."""

    system: ProteinBox
    parametrizations = (Parametrization.pdb2gmx,)


class ProteinMixedBoxInput(ProteinInput):
    """The BuildInput of a protein in a mixture of small molecules."""

    system: ProteinMixedBox
    parametrizations = (Parametrization.charmm,)


class AdoptedInput(BuildInput):
    """The BuildInput of a simulation that was adopted."""

    system: AdoptedSystem
    parametrizations = (Parametrization.external,)


MODEL_BY_SIMULATION_TYPE: Final[dict[str, type[BuildInput]]] = {
    SimulationType.mixedbox: MixedBoxInput,
    SimulationType.bilayer: BilayerInput,
    SimulationType.lnp: LnpInput,
    SimulationType.proteinbox: ProteinBoxInput,
    SimulationType.protein_mixedbox: ProteinMixedBoxInput,
    SimulationType.adopted: AdoptedInput,
}

MAX_SHOWN_DIGITS: Final = 20
MAX_SHOWN_CHARACTERS: Final = 60

IS_MISSING: Final = "is missing"
NOT_A_MAPPING: Final = "is not a mapping of keys to values"
NOT_A_FIELD: Final = "is not a field of the model"
TRUE_OR_FALSE: Final = "must be true or false"
WHOLE_NUMBER: Final = "must be a whole number"

REASON_BY_ERROR_TYPE: Final = {
    "missing": IS_MISSING,
    "extra_forbidden": NOT_A_FIELD,
    "string_type": "is not a text; in YAML, put it in single quotes",
    "dict_type": NOT_A_MAPPING,
    "model_type": NOT_A_MAPPING,
    "model_attributes_type": NOT_A_MAPPING,
    "union_tag_not_found": "its type is missing",
    "list_type": "is not a list",
    "tuple_type": "is not a list",
    "none_required": "must be absent or null",
    "bool_type": TRUE_OR_FALSE,
    "bool_parsing": TRUE_OR_FALSE,
    "int_type": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "its type is {tag!r:.60}, not one of {expected_tags}",
}
"""Error type of pydantic -> reason in our words, with the values of its context in braces."""

UNION_FIELDS: Final = frozenset({"parametrization_config", "sizing"})
"""Fields with a model for each ``type``; pydantic adds the type to the path of their fields."""


def _own_errors(error: ValidationError) -> list[ErrorDetails]:
    """Return the errors of pydantic without those that only repeat another.

    The type of a config without one is the parametrization.
    """
    errors = error.errors(include_url=False)
    is_invalid = any(details["loc"] == ("parametrization",) for details in errors)
    repeated = ("parametrization_config",) if is_invalid else None
    return [details for details in errors if details["loc"] != repeated]


def _to_problem(error: ErrorDetails) -> tuple[str, str]:
    """Return the field and the reason of a pydantic error."""
    path = error["loc"]
    parts = (part for parent, part in pairwise(("", *path)) if parent not in UNION_FIELDS)
    field = ".".join(map(str, parts))
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] in REASON_BY_ERROR_TYPE:
        reason = REASON_BY_ERROR_TYPE[error["type"]].format(**error.get("ctx", {}))
    # The messages of our own validators ("value_error") contain the value where it is useful.
    if error["type"] != "value_error" and isinstance(error["input"], str | int | float):
        reason = f"{reason} (got {_format_value(error['input'])})"
    return field, reason


def _format_value(value: object) -> str:
    """Return a short text for a value of any type and size."""
    if isinstance(value, str):
        return repr(str(value)[:MAX_SHOWN_CHARACTERS])
    if isinstance(value, float | bool):
        return repr(value)
    if not isinstance(value, int):
        return f"a {type(value).__name__}"
    # Python refuses to convert integers of thousands of digits to text.
    if abs(value) >= 10**MAX_SHOWN_DIGITS:
        return f"a number of more than {MAX_SHOWN_DIGITS} digits"
    return str(value)
