"""Self-attention: the present modalities look at each other before they are summed (Eq. A2)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.aggregation import Aggregation, gaussian_from
from omixvae.layers import MLP

__all__ = ["AttentionBlock", "SelfAttention"]

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


class SelfAttention(Aggregation):
    """Learned aggregation by self-attention among the present modalities.

    Notes
    -----
    Eq. A2 of the method page; Hirt et al. 2024, after the set transformer (Lee et al. 2019). One block of four heads.

    Examples
    --------
    >>> q = SelfAttention(4, 2, 8)(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool))
    >>> q.mean.shape
    torch.Size([3, 2])
    """

    def __init__(self, n_features: int, n_latent: int, hidden_size: int) -> None:
        super().__init__(n_features, n_latent, hidden_size)
        size = -(-hidden_size // N_HEADS) * N_HEADS
        self.chi = MLP(n_features, [hidden_size, hidden_size], size)
        self.block = AttentionBlock(size, N_HEADS)
        self.norm = nn.LayerNorm(size)
        self.rho = MLP(size, [hidden_size, hidden_size], 2 * n_latent)

    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> DiagonalGaussian:
        """Give the belief about z from the present modalities."""
        here = present.unsqueeze(-1)
        g = torch.where(here, self.chi(torch.where(here, h, 0.0)), 0.0)
        g = self.norm(self.block(g, present))
        parameters: Tensor = self.rho(torch.where(here, g, 0.0).sum(1))
        return gaussian_from(parameters)
