"""How probable are these data under the model? Importance-sampled log-likelihoods, joint, marginal and conditional."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.distributions import DiagonalGaussian
from omixvae.inference.posterior import encode
from omixvae.vae import MultimodalVAE

__all__ = ["log_likelihood"]


def log_likelihood(
    network: MultimodalVAE, data: MaskedModalities, of: np.ndarray, given: np.ndarray, n_samples: int, seed: int
) -> np.ndarray:
    """Estimate log p(x_of | x_given) of each observation.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations. A missing modality of an observation drops out of `of` and of `given`.
    of, given
        Shape (m,), true for the modalities meant; none is in both.
    n_samples
        Importance samples; the more, the closer (from below) to the truth.
    seed
        The same seed gives the same samples.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64, in nats; 0 for an observation that has none of `of`.

    Notes
    -----
    Section "Likelihood" of the method page: with z_i, w_i ~ q(z, w | x_S) and I samples::

        log p(x_S) ≈ log (1/I) Σ_i p(x_S | z_i, w_i) p(z_i) p(w_i) / q(z_i, w_i | x_S)

    and log p(x_of | x_given) = log p(x_of, x_given) - log p(x_given). Unlike a bound this does not depend on how it was
    trained, so it compares models (Burda et al. 2016).
    """
    generator = network.generator(seed)
    asked, known = torch.from_numpy(of).to(network.device), torch.from_numpy(given).to(network.device)
    rows = []
    for encoded in encode(network, data):
        batch, here = encoded.batch, encoded.batch.presence
        value = _evidence(network, batch, encoded.h, here & (asked | known), n_samples, generator)
        if given.any():
            value -= _evidence(network, batch, encoded.h, here & known, n_samples, generator)
        # Without any of `of` two estimates of the same number would be compared.
        value = torch.where((here & asked).any(-1), value, 0.0)
        rows.append(value.cpu().numpy())
    return np.concatenate(rows)


def _evidence(
    network: MultimodalVAE,
    batch: MaskedBatch,
    h: Float[Tensor, "n m e"],
    subset: Bool[Tensor, "n m"],
    n_samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Estimate log p(x_S) of some observations; shape (n,)."""
    q, p = network.posterior(batch, h, subset), network.prior_of(batch)
    total = torch.full((len(subset),), -torch.inf, dtype=torch.float64, device=h.device)
    for z in (q.rsample(generator) for _ in range(n_samples)):
        r = network.private_posterior(h, subset, z)
        w = r.rsample(generator)
        p_w = DiagonalGaussian(torch.zeros_like(w), torch.ones_like(w))
        log_p = network.log_prob(batch, z.unsqueeze(1).expand(-1, subset.shape[1], -1), w, only=subset.any(0).tolist())
        log_p = torch.where(subset, log_p + p_w.log_prob(w) - r.log_prob(w), 0.0).sum(-1)
        total = torch.logaddexp(total, (log_p + p.log_prob(z) - q.log_prob(z)).double())
    return torch.where(subset.any(-1), total - math.log(n_samples), 0.0)
