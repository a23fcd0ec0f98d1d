"""Sum pooling: q(z | x_S) = N(μ, σ²) with [μ, log σ] = ρ(Σ_{s∈S} χ(h_s)) (Eq. A1)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.aggregation import Aggregation, gaussian_from
from omixvae.layers import MLP

__all__ = ["SumPooling"]


class SumPooling(Aggregation):
    """Learned, permutation-invariant aggregation by a sum over the present modalities.

    Notes
    -----
    Eq. A1 of the method page; Hirt et al. 2024, after Deep Sets (Zaheer et al. 2017). χ and ρ have two hidden layers.

    Examples
    --------
    >>> q = SumPooling(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    """

    def __init__(self, n_features: int, n_latent: int, hidden_size: int) -> None:
        super().__init__(n_features, n_latent, hidden_size)
        self.chi = MLP(n_features, [hidden_size, hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size, hidden_size], 2 * n_latent)

    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Give the belief about z from the present modalities."""
        here = present.unsqueeze(-1)
        chi: Tensor = self.chi(torch.where(here, h, 0.0))
        parameters: Tensor = self.rho(torch.where(here, chi, 0.0).sum(1))
        return gaussian_from(parameters)
