"""From plan and data to a fitted network: the one way, for `OmixVAE.fit` and for `select`."""

from collections.abc import Callable

import numpy as np
import torch

from omixvae.data.masked import MaskedModalities
from omixvae.own_modules import OwnModules
from omixvae.plan import Plan
from omixvae.processes import OneProcess, Processes
from omixvae.training.engine import train
from omixvae.training.initialise import initialise_network
from omixvae.training.schedule import History
from omixvae.vae import MultimodalVAE, new_network

__all__ = ["fit_network"]

ALONE = OneProcess()


def fit_network(
    plan: Plan,
    data: MaskedModalities,
    device: torch.device,
    own: OwnModules,
    processes: Processes = ALONE,
    loop: Callable[[MultimodalVAE, MaskedModalities, Plan, Processes], History] = train,
) -> tuple[MultimodalVAE, History]:
    """Make a network, start it at the means of the data, and train it.

    Parameters
    ----------
    plan
        What to do, all concrete.
    data
        The observations to train on.
    device
        Where to compute.
    own
        Modules that the user brings.
    processes
        Those that train together.
    loop
        `train`, or what calls it, with all else that it takes filled in.

    Returns
    -------
    tuple
        The network, and one row per epoch.

    Raises
    ------
    DivergedError
        If the loss becomes infinite or NaN.
    """
    network = new_network(plan, device, own)
    rng = np.random.default_rng(plan.seed)
    processes.lead(network, lambda: initialise_network(network, data, rng))
    return network, loop(network, data, plan, processes)
