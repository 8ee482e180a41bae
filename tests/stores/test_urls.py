"""URLs and paths of stores, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdfactory.errors import ConfigError
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores import OPENER_BY_KIND, store_at
from mdfactory.stores.store import Store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _created(url: str) -> Store:
    store = store_at(url)
    store.create(SIMULATIONS)
    return store


@pytest.mark.parametrize(
    ("typed", "location"),
    [
        ("new", "SQLite store {}/new/runs.db"),
        ("./sqlte", "SQLite store {}/sqlte/runs.db"),
        ("new.db", "SQLite store {}/new.db"),
        ("sqlite:///new.sqlite", "SQLite store {}/new.sqlite"),
        ("csv:///new", "CSV store {}/new/runs.csv"),
        ("csv:///./new", "CSV store {}/new/runs.csv"),
        ("csv:///{}/new", "CSV store {}/new/runs.csv"),
        ("{}/new", "SQLite store {}/new/runs.db"),
    ],
)
def test_a_new_store_is_where_its_path_says(folder: Path, typed: str, location: str) -> None:
    store = _created(typed.replace("{}", str(folder)))
    assert store.location == location.replace("{}", str(folder))
    assert store.location.endswith(str(next(iter(store.paths))))
    assert next(iter(store.paths)).exists()


def test_a_path_is_the_store_that_is_there(folder: Path) -> None:
    stores = {
        "one.db": _created("one.db"),
        "pair": _created("sqlite:///pair"),
        "table": _created("csv:///table"),
    }
    for path, store in stores.items():
        for typed in (path, folder / path, f"./{path}"):
            assert store_at(typed).location == store.location
    assert store_at("table/runs.csv").location == stores["table"].location
    assert store_at("pair/runs.db").tables()


def test_a_path_may_contain_a_colon(folder: Path) -> None:
    (folder / "csv:old").mkdir()
    assert store_at("csv:old").location == f"SQLite store {folder}/csv:old/runs.db"


def test_a_folder_with_two_stores_is_refused_with_both_urls(folder: Path) -> None:
    _created("csv:///both")
    _created("sqlite:///both")
    with pytest.raises(ConfigError) as caught:
        store_at("both")
    spellings = f"write sqlite:///{folder}/both or csv:///{folder}/both"
    assert str(caught.value).endswith(f"has a SQLite store and a CSV store; {spellings}")


def test_a_file_that_is_no_store_is_refused(folder: Path) -> None:
    file = folder / "campaign.csv"
    file.write_text("simulation_type\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"campaign\.csv is a file, but neither a SQLite store"):
        store_at(file)


@pytest.mark.parametrize("kind", ["csv", "sqlite"])
def test_a_missing_slash_is_refused_with_both_spellings(folder: Path, kind: str) -> None:
    top, _, rest = str(folder).removeprefix("/").partition("/")
    with pytest.raises(ConfigError) as caught:
        store_at(f"{kind}:///{top}/{rest}")
    message = str(caught.value)
    assert message.startswith(f"{kind}:///{top}/{rest} means ./{top}/{rest}, but there is /{top}")
    spelt = f"write {kind}:////{top}/{rest} for /{top}/{rest}, or {kind}:///./{top}/{rest} for ./"
    assert spelt in message
    (folder / top).mkdir()
    assert str(folder / top / rest) in store_at(f"{kind}:///{top}/{rest}").location


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("sqlte", r"'sqlte' is no store \(did you mean 'sqlite'\?\).* write \./sqlte$"),
        ("sqlite", r"'sqlite' is no store; expected a path, sqlite:///folder"),
        ("", "'' is no store"),
        ("csv:/data/x", "write csv:////data/x for /data/x, or csv:///./data/x for ./data/x$"),
        ("csv://data", "write csv:////data for /data, or csv:///./data for ./data$"),
        ("sqlite:////", "is no URL of a store: write sqlite:////x"),
        ("sqllite:///x", r"is no URL of a store \(did you mean 'sqlite'\?\); expected a path"),
        ("foundry:/Project", "'foundry:/Project' is no URL of a store; expected a path"),
    ],
)
def test_what_is_no_store_is_refused_with_what_is(typed: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        store_at(typed)


@pytest.mark.parametrize("kind", OPENER_BY_KIND)
def test_a_similar_path_that_exists_is_a_store(folder: Path, kind: str) -> None:
    (folder / kind).mkdir()
    assert f"{folder}/{kind}/" in store_at(kind).location


@pytest.mark.parametrize("url", ["csv://me:s3cret@host/x", "sqlite:/me:s3cret@host"])
def test_the_error_has_no_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        store_at(url)
    assert "s3cret" not in str(caught.value)
