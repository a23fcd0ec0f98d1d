"""q(w_s | z, x_S): what is private to each modality, permutation-equivariant (Eq. A8)."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.aggregation import gaussian_from
from omixvae.layers import MLP

__all__ = ["PrivateEncoder"]


class PrivateEncoder(nn.Module):
    """Beliefs about the private latents of all modalities at once.

    Parameters
    ----------
    n_features
        Size e of the features h_s.
    n_latent
        Dimensions d of the shared z.
    n_private
        Dimensions of each modality's own w_s. The encoder works with the largest; a modality that has fewer keeps the
        prior N(0, 1) in the rest, which then costs nothing.
    hidden_size
        Width of the hidden layers.

    Notes
    -----
    Eq. A8: [μ_s, log σ_s] = ρ'(Σ_{t∈S} χ₀(h_t) + χ₁(z) + χ₂(h_s)) for s ∈ S; Eq. A10: the prior for s ∉ S.

    Examples
    --------
    >>> encoder = PrivateEncoder(4, n_latent=2, n_private=[3, 1], hidden_size=8)
    >>> r = encoder(torch.zeros(5, 2, 4), torch.ones(5, 2, dtype=torch.bool), torch.zeros(5, 2))
    >>> r.mean.shape, r.mean[0, 1, 1:].tolist()
    (torch.Size([5, 2, 3]), [0.0, 0.0])
    """

    used: Tensor

    def __init__(self, n_features: int, n_latent: int, n_private: Sequence[int], hidden_size: int) -> None:
        super().__init__()
        width = max(n_private)
        self.chi_0 = MLP(n_features, [hidden_size], hidden_size)
        self.chi_1 = MLP(n_latent, [hidden_size], hidden_size)
        self.chi_2 = MLP(n_features, [hidden_size], hidden_size)
        self.rho = MLP(hidden_size, [hidden_size], 2 * width)
        used = torch.arange(width) < torch.tensor(list(n_private)).unsqueeze(-1)
        self.register_buffer("used", used, persistent=False)

    def forward(
        self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"], z: Float[Tensor, "n d"]
    ) -> DiagonalGaussian:
        """Give the beliefs about w, shape (n, m, p); the prior where a modality is absent."""
        here = present.unsqueeze(-1)
        h = torch.where(here, h, 0.0)
        pooled = torch.where(here, self.chi_0(h), 0.0).sum(1, keepdim=True)
        parameters: Tensor = self.rho(pooled + self.chi_1(z).unsqueeze(1) + self.chi_2(h))
        q = gaussian_from(parameters)
        known = here & self.used
        return DiagonalGaussian(torch.where(known, q.loc, 0.0), torch.where(known, q.scale, 1.0))
