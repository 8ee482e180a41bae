"""Output on a terminal: fitted tables, questions, progress; output and errors in pipes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mdfactory.cli.layout import table_lines, tsv_lines
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.testing.records import records, run
from members import ANN, NEEDS_MEMBERS, group_folder, run_as

Running = Callable[..., Any]
Terminal = Callable[..., Any]
PROGRAM = [sys.executable, "-m", "mdfactory"]


def test_a_terminal_shows_a_table_that_fits(terminal: Terminal, pushed_systems: Path) -> None:
    shown = terminal("sync", "pull", "systems", "--sort", "hash")
    lines = shown.text.splitlines()
    assert shown.code == 0
    assert lines[0].split() == ["hash", "simulation_type", "parametrization", "status", "directory"]
    assert lines[9:] == ["8 simulations: 2 build, 1 equilibrated, 1 production, 4 completed"]
    assert max(map(len, lines)) <= 100
    first = lines[1].split()
    assert first[0] == "0BDC04CC155D"
    assert first[-1].startswith("…")
    assert f"{pushed_systems}/0BDC04CC155D…".endswith(first[-1][1:])


def test_a_terminal_shows_all_columns_but_the_large_ones(
    terminal: Terminal, pushed_systems: Path
) -> None:
    shown = terminal("sync", "pull", "systems", "--full", env={"COLUMNS": "250"})
    header = shown.text.splitlines()[0].split()
    assert "timestamp_utc" in header
    assert "input_data" not in header


def test_columns_that_are_too_wide_for_a_line_get_a_line_each(
    terminal: Terminal, pushed_systems: Path
) -> None:
    shown = terminal("sync", "pull", "systems", "--full", "--hash", "0BDC")
    lines = dict(line.split(maxsplit=1) for line in shown.text.splitlines() if line)
    assert lines["hash"] == "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
    assert lines["directory"] == str(pushed_systems / lines["hash"])
    assert lines["1"] == "simulation: 1 completed"
    assert len(lines) == 9


def test_totals_are_a_note_of_a_terminal(
    terminal: Terminal, mdfactory: Callable[..., Any], pushed_systems: Path
) -> None:
    totals = "8 simulations: "
    assert totals not in terminal("sync", "pull", "systems", "--quiet").text
    assert totals not in terminal("sync", "pull", "systems", "--json").text
    assert (
        totals
        not in terminal("sync", "pull", "systems", "--output", pushed_systems / "all.csv").text
    )
    assert mdfactory("sync", "pull", "systems").err == ""


def test_a_long_name_of_a_column_does_not_make_each_line_as_long() -> None:
    names = ["x" * 100_000, "y"]
    rows = pa.record_batch([pa.array(["1"] * 1_000)] * 2, names=names)
    lines = list(table_lines([rows], names, 80, colour=False, blocks=True))
    assert lines[:3] == [f"{names[0]}  1", f"{'y':40}  1", ""]


@pytest.mark.parametrize("width", [80, 10], ids=["table", "line for each value"])
def test_names_of_columns_are_printable_on_a_terminal(width: int) -> None:
    """The names of a frame's columns are those of a file, or of whoever has changed the store."""
    names = ["\x1b]0;evil\x07", "\x9b2J\n\u202e"]
    rows = pa.record_batch([pa.array(["1"])] * 2, names=names)
    lines = list(table_lines([rows], names, width, colour=False, blocks=True))
    assert all(map(str.isprintable, lines))
    assert any(r"\x1b]0;evil\x07" in line for line in lines)


def test_names_of_columns_are_one_line_in_a_pipe() -> None:
    names = ["a\tb\nc", "d"]
    rows = pa.record_batch([pa.array(["1"])] * 2, names=names)
    assert list(tsv_lines([rows], names)) == ["a\\tb\\nc\td", "1\t1"]


