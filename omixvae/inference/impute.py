"""What would this modality be? Predictive mean and standard deviation of every entry, and draws."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedModalities
from omixvae.inference.posterior import Encoded, encode
from omixvae.vae import MultimodalVAE

__all__ = ["draw_predictions", "make_completion", "make_prediction", "predict"]

MAX_DRAWN_VALUES = 50_000_000
"""Most drawn values held at once: 200 MB in float32."""


def make_prediction(
    network: MultimodalVAE, s: int, n_samples: int, seed: int
) -> Callable[[Encoded], tuple[np.ndarray, np.ndarray]]:
    """Make the function that predicts one modality.

    Parameters
    ----------
    network
        A fitted network.
    s
        Position of the modality.
    n_samples
        Draws of the latents that are averaged.
    seed
        The same seed gives the same draws.

    Returns
    -------
    callable
        From `Encoded` to predictive mean and standard deviation (n, g), in the data's own units.

    Notes
    -----
    With z ~ q(z | x_O) and w_s ~ q(w_s | z, x_O) (the prior where the modality is absent), the law of total variance
    gives mean E[E(x|z,w)] and variance E[Var(x|z,w)] + Var[E(x|z,w)]. Where the modality is absent, z is shrunk towards
    the prior mean, and what is decoded gets the calibration noise that held-out observations have shown to be right
    (`omixvae.inference.calibrate`). An observation whose modality is missing gets the median library size of those that
    have it (of its own batch, if that has any), an entry without coverage the median coverage of its feature in the
    training data.
    """
    generator = network.generator(seed)

    def moments(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        for i, (z, w, noise) in enumerate(_latent_draws(network, encoded, s, n_samples, generator)):
            p = network.decode(s, z, w, encoded.batch)
            expected = p.mean.double().cpu()
            if i == 0:
                # Relative to the first draw the digits of the variance are kept where counts are large.
                first = expected
                mean, noisy_mean, noisy_square, within = (torch.zeros_like(first) for _ in range(4))
            mean += (expected - first) / n_samples
            if noise is not None:
                # Not in the mean: noise on a logarithm would raise the expected count without limit.
                p = network.decode(s, z, w, encoded.batch, noise)
                expected = p.mean.double().cpu()
            noisy_mean += (expected - first) / n_samples
            noisy_square += (expected - first) ** 2 / n_samples
            within += p.variance.double().cpu() / n_samples
        # E[(noisy draw - noise-free mean)^2], both relative to the first
        between = (noisy_square - 2 * mean * noisy_mean + mean**2).clamp(min=0)
        return (first + mean).float().numpy(), (within + between).sqrt().float().numpy()

    return moments


def make_completion(
    network: MultimodalVAE, s: int, n_samples: int, seed: int
) -> Callable[[Encoded], tuple[np.ndarray, np.ndarray]]:
    """Make the function that returns the measured values of a modality, and predicts the others.

    Parameters
    ----------
    network, s, n_samples, seed
        As for `make_prediction`. Only observations with a missing value are decoded.

    Returns
    -------
    callable
        From `Encoded` to mean and standard deviation (n, g), in the data's own units; the deviation of a measured
        value is 0.
    """
    moments = make_prediction(network, s, n_samples, seed)

    def complete(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        modality = encoded.batch.modalities[s]
        mask = modality.mask.expand_as(modality.values)
        mean = modality.filled.float().cpu().numpy().copy()
        sd = np.zeros_like(mean)
        incomplete = (~mask.all(dim=1)).nonzero()[:, 0]
        if len(incomplete):
            rows, missing = incomplete.cpu().numpy(), ~mask[incomplete].cpu().numpy()
            predicted, deviation = moments(encoded.take(network, incomplete))
            mean[rows] = np.where(missing, predicted, mean[rows])
            sd[rows] = np.where(missing, deviation, 0)
        return mean, sd

    return complete


def predict(
    network: MultimodalVAE, data: MaskedModalities, s: int, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Predict one modality for all observations, some at a time.

    Parameters
    ----------
    network, s, n_samples, seed
        As for `make_prediction`.
    data
        The observations, with what is conditioned on.

    Yields
    ------
    tuple of numpy.ndarray
        Positions (rows,), predictive mean and standard deviation (rows, g), in the data's own units.
    """
    moments = make_prediction(network, s, n_samples, seed)
    for encoded in encode(network, data):
        yield (encoded.batch.index.cpu().numpy(), *moments(encoded))


def draw_predictions(
    network: MultimodalVAE, data: MaskedModalities, s: int, columns: np.ndarray, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw values of a modality from its predictive distribution, some observations at a time.

    Parameters
    ----------
    network
        A fitted network.
    data
        The observations, with what is conditioned on.
    s
        Position of the modality.
    columns
        Positions of the features to draw.
    n_samples
        Draws of latents, and of one value from each.
    seed
        The same seed gives the same draws.

    Yields
    ------
    tuple of numpy.ndarray
        Positions (rows,), and draws (n_samples, rows, features), in the data's own units.

    Notes
    -----
    x ~ p(x_s | z, w_s), with z ~ q(z | x_O), w_s ~ q(w_s | z, x_O) (the prior where the modality is absent, and noise
    on what is decoded, as in `make_prediction`).
    """
    generator = network.generator(seed)
    size = max(1, MAX_DRAWN_VALUES // (n_samples * max(1, len(columns))))
    for start in range(0, data.n_obs, size):
        for encoded in encode(network, data, np.arange(start, min(start + size, data.n_obs))):
            draws = np.empty((n_samples, len(encoded.batch.index), len(columns)), np.float32)
            for i, (z, w, noise) in enumerate(_latent_draws(network, encoded, s, n_samples, generator)):
                p = network.decode(s, z, w, encoded.batch, noise)
                draws[i] = p.sample(generator).cpu().numpy()[:, columns]
            yield encoded.batch.index.cpu().numpy(), draws


def _latent_draws(
    network: MultimodalVAE, encoded: Encoded, s: int, n_samples: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Draw z and w_s, and the noise on what is decoded from them where not all was measured, if there is any."""
    absent, calibration = ~encoded.batch.presence[:, s], network.decoders[s].calibration
    has_noise = bool(calibration.spread.any())
    noise = torch.zeros(())
    drawn = encoded.posterior.rsample(generator, n_samples)
    shrunk = calibration.shrink(drawn, network.prior_of(encoded.batch).mean)
    for i, z in enumerate(torch.where(absent.unsqueeze(-1), shrunk, drawn)):
        w = network.private_posterior(encoded.h, encoded.batch.presence, z).rsample(generator)
        if has_noise:
            # Each second draw mirrors the noise of the one before, so that it does not move the average.
            noise = -noise if i % 2 else calibration.noise(absent, generator)
        yield z, w[:, s], noise if has_noise else None
