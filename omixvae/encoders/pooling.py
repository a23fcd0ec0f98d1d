"""Sum pooling: q(z | x_S) from ρ(Σ_{s∈S} χ(h_s)) (Eqs. A1 and A3)."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.distributions import DiagonalGaussian, GaussianMixture
from omixvae.encoders.aggregation import Aggregation, PrivateEncoder, gaussian_from, mixture_from, mixture_size
from omixvae.encoders.private import PooledPrivateEncoder
from omixvae.layers import MLP

__all__ = ["SumPooling", "SumPoolingMixture"]


def _sum(g: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> Float[Tensor, "n e"]:
    """Σ_{s∈S} g_s."""
    return torch.where(present.unsqueeze(-1), g, 0.0).sum(1)


class SumPooling(Aggregation):
    """Learned, permutation-invariant aggregation by a sum over the present modalities.

    Notes
    -----
    Eq. A1 of the method page, [μ, log σ] = ρ(Σ χ(h_s)); Hirt et al. 2024, after Deep Sets (Zaheer et al. 2017). χ and ρ
    have two hidden layers.

    Examples
    --------
    >>> q = SumPooling(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    """

    private_encoder: ClassVar[type[PrivateEncoder]] = PooledPrivateEncoder

    def __init__(self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1) -> None:
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.chi = MLP(n_features, [hidden_size, hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size, hidden_size], 2 * n_latent)

    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Give χ(h_s)."""
        g: Tensor = self.chi(h)
        return g

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Give the belief about z from the present modalities."""
        return gaussian_from(self.rho(_sum(g, present)))


class SumPoolingMixture(Aggregation):
    """Sum pooling whose belief is a mixture of Gaussians: for an observation that may be of one kind or another.

    Notes
    -----
    Eq. A3 of the method page: ρ gives weights, means and scales of `n_components` Gaussians.

    Examples
    --------
    >>> q = SumPoolingMixture(4, 2, 8, n_components=3)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape, q.loc.shape
    (torch.Size([3, 2]), torch.Size([3, 3, 2]))
    """

    private_encoder: ClassVar[type[PrivateEncoder]] = PooledPrivateEncoder

    def __init__(self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1) -> None:
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.chi = MLP(n_features, [hidden_size, hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size, hidden_size], mixture_size(n_components, n_latent))

    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Give χ(h_s)."""
        g: Tensor = self.chi(h)
        return g

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> GaussianMixture:
        """Give the belief about z from the present modalities."""
        return mixture_from(self.rho(_sum(g, present)), self.n_components)
