"""The systems of a BuildInput: which molecules, how many, and how they are arranged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor, pi
from typing import Annotated, Final, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from mdfactory.campaign.build_input.base import MAX_MOLECULES, Integer, Model, Real
from mdfactory.campaign.build_input.ionization import Ionization, OptionalIonization
from mdfactory.campaign.build_input.species import LipidSpecies, Species, molecular_weight

DALTONS_PER_GRAM: Final = 6.022e23
CUBIC_ANGSTROMS_PER_CUBIC_CENTIMETRE: Final = 1e24
MIN_MOLECULES_PER_SPECIES: Final = 5
"""Number of molecules that each species should have in the box of a core or part of a shell."""

REPLICATION_FACTORS: Final = {64: 4, 27: 3, 8: 2, 1: 1}
"""Number of copies of the box of a core -> number of copies along each axis."""

FRACTION_SUM_TOLERANCE: Final = 1e-9
"""Largest allowed difference between the sum of the fractions and 1."""

MAX_TOTAL_DISTANCE: Final = 200
"""Distance from a total count in which one with even counts is searched."""

TotalCount = Annotated[
    Integer,
    Field(ge=0, le=MAX_MOLECULES),
    BeforeValidator(lambda given: 0 if given is None else given),
]
"""Number of molecules; null is read as 0, the default."""

Part = TypeVar("Part", "Core", "Shell")


class Composition(Model):
    """Species by count or by fraction.

    Parameters
    ----------
    species
        The species; those without molecules are dropped. If all have a count, fractions are
        ignored. Otherwise all need a fraction.
    total_count
        Number of molecules to which the fractions refer; normalised to the sum of the counts.
    """

    species: Sequence[Species]
    total_count: TotalCount = 0

    @model_validator(mode="after")
    def _normalise_composition(self) -> Self:
        fractions: list[float] = []
        counts = [molecule.count for molecule in self.species if molecule.count is not None]
        if len(counts) < len(self.species):
            either = "give every species a count, or every species a fraction"
            fractions = _check_fractions(self.species, either)
            if not self.total_count:
                raise ValueError("total_count: required with fractions")
            counts = _truncated_counts(fractions, self.total_count)
        total = sum(counts)
        if not total:
            raise ValueError("species: the system has no molecules")
        self._check_counts(counts, fractions)
        present = [
            molecule.model_copy(update={"count": count, "fraction": count / total})
            for molecule, count in zip(self.species, counts, strict=True)
            if count
        ]
        self.set_fields(species=present, total_count=total)
        return self

    def _check_counts(self, counts: Sequence[int], fractions: Sequence[float]) -> None:
        """Raise a `ValueError` if the molecules of these counts cannot be arranged.

        `fractions` are those from which the counts were computed; empty if counts were given.
        """


class MixedBox(Composition):
    """Molecules mixed at random in a box.

    Parameters
    ----------
    species, total_count
        As in `Composition`.
    target_density
        Target density in g/cm3.
    ionization
        The ions; None if there are none.
    """

    species: list[Species]
    target_density: Real = 1.0
    ionization: OptionalIonization = Ionization()


class Bilayer(Composition):
    """Lipids in two leaflets, or in one.

    Parameters
    ----------
    species, total_count
        The lipids; as in `Composition`.
    z_padding
        Thickness of the water on either side in angstrom.
    monolayer
        Whether there is only one leaflet. With two leaflets, every count must be even.
    ionization
        The ions; None if there are none.
    """

    species: list[LipidSpecies]
    z_padding: Annotated[Real, Field(ge=0)] = 20.0
    monolayer: bool = False
    ionization: OptionalIonization = Ionization()

    def _check_counts(self, counts: Sequence[int], fractions: Sequence[float]) -> None:
        pairs = zip(counts, self.species, strict=True)
        odd = [f"{count} of {lipid.resname}" for count, lipid in pairs if count % 2]
        if odd and not self.monolayer:
            total = _even_total(fractions, self.total_count)
            remedy = f"set total_count to {total}" if total else "give even counts"
            raise ValueError(
                f"species: {', '.join(odd)} cannot be shared between two leaflets; "
                f"{remedy}, or set monolayer"
            )


def _set_input_fractions(part: Part) -> Part:
    """Set the field `input_fractions`, in the order of the species."""
    remedy = "give every species a fraction: the counts are computed"
    fractions = _check_fractions(part.species, remedy)
    resnames = [molecule.resname for molecule in part.species]
    duplicates = [resname for resname in resnames if resnames.count(resname) > 1]
    if duplicates:
        raise ValueError(f"species: duplicate resname {duplicates[0]}")
    fraction_by_resname = dict(zip(resnames, fractions, strict=True))
    if part.input_fractions and part.input_fractions != fraction_by_resname:
        raise ValueError(
            f"input_fractions: {part.input_fractions} differ from the fractions of the species, "
            f"{fraction_by_resname}"
        )
    part.set_fields(input_fractions=fraction_by_resname)
    return part


class Core(Model):
    """The core of a nanoparticle: molecules mixed at random in a sphere.

    The core is filled with copies of a small box, in which the counts are those of `species`.

    Parameters
    ----------
    species
        The species, by fraction; counts are computed.
    target_density
        Target density in g/cm3.
    replication_factor
        Number of copies of the box along each axis; computed.
    input_fractions
        Resname -> fraction as given. The ratio of the counts may differ, as they are rounded.
    """

    species: list[Species]
    target_density: Annotated[Real, Field(gt=0)] = 0.95
    replication_factor: Integer = 1
    input_fractions: Annotated[dict[str, Real], Field(default_factory=dict)]

    _set_input_fractions = model_validator(mode="after")(_set_input_fractions)

    def with_counts(self, radius: float) -> Core:
        """Return a copy with the counts for a core of this radius in angstrom.

        The box is the smallest in which each species has enough molecules, or else the whole core.
        """
        volume = 4 / 3 * pi * radius**3
        mass = (  # in Da
            self.target_density * volume / CUBIC_ANGSTROMS_PER_CUBIC_CENTIMETRE * DALTONS_PER_GRAM
        )
        weights = (molecular_weight(molecule.smiles) for molecule in self.species)
        fractions = self.input_fractions.values()
        mean_weight = sum(f * w for f, w in zip(fractions, weights, strict=True))
        copies, core = _smallest_part(self, mass / mean_weight, REPLICATION_FACTORS)
        return core.model_copy(update={"replication_factor": REPLICATION_FACTORS[copies]})


class Shell(Model):
    """The shell of a nanoparticle: lipids on a sphere.

    The counts of `species` are those of a part of the sphere: an eighth, a quarter, half or all.

    Parameters
    ----------
    species
        The lipids, by fraction; counts are computed.
    z0
        Distance of the head atoms from the surface in angstrom.
    area_per_lipid
        Area per lipid in square angstrom.
    input_fractions
        Resname -> fraction as given. The ratio of the counts may differ, as they are rounded.
    """

    species: list[LipidSpecies]
    z0: Real = 10.0
    area_per_lipid: Annotated[Real, Field(gt=0)] = 65.0
    input_fractions: Annotated[dict[str, Real], Field(default_factory=dict)]

    _set_input_fractions = model_validator(mode="after")(_set_input_fractions)

    def with_counts(self, radius: float) -> Shell:
        """Return a copy with the counts for a sphere of this radius in angstrom.

        The part of the sphere is the smallest in which each species has enough molecules, or else
        the whole sphere.
        """
        _, shell = _smallest_part(self, 4 * pi * radius**2 / self.area_per_lipid, (8, 4, 2, 1))
        return shell


class Lnp(Model):
    """A lipid nanoparticle: a core in a shell.

    Parameters
    ----------
    radius
        Radius of the nanoparticle with its shell, in angstrom.
    shell_thickness
        Thickness of the shell in angstrom; less than the radius.
    core, shell
        Composition of the core and of the shell.
    padding
        Thickness of the water around the nanoparticle in angstrom.
    ionization
        The ions; None if there are none.
    """

    radius: Annotated[Real, Field(gt=0)]
    shell_thickness: Annotated[Real, Field(gt=0)] = 28.0
    core: Core
    shell: Shell
    padding: Annotated[Real, Field(ge=0)] = 25.0
    ionization: OptionalIonization = Ionization()

    @model_validator(mode="after")
    def _compute_counts(self) -> Self:
        core_radius = self.radius - self.shell_thickness
        if core_radius <= 0:
            raise ValueError(
                f"shell_thickness: {self.shell_thickness:g} leaves no core in a radius of "
                f"{self.radius:g}"
            )
        self.set_fields(
            core=self.core.with_counts(core_radius), shell=self.shell.with_counts(core_radius)
        )
        return self


def _check_fractions(species: Sequence[Species], remedy: str) -> list[float]:
    """Return the fractions of all species; the error for a missing one ends with the remedy.

    Raises
    ------
    ValueError
        If a fraction is missing, or they do not sum to 1.
    """
    missing = [molecule.resname for molecule in species if molecule.fraction is None]
    if missing:
        raise ValueError(f"species: {', '.join(missing)} without fraction; {remedy}")
    fractions = [molecule.fraction for molecule in species if molecule.fraction is not None]
    if abs(sum(fractions) - 1) > FRACTION_SUM_TOLERANCE:
        is_percent = abs(sum(fractions) - 100) < 1
        hint = "; write 30 % as 0.3" if is_percent else ""
        raise ValueError(f"species: the fractions sum to {sum(fractions):.12g}, not to 1{hint}")
    return fractions


def _truncated_counts(fractions: Iterable[float], total: int) -> list[int]:
    """Return the counts of fractions: truncated, on which hashes of existing simulations depend."""
    return [int(total * fraction) for fraction in fractions]


def _even_total(fractions: Sequence[float], total: int) -> int:
    """Return the total nearest to a given one that has an even count of every species, or 0.

    One that loses no molecules by truncation is preferred.
    """
    present = [fraction for fraction in fractions if fraction]
    if not present:
        return 0
    found = 0
    for distance in range(1, MAX_TOTAL_DISTANCE):
        for other in (total + distance, total - distance):
            counts = _truncated_counts(present, other)
            if min(counts) > 0 and not any(count % 2 for count in counts):
                if sum(counts) == other:
                    return other
                found = found or other
    return found


def _share_out(fractions: Iterable[float], total: int) -> list[int]:
    """Return whole numbers in the ratio of the fractions, by the largest-remainder method.

    The counts sum to `total` if the fractions sum to 1. Of equal remainders the first is rounded
    up.
    """
    exact = [fraction * total for fraction in fractions]
    counts = [floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: max(0, total - sum(counts))]:
        counts[index] += 1
    return counts


def _smallest_part(part: Part, amount: float, divisors: Iterable[int]) -> tuple[int, Part]:
    """Return the smallest part of a core or shell in which each species has enough molecules.

    Parameters
    ----------
    part
        The core or shell.
    amount
        Number of molecules of the whole, to be rounded up.
    divisors
        Numbers of equal parts into which the whole may be divided, in descending order.

    Returns
    -------
    (int, Core or Shell)
        The first divisor that leaves enough molecules, or else the last, and a copy whose species
        have their counts.
    """
    total = ceil(amount)
    if total > MAX_MOLECULES:
        raise OverflowError(f"{amount:g} molecules")
    fractions = part.input_fractions.values()
    shares = [(divisor, _share_out(fractions, ceil(total / divisor))) for divisor in divisors]
    enough = (share for share in shares if min(share[1]) >= MIN_MOLECULES_PER_SPECIES)
    divisor, counts = next(enough, shares[-1])
    species = [
        molecule.model_copy(update={"count": count})
        for molecule, count in zip(part.species, counts, strict=True)
    ]
    return divisor, part.model_copy(update={"species": species})
