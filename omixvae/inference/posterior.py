"""Where are the observations in latent space? Posterior means, deviations and samples."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omixvae.data.loader import load_batches
from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.distributions import LatentDistribution
from omixvae.vae import MultimodalVAE

__all__ = ["Encoded", "encode", "private_latent", "sample_latent", "shared_latent"]

VALUES_AT_ONCE = 10_000_000
"""Most decoded values held at once: 40 MB in float32, whatever the number of features."""

PRIVATE_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class Encoded:
    """Some observations, their features h, and what is believed about their shared latent."""

    batch: MaskedBatch
    h: Tensor
    posterior: LatentDistribution


def encode(network: MultimodalVAE, source: MaskedModalities, rows: np.ndarray | None = None) -> Iterator[Encoded]:
    """Go through the observations in order, some at a time.

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.
    rows
        Which observations; all when not given.

    Yields
    ------
    Encoded
        Batches small enough for the widest modality.
    """
    parameter = next(network.parameters())
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    size = max(16, min(1024, VALUES_AT_ONCE // widest))
    rows = np.arange(source.n_obs) if rows is None else rows
    index = [rows[i : i + size] for i in range(0, len(rows), size)]
    with torch.no_grad():
        for batch in load_batches(source, index, parameter.device, parameter.dtype):
            h = network.features(batch)
            yield Encoded(batch, h, network.posterior(batch, h, batch.presence))


def shared_latent(network: MultimodalVAE, source: MaskedModalities) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and standard deviation of q(z | x_O).

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.

    Returns
    -------
    tuple of numpy.ndarray
        Two arrays of shape (n, d), float32. An observation without any modality has those of the prior.
    """
    means, scales = [], []
    for encoded in encode(network, source):
        means.append(encoded.posterior.mean.cpu().float().numpy())
        scales.append(encoded.posterior.variance.sqrt().cpu().float().numpy())
    return np.concatenate(means), np.concatenate(scales)


def sample_latent(network: MultimodalVAE, source: MaskedModalities, n_samples: int, seed: int) -> np.ndarray:
    """Draw from q(z | x_O).

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.
    n_samples
        Samples per observation.
    seed
        The same seed gives the same samples.

    Returns
    -------
    numpy.ndarray
        Shape (s, n, d), float32.
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    draws = [e.posterior.rsample(generator, n_samples).cpu().float().numpy() for e in encode(network, source)]
    return np.concatenate(draws, axis=1)


def private_latent(
    network: MultimodalVAE, source: MaskedModalities, s: int, n_private: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and standard deviation of q(w_s | x_O) = E_{q(z | x_O)} q(w_s | z, x_O).

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.
    s
        Position of the modality.
    n_private
        Dimensions of its private latent.
    seed
        Of the samples of z.

    Returns
    -------
    tuple of numpy.ndarray
        Two arrays of shape (n, p), float32; the prior's 0 and 1 where the modality is absent.
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    means, scales = [], []
    for encoded in encode(network, source):
        beliefs = [
            network.private_posterior(encoded.h, encoded.batch.presence, z)
            for z in encoded.posterior.rsample(generator, PRIVATE_SAMPLES)
        ]
        mean = torch.stack([q.mean[:, s, :n_private] for q in beliefs])
        variance = torch.stack([q.variance[:, s, :n_private] for q in beliefs])
        means.append(mean.mean(0).cpu().float().numpy())
        scales.append((variance.mean(0) + mean.var(0, correction=0)).sqrt().cpu().float().numpy())
    return np.concatenate(means), np.concatenate(scales)
