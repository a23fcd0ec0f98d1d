"""The total-correlation bound: beliefs from all and from a part are drawn together (Eq. B5)."""

import torch
from jaxtyping import Bool
from torch import Tensor

from omixvae.bounds import Terms
from omixvae.config import KLWord
from omixvae.data.masked import MaskedBatch
from omixvae.objectives.divergence import divergence
from omixvae.vae import MultimodalVAE

__all__ = ["total_correlation_bound"]


def total_correlation_bound(
    network: MultimodalVAE,
    batch: MaskedBatch,
    subset: Bool[Tensor, "n m"],
    generator: torch.Generator,
    *,
    beta: float = 1.0,
    kl: KLWord = "stl",
    private: Bool[Tensor, "n m"] | None = None,
) -> Terms:
    r"""Evaluate the total-correlation bound with one sample.

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
        Shape (n, m): where this is false and outside S, q(w_s | z, x_O) is the prior, so that x_s is predicted as
        where it is missing: a belief like any other. True everywhere when not given.

    Returns
    -------
    Terms
        Reconstruction and cross rate of each observation, in nats; the rate is 0.

    Notes
    -----
    With z, w ~ q(· | x_O)::

        L = Σ_{s∈O} log p(x_s | z, w_s)
            − β [ log q(z|x_O) − log q(z|x_S) + Σ_{s∈O} log q(w_s|z,x_O) − log q(w_s|z,x_S) ]

    where q(w_s | z, x_S) is the prior outside S. Eq. B5 of the method page; Hwang et al. 2021 take single modalities.
    With the true posteriors it is log p(x_\S | x_S) + E log p(x_S | z) under p(z | x_O): no bound of a likelihood.
    """
    observed = batch.presence
    subset = subset & observed
    h = network.features(batch)
    q_o, q_s = network.posteriors(batch, h, observed, subset)
    z = q_o.rsample(generator)
    believed = observed if private is None else observed & (subset | private)
    r_o, r_s = network.private_posteriors(h, (believed, z), (subset, z))
    w = r_o.rsample(generator)
    reconstruction = network.log_prob(batch, z.unsqueeze(1).expand(-1, observed.shape[1], -1), w)
    cross = divergence(q_o, q_s, z, kl)
    cross = cross + torch.where(observed, divergence(r_o, r_s, w, kl), 0.0).sum(-1)
    return Terms(reconstruction, torch.zeros_like(cross), cross, beta, network.weights)
