"""Measurements: whole processes, each beside the plainest code that does the unavoidable work."""
