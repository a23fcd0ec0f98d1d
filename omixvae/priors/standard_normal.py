"""p(z) = N(0, I)."""

import torch
from torch import Tensor

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders import Aggregation
from omixvae.priors.prior import Prior

__all__ = ["StandardNormal"]


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Examples
    --------
    >>> StandardNormal(2)().mean.tolist()
    [0.0, 0.0]
    """

    zero: Tensor

    def __init__(self, n_latent: int, n_clusters: int = 1, aggregation: Aggregation | None = None) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.register_buffer("zero", torch.zeros(n_latent))

    def forward(self) -> DiagonalGaussian:
        """Return p(z)."""
        return DiagonalGaussian(self.zero, torch.ones_like(self.zero))
