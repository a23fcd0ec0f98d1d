"""Experts: each modality has a belief of its own, and a fixed rule puts them together (Eq. A4)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.aggregation import Aggregation, gaussian_from
from omixvae.layers import MLP

__all__ = ["ProductOfExperts", "ProductOfExpertsPlus"]


def product(experts: DiagonalGaussian, present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
    """Multiply the Gaussians of the present modalities and N(0, I).

    Parameters
    ----------
    experts
        Shape (n, m, d).
    present
        Shape (n, m).

    Returns
    -------
    DiagonalGaussian
        Shape (n, d): precision 1 + Σ 1/v_s, mean weighted by the precisions. N(0, I) where nothing is present.

    Examples
    --------
    >>> one = DiagonalGaussian(torch.full((1, 1, 1), 2.0), torch.ones(1, 1, 1))
    >>> product(one, torch.tensor([[True]])).mean.item()
    1.0
    """
    precision = torch.where(present.unsqueeze(-1), experts.scale**-2, 0.0)
    total = 1 + precision.sum(1)
    mean = (precision * torch.where(present.unsqueeze(-1), experts.loc, 0.0)).sum(1) / total
    return DiagonalGaussian(mean, total.rsqrt())


class ProductOfExperts(Aggregation):
    """q(z | x_S) ∝ N(z | 0, I) Π_{s∈S} N(z | μ_s, σ_s²).

    Notes
    -----
    Eq. A4 of the method page; Wu and Goodman 2018. The mean weights each expert by its precision.

    Examples
    --------
    >>> q = ProductOfExperts(4, 2, 8)(torch.zeros(3, 2, 4), torch.zeros(3, 2, dtype=torch.bool))
    >>> q.mean.tolist()[0], q.variance.tolist()[0]
    ([0.0, 0.0], [1.0, 1.0])
    """

    def __init__(self, n_features: int, n_latent: int, hidden_size: int) -> None:
        super().__init__(n_features, n_latent, hidden_size)
        self.expert = nn.Linear(n_features, 2 * n_latent)

    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Give the belief about z from the present modalities."""
        return product(gaussian_from(self.expert(torch.where(present.unsqueeze(-1), h, 0.0))), present)


class ProductOfExpertsPlus(Aggregation):
    """The product of experts with further layers, so that it has about as many parameters as sum pooling.

    Examples
    --------
    >>> q = ProductOfExpertsPlus(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    """

    def __init__(self, n_features: int, n_latent: int, hidden_size: int) -> None:
        super().__init__(n_features, n_latent, hidden_size)
        self.refine = MLP(n_features, [hidden_size, hidden_size], hidden_size)
        self.expert = MLP(hidden_size, [hidden_size, hidden_size], 2 * n_latent)

    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Give the belief about z from the present modalities."""
        refined = self.refine(torch.where(present.unsqueeze(-1), h, 0.0))
        return product(gaussian_from(self.expert(refined)), present)
