"""Systems: which molecules, how many, and how densely packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from mdfactory.campaign.build_input.base import Model
from mdfactory.campaign.build_input.species import Species

__all__ = ["Ionization", "MixedBox"]

TOLERANCE: Final = 1e-9
"""How far fractions may be from summing to 1."""

TotalCount = Annotated[
    int, Field(ge=0), BeforeValidator(lambda given: 0 if given is None else given)
]
"""A number of molecules; null is as good as absent."""

AnySpecies = TypeVar("AnySpecies", bound=Species)


class Ionization(Model):
    """The salt of a system.

    Parameters
    ----------
    neutralize
        Whether counter-ions balance the charge.
    concentration
        Of the salt, in mol/L.
    min_distance
        Between ions and solute, in angstrom.
    seed
        Of the random placement.
    """

    neutralize: bool = True
    concentration: Annotated[float, Field(ge=0)] = 0.15
    min_distance: Annotated[float, Field(ge=0)] = 5.0
    seed: int | None = None


class MixedBox(Model):
    """Molecules mixed at random in a box.

    Parameters
    ----------
    species
        The molecules, by count or by fraction; those with no molecule are dropped.
    total_count
        Number of molecules; settled as the sum of the counts.
    target_density
        In g/cm3.
    ionization
        The salt.
    """

    species: list[Species]
    total_count: TotalCount = 0
    target_density: float = 1.0
    ionization: Ionization = Ionization()

    @model_validator(mode="after")
    def _settle_composition(self) -> Self:
        self._settle(**settled(self.species, self.total_count))
        return self


def settled(species: Sequence[AnySpecies], total_count: int) -> dict[str, Any]:
    """Return `species` and `total_count` of a box or bilayer, from counts or from fractions.

    Parameters
    ----------
    species
        All with a count (then fractions do not matter), or all with a fraction.
    total_count
        Number of molecules that the fractions are of.

    Raises
    ------
    ValueError
        If some have neither, the fractions do not sum to 1 or come without `total_count`,
        or no molecule is left.
    """
    counts = [one.count for one in species if one.count is not None]
    if len(counts) < len(species):
        counts = _shared_out(species, total_count)
    total = sum(counts)
    if not total:
        raise ValueError("species: there is no molecule in it")
    present = [
        one.model_copy(update={"count": count, "fraction": count / total})
        for one, count in zip(species, counts, strict=True)
        if count
    ]
    return {"species": present, "total_count": total}


def _shared_out(species: Sequence[Species], total_count: int) -> list[int]:
    fractions = checked_fractions(species)
    if not total_count:
        raise ValueError("total_count: fractions need it")
    return [int(total_count * fraction) for fraction in fractions]


def checked_fractions(species: Sequence[Species]) -> list[float]:
    """Return the fractions of all species.

    Raises
    ------
    ValueError
        If one has none, or they do not sum to 1.
    """
    lacking = [one.resname for one in species if one.fraction is None]
    if lacking:
        raise ValueError(
            f"species: {', '.join(lacking)} without fraction; give every species a count, or "
            "every species a fraction"
        )
    fractions = [one.fraction for one in species if one.fraction is not None]
    if abs(sum(fractions) - 1) > TOLERANCE:
        raise ValueError(f"species: the fractions sum to {sum(fractions):.12g}, not to 1")
    return fractions
