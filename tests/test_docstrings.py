"""Every example of a docstring is run, and the public Python API has examples."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import mdfactory
from mdfactory.cli.app import run
from own_settings import own_settings

SOURCE = Path(mdfactory.__file__).parent
PROMPT = re.compile(r"^ *>>> ", re.MULTILINE)
PROMPTS = {
    ".".join(("mdfactory", *file.relative_to(SOURCE).with_suffix("").parts)): count
    for file in sorted(SOURCE.rglob("*.py"))
    if (count := len(PROMPT.findall(file.read_text(encoding="utf-8"))))
}
"""Module -> number of its examples."""


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Path:
    """A folder in which ``mdfactory demo`` was run."""
    folder, home = tmp_path_factory.mktemp("tour"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, own_settings(patch, home, shared_folder):
        patch.chdir(folder)
        assert run(["demo", "--quiet"]) == 0
    return folder


@pytest.mark.parametrize("name", PROMPTS)
def test_the_examples_of_docstrings_are_right(
    name: str, tour: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tour)
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for docstring in doctest.DocTestFinder().find(import_module(name), globs={}):
        runner.run(docstring, out=output.append)
    assert runner.failures == 0, "".join(output)
    assert runner.tries == PROMPTS[name]  # none is skipped, none is where doctest does not look


PUBLIC = {name: getattr(mdfactory, name) for name in mdfactory.__all__ if name != "__version__"}
METHODS = {
    f"Records.{name}": method
    for name, method in vars(mdfactory.Records).items()
    if not name.startswith("_")
}


@pytest.mark.parametrize("name", PUBLIC | METHODS)
def test_the_public_api_has_examples(name: str) -> None:
    docstrings = doctest.DocTestFinder().find((PUBLIC | METHODS)[name], name)
    assert any(docstring.examples for docstring in docstrings)