def test_statuses_of_later_batches_fit_their_column(terminal: Terminal, tmp_path: Path) -> None:
    """The first batch sets the widths of the columns."""
    config = tmp_path / "c.ini"
    config.write_text("[sqlite]\nRUN_DB_PATH = r.db\nANALYSIS_DB_PATH = a.db\n", encoding="utf-8")
    store = SqliteStore(tmp_path / "r.db", tmp_path / "a.db")
    store.create(SIMULATIONS)
    early = [run(f"{number:040}") for number in range(3_000)]
    late = run("F" * 40, status="equilibrated")
    store.write([(SIMULATIONS, records(SIMULATIONS, *early, late))], ConflictMode.refuse)
    shown = terminal("sync", "pull", "systems", "--config", config)
    assert "equilibrated" in shown.text.splitlines()[-1]


def test_clear_refuses_records_that_were_added_after_the_question(
    terminal: Terminal, mdfactory: Callable[..., Any], pushed_systems: Path
) -> None:
    """Another program adds a record while the question is open."""
    hash_ = "24BD07FDFF267DCC30C3B24D924351B4BE4D4E84"
    mdfactory("sync", "clear", "systems", "--hash", hash_, "--yes")

    def push_one() -> str:
        mdfactory("sync", "push", "systems", pushed_systems / hash_)
        return "y\n"

    shown = terminal("sync", "clear", "systems", typed=[("Remove 7 records", push_one)])
    assert shown.code == 1
    assert "the store has changed: the selection is now 8 records of RUN_DATABASE" in shown.text
    assert len(mdfactory("sync", "pull", "systems").rows) == 9


def test_an_empty_terminal_table_is_a_note(terminal: Terminal, pushed_systems: Path) -> None:
    shown = terminal("sync", "pull", "systems", "--hash", "FFFF")
    assert (shown.code, shown.text) == (
        0,
        "no records match the filters: no hash begins with FFFF\n",
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("y\n", (0, 6)), ("YES\n", (0, 6)), ("\n", (1, 8)), ("no\n", (1, 8))],
)
def test_clear_asks_and_no_is_the_default(
    terminal: Terminal,
    mdfactory: Callable[..., Any],
    pushed_systems: Path,
    answer: str,
    outcome: tuple[int, int],
) -> None:
    prompt = "Remove 2 records of RUN_DATABASE with hash 2... from the SQLite store"
    shown = terminal("sync", "clear", "systems", "--hash", "2", typed=[(prompt, answer)])
    assert prompt in shown.text
    remaining = len(mdfactory("sync", "pull", "systems").rows) - 1
    assert (shown.code, remaining) == outcome


