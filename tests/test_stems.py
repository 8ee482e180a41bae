"""Patterns of stems: which files belong to production, and which to equilibration."""

from __future__ import annotations

import pytest

from mdfactory.config.stems import StemPatterns


@pytest.mark.parametrize(
    ("stem", "status"),
    [
        ("md", "production"),
        ("md_2", "production"),
        ("prot_md", "production"),
        ("step7_10", "production"),
        ("step5_3", "production"),
        ("step5_input", None),
        ("npt", "equilibrated"),
        ("step6.0_min", None),
        ("step6.6_equilibration", "equilibrated"),
        ("equil_md", "equilibrated"),
        ("eq_md", "production"),
        ("em", None),
    ],
)
def test_the_longest_pattern_decides(stem: str, status: str | None) -> None:
    assert StemPatterns().status_of(stem) == status


def test_equilibration_wins_among_patterns_of_one_length() -> None:
    assert StemPatterns(("a*b",), ("A*?",)).status_of("aab") == "equilibrated"


def test_parse_ignores_blanks_and_empty_patterns() -> None:
    assert StemPatterns.parse(" a* , b,, ", "") == StemPatterns(("a*", "b"), ())
