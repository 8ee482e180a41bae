"""Colours of simulations as rows have them, and the bins of many simulations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mdfactory.report.plots.bands import MAX_BINS, quantile_bins
from mdfactory.report.plots.colour import OTHERS, Colour
from mdfactory.report.plots.panels import HASH_DIGITS, Group, group_text
from mdfactory.report.plots.texts import clean
from mdfactory.report.plots.view import ColourKind, View

if TYPE_CHECKING:
    import numpy as np

Row = dict[str, Any]
"""A row of named data."""


class Paint:
    """The colour and the name of each simulation.

    Parameters
    ----------
    colour
        The field that colours them.
    view
        What is shown.
    compositions
        Hash -> composition.
    """

    def __init__(
        self, colour: Colour, view: View, compositions: Mapping[str, str] | None = None
    ) -> None:
        self._colour = colour
        self._categories = {*view.categories}
        self._by_group = view.by_group
        self._compositions = compositions or {}
        self._kind = view.colour_kind

    def of(self, hash_: str, group: Group = ()) -> float | str | None:
        """Return the number or category of a simulation; None if it has no colour."""
        if self._by_group:
            return group_text(group)
        value = self._colour.values.get(hash_)
        if self._kind is ColourKind.none or value is None:
            return None
        if isinstance(value, float):
            return value
        text = clean(value)
        return text if text in self._categories else OTHERS

    def row(self, hash_: str, group: Group = ()) -> Row:
        """Return the colour and the name of a simulation as fields of a row."""
        return {"colour": self.of(hash_, group), "name": hash_[:HASH_DIGITS]}

    def value(self, hash_: str, group: Group) -> float | str | None:
        """Return the place of a simulation on the axis of the field; its name without a field."""
        has_colour = self._by_group or self._kind is not ColourKind.none
        return self.of(hash_, group) if has_colour else hash_[:HASH_DIGITS]

    def composition(self, hash_: str) -> str:
        """Return the composition of a simulation; empty if it is not known."""
        return clean(self._compositions.get(hash_, ""))

    def bins(self, hashes: Sequence[str]) -> np.ndarray:
        """Return the bin of each simulation: a quantile of its number, or its category.

        The most frequent categories have a bin each, all others have one bin.
        """
        import numpy as np

        values = [self.of(hash_) for hash_ in hashes]
        if self._kind is ColourKind.number:
            numbers = [value if isinstance(value, float) else np.nan for value in values]
            return quantile_bins(np.array(numbers, dtype=np.float64))
        counts = Counter(sorted(map(str, values)))
        ranks = {text: rank for rank, (text, _) in enumerate(counts.most_common())}
        last = MAX_BINS - 1
        return np.array([min(ranks[str(value)], last) for value in values], dtype=np.int64)

    def of_bin(self, hashes: Sequence[str]) -> float | str | None:
        """Return the colour of a bin: the median of its numbers, or its category."""
        values = [self.of(hash_) for hash_ in hashes]
        numbers = sorted(value for value in values if isinstance(value, float))
        if numbers:
            return numbers[(len(numbers) - 1) // 2]
        return values[0] if len({*values}) == 1 else OTHERS
