"""Reduction: from the rows of a frame to curves and figures."""
