r"""The masked bound of the paper: L_S + L_\S for a random subset S (Eqs. B3, B6, B7)."""

import torch
from jaxtyping import Bool
from torch import Tensor

from omixvae.bounds import Terms
from omixvae.config import KLWord
from omixvae.data.masked import MaskedBatch
from omixvae.distributions import DiagonalGaussian
from omixvae.objectives.divergence import divergence
from omixvae.vae import MultimodalVAE

__all__ = ["masked_bound"]


def masked_bound(
    network: MultimodalVAE,
    batch: MaskedBatch,
    subset: Bool[Tensor, "n m"],
    generator: torch.Generator,
    *,
    beta: float = 1.0,
    kl: KLWord = "stl",
    private: Bool[Tensor, "n m"] | None = None,
) -> Terms:
    r"""Evaluate the masked bound with one sample.

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
        Shape (n, m): where this is false and outside S, q(w_s | z_O, x_O) is the prior, so that x_s is predicted as
        where it is missing: a belief like any other, so the bound is one still, if a less tight one. True everywhere
        when not given.

    Returns
    -------
    Terms
        Reconstruction, rate and cross rate of each observation, in nats.

    Notes
    -----
    With z_S, w_S ~ q(· | x_S) and z_O, w_O ~ q(· | x_O), and \S the rest of O::

        L_S  = Σ_{s∈S} log p(x_s | z_S, w_S)                                                          (B6)
               − β [ log q(z_S|x_S) − log p(z_S) + Σ_{s∈S} log q(w_s|z_S,x_S) − log p(w_s) ]
        L_\S = Σ_{s∈\S} log p(x_s | z_O, w_O)                                                         (B7)
               − β [ log q(z_O|x_O) − log q(z_O|x_S) + Σ_{s∈S}  log q(w_s|z_O,x_O) − log q(w_s|z_O,x_S)
                                                     + Σ_{s∈\S} log q(w_s|z_O,x_O) − log p(w_s) ]

    Each modality is decoded once: from z_S if it is in S, else from z_O. For S = O the second line is zero, for S = ∅
    the first is. Hirt et al. 2024, Eqs. 3-5 and Appendix E; STL: Roeder et al. 2017.
    """
    observed = batch.presence
    subset = subset & observed
    h = network.features(batch)

    (q_s, q_o), p = network.posteriors(batch, h, subset, observed), network.prior_of(batch)
    z_s, z_o = q_s.rsample(generator), q_o.rsample(generator)
    believed = observed if private is None else observed & (subset | private)
    r_s, r_o, r_s_at_o = network.private_posteriors(h, (subset, z_s), (believed, z_o), (subset, z_o))
    w_s, w_o = r_s.rsample(generator), r_o.rsample(generator)
    p_w = DiagonalGaussian(torch.zeros_like(w_o), torch.ones_like(w_o))

    in_s = subset.unsqueeze(-1)
    reconstruction = network.log_prob(
        batch, torch.where(in_s, z_s.unsqueeze(1), z_o.unsqueeze(1)), torch.where(in_s, w_s, w_o)
    )

    rate = divergence(q_s, p, z_s, kl)
    rate = rate + torch.where(subset, divergence(r_s, p_w, w_s, kl), 0.0).sum(-1)
    cross = divergence(q_o, q_s, z_o, kl)
    # Outside S, q(w_s | z, x_S) is the prior: one expression serves both sums of (B7).
    cross = cross + torch.where(observed, divergence(r_o, r_s_at_o, w_o, kl), 0.0).sum(-1)
    rate = torch.where(subset.any(-1), rate, 0.0)
    cross = torch.where((observed & ~subset).any(-1), cross, 0.0)
    return Terms(reconstruction, rate, cross, beta, network.weights)
