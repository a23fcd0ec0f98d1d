"""Which component of the mixture prior does an observation belong to, and how surely?"""

from collections.abc import Callable

import numpy as np

from omixvae.data.masked import MaskedModalities
from omixvae.inference.posterior import Encoded, gather
from omixvae.vae import MultimodalVAE

__all__ = ["cluster_probabilities", "entropy", "make_responsibilities"]


def make_responsibilities(network: MultimodalVAE, n_samples: int, seed: int) -> Callable[[Encoded], tuple[np.ndarray]]:
    """Make the function that returns p(cluster | x_O) = E_{q(z | x_O)} r_c(z).

    It is averaged over samples: r_c at the mean would feign certainty.

    Parameters
    ----------
    network
        A fitted network.
    n_samples
        Samples of z per observation.
    seed
        The same seed gives the same samples.

    Returns
    -------
    callable
        From `Encoded` to one array of shape (n, k), float32, whose rows sum to one: k components in use, the largest
        first. Shape (n, 0) where the prior has no clusters.
    """
    generator = network.generator(seed)

    def average(encoded: Encoded) -> tuple[np.ndarray]:
        z = encoded.posterior.rsample(generator, n_samples)
        shares = network.prior.clusters(network.prior_of(encoded.batch), z)
        if shares is None:
            return (np.zeros((len(encoded.h), 0), np.float32),)
        probabilities = shares.mean(0).double().cpu().numpy()
        return ((probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32),)

    return average


def cluster_probabilities(network: MultimodalVAE, data: MaskedModalities, n_samples: int, seed: int) -> np.ndarray:
    """Return p(cluster | x_O) of all observations.

    Parameters
    ----------
    network, n_samples, seed
        As for `make_responsibilities`.
    data
        The observations.

    Returns
    -------
    numpy.ndarray
        Shape (n, k), float32; (n, 0) where the prior has no clusters.
    """
    return gather(network, data, make_responsibilities(network, n_samples, seed))[0]


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return how unsure an assignment is: the entropy of its probabilities in nats.

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
