"""Decode damaged frames in a process of its own, which a crash would end.

``python foreign.py`` reads the fields of one frame a line, as JSON, from standard input, and
writes for each ``refused`` or ``decoded``, then the memory in megabytes that it held at most in
addition.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from mdfactory.errors import FrameCorruptError
from mdfactory.frames.codec import Frame, decode, empty_table
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.text import to_csv


def memory() -> int:
    """Return the most memory that this process has held, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))


def use(table: pa.Table) -> None:
    """Read all values; those of a damaged table may be texts that are not UTF-8, for example."""
    with suppress(pa.ArrowException, ValueError):
        to_csv(table, header=True)
    with suppress(pa.ArrowException, ValueError):
        for batch in table.to_batches():
            to_json_types(batch)
    with suppress(pa.ArrowException, ValueError, ArithmeticError):
        table.to_pylist()


if __name__ == "__main__":
    to_csv(pa.table({"a": ["a"]}), header=True)
    before = memory()
    for line in sys.stdin:
        frame = Frame(**json.loads(line))
        result = "decoded"
        try:
            use(empty_table(frame.arrow_schema))
            use(decode(frame))
        except FrameCorruptError:
            result = "refused"
        sys.stdout.write(f"{result}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{memory() - before}\n")
