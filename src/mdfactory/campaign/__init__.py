"""Folders of simulations on disk; independent of the stores that hold their records."""
