"""Paths that are not ASCII, in any locale: each command says the same, and stores the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores import store_at

POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UTF8 = {"LC_ALL": "C.UTF-8"}
HEADER = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"

COMMANDS = """
0 0 -- sync init all
0 0 -- sync push all {plain}/campaign
1 1 ++ sync push all {plain}/campaign --config {odd}/missing.ini
0 0 ++ config init --type sqlite --yes --config {odd}/a.ini
0 0 ++ config show --config {odd}/a.ini
0 0 ++ config path --config {odd}/a.ini
0 0 ++ config path --config {odd}/a.ini --json
0 0 ++ check-csv {odd}/campaign.csv
1 1 ++ check-csv {odd}/missing.csv --json
0 0 -- prepare-build {odd}/campaign.csv {plain}/built
0 1 ++ prepare-build {plain}/campaign.csv {odd}/built
0 1 ++ prepare-build {plain}/campaign.csv {odd}/built --json
0 3 ++ sync push all {odd}/campaign --update
1 1 ++ sync push all {odd}/missing
1 1 ++ sync push all {odd}/campaign.csv --json
0 3 -+ sync status {odd}/campaign
3 3 ++ sync status --csv {odd}/campaign.csv --csv-root {plain}/campaign --json
0 1 -+ sync verify {odd}/campaign
1 1 ++ sync verify {odd}/missing
0 2 ++ sync relocate {odd}/campaign {odd}/moved
0 1 ++ sync relocate {odd}/moved {odd}/../campaign --json
0 0 ++ sync pull systems --output {odd}/systems.csv
0 0 ++ sync pull systems --output {odd}/systems.csv --json
1 1 ++ sync pull systems --output {odd}/missing/systems.csv
0 0 ++ sync copy --from sqlite --to sqlite:///{odd}/copied
0 0 ++ sync copy --from sqlite --to csv:///{odd}/csv
0 0 +- sync log
0 0 +- sync log --json
0 1 ++ demo {odd}/demo
"""
"""Exit code of a command, and whether it shows the path: if that is UTF-8, and if it is not."""

RUN_ALL = """
import sys
from mdfactory.cli import main
for line in sys.argv[1:]:
    sys.argv = ["mdfactory", *line.split()]
    try:
        main()
    except SystemExit as stop:
        print(end=f"\\x1e{stop.code}\\x1f")
        print(end="\\x1f", file=sys.stderr, flush=True)
"""


def _run(lines: Sequence[bytes], locale: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Run command lines in a process of a locale; yield exit code, output and errors of each."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    command = [sys.executable, "-c", RUN_ALL, *lines]
    result = subprocess.run(command, env=kept | locale, capture_output=True, check=False)
    outputs, errors = result.stdout.decode().split("\x1f"), result.stderr.decode().split("\x1f")
    for output, error in zip(outputs[:-1], errors[:-1], strict=True):
        text, _, code = output.rpartition("\x1e")
        yield code, text, error


def _texts(text: str) -> str:
    """Return all texts in the object of ``--json``, as they are; any other output unchanged."""
    return json.dumps(json.loads(text), ensure_ascii=False).replace("\\\\", "\\")


@pytest.fixture(scope="session")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A locale in which the bytes of any path are text, but another one than in UTF-8."""
    if not shutil.which("localedef"):
        pytest.skip("there is no localedef to make a locale with")
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"]
    subprocess.run(command, check=True)
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.mark.long
def test_each_command_shows_the_same_path_in_latin1(
    campaign: Path, tmp_path: Path, latin1: dict[str, str]
) -> None:
    test_each_command_shows_the_same_path_in_any_locale(campaign, tmp_path, latin1, "grün".encode())


@pytest.mark.parametrize(
    ("locale", "name"), [(POSIX, "grün".encode()), (UTF8, b"gr\xfcn")], ids=ascii
)
def test_each_command_shows_the_same_path_in_any_locale(
    campaign: Path, tmp_path: Path, locale: dict[str, str], name: bytes
) -> None:
    plain = os.fsencode(tmp_path)
    odd, shown = plain + b"/" + name, name.decode(errors="backslashreplace")
    shutil.copytree(os.fsencode(campaign), odd + b"/campaign")
    for folder in plain, odd:
        Path(os.fsdecode(folder), "campaign.csv").write_text(f"{HEADER}\nmixedbox,O,5\n")
    table = [line.split(maxsplit=3) for line in COMMANDS.strip().splitlines()]
    lines = [words.encode() for *_, words in table]
    lines = [line.replace(b"{odd}", odd).replace(b"{plain}", plain) for line in lines]
    case = "\\" in shown
    for (*codes, shows, words), result in zip(table, _run(lines, locale), strict=True):
        code, output, errors = result
        assert code == codes[case], (words, result)
        texts = _texts(output) if "--json" in words else output
        assert (f"/{shown}" in texts + errors) == (shows[case] == "+"), (words, result)
        assert not any(wrong in output + errors for wrong in ("Traceback", "\\udc", "Ã"))
    if not case:
        copied = store_at(f"sqlite:///{tmp_path}/{shown}/copied")
        with copied.transaction() as transaction:
            rows = list(transaction.values(SIMULATIONS, Query((), ("directory",))))
        assert {os.path.dirname(directory) for (directory,) in rows} == {str(campaign)}
