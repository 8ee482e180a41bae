"""Verify: check the records of a store against their digests, their values and the disk."""
