"""The commands of the program."""

from __future__ import annotations

from collections.abc import Iterator

from cyclopts import App

from mdfactory.cli.app import app


def _leaves(node: App, path: tuple[str, ...]) -> Iterator[tuple[str, App]]:
    below = {name: one for name, one in node.resolved_commands().items() if name[0] != "-"}
    for name, one in below.items():
        yield from _leaves(one, (*path, name))
    if not below:
        yield " ".join(path), node


LEAVES = dict(_leaves(app, ("mdfactory",)))
"""Command line without arguments, such as ``mdfactory sync push systems`` -> the command."""
