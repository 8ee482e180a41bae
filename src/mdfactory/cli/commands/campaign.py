"""The commands that validate a campaign CSV, and create simulation folders from it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from mdfactory.cli.completion import hash_prefixes
from mdfactory.cli.options import Command, UserPath
from mdfactory.cli.session import CurrentSession, Session
from mdfactory.errors import UsageError, counted, listed

if TYPE_CHECKING:
    from mdfactory.campaign.campaign_csv import Row

check = Command(name="check-csv")
prepare = Command(name="prepare-build")

MAX_SHOWN_ROWS: Final = 40
"""Number of rows of a campaign CSV that a terminal shows."""


@check.default
def check_csv(file: UserPath, /, *, session: CurrentSession) -> None:
    """Validate each row of a campaign CSV, and list all errors.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.

    Examples
    --------
    mdfactory check-csv campaign.csv
    mdfactory check-csv campaign.csv --json
    """
    from mdfactory.campaign.prepare import read_valid_rows

    checked = read_valid_rows(file)
    session.terminal.problems(f"{file}: {warning}" for warning in checked.warnings)
    for note in checked.notes:
        session.terminal.note(note)
    types = Counter(row.build_input.simulation_type.value for row in checked.rows)
    counts = ", ".join(f"{number:,} {simulation_type}" for simulation_type, number in types.items())
    session.terminal.result(
        f"{file}: {counted(len(checked.rows), 'valid row')}{counts and f' ({counts})'}",
        {
            "rows": [
                {
                    "row": row.number,
                    "line": row.line,
                    "hash": row.build_input.hash,
                    "simulation_type": row.build_input.simulation_type.value,
                }
                for row in checked.rows
            ],
            "warnings": list(checked.warnings),
            "notes": list(checked.notes),
        },
    )


@prepare.default
def prepare_build(
    file: UserPath | None = None,
    out: UserPath | None = None,
    /,
    *,
    from_store: Annotated[
        str | None, Parameter(name="--from-store", completer=hash_prefixes)
    ] = None,
    session: CurrentSession,
) -> None:
    """Create a folder for each row of a campaign CSV, and a build summary.

    Existing folders are not changed. An earlier summary is kept as a backup. If a row is
    invalid, nothing is written. With --from-store, no FILE is given: the BuildInput of one
    simulation is written back into its folder OUT.

    Parameters
    ----------
    file
        Campaign CSV, with a row for each simulation and a column for each field.
    out
        Folder in which to create the folders and the summary. Default: the current folder. With
        --from-store, the folder of the simulation. Default: the directory of its record.
    from_store
        First digits of the hash of a simulation in the store.

    Examples
    --------
    mdfactory prepare-build campaign.csv
    mdfactory prepare-build campaign.csv /scratch/campaign
    mdfactory prepare-build --from-store 24BD07 /scratch/campaign/half_methanol
    """
    if from_store is not None:
        if out is not None:
            raise UsageError("--from-store takes OUT, the folder of the simulation, and no FILE")
        _write_back(session, from_store, file)
        return
    if file is None:
        raise UsageError("FILE is missing: give a campaign CSV, or --from-store HASH")
    _prepare(session, file, out or Path())


def _write_back(session: Session, from_store: str, out: Path | None) -> None:
    """Write the BuildInput of a simulation into its folder again."""
    from mdfactory.sync.write_back import write_back

    written = write_back(session.store, from_store, out)
    verb = "already has the BuildInput of" if written.existed else "written, the BuildInput of"
    session.terminal.result(
        f"{written.file}: {verb} {written.hash}", asdict(written), complete=True
    )


def _prepare(session: Session, file: Path, out: Path) -> None:
    """Create the folders of a campaign CSV."""
    from mdfactory.campaign.prepare import prepare

    prepared = prepare(file, out)
    session.terminal.problems(f"{file}: {warning}" for warning in prepared.warnings)
    for note in prepared.notes:
        session.terminal.note(note)
    if prepared.backup:
        session.terminal.note(f"backup of the earlier summary: {prepared.backup}")
    if session.terminal.interactive:
        _show_rows(session, prepared.rows)
    session.terminal.result(
        f"{counted(len(prepared.created), 'folder')} created, "
        f"{len(prepared.existing):,} already existed; build summary: {prepared.summary}",
        {
            "summary": str(prepared.summary),
            "backup": str(prepared.backup) if prepared.backup else None,
            "made": [str(folder) for folder in prepared.created],
            "kept": [str(folder) for folder in prepared.existing],
            "warnings": list(prepared.warnings),
            "notes": list(prepared.notes),
            "rows": list(_composed_rows(prepared.rows)),
        },
        complete=True,
    )


def _show_rows(session: Session, rows: Sequence[Row]) -> None:
    """Print the row, hash and composition of each new simulation, and what else differs."""
    import pyarrow as pa

    records = [*_composed_rows(rows[:MAX_SHOWN_ROWS])]
    differences = _differences(rows[:MAX_SHOWN_ROWS], [record["composition"] for record in records])
    if any(differences):
        records = [
            {**record, "differs": text} for record, text in zip(records, differences, strict=True)
        ]
    shown = pa.RecordBatch.from_pylist(records)
    names = shown.schema.names
    session.terminal.rows([shown], names, required=("row", "hash"), wanted=names[2:])
    if len(rows) > MAX_SHOWN_ROWS:
        session.terminal.note(f"... and {len(rows) - MAX_SHOWN_ROWS:,} more (--json lists all)")


def _differences(rows: Sequence[Row], compositions: Sequence[object]) -> list[str]:
    """Return for each row the fields by which it differs from others of its composition.

    A field that others lack counts only if no other field differs.
    """
    from mdfactory.records.fields import flatten

    fields = [dict(flatten(json.loads(row.build_input.canonical_json))) for row in rows]
    differences = []
    for own, composition in zip(fields, compositions, strict=True):
        alike = [
            other for other, text in zip(fields, compositions, strict=True) if text == composition
        ]
        changed = [
            name for name in own if any(other.get(name, own[name]) != own[name] for other in alike)
        ]
        lacking = [name for name in own if any(name not in other for other in alike)]
        texts = [
            f"{name.removeprefix('system.')} {json.dumps(own[name])}"
            for name in changed or lacking
            if name != "parametrization_config.type"  # it is the parametrization
        ]
        differences.append(", ".join(listed(texts)))
    return differences


def _composed_rows(rows: Iterable[Row]) -> Iterator[dict[str, object]]:
    """Yield the number of each row, and the hash and composition of its simulation."""
    from mdfactory.records.fields import composition

    for row in rows:
        document = json.loads(row.build_input.canonical_json)
        yield {
            "row": row.number,
            "hash": row.build_input.hash,
            "composition": composition(document),
        }
