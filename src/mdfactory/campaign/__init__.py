"""Simulation folders on disk; independent of the stores that hold their records."""
