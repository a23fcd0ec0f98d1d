"""Where are the observations in latent space? Posterior means, deviations and samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.distributions import LatentDistribution
from omixvae.vae import MultimodalVAE

__all__ = [
    "Encoded",
    "Gather",
    "encode",
    "gather",
    "latent_names",
    "make_private_moments",
    "sample_latent",
    "shared_latent",
    "shared_moments",
]

MAX_DECODED_VALUES = 10_000_000
"""Most decoded values held at once: 40 MB in float32, whatever the number of features."""

PRIVATE_SAMPLES = 16
"""Samples of z over which private latents are averaged."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Some observations, their features h, and what is believed about their shared latent."""

    batch: MaskedBatch
    h: Tensor
    posterior: LatentDistribution

    def take(self, network: MultimodalVAE, rows: Tensor) -> "Encoded":
        """Return some of the observations without running the encoders again.

        Parameters
        ----------
        network
            The one that encoded them.
        rows
            Their positions in the batch, ascending and unique: as many as there are observations means all of them.

        Returns
        -------
        Encoded
            Itself for all observations.
        """
        if len(rows) == len(self.h):
            return self
        batch, h = self.batch.take(rows), self.h[rows]
        return Encoded(batch, h, network.posterior(batch, h, batch.presence))


def encode(network: MultimodalVAE, data: MaskedModalities, rows: np.ndarray | None = None) -> Iterator[Encoded]:
    """Go through the observations in order, some at a time.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.
    rows
        Which observations; all when not given.

    Yields
    ------
    Encoded
        Batches small enough for the widest modality.
    """
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    size = max(16, min(1024, MAX_DECODED_VALUES // widest))
    rows = np.arange(data.n_obs) if rows is None else rows
    with torch.no_grad():
        for start in range(0, len(rows), size):
            batch = data.rows(rows[start : start + size], network.device, network.dtype)
            h = network.features(batch)
            yield Encoded(batch, h, network.posterior(batch, h, batch.presence))


def latent_names(n_latents: int, n_shared: int) -> list[str]:
    """Name latents: ``shared 0`` …, then ``private 0`` …

    Parameters
    ----------
    n_latents
        How many there are, shared and private.
    n_shared
        How many of them, the first ones, are shared.

    Returns
    -------
    list of str
        One name each.

    Examples
    --------
    >>> latent_names(3, 2)
    ['shared 0', 'shared 1', 'private 0']
    """
    return [f"shared {i}" if i < n_shared else f"private {i - n_shared}" for i in range(n_latents)]


class Gather:
    """Gather what a function returns for each observation, some observations at a time.

    Parameters
    ----------
    of
        From some observations to arrays that have them as first axis. It is called once for each part of the
        observations, in their order, so it may hold a generator of random numbers.

    Notes
    -----
    Several questions about the same observations are answered by one pass of the encoders: make a `Gather` for each,
    and hand each `Encoded` of `encode` to all of them.
    """

    def __init__(self, of: Callable[[Encoded], tuple[np.ndarray, ...]]) -> None:
        self._of = of
        self._parts: list[tuple[np.ndarray, ...]] = []

    def __call__(self, encoded: Encoded) -> None:
        """Take the next observations."""
        self._parts.append(self._of(encoded))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of all observations, one for each that the function returns."""
        return tuple(np.concatenate(parts) for parts in zip(*self._parts, strict=True))


def gather(
    network: MultimodalVAE, data: MaskedModalities, of: Callable[[Encoded], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Encode all observations, and gather what one function returns for them.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.
    of
        As for `Gather`.

    Returns
    -------
    tuple of numpy.ndarray
        One array for each that the function returns.
    """
    answer = Gather(of)
    for encoded in encode(network, data):
        answer(encoded)
    return answer.arrays


def shared_moments(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of q(z | x_O), each of shape (n, d), float32."""
    q = encoded.posterior
    return q.mean.cpu().float().numpy(), q.variance.sqrt().cpu().float().numpy()


def make_private_moments(network: MultimodalVAE, seed: int) -> Callable[[Encoded], tuple[np.ndarray, np.ndarray]]:
    """Make the function that returns mean and standard deviation of q(w | x_O) = E_{q(z | x_O)} q(w | z, x_O).

    Parameters
    ----------
    network
        A fitted network.
    seed
        Of the samples of z.

    Returns
    -------
    callable
        From `Encoded` to two arrays of shape (n, m, p), float32, where p is the largest number of private dimensions;
        the prior's 0 and 1 where the modality is absent, or has fewer.
    """
    generator = network.generator(seed)

    def moments(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        if not network.n_private:
            nothing = np.zeros((*encoded.batch.presence.shape, 0), np.float32)
            return nothing, nothing
        beliefs = [
            network.private_posterior(encoded.h, encoded.batch.presence, z)
            for z in encoded.posterior.rsample(generator, PRIVATE_SAMPLES)
        ]
        means = torch.stack([q.mean for q in beliefs])
        variance = torch.stack([q.variance for q in beliefs]).mean(0) + means.var(0, correction=0)
        return means.mean(0).cpu().float().numpy(), variance.sqrt().cpu().float().numpy()

    return moments


def shared_latent(network: MultimodalVAE, data: MaskedModalities) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of q(z | x_O).

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.

    Returns
    -------
    tuple of numpy.ndarray
        Two arrays of shape (n, d), float32. An observation without any modality has those of the prior.
    """
    mean, sd = gather(network, data, shared_moments)
    return mean, sd


def sample_latent(network: MultimodalVAE, data: MaskedModalities, n_samples: int, seed: int) -> np.ndarray:
    """Draw from q(z | x_O).

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations.
    n_samples
        Samples per observation.
    seed
        The same seed gives the same samples.

    Returns
    -------
    numpy.ndarray
        Shape (s, n, d), float32.
    """
    generator = network.generator(seed)
    draws = [e.posterior.rsample(generator, n_samples).cpu().float().numpy() for e in encode(network, data)]
    return np.concatenate(draws, axis=1)
