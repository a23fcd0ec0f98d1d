"""VampPrior: p(z) as the average belief about a few learned observations."""

from typing import ClassVar

import torch
from torch import nn

from omixvae.distributions import GaussianMixture
from omixvae.encoders import Aggregation
from omixvae.priors.prior import Prior

__all__ = ["VampPrior"]


class VampPrior(Prior):
    """p(z) = (1/K) Σ_k q(z | u_k): the mixture of the beliefs about K learned pseudo-observations (Eq. M3).

    Notes
    -----
    Tomczak and Welling 2018. A pseudo-observation is one vector of features h, taken as a set of a single modality: it
    stands behind the encoders, so it costs little and serves counts and any other values alike. Its components are no
    clusters: several may describe one group.

    Examples
    --------
    >>> from omixvae.encoders.pooling import SumPooling
    >>> VampPrior(2, 3, SumPooling(4, 2, 8))().loc.shape
    torch.Size([3, 2])
    """

    about_n_clusters: ClassVar[str] = "pseudo-observations of the prior, for {n:,} observations"

    def __init__(self, n_latent: int, n_clusters: int, aggregation: Aggregation) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.pseudo = nn.Parameter(torch.randn(n_clusters, aggregation.n_features))
        # In a tuple the weights stay the network's alone: as a submodule they would be saved twice.
        self._aggregation = (aggregation,)

    def forward(self) -> GaussianMixture:
        """Return p(z)."""
        h = self.pseudo.unsqueeze(1)
        q = self._aggregation[0](h, torch.ones(h.shape[:2], dtype=torch.bool, device=h.device))
        if isinstance(q, GaussianMixture):
            return GaussianMixture(q.log_weights.flatten(), q.loc.flatten(0, 1), q.scale.flatten(0, 1))
        return GaussianMixture(q.loc.new_zeros(len(q.loc)), q.loc, q.scale)
