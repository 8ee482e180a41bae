"""Each code block of the documentation is run or checked, or is an excerpt with a reason."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from documents import PAGES, ROOT, Block, blocks
from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.strict_yaml import load as load_yaml
from mdfactory.config import load
from mdfactory.config.settings import read_ini
from mdfactory.stores import OPENER_BY_KIND

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@dataclass
class Runner:
    """Runs the blocks of one page in their order; the working folder is empty at first.

    Parameters
    ----------
    program
        The program, run in this process.
    terminal
        The program, run on a terminal.
    monkeypatch
        Undoes ``cd`` and ``export`` after the test.
    scratch
        Folder for files of the runner, outside the working folder.
    names
        Variables of the Python blocks.
    """

    program: Callable[..., Any]
    terminal: Callable[..., Any]
    monkeypatch: pytest.MonkeyPatch
    scratch: Path
    names: dict[str, object] = field(default_factory=dict)

    def run(self, page: str) -> None:
        """Run or check all blocks of a page.

        Raises
        ------
        AssertionError
            If a block is wrong, or is neither run nor marked as an excerpt.
        """
        rules = {
            "sh": self.run_shell,
            "console": self.run_console,
            "python": self.run_python,
            "ini": self.check_ini,
            "yaml": self.check_yaml,
            "csv": self.check_csv,
        }
        for block in blocks(page):
            if block.excerpt:
                continue
            assert block.language in rules, f"block at line {block.line}: neither run nor marked"
            if block.title:
                Path(block.title).write_text(block.text, encoding="utf-8")
            try:
                rules[block.language](block)
            except Exception as error:
                error.add_note(f"block at line {block.line}")
                raise

    def run_shell(self, block: Block) -> None:
        """Run each line; its comment may name an ``exit code N`` other than 0."""
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.startswith("for "):
                subprocess.run(["bash", "-c", line], check=True)
                continue
            for words in _commands(line):
                self.run_command(words, line)

    def run_command(self, words: list[str], line: str) -> None:
        """Run one command. Nothing is installed: of packages, the names of extras are checked."""
        name, *arguments = words
        match name.removeprefix(".venv/bin/"):
            case "mdfactory":
                result = self.program(*arguments)
                assert result.code == _code(line), f"{line}: exit code {result.code}\n{result.err}"
            case "cd":
                self.monkeypatch.chdir(arguments[0])
            case "export":
                variable, value = arguments[0].split("=", 1)
                self.monkeypatch.setenv(variable, value.replace("$PWD", os.getcwd()))
            case "unset":
                self.monkeypatch.delenv(arguments[0])
            case "mkdir" | "mv":
                subprocess.run(words, check=True)
            case "pip":
                extras = re.findall(r"(?:^| )(?:mdfactory|\.)\[(\w+)\]", " ".join(arguments))
                assert {*extras} <= {*PROJECT["optional-dependencies"]}, line
            case "python3":
                assert arguments == ["-m", "venv", ".venv"], line
            case _:
                pytest.fail(f"{line}: no rule for {name}")

    def run_console(self, block: Block) -> None:
        """Run each command after ``$ `` on a terminal, and compare its output."""
        before, *examples = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        assert before == ""
        for example in examples:
            line, _, output = example.partition("\n")
            [[name, *arguments]] = _commands(line)
            assert name == "mdfactory"
            screen = self.terminal(*arguments)
            assert screen.code == _code(line), screen.text
            assert _pattern(output).fullmatch(_stripped(screen.text)), screen.text

    def run_python(self, block: Block) -> None:
        """Run it with the variables of the Python blocks before it."""
        exec(compile("\n" * (block.line - 1) + block.text, "page", "exec"), self.names)  # noqa: S102

    def check_ini(self, block: Block) -> None:
        """Load it as a configuration: all sections and keys are known, all values are valid."""
        file = self.scratch / "block.ini"
        file.write_text(block.text, encoding="utf-8")
        settings = load(file)
        assert settings.warnings == ()
        assert {*read_ini(file).sections()} <= {setting.section for setting in settings.values}
        assert settings.kind in OPENER_BY_KIND

    def check_yaml(self, block: Block) -> None:
        """Parse it as a BuildInput without unknown keys."""
        values = load_yaml(block.text.encode())
        assert {*values} <= {*BuildInput.model_fields}
        BuildInput.parse(values)

    def check_csv(self, block: Block) -> None:
        """Check it as a campaign CSV."""
        file = self.scratch / "block.csv"
        file.write_text(block.text, encoding="utf-8")
        assert self.program("check-csv", file).code == 0


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line, split at ``&&``."""
    command: list[str] = []
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word != "&&":
            command.append(word)
        elif command:
            yield command
            command = []


