"""Sum pooling: q(z | x_S) from ρ(Σ_{s∈S} χ(h_s)) (Eqs. A1 and A3)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.distributions import LatentDistribution
from omixvae.encoders.aggregation import Aggregation, Head, PrivateEncoder
from omixvae.encoders.private import PooledPrivateEncoder
from omixvae.layers import MLP

__all__ = ["SumPooling"]


class SumPooling(Aggregation):
    """Learned, permutation-invariant aggregation by a sum over the present modalities.

    Parameters
    ----------
    mixture
        Whether the belief is a mixture of `n_components` Gaussians, for observations that may be of one kind or
        another, and not a single one.

    Notes
    -----
    Eq. A1 of the method page, [μ, log σ] = ρ(Σ χ(h_s)), and Eq. A3 for mixtures; Hirt et al. 2024, after Deep Sets
    (Zaheer et al. 2017). χ and ρ have two hidden layers.

    Examples
    --------
    >>> q = SumPooling(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    >>> SumPooling(4, 2, 8, 5, mixture=True)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool)).loc.shape
    torch.Size([3, 5, 2])
    """

    private_encoder: ClassVar[type[PrivateEncoder]] = PooledPrivateEncoder

    def __init__(
        self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1, *, mixture: bool = False
    ) -> None:
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.head = Head(n_latent, n_components if mixture else None)
        self.chi = MLP(n_features, [hidden_size, hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size, hidden_size], self.head.size)

    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Return χ(h_s)."""
        g: Tensor = self.chi(h)
        return g

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> LatentDistribution:
        """Return the belief about z from the present modalities."""
        return self.head(self.rho(torch.where(present.unsqueeze(-1), g, 0.0).sum(1)))
