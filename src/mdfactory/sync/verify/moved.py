"""Moved folders: which folder was moved, and one finding for many of them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Final

from mdfactory.errors import MAX_LISTED, counted, listed
from mdfactory.files import list_folder
from mdfactory.sync.verify.finding import PUSH_UPDATE, Finding

PUSH_MOVED: Final = PUSH_UPDATE.replace("SOURCE", "NEW")


def missing_top(directory: str) -> str:
    """Return the topmost folder that does not exist: the directory, or one above it."""
    parent = os.path.dirname(directory)
    if parent == directory or os.path.lexists(parent):
        return directory
    return missing_top(parent)


def relocate_command(directory: str) -> str:
    """Return the command for a folder that was moved, with a blank for its new path."""
    return f"mdfactory sync relocate {quote(directory)} NEW"


def moved_commands(directories: Iterable[str]) -> list[str]:
    """Return the commands for directories that do not exist, with a blank for each new path."""
    tops = sorted({*map(missing_top, directories)})
    return [PUSH_MOVED] if len(tops) > MAX_LISTED else [*map(relocate_command, tops)]


def missing_folder(table: str, hash_: str, directory: str) -> Finding:
    """Return the finding about a record whose directory does not exist."""
    remedy = f"if it was moved, {relocate_command(missing_top(directory))}"
    return Finding(table, hash_, f"there is no folder {directory}", remedy, directory)


def merge_missing(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, with one in place of those about folders that were moved together.

    These are folders below one folder that does not exist, whatever their number; or many
    folders in one folder that exists.
    """
    groups: dict[str | Finding, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[_group_key(finding)].append(finding)
    return [merged for key, group in groups.items() for merged in _merge(key, group)]


def _has_folders(path: str) -> bool:
    """Whether there are folders in a folder, or it cannot be read."""
    try:
        listing = list_folder(path)
    except OSError:
        return True
    return bool(listing.folders or listing.links)


def _group_key(finding: Finding) -> str | Finding:
    """Return the folder by which a finding is merged with others; the finding itself if by none."""
    if not finding.folder:
        return finding
    top = missing_top(finding.folder)
    return os.path.dirname(top) if top == finding.folder else top


def _merge(key: str | Finding, group: Sequence[Finding]) -> Sequence[Finding]:
    """Return the findings of a group, or one for all of them; see `merge_missing`."""
    if isinstance(key, Finding) or len(group) == 1:
        return group
    number = counted(len({finding.hash for finding in group}), "simulation")
    if not os.path.lexists(key):
        problem = f"{number}: there is no folder {key}"
        return [Finding(group[0].table, "", problem, group[0].remedy)]
    if len(group) <= MAX_LISTED:
        return group
    names = ", ".join(listed([os.path.basename(finding.folder) for finding in group]))
    # A relocation of the folder would also change the records of what is still in it.
    command = PUSH_MOVED if _has_folders(key) else relocate_command(key)
    remedy = f"if they were moved to NEW, {command}"
    return [Finding(group[0].table, "", f"{number}: there are no folders {names} in {key}", remedy)]