def test_a_closed_pipe_is_no_error(pushed_systems: Path) -> None:
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' '.join(PROGRAM)} sync pull systems --full | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("words", ["sync pull systems", "--version", "--help", "config path"])
def test_a_full_disk_behind_the_output_is_an_error(pushed_systems: Path, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [*PROGRAM, *words.split()]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 1
    assert result.stderr == "error: standard output cannot be written: No space left on device\n"


WRITES = """
sync init all --force
sync push all {campaign} --force
sync relocate {campaign} /moved
sync undo
sync copy --from sqlite --to sqlite:///{folder}/copied
sync pull systems --output {folder}/systems.csv
sync clear systems --yes
prepare-build {folder}/campaign.csv {folder}/built
config init --type sqlite --yes
demo {folder}/demo
"""


@pytest.mark.parametrize("json_flag", ["", pytest.param(" --json", marks=pytest.mark.long)])
def test_work_that_is_done_is_not_called_failed_if_the_output_is_lost(
    mdfactory: Running, pushed_systems: Path, tmp_path: Path, json_flag: str
) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"
    (tmp_path / "campaign.csv").write_text(f"{header}\nmixedbox,O,5\n")
    for words in WRITES.strip().splitlines():
        line = words.format(campaign=pushed_systems, folder=tmp_path) + json_flag
        result = _redirected(line, "> /dev/full")
        assert result.returncode == 3, line
        assert result.stderr.endswith(
            "error: the command is complete, but standard output cannot be written: "
            "No space left on device\n"
        )
    for name in ("copied", "systems.csv", "built", "demo"):
        assert (tmp_path / name).exists()
    assert mdfactory("sync", "pull", "systems").rows == [[*SIMULATIONS.summary]]  # cleared


def test_a_removed_folder_is_no_fault_of_the_output(pushed_systems: Path, tmp_path: Path) -> None:
    (tmp_path / "removed").mkdir()
    command = f"cd {tmp_path}/removed; rmdir ../removed; {' '.join(PROGRAM)} sync push systems x"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "error: the current folder (it was removed): No such file" in result.stderr


@pytest.mark.parametrize("json_flag", [pytest.param("", marks=pytest.mark.long), " --json"])
def test_a_dry_run_whose_output_is_lost_has_failed(pushed_systems: Path, json_flag: str) -> None:
    for words in (
        f"push systems {pushed_systems} --force",
        "undo",
        f"relocate {pushed_systems} /moved",
    ):
        result = _redirected(f"sync {words} --dry-run{json_flag}", "> /dev/full")
        assert result.returncode == 1, words
        assert "complete" not in result.stderr


@pytest.mark.parametrize("json_flag", [pytest.param("", marks=pytest.mark.long), " --json"])
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(
    pushed_systems: Path, json_flag: str
) -> None:
    for redirection in ("> /dev/full", "| true", "2> /dev/full", "> /dev/full 2>&1"):
        result = _redirected(f"sync push systems {pushed_systems}{json_flag}", redirection)
        assert result.returncode == 1, redirection
        assert "Traceback" not in result.stderr


def test_a_closed_pipe_keeps_the_exit_code(pushed_systems: Path) -> None:
    (pushed_systems / "new").mkdir()
    (pushed_systems / "new/build.yaml").write_text("simulation_type: mixedbox\nsystem: {}\n")
    for words, code in (("status --exit-code", 4), ("push systems --update", 3)):
        for json_flag in ("", " --json"):
            result = _redirected(f"sync {words} {pushed_systems}{json_flag}", "| true")
            assert (result.returncode, "error" in result.stderr) == (code, False), words


def test_standard_error_that_cannot_be_written_is_no_failure(pushed_systems: Path) -> None:
    (pushed_systems / "new").mkdir()
    (pushed_systems / "new/build.yaml").write_text("simulation_type: mixedbox\nsystem: {}\n")
    result = _redirected(f"sync push systems {pushed_systems} --force", "2> /dev/full")
    assert result.returncode == 3
    assert "8 updated" in result.stdout


def _redirected(words: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run a command with redirections of the shell."""
    line = f"set -o pipefail; {' '.join(PROGRAM)} {words} {redirection}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_traceback(pushed_systems: Path, closed: str) -> None:
    line = f"{' '.join(PROGRAM)} sync pull systems {closed}"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_any_text_can_be_printed_in_any_encoding(tmp_path: Path) -> None:
    folder = tmp_path / "grün"
    folder.mkdir()
    text = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: 1}]}\n"
    (folder / "build.yaml").write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    arguments = (["init"], ["push"], ["pull"], ["pull", "--json"])
    for verb, *flags in arguments:
        source = [str(tmp_path)] if verb == "push" else []
        command = [*PROGRAM, "sync", verb, "systems", *source, *flags]
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=True
        )
    assert json.loads(result.stdout)["rows"][0]["directory"] == str(folder)


def test_errors_and_warnings_have_colour_where_there_is_colour(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "c.ini").write_text("[sqlite]\nJOURNAL = on\n", encoding="utf-8")
    words = ["sync", "pull", "systems", "--config", tmp_path / "c.ini"]
    shown = terminal(*words).raw
    assert "\x1b[1;31merror: \x1b[0m" in shown
    assert "\x1b[33mwarning: \x1b[0m" in shown
    for plain in ({"TERM": "dumb"}, {"TERM": ""}, {"NO_COLOR": "1"}):
        shown = terminal(*words, env=plain).raw
        assert "error: " in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize("plain", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_a_terminal_without_colours_shows_plain_tables(
    terminal: Terminal, pushed_systems: Path, plain: dict[str, str]
) -> None:
    assert pushed_systems.exists()
    colours = re.compile(r"\x1b\[[\d;]*m")  # other sequences draw the progress of slow commands
    assert colours.search(terminal("sync", "pull", "systems").raw)
    for words in ("pull systems", "pull analysis", "status"):
        assert not colours.search(terminal("sync", *words.split(), env=plain).raw)


@pytest.mark.parametrize("terminal_type", [{"TERM": "dumb"}, {}], ids=str)
def test_a_terminal_of_any_type_shows_the_table(
    pushed_systems: Path, terminal_type: dict[str, str]
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TERM"}
    command = [*PROGRAM, "sync", "status", str(pushed_systems)]
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment | terminal_type, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


RUN_WITHOUT_HOME = """
import os, sys
folder, settings, *words = sys.argv[1:]
for name in [name for name in os.environ if name.startswith(("MDFACTORY_", "XDG_"))]:
    del os.environ[name]
os.environ.pop("HOME", None)
if settings or not os.getuid():
    os.environ |= {"MDFACTORY_CONFIG_DIR": folder, "MDFACTORY_DATA_DIR": folder}
if not os.getuid():  # the first run, which imports modules
    os.environ["MDFACTORY_CACHE_DIR"] = folder
from mdfactory.cli.app import run
run(["sync", "init", "all"])
code = run(words)
if os.getuid():
    sys.exit(code)
"""


@NEEDS_MEMBERS
def test_a_user_without_home_pushes_and_needs_no_cache(campaign: Path) -> None:
    with group_folder(0o770) as folder:
        shutil.copytree(campaign, folder / "campaign")
        words = ["sync", "push", "all", str(folder / "campaign")]
        for path in [folder / "campaign", *folder.rglob("campaign/**/*")]:
            os.chown(path, ANN, ANN)
        done = run_as(ANN, 0o022, RUN_WITHOUT_HOME, folder, "settings", *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert {path.name for path in folder.iterdir()} == {"campaign", "runs.db", "analysis.db"}


@NEEDS_MEMBERS
@pytest.mark.parametrize("words", ["sync status", "config path", "sync pull systems"])
def test_a_user_without_home_is_told_what_to_set(words: str) -> None:
    with group_folder(0o770) as folder:
        done = run_as(ANN, 0o022, RUN_WITHOUT_HOME, folder, "", *words.split())
        assert done.returncode == 1
        assert "the user has no home folder; set HOME or MDFACTORY_" in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(folder.iterdir())


def test_a_terminated_pull_leaves_no_temporary_file(pushed_systems: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "out"
    fifo.mkdir()
    script = f"""
import os, signal
from mdfactory import cli
from mdfactory.sync import export
signal.alarm(30)
def batches():
    os.kill(os.getpid(), signal.SIGTERM)
    yield
cli.exit_when_terminated()
from mdfactory.records.tables import SIMULATIONS
from pathlib import Path
export.export(batches(), SIMULATIONS.schema, Path({str(fifo / "a.csv")!r}))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert result.returncode == 128 + signal.SIGTERM
    assert list(fifo.iterdir()) == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_with_its_code_and_without_a_traceback(
    tmp_path: Path, running: Running
) -> None:
    """A SOURCE of many folders takes long enough to be interrupted."""
    for number in range(20_000):
        (tmp_path / f"{number}").mkdir()
    subprocess.run([*PROGRAM, "sync", "init", "systems"], check=True, stdout=subprocess.DEVNULL)
    command = [*PROGRAM, "sync", "push", "systems", str(tmp_path), "--debug"]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as push:
        push.stderr.readline()  # the store was opened, the walk begins
        push.send_signal(signal.SIGINT)
        out, err = push.communicate(timeout=60)
    assert (push.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "interrupted" in err


def test_only_debug_shows_the_traceback(tmp_path: Path) -> None:
    for flags, shown in ([], False), (["--debug"], True):
        command = [*PROGRAM, "sync", "push", "systems", str(tmp_path), *flags]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert ("Traceback" in result.stderr) is shown


BUG = r"""
import sys
from mdfactory.cli.app import app, run
@app.command
def broken():
    raise RuntimeError("\x1b[2J\nat postgresql://me:hunter2@host/lab")
sys.exit(run(sys.argv[1:]))
"""


def test_a_bug_is_one_line_without_secrets_and_control_characters() -> None:
    message = (
        "RuntimeError: \\x1b[2J at postgresql://me:***@host/lab. "
        "This is a mistake in the program; --debug shows where"
    )
    for flags in ([], ["--json"], ["--debug"]):
        command = [sys.executable, "-c", BUG, "broken", *flags]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert result.stderr.splitlines()[-1] == f"error: {message}"
        assert ("Traceback" in result.stderr) == ("--debug" in flags)
        assert ("in broken" in result.stderr) == ("--debug" in flags)
        assert "hunter2" not in result.stderr + result.stdout
        assert is_harmless(result.stderr + result.stdout)
        if "--json" in flags:
            shown = json.loads(result.stdout)
            assert shown == {"command": "broken", "error": message.replace("\\x1b", "\x1b")}


LOST_ERRORS = r"""
import sys, threading
from mdfactory.cli import main
from mdfactory.cli.app import app
def fail(*_):
    raise RuntimeError("\x1b[2J\nat postgresql://me:hunter2@host/lab")
@app.command
def broken():
    thread = threading.Thread(target=fail)
    thread.start(), thread.join()
    type("Broken", (), {"__del__": fail})()
sys.argv[1:] = ["broken"]
main()
"""


def test_an_error_that_no_code_can_catch_is_one_line() -> None:
    command = [sys.executable, "-c", LOST_ERRORS]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    warning = "warning: RuntimeError: \\x1b[2J at postgresql://me:***@host/lab\n"
    assert (result.returncode, result.stderr) == (0, warning * 2)


READS_AHEAD = """
import io, sys, time
from pyarrow import csv
from mdfactory.cli import main
class Slow(io.BytesIO):
    def read(self, size=-1):
        time.sleep(0.3)
        return super().read(size)
reader = csv.open_csv(Slow(b"a" + b"\\n1" * 2**22))
sys.argv[1:] = ["--version"]
main()
"""


def test_a_thread_that_still_reads_ahead_does_not_abort_the_program() -> None:
    command = [sys.executable, "-c", READS_AHEAD]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


HOSTILE = "\x1b]0;title\x07\x1b[2J\x7f\x9b\u202e\u2066\r\udcff[/red]"
"""Escape sequences, bidirectional overrides, a lone surrogate, and markup of rich."""


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_no_message_has_control_characters() -> None:
    """Messages of libraries and warnings come with texts of servers, stores and files."""
    script = f"""
import logging, warnings
from mdfactory.cli.render import Terminal
from mdfactory.errors import MDFactoryError
text = {HOSTILE!r}
for json in False, True:
    terminal = Terminal(json=json, debug=True)
    terminal.note(text), terminal.warn(text), terminal.problems([text])
    terminal.error(MDFactoryError(text, command=text, details=text))
    terminal.result(text, {{"values": [text]}})
    warnings.warn(text)
    logging.getLogger("urllib3").warning("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("mdfactory").exception("failed")
"""
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert is_harmless(result.stdout + result.stderr)
    assert result.stderr.count("title") >= 14
    shown = HOSTILE.replace("\udcff", "\\xff")
    assert json.loads(result.stdout.splitlines()[-1]) == {"command": "", "values": [shown]}


@pytest.mark.usefixtures("pushed_systems")
def test_values_of_a_store_reach_a_terminal_without_control_characters(
    terminal: Terminal, mdfactory: Callable[..., Any]
) -> None:
    text = HOSTILE.replace("\udcff", "")  # no store accepts a lone surrogate
    database = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE RUN_DATABASE SET directory = ?", (text,))
        connection.execute("UPDATE _mdfactory_log SET command = ?, who = ?, host = ?", (text,) * 3)
    for words in ("pull systems --full", "pull systems --json", "log", "log --json", "verify"):
        shown = terminal("sync", *words.split()).text
        assert "title" in shown
        assert is_harmless(shown)
    rows = json.loads(mdfactory("sync", "pull", "systems", "--json").out)["rows"]
    assert {row["directory"] for row in rows} == {text}


def test_a_directory_of_a_million_characters_is_shown(
    terminal: Terminal, mdfactory: Callable[..., Any], pushed_systems: Path
) -> None:
    """The time to shorten it must not grow with the square of its length."""
    database = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE RUN_DATABASE SET directory = ?", ("/A" + "/" * 1_000_000,))
    assert "…///" in terminal("sync", "pull", "systems").text
