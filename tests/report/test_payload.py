"""Texts and columns of the page's data."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mdfactory.report.payload import (
    MAX_TEXT_CHARACTERS,
    clean,
    clean_all,
    decode,
    encode,
    to_column,
    to_json,
    values_of_column,
)

HOSTILE = "a\x00b\x1b[31m\u2028\u202ec\ud800\ufffe<script>"

CELLS = st.one_of(st.none(), st.integers(0, 5), st.text(max_size=3))


def test_clean_leaves_out_what_no_page_should_have() -> None:
    assert clean(HOSTILE) == "a b [31m c<script>"
    assert clean("Grüße, Δ, 水, 🧪") == "Grüße, Δ, 水, 🧪"


def test_clean_cuts_long_texts_and_shows_it() -> None:
    text = clean("x" * 100_000)
    assert len(text) == MAX_TEXT_CHARACTERS
    assert text.endswith("x…")


def test_clean_all_cleans_names_and_values_at_any_depth() -> None:
    assert clean_all({"a\x00": [{"b": "c\u202e"}, 1, None]}) == {"a ": [{"b": "c"}, 1, None]}


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_clean_gives_a_text_of_utf_8_without_controls(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert not any(ord(character) < 32 for character in cleaned)
    assert clean(cleaned) == cleaned


@settings(deadline=None)
@given(st.lists(CELLS, max_size=60))
def test_to_column_keeps_all_values(values: list[object]) -> None:
    column = json.loads(to_json(to_column(values))) if _is_plain(values) else to_column(values)
    assert values_of_column(column, len(values)) == values


def _is_plain(values: list[object]) -> bool:
    return all(not isinstance(value, str) or value.isascii() for value in values)


def test_to_column_takes_the_shortest_form() -> None:
    assert to_column(["a", "b", "c"]) == ["a", "b", "c"]
    assert to_column([0, 7, 0, 0, 0, 0, 0, 0, 8]) == {"rest": 0, "steps": [1, 7], "values": [7, 8]}
    assert to_column(["a", "b"] * 4) == {"values": ["a", "b"], "codes": [0, 1] * 4}


def test_encode_is_the_inverse_of_decode_and_always_the_same() -> None:
    data = to_json({"text": "Δ", "numbers": list(range(1000))})
    assert decode(encode(data)) == data
    assert encode(data) == encode(data)
    assert len(encode(data)) < len(data)
