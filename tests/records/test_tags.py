"""The tags in the text of a record: split off, appended and put in order."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from mdfactory.records.tags import join_tags, normalise_tags, split_tags

PLAIN = '{"system":{"states":{"a":"b","tags":"c"}},"engine":"gromacs"}'
TEXTS = st.text(st.characters(codec="utf-8"))


def _with(tags: str) -> str:
    return f'{PLAIN[:-1]},"tags":{tags}}}'


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (PLAIN, {}),
        (_with("null"), {}),
        (_with("{}"), {}),
        (_with('{"b":"1","a":""}'), {"b": "1", "a": ""}),
        (_with('{"a":"\\u00e4,\\"tags\\":{}"}'), {"a": 'ä,"tags":{}'}),
        (_with('{"a":"1","tags":"2"}'), {"a": "1", "tags": "2"}),
    ],
)
def test_tags_are_split_from_the_text(text: str, tags: dict[str, str]) -> None:
    assert split_tags(text) == (PLAIN, tags)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"tags":null}',
        '{"a":{"b":1,"tags":{"c":"d"}}}',
        '{"a":1,"tags":{"c":"d"},"engine":"gromacs"}',
        _with('{"a":"1","a":"2"}'),
        _with('{"a":1}'),
        _with('{"a":{"b":"c"}}'),
        _with('{"a":null}'),
        _with('["a"]'),
        _with('[["a","b"]]'),
        _with('"a"'),
        _with('{"a":"\\ud800"}'),
        _with('{"a":"1"} '),
        _with("[" * 100_000),
        ',"tags":{"a":' * 100_000,
        _with('{"a":"' + "x" * 1_000_000),
        _with('{"a":"\x00"}'),
        _with('{"a":"1",}'),
        _with('{"a":"1"}') + "\n",
    ],
)
def test_a_text_without_valid_tags_is_left_as_it_is(text: str) -> None:
    assert split_tags(text) == (text, {})
    assert normalise_tags(text) == text


@given(st.dictionaries(TEXTS, TEXTS, min_size=1))
def test_tags_are_appended_as_a_pydantic_model_writes_them(tags: dict[str, str]) -> None:
    text = join_tags(PLAIN, tags)
    assert text == _with(to_json(dict(sorted(tags.items()))).decode())
    assert split_tags(text) == (PLAIN, tags)


@given(st.dictionaries(TEXTS, TEXTS), st.randoms())
def test_tags_in_any_order_and_spelling_are_the_same(tags: dict[str, str], random: Random) -> None:
    keys = list(tags)
    random.shuffle(keys)
    shuffled = json.dumps({key: tags[key] for key in keys}, separators=(",", ":"))
    assert normalise_tags(_with(shuffled)) == join_tags(PLAIN, tags)


def test_no_tags_are_no_key() -> None:
    assert normalise_tags(_with("null")) == normalise_tags(_with("{}")) == PLAIN
    assert join_tags(PLAIN, {}) == PLAIN
