"""Self-attention: the present modalities look at each other before they are summed (Eqs. A2, A3 and A9)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from omixvae.distributions import LatentDistribution
from omixvae.encoders.aggregation import Aggregation, Head, PrivateEncoder
from omixvae.layers import MLP

__all__ = ["AttentionBlock", "AttentivePrivateEncoder", "SelfAttention"]

N_HEADS = 4


class AttentionBlock(nn.Module):
    """One transformer block over a set: layer normalisation first, no code for positions.

    Parameters
    ----------
    size
        Width of the features.
    n_heads
        Heads; `size` must be a multiple of it.

    Notes
    -----
    Xiong et al. 2020 (normalisation before each part). Absent modalities are no keys. A row without any modality has
    nothing to attend to; it is given all keys, whose values are zero, so that no softmax is taken over nothing.

    Examples
    --------
    >>> g = AttentionBlock(8, 2)(torch.zeros(3, 2, 8), torch.tensor([[True, False]] * 3))
    >>> g.shape
    torch.Size([3, 2, 8])
    """

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.feed_forward = nn.Sequential(nn.Linear(size, size), nn.LeakyReLU(0.1), nn.Linear(size, size))

    def forward(self, g: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> Float[Tensor, "n m e"]:
        """Transform the features of each modality by those of the others."""
        n, m, size = g.shape
        parts = self.query_key_value(self.norm_1(g)).view(n, m, 3, self.n_heads, size // self.n_heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        keys = (present | ~present.any(-1, keepdim=True))[:, None, None, :]
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=keys)
        g = g + self.out(seen.transpose(1, 2).reshape(n, m, size))
        return g + self.feed_forward(self.norm_2(g))


def _for_heads(size: int) -> int:
    """Round a width up to a multiple of the number of heads."""
    return -(-size // N_HEADS) * N_HEADS


class AttentivePrivateEncoder(PrivateEncoder):
    """Private latents by self-attention among the present modalities and z.

    Notes
    -----
    Eq. A9 of the method page: g_s = χ₁(h_s) + χ₂(z), one attention block, then a linear map of each modality's own.

    Examples
    --------
    >>> encoder = AttentivePrivateEncoder(4, n_latent=2, n_private=[3, 1], hidden_size=8)
    >>> g = encoder.embed(torch.zeros(5, 2, 4))
    >>> encoder(g, torch.ones(5, 2, dtype=torch.bool), torch.zeros(5, 2)).mean.shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, n_features: int, n_latent: int, n_private: Sequence[int], hidden_size: int) -> None:
        super().__init__(n_features, n_latent, n_private, hidden_size)
        size = _for_heads(hidden_size)
        self.chi_1 = MLP(n_features, [hidden_size], size)
        self.chi_2 = MLP(n_latent, [hidden_size], size)
        self.block = AttentionBlock(size, N_HEADS)
        self.norm = nn.LayerNorm(size)
        self.out = nn.ModuleList(nn.Linear(size, 2 * max(n_private)) for _ in n_private)

    def embed(self, h: Tensor) -> Tensor:
        """Return χ₁(h_s)."""
        g: Tensor = self.chi_1(h)
        return g

    def _combine(self, g: Tensor, present: Tensor, z: Tensor) -> Tensor:
        g = torch.where(present.unsqueeze(-1), g + self.chi_2(z).unsqueeze(1), 0.0)
        g = self.norm(self.block(g, present))
        return torch.stack([out(g[:, s]) for s, out in enumerate(self.out)], dim=1)


class _AttentiveSum(nn.Module):
    """Σ_{s∈S} of what comes out of an attention block over the g_s."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.block = AttentionBlock(size, N_HEADS)
        self.norm = nn.LayerNorm(size)

    def forward(self, g: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> Float[Tensor, "n e"]:
        here = present.unsqueeze(-1)
        g = self.norm(self.block(torch.where(here, g, 0.0), present))
        return torch.where(here, g, 0.0).sum(1)


class SelfAttention(Aggregation):
    """Learned aggregation by self-attention among the present modalities.

    Parameters
    ----------
    mixture
        Whether the belief is a mixture of `n_components` Gaussians, for observations that may be of one kind or
        another, and not a single one.

    Notes
    -----
    Eq. A2 of the method page, and Eq. A3 for mixtures; Hirt et al. 2024, after the set transformer (Lee et al. 2019).
    One block of four heads.

    Examples
    --------
    >>> q = SelfAttention(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    >>> SelfAttention(4, 2, 8, 5, mixture=True)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool)).loc.shape
    torch.Size([3, 5, 2])
    """

    private_encoder: ClassVar[type[PrivateEncoder]] = AttentivePrivateEncoder

    def __init__(
        self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1, *, mixture: bool = False
    ) -> None:
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.head = Head(n_latent, n_components if mixture else None)
        size = _for_heads(hidden_size)
        self.chi = MLP(n_features, [hidden_size, hidden_size], size)
        self.pool = _AttentiveSum(size)
        self.rho = MLP(size, [hidden_size, hidden_size], self.head.size)

    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Return χ(h_s)."""
        g: Tensor = self.chi(h)
        return g

    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> LatentDistribution:
        """Return the belief about z from the present modalities."""
        return self.head(self.rho(self.pool(g, present)))
