"""Floors: the plainest code that does the unavoidable work, one process each.

A floor imports what the command needs, so that the starts cancel.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module


def six_commands(*_: str) -> None:
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


def folders(root: str, database: str, *libraries: str) -> None:
    """Scan folders, read each YAML, hash its JSON, insert once: no validation, no models."""
    import sqlite3

    rows = _runs(root, libraries)
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE RUN_DATABASE (hash NOT NULL, engine, parametrization, simulation_type, "
        "input_data, input_data_type, directory, status, timestamp_utc, UNIQUE (hash))"
    )
    connection.executemany("INSERT INTO RUN_DATABASE VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


def listing(root: str, *_: str) -> None:
    """List a folder and each folder in it; import nothing."""
    import os

    with os.scandir(root) as entries:
        directories = [entry.path for entry in entries if entry.is_dir()]
    for directory in directories:
        with os.scandir(directory) as entries:
            for _entry in entries:
                pass


def unchanged(root: str, *libraries: str) -> None:
    """List the same, with the imports of a command that looks whether anything has changed."""
    for library in ("cyclopts", "pyarrow", "sqlite3", *libraries):
        import_module(library)
    listing(root)


def append(root: str, file: str, copy: str, *libraries: str) -> None:
    """Read folders likewise, read the hashes of a CSV file, copy it, append the new rows."""
    import csv
    import shutil

    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, read_csv

    rows = _runs(root, libraries)
    only = ConvertOptions(include_columns=["hash"], column_types={"hash": pa.string()})
    there = set(read_csv(file, convert_options=only)["hash"].to_pylist())
    shutil.copyfile(file, copy)
    with open(copy, "a", newline="", encoding="utf-8") as text:
        csv.writer(text, lineterminator="\n").writerows(row for row in rows if row[0] not in there)


def _runs(root: str, libraries: Sequence[str]) -> list[tuple[str, ...]]:
    import hashlib
    import json
    import os

    import cyclopts  # noqa: F401
    import pyarrow  # noqa: F401  # ICN001
    import pydantic  # noqa: F401
    import rdkit.Chem.EnumerateStereoisomers  # noqa: F401
    import yaml

    for library in libraries:
        import_module(library)
    rows: list[tuple[str, ...]] = []
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
    return rows


def frames(root: str, database: str, *libraries: str) -> None:
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
    import yaml  # noqa: F401
    from pyarrow.csv import WriteOptions, write_csv
    from pyarrow.parquet import ParquetFile

    for library in libraries:
        import_module(library)

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


def query(database: str, table: str, column: str, value: str, output: str, *libraries: str) -> None:
    """Write the rows of one table that have this value to a CSV file, with Arrow."""
    import cyclopts  # noqa: F401
    import pyarrow as pa
    from pyarrow.csv import CSVWriter

    for library in libraries:
        import_module(library)
    driver, mark = ("psycopg", "%s") if "://" in database else ("sqlite3", "?")

    def texts(values: Sequence[object]) -> pa.Array:
        builder = pa.lib.StringBuilder()  # as fast as pyarrow.array, which would import pandas
        builder.append_values(list(map(str, values)))
        return builder.finish()

    connection = import_module(driver).connect(database)
    rows = connection.execute(f'SELECT * FROM "{table}" WHERE {column} = {mark}', (value,))
    names = [name for name, *_ in rows.description]
    with CSVWriter(output, pa.schema([(name, pa.string()) for name in names])) as writer:
        while some := rows.fetchmany(2000):
            columns = [texts(column) for column in zip(*some, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, names))


def _hashed_files(root: str) -> Iterator[tuple[str, bytes]]:
    """Read and hash each file of an artifact; yield its SHA-256 and content."""
    import hashlib
    import os

    for folder, _folders, names in os.walk(root):
        for name in names if folder.endswith("/artifacts/frames") else ():
            with open(f"{folder}/{name}", "rb") as file:
                content = file.read()
            yield hashlib.sha256(content).hexdigest(), content


def copy_files(root: str, target: str, *_: str) -> None:
    """Read each file of an artifact, hash it and write it elsewhere."""
    for digest, content in _hashed_files(root):
        with open(f"{target}/{digest}", "wb") as file:
            file.write(content)


def keep_files(root: str, target: str, *_: str) -> None:
    """Do the same so that a power cut loses nothing: under temporary names, brought to the disk."""
    import os
    from concurrent.futures import ThreadPoolExecutor

    def bring_to_disk(path: str) -> None:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    kept: dict[str, list[str]] = {}
    for digest, content in _hashed_files(root):
        below = f"{target}/{digest[:2]}"
        if below not in kept:
            os.mkdir(below)
        with open(f"{below}/.{digest}", "wb") as file:
            file.write(content)
        os.rename(f"{below}/.{digest}", f"{below}/{digest}")
        kept.setdefault(below, []).append(f"{below}/{digest}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring_to_disk, [path for paths in kept.values() for path in paths]))
        list(pool.map(bring_to_disk, kept))


FLOORS: dict[str, Callable[..., None]] = {
    "six_commands": six_commands,
    "folders": folders,
    "listing": listing,
    "unchanged": unchanged,
    "append": append,
    "frames": frames,
    "query": query,
    "copy_files": copy_files,
    "keep_files": keep_files,
}

if __name__ == "__main__":
    FLOORS[sys.argv[1]](*sys.argv[2:])
