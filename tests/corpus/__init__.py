"""Bad input of every kind, made by code: what may lie in a campaign, and what is said of it."""

from corpus.members import ALL, NOTHING, SYSTEM, Member, Placed, place, write

__all__ = ["ALL", "NOTHING", "SYSTEM", "Member", "Placed", "members", "place", "write"]


def members() -> list[Member]:
    """Return all members that are folders of a campaign."""
    from corpus import frames, registries

    return [*registries.MEMBERS, *frames.MEMBERS]
