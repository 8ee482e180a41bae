"""How a lock is waited for, and what its holder shows of itself."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mdfactory.errors import StoreLockedError
from mdfactory.locking import SECONDS_BEFORE_WARNING, LockWait, locked, public_command

WAIT = LockWait("the thing", 1)


def test_a_wait_names_the_holder_warns_once_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wait = LockWait("the thing", SECONDS_BEFORE_WARNING + 0.3, remedy="Wait.")
    with (
        caplog.at_level(logging.WARNING),
        locked(tmp_path / "lock", WAIT),
        pytest.raises(StoreLockedError) as refused,
        locked(tmp_path / "lock", wait),
    ):
        pass
    assert str(refused.value).startswith(f"the thing is held by process {os.getpid()} (")
    assert str(refused.value).endswith("; waited 1.3 s. Wait.")
    (warning,) = caplog.messages
    assert warning.startswith(f"waiting for process {os.getpid()} (")
    assert warning.endswith(", which holds the thing")
    with locked(tmp_path / "lock", WAIT):
        pass


def test_a_pipe_is_not_locked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="it is not a file"), locked(tmp_path / "lock", WAIT):
        pass


def test_a_symlink_is_not_locked(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock", WAIT):
        pass
    assert target.read_text() == "mine"


def test_a_lock_file_with_two_names_is_locked_and_not_written(tmp_path: Path) -> None:
    """A copy of a campaign by hard links shares its lock files with the original."""
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "lock").hardlink_to(target)
    with (
        locked(tmp_path / "lock", WAIT),
        pytest.raises(StoreLockedError),
        locked(target, LockWait("the thing", 0)),
    ):
        pass
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/opt/bin/mdfactory", "sync", "push", "all", "campaign"], "mdfactory sync push all"),
        (["/usr/bin/python3", "/opt/bin/mdfactory", "sync", "undo"], "mdfactory sync undo"),
        (
            ["python", "-m", "mdfactory", "sync", "copy", "--from", "a://b:c@d"],
            "mdfactory sync copy",
        ),
        (["python3", "-c", "print('s3cret')", "x"], "python3 x"),
        (["mdfactory", "sync", "copy", "--from=postgresql://me:s3cret@h/l"], "mdfactory sync copy"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_public_command_shows_the_program_and_its_verbs(arguments: list[str], shown: str) -> None:
    assert public_command(arguments) == shown
