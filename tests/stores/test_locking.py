"""What the holder of a lock shows of itself."""

from __future__ import annotations

import pytest

from mdfactory.stores.locking import public_command


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
