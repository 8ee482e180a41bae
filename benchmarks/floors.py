"""Floors: the plainest code that does the unavoidable work, one process each.

A floor imports what the command needs, so that the starts cancel.
"""

from __future__ import annotations

import sys


def six_commands() -> None:
    """Show the help of a program with six commands."""
    from cyclopts import App

    app = App(name="floor", help="The floor.", version="1")
    for name in ("a", "b", "c", "d", "e", "f"):

        def command(first: str, *, second: int = 1) -> None:
            """Do something.

            Parameters
            ----------
            first
                A first thing.
            second
                A second one.
            """

        app.command(command, name=name)
    app(["--help"])


def folders(root: str, database: str) -> None:
    """Scan folders, read each YAML, hash its JSON, insert once: no validation, no models."""
    import hashlib
    import json
    import os
    import sqlite3

    import cyclopts  # noqa: F401
    import pyarrow  # noqa: F401  # ICN001
    import pydantic  # noqa: F401
    import rdkit.Chem.EnumerateStereoisomers  # noqa: F401
    import sqlalchemy  # noqa: F401
    import yaml

    rows = []
    with os.scandir(root) as entries:
        directories = [entry.path for entry in entries if entry.is_dir()]
    for directory in directories:
        with os.scandir(directory) as entries:
            names = {entry.name for entry in entries}
        status = "completed" if "prod.gro" in names else "build"
        name = os.path.basename(directory)
        with open(f"{directory}/{name}.yaml", "rb") as file:
            values = yaml.load(file.read(), yaml.CSafeLoader)
        text = json.dumps(values)
        digest = hashlib.sha1(text.encode()).hexdigest()
        row = (digest, values["engine"], values["parametrization"], values["simulation_type"])
        rows.append((*row, text, "BuildInput", directory, status, "2026-01-01T00:00:00+00:00"))
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE RUN_DATABASE (hash NOT NULL, engine, parametrization, simulation_type, "
        "input_data, input_data_type, directory, status, timestamp_utc, UNIQUE (hash))"
    )
    connection.executemany("INSERT INTO RUN_DATABASE VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


if __name__ == "__main__":
    {"six_commands": six_commands, "folders": folders}[sys.argv[1]](*sys.argv[2:])
