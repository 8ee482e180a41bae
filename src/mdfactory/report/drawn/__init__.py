"""Drawn analyses: their curves, statistics and pictures, for the page, with a cache."""
