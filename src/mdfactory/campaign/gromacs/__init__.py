"""Plain GROMACS runs: topologies, run parameters, logs, and what a folder of files is."""
