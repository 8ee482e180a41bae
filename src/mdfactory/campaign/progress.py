"""Progress of the production run of a simulation, from the log in its folder."""

from __future__ import annotations

from mdfactory.campaign.gromacs.runs import Progress, Run
from mdfactory.campaign.scan_index import ScanIndex
from mdfactory.config.stems import BUILT_STEMS, StemPatterns
from mdfactory.files import list_folder
from mdfactory.records.vocabulary import SimulationType


def read_progress(
    directory: str,
    simulation_type: str,
    *,
    stems: StemPatterns | None = None,
    index: ScanIndex | None = None,
) -> Progress | None:
    """Return the progress of the production run in a folder; None without a log of GROMACS.

    Parameters
    ----------
    directory
        Path of the folder.
    simulation_type
        Type of the simulation.
    stems
        Stems of adopted simulations. Default: those of the configuration.
    index
        Index of the logs that were read before.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    if simulation_type != SimulationType.adopted:
        stems = BUILT_STEMS
    elif stems is None:
        from mdfactory.config import load

        stems = load().stems
    return Run(directory, list_folder(directory).files, stems, index).progress()
