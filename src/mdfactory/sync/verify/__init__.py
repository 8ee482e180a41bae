"""Verify: check the records of a store against their digests, their meaning and the disk."""
