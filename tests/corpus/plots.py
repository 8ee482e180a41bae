"""Tables of analyses, and the plan that a scientist expects of each."""

from corpus import plots_made, plots_measured

CASES = [*plots_measured.CASES, *plots_made.CASES]
