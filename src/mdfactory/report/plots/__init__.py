"""Plots: from an analysis to a specification in Vega-Lite, its data, and pictures."""
