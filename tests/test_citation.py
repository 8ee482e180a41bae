"""CITATION.cff says the same as the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

REQUIRED = {"cff-version", "message", "title", "authors"}
"""Fields without which a file is no CFF 1.2.0."""

STALE = {"version", "date-released", "commit", "doi", "identifiers"}
"""Fields that each release would have to renew."""


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("cff-version", "1.2.0"),
        ("title", PROJECT["name"]),
        ("abstract", PROJECT["description"]),
        ("license", PROJECT["license"]),
        ("keywords", PROJECT["keywords"]),
    ],
)
def test_the_citation_has_the_fields_of_the_package(field: str, expected: object) -> None:
    assert CITATION[field] == expected


def test_the_citation_has_what_the_format_requires_and_nothing_that_grows_stale() -> None:
    assert set(CITATION) >= REQUIRED
    assert not set(CITATION) & STALE


def test_the_authors_are_the_holders_of_the_copyright() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    names = [author["name"] for author in CITATION["authors"]]
    assert names
    assert all(f"{name}\n" in licence for name in names)
