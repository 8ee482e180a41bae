"""Build summaries and campaign CSVs that are none: each is a SOURCE of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus.members import dangling, directory, empty, endless, fifo, listening, looping, unreadable
from corpus.yamls import ALIASES, MERGED


@dataclass(frozen=True, slots=True)
class Source:
    """A bad SOURCE.

    Parameters
    ----------
    name
        What is bad about it.
    make
        Makes it, where it is told to.
    reason
        Regular expression that the message matches.
    code
        The exit code: 1 if there is nothing to push at all, 3 if all was skipped.
    csv
        Whether it is given with ``--csv``.
    rights
        Whether root would not notice.
    """

    name: str
    make: Callable[[Path], object]
    reason: str
    code: int = 1
    csv: bool = False
    rights: bool = False


def _holding(content: str | bytes) -> Callable[[Path], object]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(raw)


SUMMARIES: list[tuple[str, str | bytes, str]] = [
    ("an empty summary", "", "no list 'system_directory'"),
    ("a summary that is a list", "- a", "no list 'system_directory'"),
    ("a summary that is text", "a", "no list 'system_directory'"),
    ("a summary of another kind", "jobs: 3", "no list 'system_directory'"),
    ("a summary of text", "system_directory: a", "no list 'system_directory'"),
    ("a summary of a mapping", "system_directory: {a: b}", "no list 'system_directory'"),
    ("a summary of null", "system_directory: ~", "no list 'system_directory'"),
    ("a summary of nothing", "system_directory: []", "no simulations found"),
    ("a summary cut off", "system_directory: [a, b", "not a build summary: line "),
    ("a summary with a tab", "system_directory:\n\t- a", "not a build summary: line 2"),
    ("a summary said twice", "system_directory: [a]\nsystem_directory: [b]", "duplicate key"),
    ("a summary of aliases", ALIASES, "aliases expand to more"),
    ("a summary of merged keys", MERGED, "aliases expand to more"),
    ("a summary in itself", "system_directory: &x [*x]", "aliases expand to more"),
    ("a summary 50,000 deep", "system_directory: " + "[" * 50_000, "nests more than 64"),
    ("a summary with a tag", "!!python/object/apply:os.system [id]", "not a build summary: line 1"),
    ("a huge summary", b"#" * (65 * 2**20), "is larger than"),
    ("a summary in latin-1", "größe: 1".encode("latin-1"), "not a build summary: "),
    ("a summary with NUL", "a: \0", "not a build summary: "),
    ("a binary summary", bytes(range(256)) * 8, "not a build summary: "),
]

MISSING: list[tuple[str, str]] = [
    ("a folder that is not there", "[gone]"),
    ("the root of all", "[/, /etc/passwd, '']"),
    ("no names", "[~, 7, 2026-01-01, [a, b], {a: b}]"),
    ("names with NUL", r'["a\0b"]'),
    ("a name that is too long", "[" + "x" * 5_000 + "]"),
    ("names with newlines", r'["a\nskipped: b: c"]'),
    ("a user that is not there", "['~nobody_at_all/x']"),
]

GOOD = "simulation_type,system.species.SOL.smiles,system.species.SOL.count\n"

MANY = "simulation_type," + ",".join(f"x{number}" for number in range(100_000))

TABLES: list[tuple[str, str | bytes, str]] = [
    ("an empty CSV", "", "no column 'simulation_type'"),
    ("a CSV of blanks", "\n\n\n", "no column 'simulation_type'"),
    ("a CSV of another kind", "a,b\n1,2\n", "no column 'simulation_type'"),
    ("a CSV with semicolons", GOOD.replace(",", ";"), "separated by semicolons, not"),
    ("a CSV of its header", GOOD, "has no rows below its header"),
    ("a CSV with a column twice", GOOD[:-1] + ",simulation_type\n", "duplicate column"),
    ("a CSV without a name", "simulation_type,,a\n", "a column without a name"),
    ("a CSV of columns in columns", "simulation_type,system,system.x\n", "one contains the other"),
    ("a CSV of no species", "simulation_type,system.species.SOL\n", "invalid column .*species.SOL"),
    ("a CSV with an open quote", GOOD + 'mixedbox,"O,5\n', "cannot be read as CSV"),
    ("a CSV with a quote amiss", GOOD + 'mixedbox,"O"x,5\n', "cannot be read as CSV"),
    ("a CSV of a huge cell", GOOD + "mixedbox," + "C" * 200_000, "cannot be read as CSV"),
    ("a CSV of a huge line", GOOD + "x," * 5_000_000, "cannot be read as CSV: a line has more"),
    ("a CSV of many columns", MANY + ",x1", "duplicate column 'x1'"),
    ("a CSV of quoted newlines", GOOD + '"' + "\n" * 3_000_000, "cannot be read as CSV"),
    ("a CSV in latin-1", (GOOD + "größe,O,1\n").encode("latin-1"), "it is not UTF-8; save"),
    ("a CSV in UTF-16", GOOD.encode("utf-16"), "it is not UTF-8; save"),
    ("a binary CSV", bytes(range(256)) * 8, "cannot be read as CSV"),
    (
        "a deep CSV",
        "simulation_type,a" + ".a" * 5_000 + "\nmixedbox,1\n",
        "nests more than 16 levels",
    ),
]

ROWS: list[tuple[str, str, str]] = [
    ("a row that is short", "mixedbox,O\n", "2 values, but the header has 3 columns"),
    ("a row that is long", "mixedbox,O,5,6\n", "4 values, but the header has 3 columns"),
    ("a row of another type", "box,O,5\n", "'box' is not one of"),
    ("a row without a type", ",O,5\n", "simulation_type: is missing"),
    ("a row of no molecule", "mixedbox,O,0\n", "has no molecules"),
    ("a row of bad SMILES", "mixedbox,xyz,5\n", "species.SOL.smiles: .* is not the SMILES"),
    ("a row of bad counts", "mixedbox,O,many\n", "species.SOL.count: "),
    ("a row of NaN", "mixedbox,O,nan\n", "species.SOL.count: "),
    ("a row of NUL", "mixedbox,O\0,5\n", "smiles: .* contains|cannot be read"),
    ("a row of formulas", "=1+1,O,5\n", "'=1.1' is not one of"),
    ("a row of 10,000 atoms", "mixedbox," + "C" * 10_000 + ",5\n", "SOL.smiles: .*characters"),
    ("a row without a folder", "mixedbox,O,5\n", "no simulation with hash [0-9A-F]{40} below"),
]

PLACES: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("a folder without anything", directory, "no simulations found", "is a directory"),
    ("a FIFO", fifo, "no such folder, build summary", "cannot be read as CSV: it is not a file"),
    ("a socket", listening, "no such folder, build summary", "cannot be read as CSV"),
    ("a dangling link", dangling, "no such folder, build summary", "No such file"),
    ("a looping link", looping, "no such folder, build summary", "Too many levels"),
    ("an endless device", endless, "no such folder, build summary", "cannot be read as CSV"),
    ("an empty file", empty, "no list 'system_directory'", "no column 'simulation_type'"),
]

SOURCES = [
    *(Source(name, _holding(content), reason) for name, content, reason in SUMMARIES),
    *(
        Source(
            f"a summary of {name}", _holding(f"system_directory: {names}"), "no such folder", code=3
        )
        for name, names in MISSING
    ),
    *(Source(name, _holding(content), reason, csv=True) for name, content, reason in TABLES),
    *(Source(name, _holding(GOOD + row), why, code=3, csv=True) for name, row, why in ROWS),
    *(Source(f"{name} as SOURCE", make, reason) for name, make, reason, _ in PLACES),
    *(Source(f"{name} as CSV", make, reason, csv=True) for name, make, _, reason in PLACES),
    Source("an unreadable summary", unreadable, "cannot be read: Permission", rights=True),
    Source("an unreadable CSV", unreadable, "cannot be read as CSV: Perm", csv=True, rights=True),
]
