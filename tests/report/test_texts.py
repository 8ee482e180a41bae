"""Texts of records in specifications."""

from __future__ import annotations

import re
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mdfactory.report.plots.texts import (
    MAX_CHARACTERS,
    axis_title,
    clean,
    clean_title,
    quantity_name,
    sentences,
)

XML_FORBIDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@given(st.text(st.characters()) | st.text(st.characters(categories=["Cc", "Cf", "Cn", "Cs", "Zl"])))
@example("\ud800")
@example("\U0010ffff\ufffe")
@example("a\u2028b\u202ec\u0000")
def test_a_clean_text_has_no_character_that_ends_a_process_or_turns_a_line(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= MAX_CHARACTERS
    assert not XML_FORBIDS.search(cleaned)
    assert not {category(letter) for letter in cleaned} & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    assert cleaned == clean(cleaned)
    assert cleaned == cleaned.strip() or cleaned.endswith("…")


@given(st.text())
def test_a_title_has_no_quotes_and_no_backslashes(text: str) -> None:
    assert not {*clean_title(text)} & {*"\"'`\\"}


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 10_000) == "x" * (MAX_CHARACTERS - 1) + "…"
    assert clean("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS


@pytest.mark.parametrize("name", ["__proto__", "constructor", "valueOf"])
def test_a_text_is_no_property_of_every_object_in_javascript(name: str) -> None:
    assert clean(name) != name
    assert clean(name).strip() == name
    assert clean(clean(name)) == clean(name)


def test_plain_texts_stay_what_they_are() -> None:
    assert clean("POPC · Å⁻³ 水") == "POPC · Å⁻³ 水"


@pytest.mark.parametrize(
    ("column", "unit", "title"),
    [
        ("density_g_cm3", "g/cm³", "density (g/cm³)"),
        ("time_ps", "ns", "time (ns)"),
        ("time_ps", "", "time ps"),
        ("Time (ps)", "ns", "Time (ns)"),
        ("('area', 'mean')", "nm²", "area mean (nm²)"),
        ("r_nm", "nm", "r (nm)"),
        ("g_r", "", "g(r)"),
        ("_ps", "ps", "ps (ps)"),
        ('"a"\n', "'", "”a” (’)"),  # noqa: RUF001
    ],
)
def test_an_axis_has_the_name_in_words_and_the_unit(column: str, unit: str, title: str) -> None:
    assert axis_title(column, unit) == title


def test_the_name_of_a_quantity_has_no_unit() -> None:
    assert quantity_name("work_kJ_mol", "kJ/mol") == "work"


def test_sentences_are_counted_where_there_are_too_many() -> None:
    assert sentences(["a", "b", "a", ""], 4) == ["a", "b"]
    assert sentences(["a", "b", "c", "d"], 3) == ["a", "b", "and 2 more notes"]
