"""The mixture bound: everything is explained from a random subset alone (Eq. B4)."""

import torch
from jaxtyping import Bool
from torch import Tensor

from omixvae.bounds import Terms
from omixvae.config import KLWord
from omixvae.data.masked import MaskedBatch
from omixvae.distributions import DiagonalGaussian
from omixvae.objectives.divergence import divergence
from omixvae.vae import MultimodalVAE

__all__ = ["mixture_bound"]


def mixture_bound(
    network: MultimodalVAE,
    batch: MaskedBatch,
    subset: Bool[Tensor, "n m"],
    generator: torch.Generator,
    *,
    beta: float = 1.0,
    kl: KLWord = "stl",
    private: Bool[Tensor, "n m"] | None = None,
) -> Terms:
    r"""Evaluate the mixture bound with one sample.

    Parameters
    ----------
    network
        The model p and its encoders q.
    batch
        Some observations, each with its set O of measured modalities.
    subset
        Shape (n, m), true for the modalities of S ⊆ O.
    generator
        Source of the samples.
    beta
        Weight of the latents' cost; 1 is the bound.
    kl
        How the latents' cost is estimated (see `divergence`).
    private
        No part in this bound: outside S private latents have their prior.

    Returns
    -------
    Terms
        Reconstruction and rate of each observation, in nats; the cross rate is 0.

    Notes
    -----
    With z, w_S ~ q(· | x_S), and w_s ~ p(w_s) for the rest of O::

        L = Σ_{s∈O} log p(x_s | z, w_s) − β [ log q(z|x_S) − log p(z) + Σ_{s∈S} log q(w_s|z,x_S) − log p(w_s) ]

    Eq. B4 of the method page. A lower bound of log p(x_O) whose gap is at least the entropy of x_\S given x_S.
    """
    subset = subset & batch.presence
    h = network.features(batch)
    q, p = network.posterior(batch, h, subset), network.prior_of(batch)
    z = q.rsample(generator)
    r = network.private_posterior(h, subset, z)
    w = r.rsample(generator)
    p_w = DiagonalGaussian(torch.zeros_like(w), torch.ones_like(w))
    reconstruction = network.log_prob(batch, z.unsqueeze(1).expand(-1, subset.shape[1], -1), w)
    rate = divergence(q, p, z, kl)
    rate = rate + torch.where(subset, divergence(r, p_w, w, kl), 0.0).sum(-1)
    return Terms(reconstruction, rate, torch.zeros_like(rate), beta, network.weights)
