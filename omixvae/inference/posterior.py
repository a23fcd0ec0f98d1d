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
    "private_moments",
    "sample_latent",
    "shared_latent",
    "shared_moments",
]

VALUES_AT_ONCE = 10_000_000
"""Most decoded values held at once: 40 MB in float32, whatever the number of features."""

PRIVATE_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class Encoded:
    """Some observations, their features h, and what is believed about their shared latent."""

    batch: MaskedBatch
    h: Tensor
    posterior: LatentDistribution

    def take(self, network: MultimodalVAE, rows: Tensor) -> "Encoded":
        """Return some of the observations, by their positions in the batch; the encoders are not run again."""
        if len(rows) == len(self.h):
            return self
        batch, h = self.batch.take(rows), self.h[rows]
        return Encoded(batch, h, network.posterior(batch, h, batch.presence))


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
    with torch.no_grad():
        for start in range(0, len(rows), size):
            batch = source.rows(rows[start : start + size], parameter.device, parameter.dtype)
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
    """Gather what a function says of each observation, some observations at a time.

    Parameters
    ----------
    of
        From some observations to arrays whose first axis they are. It is called once for each part of the
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
        """What was said of all observations, one array for each that the function gives."""
        return tuple(np.concatenate(parts) for parts in zip(*self._parts, strict=True))


def gather(
    network: MultimodalVAE, source: MaskedModalities, of: Callable[[Encoded], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Encode all observations, and gather what one function says of them.

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from.
    of
        As for `Gather`.

    Returns
    -------
    tuple of numpy.ndarray
        One array for each that the function gives.
    """
    answer = Gather(of)
    for encoded in encode(network, source):
        answer(encoded)
    return answer.arrays


def shared_moments(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of q(z | x_O), each of shape (n, d), float32."""
    q = encoded.posterior
    return q.mean.cpu().float().numpy(), q.variance.sqrt().cpu().float().numpy()


def private_moments(network: MultimodalVAE, seed: int) -> Callable[[Encoded], tuple[np.ndarray, np.ndarray]]:
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
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)

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


def shared_latent(network: MultimodalVAE, source: MaskedModalities) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of q(z | x_O).

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
    mean, sd = gather(network, source, shared_moments)
    return mean, sd


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
