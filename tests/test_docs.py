"""Every command and option is documented, and what the documents say is so."""

from __future__ import annotations

import re
import shlex

import pytest
from cyclopts import App

from commands import LEAVES
from documents import PAGES, blocks
from effort import FEW, MANY
from mdfactory.cli.app import app
from mdfactory.config.settings import DEFAULT_VALUES, parse_ini

COMMANDS = PAGES["docs/commands.md"].read_text(encoding="utf-8")
CONFIGURATION = PAGES["docs/configuration.md"]


def _options(node: App) -> set[str]:
    arguments = [*node.assemble_argument_collection(parse_docstring=False)]
    names = {name for argument in arguments if argument.parse for name in argument.names}
    # The negative forms are turned off where the whole program is parsed.
    return {name for name in names if name.startswith("-") and not name.startswith("--no-")}


def test_the_tree_is_walked() -> None:
    assert {"mdfactory demo", "mdfactory config path", "mdfactory sync push systems"} <= set(LEAVES)
    assert "--skip-existing" in _options(LEAVES["mdfactory sync push systems"])


@pytest.mark.parametrize("command", LEAVES)
def test_a_command_and_its_options_are_documented(command: str) -> None:
    assert command in COMMANDS
    missing = [name for name in _options(LEAVES[command]) if f"`{name}" not in COMMANDS]
    assert missing == []


@pytest.mark.parametrize("command", LEAVES)
def test_the_help_of_a_command_has_examples(command: str) -> None:
    assert f"  {command}" in str(LEAVES[command].help_epilogue) or "EDITOR" in str(
        LEAVES[command].help_epilogue
    )


def test_common_options_are_documented() -> None:
    names = _options(app.meta)
    assert {"--config", "--wait", "--json", "-q", "-v", "--debug"} <= names
    assert [name for name in names if f"`{name}" not in COMMANDS] == []


@pytest.mark.parametrize("command", LEAVES)
def test_the_examples_of_a_help_are_command_lines_of_it(command: str) -> None:
    epilogue = str(LEAVES[command].help_epilogue)
    for example in re.findall(r"^    .*?(mdfactory .*)", epilogue, re.MULTILINE):
        assert example.startswith(command)
        _, tokens, _ = app.meta.parse_args(shlex.split(example)[1:])
        app.parse_args(tokens.args)


@pytest.mark.parametrize("section", ["foundry", "history"])
def test_defaults_that_the_configuration_page_shows_are_so(section: str) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    parsers = [
        parse_ini(block.text, CONFIGURATION) for block in blocks(text) if block.language == "ini"
    ]
    [shown] = [dict(parser[section]) for parser in parsers if parser.has_section(section)]
    known = {
        key.lower(): value for (where, key), value in DEFAULT_VALUES.items() if where == section
    }
    assert shown == known


def _cells(page: str) -> dict[str, list[str]]:
    """Return the rows of the tables of a page: first cell -> the others."""
    lines = PAGES[page].read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("kills of each operation on each store", "kills"),
        ("records of each table that a killed operation changes", "simulations"),
        ("writes that a reader sees come by", "changes"),
        ("transactions of each of eight writers", "transactions"),
        ("examples that Hypothesis generates for a test", "examples"),
    ],
)
def test_the_guarantees_say_how_much_is_tried(row: str, field: str) -> None:
    few, many = _cells("docs/developers/guarantees.md")[row]
    assert few == f"{getattr(FEW, field):,}"
    assert many.split(", or")[0] == f"{getattr(MANY, field):,}"


@pytest.mark.parametrize("page", PAGES)
def test_links_between_documents_lead_somewhere(page: str) -> None:
    page_text = PAGES[page].read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", page_text, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (PAGES[page].parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_document_shows_exists(page: str) -> None:
    text = PAGES[page].read_text(encoding="utf-8")
    shown = re.findall(r"mdfactory (?:sync|config) [a-z]+(?: [a-z]+)?", text)
    groups = {command.rpartition(" ")[0] for command in LEAVES}
    unknown = [one for one in shown if one not in LEAVES and one not in groups]
    # A word after a command that has none below it is its argument.
    assert [one for one in unknown if one.rpartition(" ")[0] not in LEAVES] == []
