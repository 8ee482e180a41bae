"""The words of errors in Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mdfactory
from mdfactory.entry import OPTION, argument_names
from mdfactory.errors import ConflictError, MDFactoryError, QueryError, StoreLockedError
from mdfactory.locking import WAIT_LONGER
from mdfactory.sync.initialise import initialise


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (QueryError("--status 'x': no status"), "status='x': no status"),
        (QueryError("--simulation-type is empty"), "simulation_type= is empty"),
        (StoreLockedError(WAIT_LONGER), "Try again later, or wait longer with wait="),
        (QueryError("clear with --purge: a--hash, --hashes"), None),
        (QueryError("is missing", command="mdfactory sync push --force"), None),
    ],
)
def test_options_become_arguments(error: MDFactoryError, expected: str | None) -> None:
    before = str(error)
    with pytest.raises(type(error)) as caught, argument_names():
        raise error
    assert caught.value is error
    assert str(error) == (before if expected is None else expected)


def test_the_modes_are_those_of_a_push() -> None:
    with pytest.raises(ConflictError) as caught, argument_names():
        raise ConflictError({"RUN_DATABASE": ["A"]})
    modes = re.findall(r'mode="(\w+)"', str(caught.value))
    assert modes == ["diff", "update", "force"]
    assert caught.value.conflicts == {"RUN_DATABASE": ("A",)}
    assert not OPTION.search(str(caught.value))


def test_a_locked_store_names_the_argument(campaign: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store"
    store = mdfactory.open_store(url).store
    initialise(store, simulations=True)
    with (
        store.transaction(write=True),
        pytest.raises(StoreLockedError, match="wait longer with wait=$"),
    ):
        mdfactory.push(campaign, kind="systems", url=url, wait=0.01)
