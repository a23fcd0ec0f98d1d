"""Processes that train one model together. With one process nothing is imported here, neither PyTorch nor Lightning."""

import os
from functools import cache

from omixvae.processes.processes import LostProcessError, OneProcess, Processes

__all__ = ["LostProcessError", "OneProcess", "Processes", "join_processes"]


@cache
def join_processes() -> Processes:
    """Meet the other processes that torchrun or srun has started with this one; at once where there are none.

    Returns
    -------
    Processes
        The same object at each call.

    Raises
    ------
    InputError
        If several were started, but Lightning Fabric is lacking or SLURM does not say how they are spread.

    Examples
    --------
    >>> join_processes().size
    1
    """
    if not several_started():
        return OneProcess()
    from omixvae.processes.group import ProcessGroup  # here, because one process needs neither PyTorch nor Lightning

    return ProcessGroup()


def several_started() -> bool:
    """Return whether this process was started together with others.

    Returns
    -------
    bool
        Never true in a shell, a notebook or a batch script, however many tasks SLURM has granted: these are no tasks of
        a step that srun has started.
    """
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1
    return by_torchrun or int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
