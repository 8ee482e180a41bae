"""Bad input of every kind, made by code: what may lie in a campaign, and what is said of it."""

from corpus.members import Member, Placed, place, write

__all__ = ["Member", "Placed", "members", "place", "write"]


def members() -> list[Member]:
    """Return all members that are folders of a campaign."""
    from corpus import build_inputs, folders, frames, registries, yamls

    rooms = (yamls, build_inputs, registries, frames, folders)
    return [member for room in rooms for member in room.MEMBERS]
