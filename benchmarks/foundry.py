"""What the Foundry store asks of the service: requests, files and memory of whole commands.

``python -m benchmarks.foundry``: against the server of the tests, on this machine, so that times
say little and numbers of requests all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, push
from benchmarks.measure import PROGRAM, Work, cost
from benchmarks.page import PAGE, table
from benchmarks.stores import opened

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from foundry_server import FoundryServer

COLUMNS = ("work", "requests", "datasets", "files put", "largest MB", "seconds", "peak MB")

FEW = 100
"""Simulations of a small push."""


class Asked:
    """Commands on a Foundry store, and what each of them asked for."""

    def __init__(self, server: FoundryServer, folder: Path) -> None:
        self._server = server
        (folder / "config.ini").write_text("[database]\nTYPE = foundry\n", encoding="utf-8")
        self._environment = server.environment() | {"MDFACTORY_CONFIG_DIR": str(folder)}

    def row(self, work: str, *arguments: str) -> str:
        """Run a command, and return what it cost as a line of the table."""
        before = len(self._server.log)
        (ours,) = cost([Work([*PROGRAM, *arguments], environment=self._environment)], 1)
        asked = self._server.log[before:]
        touched = {
            entry.path.split("/datasets/")[1].split("/")[0]
            for entry in asked
            if "commit" in entry.path
        }
        files = [
            len(content) for rid in touched for content in self._server.dump(rid).files.values()
        ]
        largest = max(files, default=0) / 2**20
        return (
            f"| {work} | {len(asked)} | {len(touched)} | {sum('putFile' in str(e) for e in asked)} "
            f"| {largest:.1f} | {ours.seconds:.1f} | {ours.megabytes:.0f} |"
        )


def rows(
    bench: Bench, asked: Asked, sizes: list[int], megabytes: int, output: Path
) -> Iterator[str]:
    """Push a few simulations into more and more, then large frames; pull some of them."""
    yield asked.row("init all", "sync", "init", "all")
    few = [*push(bench.campaign(FEW)), "--force"]
    yield asked.row(f"push {FEW} into none", *few)
    for size in sizes:
        yield asked.row(f"push {size:,}", *push(bench.campaign(size)), "--diff")
        yield asked.row(f"push {FEW} --force into {size:,}", *few)
    pull = ("sync", "pull", "systems", "--output", str(output))
    yield asked.row("pull --status", *pull, "--status", "completed")
    yield asked.row("pull all", *pull)
    frames = push(bench.bulk(megabytes), what="analysis")
    yield asked.row(f"push analyses, {megabytes} MB in frames up to 20 MB", *frames)


def main() -> None:
    """Measure, print one table, and write it where it is to be kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foundry", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 8_000])
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, metavar="PAGE")
    options = parser.parse_args()
    command = shlex.join(["python", "-m", "benchmarks.foundry", *sys.argv[1:]])
    with (
        tempfile.TemporaryDirectory() as folder,
        opened("sqlite", Path(folder)) as stores,
        FoundryServer() as server,
        table("foundry", COLUMNS, command=command, repeats=1, page=options.write) as add,
    ):
        root = Path(folder)
        bench = Bench(root, stores, 1)
        (root / "settings").mkdir()
        os.environ["NO_PROXY"] = "127.0.0.1"
        asked = Asked(server, root / "settings")
        for row in rows(bench, asked, options.sizes, options.megabytes, root / "output.csv"):
            add(row)


if __name__ == "__main__":
    main()
