"""The contract of a prior p(z)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from omixvae.distributions import LatentDistribution
from omixvae.encoders import Aggregation

__all__ = ["Prior"]


class Prior(nn.Module, ABC):
    """p(z), and what becomes of it in a training.

    A training goes `start`, steps that train its parameters, `finish`. To add one: subclass this in a file of
    `omixvae/priors/`, and name it in the table `PRIORS`. One of your own is given to `omixvae.fit` as
    ``prior=MyPrior``, which is made as here, or as an instance.

    Parameters
    ----------
    n_latent
        Dimensions d of z.
    n_clusters
        Most components; priors without components ignore it.
    aggregation
        What gives q(z | x_S); most priors ignore it.
    """

    about_n_clusters: ClassVar[str] = "not used by this prior"
    """What `n_clusters` is, for the reasons of a plan; ``{n}`` stands for the number of observations."""

    def __init__(self, n_latent: int, n_clusters: int = 1, aggregation: Aggregation | None = None) -> None:
        super().__init__()
        self.n_latent, self.n_clusters = n_latent, n_clusters

    @abstractmethod
    def forward(self) -> LatentDistribution:
        """Return p(z), over points of shape (..., d)."""

    def penalty(self) -> Tensor:
        """Minus the log-density of the prior's own parameters, in nats; 0 where there is none."""
        return torch.zeros(())

    @staticmethod
    def starts_after(*, cohort: bool) -> float:
        """Return the part of the epochs after which it starts; before, it is N(0, I) and not trained.

        Parameters
        ----------
        cohort
            Whether the observations are a cohort of some hundred, not thousands of cells.

        Returns
        -------
        float
            From 0, trained from the first step, to 1.
        """
        return 0.0

    def start(
        self, beliefs: Iterable[LatentDistribution], n_measured: Int[np.ndarray, " n"], *, choose: bool, seed: int
    ) -> None:
        """Start from what is believed about the latents of the observations.

        Called once `starts_after` of the epochs are over, and again after the last one if the bound has no part for the
        prior. Does nothing unless overridden.

        Parameters
        ----------
        beliefs
            Some observations each; computed as they are asked for.
        n_measured
            Shape (n,): how many modalities each observation has.
        choose
            Whether `n_clusters` is only the most that are allowed.
        seed
            Of all random numbers.
        """

    def clusters(self, p: LatentDistribution, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"] | None:
        """Return the probability of each cluster at points of latent space; None if its components are no clusters.

        Parameters
        ----------
        p
            What `forward` returned.
        z
            Shape (..., d).

        Returns
        -------
        torch.Tensor or None
            Shape (..., k), summing to one: the clusters in use, after `finish` the largest first.
        """
        return None

    def finish(self, sizes: Int[Tensor, " k"]) -> None:
        """End the training. Called if it has clusters; does nothing unless overridden.

        Parameters
        ----------
        sizes
            Shape (k,): number of observations that belong to each cluster before all others.
        """
