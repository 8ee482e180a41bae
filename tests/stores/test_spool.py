"""Spooled records can be read again, from memory or from disk."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.stores.spool import Spool
from mdfactory.testing.records import overview, records, run


@pytest.mark.parametrize("max_memory_bytes", [0, 2_000, 10**9])
def test_spooled_records_can_be_read_several_times(max_memory_bytes: int) -> None:
    runs = [records(SIMULATIONS, *(run(f"{n}-{m}") for m in range(20))) for n in range(10)]
    overviews = [records(OVERVIEW, overview(str(n), "rdf")) for n in range(10)]
    batches = [*chain.from_iterable(zip(runs, overviews, strict=True))]
    with Spool(max_memory_bytes=max_memory_bytes) as spool:
        positions = [spool.add(rows) for rows in batches]
        for _ in range(2):
            assert list(map(spool.read, positions)) == batches
        assert spool.read(spool.add(runs[0])) == runs[0]


def test_memory_does_not_grow_beyond_the_limit() -> None:
    rows = records(SIMULATIONS, *(run(str(n), input_data="x" * 1000) for n in range(1000)))
    with Spool(max_memory_bytes=2 * rows.nbytes) as spool:
        before = pa.total_allocated_bytes()
        for _ in range(50):
            position = spool.add(rows.take(pa.array(range(1000))))
        assert pa.total_allocated_bytes() - before < 5 * rows.nbytes
        assert spool.read(position) == rows


def test_a_full_temporary_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    script = """
import resource, sys
from mdfactory.errors import OutputError
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores.spool import Spool
from mdfactory.testing.records import records, run

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rows = records(SIMULATIONS, *(run(str(number), input_data="x" * 1000) for number in range(1000)))
try:
    with Spool(max_memory_bytes=0) as spool:
        spool.add(rows)
except OutputError as error:
    print(error)
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"the temporary folder {tmp_path} cannot be written: ")
    assert "TMPDIR" in done.stdout
