"""Systems: which molecules, how many, and how densely packed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, pi
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from mdfactory.campaign.build_input.base import MOST, Model, Real, Whole
from mdfactory.campaign.build_input.species import LipidSpecies, Species, molecular_weight

__all__ = ["Bilayer", "Core", "Ionization", "Lnp", "MixedBox", "Shell"]

DALTONS: Final = 6.022e23
"""Da in a gram."""

CUBIC_CENTIMETRE: Final = 1e24
"""Cubic angstrom in a cubic centimetre."""

FEWEST: Final = 5
"""Molecules that each species of a nanoparticle should have, if that can be."""

TOLERANCE: Final = 1e-9
"""How far fractions may be from summing to 1."""

TotalCount = Annotated[
    Whole, Field(ge=0, le=MOST), BeforeValidator(lambda given: 0 if given is None else given)
]
"""A number of molecules; null is as good as absent."""

K = TypeVar("K")
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
    concentration: Annotated[Real, Field(ge=0)] = 0.15
    min_distance: Annotated[Real, Field(ge=0)] = 5.0
    seed: Whole | None = None


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
    target_density: Real = 1.0
    ionization: Ionization = Ionization()

    @model_validator(mode="after")
    def _settle_composition(self) -> Self:
        self._settle(**settled(self.species, self.total_count))
        return self


class Bilayer(Model):
    """Lipids in two leaflets, or in one.

    Parameters
    ----------
    species
        The lipids, by count or by fraction; those with no molecule are dropped.
    total_count
        Number of molecules; settled as the sum of the counts.
    z_padding
        Water on either side, in angstrom.
    monolayer
        Whether there is one leaflet; with two, every count is even.
    ionization
        The salt.
    """

    species: list[LipidSpecies]
    total_count: TotalCount = 0
    z_padding: Annotated[Real, Field(ge=0)] = 20.0
    monolayer: bool = False
    ionization: Ionization = Ionization()

    @model_validator(mode="after")
    def _settle_composition(self) -> Self:
        self._settle(**settled(self.species, self.total_count))
        odd = [one for one in self.species if one.count and one.count % 2]
        if odd and not self.monolayer:
            named = ", ".join(f"{one.count} of {one.resname}" for one in odd)
            raise ValueError(
                f"species: {named} cannot be shared between two leaflets; "
                "give even counts, or set monolayer"
            )
        return self


class Core(Model):
    """The core of a nanoparticle: molecules mixed at random in a sphere.

    Parameters
    ----------
    species
        The molecules, by fraction; counts are computed.
    target_density
        In g/cm3.
    replication_factor
        How often the packed box is repeated along each axis; computed.
    input_fractions
        The fractions as given, by resname.
    """

    species: list[Species]
    target_density: Annotated[Real, Field(gt=0)] = 0.95
    replication_factor: Whole = 1
    input_fractions: Annotated[dict[str, Real], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _settle_fractions(self) -> Self:
        self._settle(input_fractions=_input_fractions(self.species, self.input_fractions))
        return self

    def filled(self, radius: float) -> Self:
        """Return this core with its counts, for a sphere of this radius in angstrom."""
        volume = 4 / 3 * pi * radius**3
        mass = self.target_density * volume / CUBIC_CENTIMETRE * DALTONS
        weights = (molecular_weight(one.smiles) for one in self.species)
        fractions = self.input_fractions.values()
        total = _rounded_up(mass / sum(f * w for f, w in zip(fractions, weights, strict=True)))
        factor, counts = _first_ample(
            {n: _shares(fractions, ceil(total / n**3)) for n in (4, 3, 2, 1)}
        )
        return self.model_copy(
            update={"species": _counted(self.species, counts), "replication_factor": factor}
        )


class Shell(Model):
    """The shell of a nanoparticle: lipids on a sphere.

    Parameters
    ----------
    species
        The lipids, by fraction; counts are computed.
    z0
        Distance of the head atoms from the surface, in angstrom.
    area_per_lipid
        In square angstrom.
    input_fractions
        The fractions as given, by resname.
    """

    species: list[LipidSpecies]
    z0: Real = 10.0
    area_per_lipid: Annotated[Real, Field(gt=0)] = 65.0
    input_fractions: Annotated[dict[str, Real], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _settle_fractions(self) -> Self:
        self._settle(input_fractions=_input_fractions(self.species, self.input_fractions))
        return self

    def filled(self, radius: float) -> Self:
        """Return this shell with its counts, on a sphere of this radius in angstrom."""
        total = _rounded_up(4 * pi * radius**2 / self.area_per_lipid)
        fractions = self.input_fractions.values()
        _, counts = _first_ample(
            {part: _shares(fractions, ceil(total * part)) for part in (1 / 8, 1 / 4, 1 / 2, 1)}
        )
        return self.model_copy(update={"species": _counted(self.species, counts)})


class Lnp(Model):
    """A lipid nanoparticle: a core in a shell.

    Parameters
    ----------
    radius
        Of the whole, in angstrom.
    shell_thickness
        In angstrom; less than the radius.
    core, shell
        What they are made of.
    padding
        Water around it, in angstrom.
    ionization
        The salt.
    """

    radius: Annotated[Real, Field(gt=0)]
    shell_thickness: Annotated[Real, Field(gt=0)] = 28.0
    core: Core
    shell: Shell
    padding: Annotated[Real, Field(ge=0)] = 25.0
    ionization: Ionization = Ionization()

    @model_validator(mode="after")
    def _settle_counts(self) -> Self:
        radius = self.radius - self.shell_thickness
        if radius <= 0:
            raise ValueError(
                f"shell_thickness: {self.shell_thickness:g} leaves no core in a radius of "
                f"{self.radius:g}"
            )
        self._settle(core=self.core.filled(radius), shell=self.shell.filled(radius))
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


def _input_fractions(species: Sequence[Species], given: Mapping[str, float]) -> dict[str, float]:
    """Return the fractions by resname, in the order of the species."""
    fractions = checked_fractions(species)
    names = [one.resname for one in species]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"species: {twice[0]} stands twice")
    settled = dict(zip(names, fractions, strict=True))
    if given and given != settled:
        raise ValueError(f"input_fractions: {dict(given)} are not those of the species, {settled}")
    return settled


def _rounded_up(number: float) -> int:
    whole = ceil(number)
    if whole > MOST:
        raise OverflowError(f"{number:g} molecules")
    return whole


def _shares(fractions: Iterable[float], total: int) -> list[int]:
    """Share out a whole number: the largest remainders are rounded up, earlier ones first."""
    exact = [fraction * total for fraction in fractions]
    shares = [floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: shares[at] - exact[at])
    for at in by_remainder[: max(0, total - sum(shares))]:
        shares[at] += 1
    return shares


def _first_ample(choices: Mapping[K, list[int]]) -> tuple[K, list[int]]:
    """Return the first choice that gives every species enough molecules, or the last."""
    ample = ((key, counts) for key, counts in choices.items() if min(counts) >= FEWEST)
    return next(ample, list(choices.items())[-1])


def _counted(species: Sequence[AnySpecies], counts: Sequence[int]) -> list[AnySpecies]:
    return [
        one.model_copy(update={"count": count}) for one, count in zip(species, counts, strict=True)
    ]