def _code(line: str) -> int:
    """Return the exit code that the comment of a line names, 0 if none."""
    named = re.search(r"#.*\bexit code (\d+)", line)
    return int(named[1]) if named else 0


def _pattern(output: str) -> re.Pattern[str]:
    """Return a pattern of output: ``...`` stands for any lines, ``…`` for any part of a line."""
    lines = (
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace("…", ".*") + r"\n"
        for line in _stripped(output).splitlines()
    )
    return re.compile("".join(lines))


def _stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture
def runner(
    mdfactory: Callable[..., Any],
    terminal: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Runner:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path_factory.mktemp("page"))
    return Runner(mdfactory, terminal, monkeypatch, tmp_path_factory.mktemp("scratch"))


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_are_right(page: str, runner: Runner) -> None:
    runner.run(PAGES[page].read_text(encoding="utf-8"))


RIGHT = """\
<!-- excerpt: takes an hour -->
    sleep 3600

```sh
mkdir here && cd here
export MDFACTORY_CONFIG=mine.ini  # of this page
mdfactory config init --type csv \\
  --yes
mdfactory sync pull nothing       # exit code 2
```

```csv title="water.csv"
simulation_type,system.species.SOL.smiles,system.species.SOL.count
mixedbox,O,450
```

```console
$ mdfactory check-csv water.csv
water.csv: 1 valid row (1 mixedbox)
$ mdfactory config path
…/here/mine.ini
$ mdfactory config show
database.TYPE…csv  (…/here/mine.ini)
...
$ mdfactory check-csv nowhere.csv  # exit code 1
…nowhere.csv…
```
"""


def test_blocks_are_run_in_their_order_and_excerpts_are_not(runner: Runner) -> None:
    runner.run(RIGHT)


WRONG = {
    "indented": "text\n\n    mdfactory config path\n",
    "no language": "```\nmdfactory config path\n```\n",
    "excerpt without a reason": "<!-- excerpt: -->\n```\n```\n",
    "excerpt before a text": "<!-- excerpt: too long -->\n\ntext\n\n```\n```\n",
    "exit code": "```sh\nmdfactory config path  # exit code 1\n```\n",
    "unknown option": "```sh\nmdfactory config path --nowhere\n```\n",
    "unknown extra": "```sh\npip install 'mdfactory[everything]'\n```\n",
    "unknown command": "```sh\nmdfactary config path\n```\n",
    "second command of a line": "```sh\nmkdir a && mdfactory check-csv nowhere.csv\n```\n",
    "output": "```console\n$ mdfactory --version\n0.0\n```\n",
    "output left out": "```console\n$ mdfactory --version\n```\n",
    "output without a command": "```console\nmdfactory --version\n```\n",
    "assertion": "```python\nassert False\n```\n",
    "unknown key": "```ini\n[sqlite]\nRUN_DB = runs.db\n```\n",
    "unknown section": "```ini\n[sqlight]\nRUN_DB_PATH = runs.db\n```\n",
    "unknown store": "```ini\n[database]\nTYPE = oracle\n```\n",
    "unknown field": "```yaml\nsimulation_type: mixedbox\nsystem: {}\ntemperature: 1\n```\n",
    "invalid row": "```csv\nsimulation_type,system.species.SOL.smiles\nmixedbox,O\n```\n",
}


@pytest.mark.parametrize("page", WRONG.values(), ids=WRONG)
def test_a_wrong_block_fails(page: str, runner: Runner) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        runner.run(page)
