"""Plots of analyses, as a notebook shows them and a file keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mdfactory.errors import OutputError
from mdfactory.files import replacing
from mdfactory.report.plots.curve_rows import Limits
from mdfactory.report.plots.fill import PICTURE, SCREEN
from mdfactory.report.plots.render import INTERACTIVE, VEGALITE_MAJOR, to_png, writer_of
from mdfactory.report.plots.themes import Theme, themed


class Plot:
    """A plot of an analysis: a Vega-Lite specification with its data.

    A notebook shows it. `save` writes it to a file.

    Parameters
    ----------
    make
        Function that returns the specification, without configuration: with the data of a browser,
        or of a picture, which has fewer curves and points.

    Examples
    --------
    After ``mdfactory demo``:

    >>> import mdfactory
    >>> records = mdfactory.open_store("sqlite:///mdfactory-demo")
    >>> density = records.plot("density_timeseries")
    >>> density
    <Plot of density_timeseries: timeseries of density_g_cm3>
    >>> density.specification["usermeta"]["mdfactory"]["x"]
    'time_ps'
    >>> density.save("density.svg")
    """

    def __init__(self, make: Callable[[Limits], dict[str, Any]]) -> None:
        self._make = make
        self._made: dict[Limits, dict[str, Any]] = {}

    def _specification(self, limits: Limits) -> dict[str, Any]:
        """Return the specification with its data, which are made once."""
        if limits not in self._made:
            self._made[limits] = self._make(limits)
        return self._made[limits]

    @property
    def specification(self) -> dict[str, Any]:
        """The Vega-Lite specification, with its data.

        Its ``usermeta["mdfactory"]`` says what is drawn: ``kind``, the columns ``x`` (a list of two
        for a map, None without an axis), ``y`` and ``groups``, the ``entity`` of a population, and
        ``notes``.
        """
        return themed(self._specification(SCREEN))

    def save(self, path: str | Path, *, dark: bool = False) -> None:
        """Write the plot to a file, which is replaced at once.

        Parameters
        ----------
        path
            Path of the file. Its ending is the format: ``.svg``, ``.png`` or ``.pdf`` for pictures,
            ``.json`` for the specification, ``.html`` for a page that needs no network.
        dark
            Whether the background is dark.

        Raises
        ------
        UsageError
            If the ending is none of these.
        OutputError
            If the file cannot be written.
        """
        ending, write = writer_of(os.fspath(path))
        limits = SCREEN if ending in INTERACTIVE else PICTURE
        content = write(themed(self._specification(limits), Theme.dark if dark else Theme.light))
        data = content.encode() if isinstance(content, str) else content
        try:
            with replacing(Path(path).expanduser(), follow_link=True) as file:
                file.write(data)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return what a notebook shows: the specification, and a picture where it has no Vega."""
        return {
            f"application/vnd.vegalite.v{VEGALITE_MAJOR}+json": self.specification,
            "image/png": to_png(themed(self._specification(PICTURE))),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        drawn = self._specification(PICTURE)
        plan = drawn["usermeta"]["mdfactory"]
        y = f" of {', '.join(plan['y'])}" if plan["y"] else ""
        return f"<Plot of {drawn['title']['text']}: {plan['kind']}{y}>"
