"""Plots of analyses, and the report of a store: frames become specifications and pictures."""
