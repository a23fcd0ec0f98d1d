"""Which observations a training holds out: one answer for the training, for the model and for `evaluate`."""

from typing import NamedTuple

import numpy as np

from omixvae.data.sampler import held_out_split
from omixvae.plan import Plan

__all__ = ["Split", "split_of"]


class Split(NamedTuple):
    """Positions of the observations to train on and to hold out.

    Parameters
    ----------
    train_rows, held_out_rows
        Both sorted.
    rng
        Source of random numbers with which the training goes on.
    """

    train_rows: np.ndarray
    held_out_rows: np.ndarray
    rng: np.random.Generator


def split_of(plan: Plan, presence: np.ndarray) -> Split:
    """Split the observations as the training with a plan does.

    Parameters
    ----------
    plan
        Has the part to hold out, and the seed.
    presence
        Shape (n, m): which observation has which modality.

    Returns
    -------
    Split
        The same for the same plan and presence.
    """
    rng = np.random.default_rng(plan.seed)
    return Split(*held_out_split(presence, plan.held_out, rng), rng)
