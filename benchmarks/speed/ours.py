"""What is timed of omixvae, in a process of its own."""

import time
from itertools import pairwise
from typing import Any

import mudata
from torch.utils.flop_counter import FlopCounterMode

import omixvae

__all__ = ["fit", "operations", "train"]

TIMED = {"early_stopping": False, "progress": False}
"""All epochs are made, and all observations trained on."""


def train(mdata: mudata.MuData, options: dict[str, Any]) -> dict[str, Any]:
    """Train with all observations, and give the rate (cells per second) of each epoch."""
    model = omixvae.OmixVAE(**TIMED, **options).fit(mdata)
    ends = [0.0, *(row.seconds for row in model.history)]
    seconds = [end - start for start, end in pairwise(ends)]
    return {"rates": [mdata.n_obs / s for s in seconds], "batch_size": model.plan.batch_size}


def fit(mdata: mudata.MuData, options: dict[str, Any]) -> dict[str, Any]:
    """Call `omixvae.fit`, results and all; give what its history says, and the seconds of the whole call."""
    began = time.perf_counter()
    model = omixvae.fit(mdata, progress=False, **options)
    return {
        "seconds": time.perf_counter() - began,
        "ends": [row.seconds for row in model.history],
        "last_bound": model.history[-1].bound,
        "held_out_bounds": [row.held_out_bound for row in model.history],
        "prior_epoch": model.plan.prior_epoch,
    }


def operations(mdata: mudata.MuData, options: dict[str, Any]) -> float:
    """Count the floating point operations of all matrix products of training, for each cell and epoch.

    Two trainings differ by one epoch and nothing else: they start alike, and end alike.
    """
    counts = []
    for epochs in (1, 2):
        with FlopCounterMode(display=False) as counter:
            omixvae.OmixVAE(**TIMED, **options, max_epochs=epochs).fit(mdata)
        counts.append(counter.get_total_flops())
    return (counts[1] - counts[0]) / mdata.n_obs
