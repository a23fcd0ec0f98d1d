"""Experts: each modality has a belief of its own, and a fixed rule puts them together (Eqs. A4 to A6)."""

from itertools import product as all_choices
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from omixvae.distributions import DiagonalGaussian, GaussianMixture
from omixvae.encoders.aggregation import Aggregation, PrivateEncoder, gaussian_from
from omixvae.encoders.private import OwnPrivateEncoder
from omixvae.layers import MLP

__all__ = [
    "MixtureOfExperts",
    "MixtureOfProductsOfExperts",
    "ProductOfExperts",
    "before_prior",
    "mixture",
    "mixture_of_products",
    "product",
]


def product(experts: DiagonalGaussian, present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
    """Multiply the Gaussians of the present modalities and N(0, I).

    Parameters
    ----------
    experts
        Shape (n, m, d), without the N(0, I).
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


def mixture(experts: DiagonalGaussian, present: Bool[Tensor, "n m"]) -> GaussianMixture:
    """Mix the Gaussians of the present modalities with equal weights.

    Parameters
    ----------
    experts
        Shape (n, m, d).
    present
        Shape (n, m).

    Returns
    -------
    GaussianMixture
        Shape (n, d), one component per modality; any finite belief where nothing is present.

    Examples
    --------
    >>> two = DiagonalGaussian(torch.tensor([[[2.0], [4.0]]]), torch.ones(1, 2, 1))
    >>> mixture(two, torch.tensor([[True, True]])).mean.item()
    3.0
    """
    return GaussianMixture(_equal_logits(present, experts.loc), experts.loc, experts.scale)


def mixture_of_products(experts: DiagonalGaussian, present: Bool[Tensor, "n m"]) -> GaussianMixture:
    """Mix, with equal weights, the products of experts of all non-empty sets of present modalities.

    Parameters
    ----------
    experts
        Shape (n, m, d).
    present
        Shape (n, m).

    Returns
    -------
    GaussianMixture
        Shape (n, d), 2ᵐ - 1 components; any finite belief where nothing is present.

    Examples
    --------
    >>> two = DiagonalGaussian(torch.tensor([[[2.0], [4.0]]]), torch.ones(1, 2, 1))
    >>> mixture_of_products(two, torch.tensor([[True, True]])).loc[0, :, 0].tolist()
    [2.0, 1.0, 2.0]
    """
    sets = torch.tensor(list(all_choices([False, True], repeat=present.shape[1]))[1:], device=present.device)
    precision = torch.where(present.unsqueeze(-1), experts.scale**-2, 0.0)
    weighted = precision * torch.where(present.unsqueeze(-1), experts.loc, 0.0)
    member = sets.to(precision)
    total = 1 + torch.einsum("km,nmd->nkd", member, precision)
    mean = torch.einsum("km,nmd->nkd", member, weighted) / total
    possible = (present.unsqueeze(1) | ~sets).all(-1)
    return GaussianMixture(_equal_logits(possible, mean), mean, total.rsqrt())


def before_prior(alone: DiagonalGaussian) -> DiagonalGaussian:
    """Find the experts whose products with N(0, I) have the given means.

    Parameters
    ----------
    alone
        Mean of the belief from each modality alone, and scale of its expert; shape (n, m, d).

    Returns
    -------
    DiagonalGaussian
        N(μ (1 + v), v), for its product with N(0, 1) has the mean μ.

    Notes
    -----
    A network that gives the expert's own mean gets no gradient for it while v is large, since v divides it: an expert
    that was sure of nothing stays so. Given this way, the mean has the same gradient whatever v is.

    Examples
    --------
    >>> alone = DiagonalGaussian(torch.full((1, 1, 1), 2.0), torch.full((1, 1, 1), 50.0))
    >>> round(product(before_prior(alone), torch.tensor([[True]])).mean.item(), 4)
    2.0
    """
    return DiagonalGaussian(alone.loc * (1 + alone.scale**2), alone.scale)


def _equal_logits(possible: Bool[Tensor, "n k"], like: Tensor) -> Tensor:
    """Weigh all that are possible alike, or all where none is."""
    possible = possible | ~possible.any(-1, keepdim=True)
    return like.new_zeros(possible.shape).masked_fill(~possible, -torch.inf)


class _Experts(Aggregation):
    """Embed each modality as its expert, [μ_s, log σ_s]: a linear map of its features.

    Parameters
    ----------
    deep
        Whether experts have as many layers as χ and ρ of sum pooling, and so about as many parameters.
    """

    private_encoder: ClassVar[type[PrivateEncoder]] = OwnPrivateEncoder

    def __init__(
        self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1, *, deep: bool = False
    ) -> None:
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.expert: nn.Module = nn.Linear(n_features, 2 * n_latent)
        if deep:
            refine = MLP(n_features, [hidden_size, hidden_size], hidden_size)
            self.expert = nn.Sequential(refine, MLP(hidden_size, [hidden_size, hidden_size], 2 * n_latent))

    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Return [μ_s, log σ_s] of each modality's expert."""
        g: Tensor = self.expert(h)
        return g


class ProductOfExperts(_Experts):
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

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Return the belief about z from the present modalities."""
        return product(before_prior(gaussian_from(g)), present)


class MixtureOfExperts(_Experts):
    """q(z | x_S) = Σ_{s∈S} N(z | μ_s, σ_s²) / |S|.

    Notes
    -----
    Eq. A5 of the method page; Shi et al. 2019. Each modality speaks for itself: no belief is sharper than the sharpest
    of one modality.

    Examples
    --------
    >>> q = MixtureOfExperts(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.loc.shape
    torch.Size([3, 2, 2])
    """

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> GaussianMixture:
        """Return the belief about z from the present modalities."""
        return mixture(gaussian_from(g), present)


class MixtureOfProductsOfExperts(_Experts):
    """q(z | x_S) = the mean over the non-empty sets T ⊆ S of the product of the experts of T.

    Notes
    -----
    Eq. A6 of the method page; Sutter et al. 2021. It has 2^|S| - 1 components, so five modalities are the most.

    Examples
    --------
    >>> q = MixtureOfProductsOfExperts(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.loc.shape
    torch.Size([3, 3, 2])
    """

    most_modalities: ClassVar[int | None] = 5

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> GaussianMixture:
        """Return the belief about z from the present modalities."""
        return mixture_of_products(before_prior(gaussian_from(g)), present)
