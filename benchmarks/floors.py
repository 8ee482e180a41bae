"""Floors: the plainest code that does the unavoidable work, one process each.

A floor imports what the command needs, so that the starts cancel.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence


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


def frames(root: str, database: str) -> None:
    """Read each Parquet file, write CSV text with Arrow, insert once: no validation, no digests."""
    import glob
    import io
    import json
    import sqlite3

    import cyclopts  # noqa: F401
    import pyarrow as pa
    import pyarrow.compute as pc
    import pydantic  # noqa: F401
    import rdkit.Chem.EnumerateStereoisomers  # noqa: F401
    import sqlalchemy  # noqa: F401
    import yaml  # noqa: F401
    from pyarrow.csv import WriteOptions, write_csv
    from pyarrow.parquet import ParquetFile

    def written(column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Write ``True`` and ``5.0`` where Arrow writes ``true`` and ``5``."""
        if pa.types.is_boolean(column.type):
            return pc.utf8_title(column.cast(pa.string()))
        if not pa.types.is_floating(column.type):
            return column
        whole = pc.equal(column, pc.floor(column))
        if not pc.any(whole).as_py():
            return column
        text = column.cast(pa.string())
        return pc.if_else(whole, pc.binary_replace_slice(text, 99, 99, ".0"), text)

    options = WriteOptions(quoting_style="none")
    rows = []
    for path in glob.glob("*/.analysis/*.parquet", root_dir=root, include_hidden=True):
        frame = ParquetFile(f"{root}/{path}").read()
        names = frame.schema.names
        text = io.BytesIO()
        columns = [written(column) for column in frame.columns]
        write_csv(pa.Table.from_arrays(columns, names), text, options)
        directory, _, file = path.split("/")
        row = (directory, f"{root}/{directory}", "bilayer", frame.num_rows, json.dumps(names))
        rows.append((*row, text.getvalue().decode(), file, "2026-01-01T00:00:00+00:00"))
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE ANALYSIS (hash NOT NULL, directory, simulation_type, row_count, columns, "
        "data_csv, data_path, timestamp_utc, UNIQUE (hash, data_path))"
    )
    connection.executemany("INSERT INTO ANALYSIS VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


def query(database: str, table: str, column: str, value: str, output: str) -> None:
    """Write the rows of one table that have this value to a CSV file, with Arrow."""
    import sqlite3

    import cyclopts  # noqa: F401
    import pyarrow as pa
    import sqlalchemy  # noqa: F401
    from pyarrow.csv import CSVWriter

    def texts(values: Sequence[object]) -> pa.Array:
        builder = pa.lib.StringBuilder()  # as fast as pyarrow.array, which would import pandas
        builder.append_values(list(map(str, values)))
        return builder.finish()

    rows = sqlite3.connect(database).execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))
    names = [name for name, *_ in rows.description]
    with CSVWriter(output, pa.schema([(name, pa.string()) for name in names])) as writer:
        while some := rows.fetchmany(2000):
            columns = [texts(column) for column in zip(*some, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, names))


FLOORS: dict[str, Callable[..., None]] = {
    "six_commands": six_commands,
    "folders": folders,
    "frames": frames,
    "query": query,
}

if __name__ == "__main__":
    FLOORS[sys.argv[1]](*sys.argv[2:])
