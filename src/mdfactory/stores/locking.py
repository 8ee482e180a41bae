"""Locks of all stores: how a writer waits for a lock, and what its holder says about itself."""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from mdfactory.errors import StoreLockedError

log = logging.getLogger(__name__)

SECONDS_BEFORE_WARNING: Final = 1.0
"""Time after which a waiting writer logs the holder of the lock."""

WAIT_LONGER: Final = "Try again later, or wait longer with --wait SECONDS"
"""What a user can do if another program holds a lock."""

FIRST_PAUSE_SECONDS: Final = 0.05
PAUSE_GROWTH: Final = 1.5
"""Longest first pause between two attempts, and the factor by which the next one may be longer."""


class LockWait:
    """A limited wait for the locks of a store; the time limit starts with the object.

    A store tries to take a lock, and calls `pause` after each failed attempt.

    Parameters
    ----------
    location
        The store, for messages.
    wait
        Seconds to wait, for all locks together.
    longest_pause
        Longest time between two attempts, in seconds.
    """

    def __init__(self, location: str, wait: float, *, longest_pause: float = 0.05) -> None:
        self.location = location
        self.wait = wait
        self._deadline = time.monotonic() + wait
        self._warning_time = time.monotonic() + SECONDS_BEFORE_WARNING
        self._longest_pause = longest_pause
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def remaining(self) -> float:
        """Seconds until the time limit; negative after it."""
        return self._deadline - time.monotonic()

    def pause(
        self,
        find_holder: Callable[[], str],
        remedy: str = WAIT_LONGER,
    ) -> None:
        """Sleep before the next attempt; warn once if the wait becomes long.

        The time is random, so that several waiting writers do not retry in step.

        Parameters
        ----------
        find_holder
            Returns the holder of the lock, for messages.
        remedy
            What the user can do if the wait was in vain.

        Raises
        ------
        StoreLockedError
            If the time limit is over.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise lock_error(self.location, self.wait, find_holder(), remedy)
        if time.monotonic() >= self._warning_time:
            self._warning_time = self._deadline + 1  # warn only once
            log.warning("waiting for %s", find_holder())
        longest = min(self._pause, self._longest_pause, remaining)
        time.sleep(random.uniform(0.1, 1) * longest)  # noqa: S311  # jitter, no secret
        self._pause *= PAUSE_GROWTH


def lock_error(
    location: str, wait: float, holder: str, remedy: str = WAIT_LONGER
) -> StoreLockedError:
    """Return the error after a wait in vain.

    Parameters
    ----------
    location, wait
        As for `LockWait`.
    holder
        The holder of the lock.
    remedy
        What the user can do.
    """
    return StoreLockedError(f"{location} is held by {holder}; waited {wait:g} s. {remedy}")


def public_command(arguments: Sequence[str] | None = None) -> str:
    """Return the part of a command line that other users may read.

    This is the program, and those of the first arguments that consist of letters: options and
    their values may be secret.

    Parameters
    ----------
    arguments
        The command line, beginning with the program; that of this process if None.
    """
    program, *others = (sys.argv if arguments is None else arguments) or [""]
    if os.path.basename(program).startswith("python"):
        others = others[1:] if others[:1] == ["-m"] else others
        if others and not others[0].startswith("-"):
            program, *others = others
    words = [argument for argument in others[:3] if argument.isalpha()]
    return " ".join([os.path.basename(program) or "python", *words])
