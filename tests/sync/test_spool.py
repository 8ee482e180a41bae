"""What is spooled comes out again, from memory or from disk."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mdfactory.records.tables import OVERVIEW, RUNS
from mdfactory.sync.spool import Spool
from mdfactory.testing.records import overview, records, run


@pytest.mark.parametrize("bound", [0, 2_000, 10**9])
def test_records_come_out_as_often_as_asked(bound: int) -> None:
    runs = [records(RUNS, *(run(f"{n}-{m}") for m in range(20))) for n in range(10)]
    overviews = [records(OVERVIEW, overview(str(n), "rdf")) for n in range(10)]
    with Spool(bound=bound) as spool:
        for one, other in zip(runs, overviews, strict=True):
            spool.add(RUNS, one)
            spool.add(OVERVIEW, other)
        for _ in range(2):
            for table, expected in ((RUNS, runs), (OVERVIEW, overviews)):
                out = [rows for which, rows in spool if which is table]
                assert pa.Table.from_batches(out) == pa.Table.from_batches(expected)
        spool.add(RUNS, runs[0])
        assert sum(rows.num_rows for which, rows in spool if which is RUNS) == 220


def test_beyond_the_bound_memory_does_not_grow() -> None:
    rows = records(RUNS, *(run(str(n), input_data="x" * 1000) for n in range(1000)))
    with Spool(bound=2 * rows.nbytes) as spool:
        before = pa.total_allocated_bytes()
        for _ in range(50):
            spool.add(RUNS, rows.take(pa.array(range(1000))))
        assert pa.total_allocated_bytes() - before < 5 * rows.nbytes
        assert sum(batch.num_rows for _, batch in spool) == 50_000


def test_an_empty_spool_is_empty() -> None:
    with Spool() as spool:
        assert list(spool) == []
