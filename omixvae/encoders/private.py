"""q(w_s | z, x_S): what is private to each modality (Eqs. A7 and A8; A9 lies beside self-attention)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from omixvae.encoders.aggregation import PrivateEncoder
from omixvae.layers import MLP

__all__ = ["OwnPrivateEncoder", "PooledPrivateEncoder"]


class OwnPrivateEncoder(PrivateEncoder):
    """Private latents from their own modality alone.

    Notes
    -----
    Eq. A7 of the method page: w_s ~ N(μ_s(x_s), σ_s(x_s)²), a network for each modality.

    Examples
    --------
    >>> encoder = OwnPrivateEncoder(4, n_latent=2, n_private=[3, 1], hidden_size=8)
    >>> g = encoder.embed(torch.zeros(5, 2, 4))
    >>> encoder(g, torch.ones(5, 2, dtype=torch.bool), torch.zeros(5, 2)).mean.shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, n_features: int, n_latent: int, n_private: Sequence[int], hidden_size: int) -> None:
        super().__init__(n_features, n_latent, n_private, hidden_size)
        self.own = nn.ModuleList(MLP(n_features, [hidden_size], 2 * max(n_private)) for _ in n_private)

    def embed(self, h: Tensor) -> Tensor:
        """Return [μ_s, log σ_s]: all that there is to do."""
        return torch.stack([own(h[:, s]) for s, own in enumerate(self.own)], dim=1)

    def _combine(self, g: Tensor, present: Tensor, z: Tensor) -> Tensor:
        return g


class PooledPrivateEncoder(PrivateEncoder):
    """Private latents from their own modality, z, and the sum over all present ones; permutation-equivariant.

    Notes
    -----
    Eq. A8 of the method page: [μ_s, log σ_s] = ρ'(Σ_{t∈S} χ₀(h_t) + χ₁(z) + χ₂(h_s)).

    Examples
    --------
    >>> encoder = PooledPrivateEncoder(4, n_latent=2, n_private=[3, 1], hidden_size=8)
    >>> g = encoder.embed(torch.zeros(5, 2, 4))
    >>> r = encoder(g, torch.ones(5, 2, dtype=torch.bool), torch.zeros(5, 2))
    >>> r.mean.shape, r.mean[0, 1, 1:].tolist()
    (torch.Size([5, 2, 3]), [0.0, 0.0])
    """

    def __init__(self, n_features: int, n_latent: int, n_private: Sequence[int], hidden_size: int) -> None:
        super().__init__(n_features, n_latent, n_private, hidden_size)
        self.chi_0 = MLP(n_features, [hidden_size], hidden_size)
        self.chi_1 = MLP(n_latent, [hidden_size], hidden_size)
        self.chi_2 = MLP(n_features, [hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size], 2 * max(n_private))

    def embed(self, h: Tensor) -> Tensor:
        """Return χ₀(h_s) and χ₂(h_s), side by side."""
        return torch.cat([self.chi_0(h), self.chi_2(h)], dim=-1)

    def _combine(self, g: Tensor, present: Tensor, z: Tensor) -> Tensor:
        g_0, g_2 = g.chunk(2, dim=-1)
        pooled = torch.where(present.unsqueeze(-1), g_0, 0.0).sum(1, keepdim=True)
        parameters: Tensor = self.rho(pooled + self.chi_1(z).unsqueeze(1) + g_2)
        return parameters
