"""The command that adopts plain GROMACS folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from mdfactory.cli.layout import shell_words
from mdfactory.cli.options import Command, ReadingOptions, UserPath
from mdfactory.cli.session import CurrentSession, Exit
from mdfactory.errors import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from mdfactory.campaign.adopt import AdoptedRun, Adoption

app = Command(name="adopt")

COLUMNS: Final = (
    *("name", "molecules", "temperature", "pressure", "forcefield", "water_model"),
    *("status", "hash", "directory"),
)
"""Columns of the table; temperatures are in K, pressures in bar."""

SUMMARY: Final = ("name", "molecules", "temperature", "pressure", "forcefield", "status")
"""Columns on a terminal."""


@app.default
def adopt(
    root: UserPath,
    /,
    *,
    prefix: str = "",
    write: bool = False,
    reading: ReadingOptions | None = None,
    session: CurrentSession,
) -> int:
    """Give plain GROMACS folders a BuildInput, so that they can be pushed.

    A run is a folder with a topology (.top) and at least one other file of GROMACS. Its molecules
    are read from the topology, its temperature and pressure from its log or .mdp file. Without
    --write, nothing is written.

    Parameters
    ----------
    root
        Folder to search, at any depth.
    prefix
        Text before the names of the runs. A name is the path of a folder relative to ROOT.
    write
        Write build.yaml into the folder of each run, and ROOT/adopted.yaml, which lists all of
        them. No other file is changed.

    Examples
    --------
    mdfactory adopt /scratch/ethanol
    mdfactory adopt /scratch/ethanol --write
    """
    from mdfactory.campaign.adopt import adopt

    terminal = session.terminal
    with terminal.progress() as watch, (reading or ReadingOptions()).opened(session) as index:
        adoption = adopt(root, prefix=prefix, write=write, reading=index, watch=watch)
    terminal.problems((), adoption.skipped)
    counts = {
        "adopted": len(adoption.runs),
        "existing": adoption.existing,
        "skipped": len(adoption.skipped),
    }
    values = {"written": write, "counts": counts, "skipped": [asdict(s) for s in adoption.skipped]}
    terminal.complete |= write
    if adoption.runs or terminal.json:
        columns = SUMMARY if terminal.interactive else COLUMNS
        rows = _rows(adoption.runs).select(columns)
        batches = [rows] if rows.num_rows else []
        terminal.rows(batches, columns, values, required=("name", "status"), wanted=("name",))
    if not terminal.json:
        terminal.note("\n".join(_closing_lines(adoption, session, root, prefix, write=write)))
    return Exit.skipped if adoption.skipped else Exit.done


def _rows(runs: list[AdoptedRun]) -> pa.RecordBatch:
    """Return a row for each run."""
    import pyarrow as pa

    numbers = {"temperature", "pressure"}
    fields = [(name, pa.float64() if name in numbers else pa.string()) for name in COLUMNS]
    return pa.RecordBatch.from_pylist(list(map(_values, runs)), pa.schema(fields))


def _values(run: AdoptedRun) -> dict[str, Any]:
    """Return what the table shows of a run: column -> value."""
    from mdfactory.records.fields import composition

    build: Any = run.build_input
    system, config = build.system, build.parametrization_config
    return {
        "name": system.name,
        "molecules": composition(json.loads(build.canonical_json)),
        "temperature": system.temperature,
        "pressure": system.pressure,
        "forcefield": config.forcefield,
        "water_model": config.water_model,
        "status": run.status.value,
        "hash": build.hash,
        "directory": run.path,
    }


def _closing_lines(
    adoption: Adoption, session: CurrentSession, root: UserPath, prefix: str, *, write: bool
) -> Iterator[str]:
    """Yield how many runs were adopted, and the next command."""
    verb = "adopted" if write else "would be adopted"
    runs = f"{counted(len(adoption.runs), 'run')} {verb}"
    if adoption.existing and not adoption.runs:
        runs = "no run is left to adopt"
    existing, skipped = f"{adoption.existing:,}", f"{len(adoption.skipped):,}"
    yield f"{runs}, {existing} already have a BuildInput, {skipped} skipped"
    if not (adoption.runs or adoption.existing):
        return
    if write or not adoption.runs:
        # Those of an earlier push may be in the store; another run of the same name stays there.
        words = shell_words(root, *["--diff"] * bool(adoption.existing))
        yield session.next_command(f"To push them: mdfactory sync push all {words}")
        return
    options = ["--prefix", prefix] if prefix else []
    words = shell_words(root, *options, "--write")
    yield session.next_command(f"Nothing was written. To adopt them: mdfactory adopt {words}")
