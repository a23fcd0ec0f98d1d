"""Which component of the mixture prior does an observation belong to, and how surely?"""

import numpy as np
import torch

from omixvae.data.masked import MaskedModalities
from omixvae.inference.posterior import encode
from omixvae.vae import MultimodalVAE

__all__ = ["cluster_probabilities", "entropy"]


def cluster_probabilities(network: MultimodalVAE, source: MaskedModalities, n_samples: int, seed: int) -> np.ndarray:
    """Give p(cluster | x_O) = E_{q(z | x_O)} r_c(z) by sampling (not r_c at the mean, which would feign certainty).

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.
    n_samples
        Samples of z per observation.
    seed
        The same seed gives the same samples.

    Returns
    -------
    numpy.ndarray
        Shape (n, k), float32, rows sum to one: k components in use, the largest first. (n, 0) where the prior has no
        clusters.
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    rows = []
    for encoded in encode(network, source):
        z = encoded.posterior.rsample(generator, n_samples)
        responsibilities = network.prior.clusters(network.prior_of(encoded.batch), z)
        if responsibilities is None:
            return np.zeros((source.n_obs, 0), np.float32)
        rows.append(responsibilities.mean(0).double().cpu().numpy())
    probabilities = np.concatenate(rows)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Say how unsure an assignment is: the entropy of its probabilities in nats.

    Parameters
    ----------
    probabilities
        Shape (n, k), rows sum to one.

    Returns
    -------
    numpy.ndarray
        Shape (n,), from 0 (certain) to log k.

    Examples
    --------
    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
    [0.0, 0.693]
    """
    p = np.where(probabilities > 0, probabilities, 1.0)
    return np.asarray(-(probabilities * np.log(p)).sum(axis=1) + 0.0)
