"""What would this modality be? Predictive mean and standard deviation of every entry, and draws."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedModalities
from omixvae.inference.posterior import Encoded, encode
from omixvae.vae import MultimodalVAE

__all__ = ["completion", "draw_predictions", "predict", "prediction"]

DRAWS_AT_ONCE = 50_000_000
"""Most drawn values that are held in memory."""


def prediction(
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
    gives mean E[E(x|z,w)] and variance E[Var(x|z,w)] + Var[E(x|z,w)]. Where the modality is absent, z is drawn in; what
    is decoded gets the doubt that held-out observations have shown to be right (`omixvae.inference.calibrate`). An
    observation that lacks the modality gets the median library size of those that have it (of its own batch, if that
    has any), an entry without coverage the median coverage of its feature in the training data.
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)

    def moments(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        first = mean = doubted = within = square = torch.zeros((), dtype=torch.float64)
        for z, w, doubt in _states(network, encoded, s, n_samples, generator):
            p = network.decode(s, z, w, encoded.batch)
            expected = p.mean.double().cpu()
            # Shifting by the first draw keeps the digits of the variance where counts are large.
            first = expected if mean.ndim == 0 else first
            mean = mean + (expected - first) / n_samples
            if doubt is not None:
                # Not in the mean: doubt about a logarithm would raise the count that is expected, without limit.
                p = network.decode(s, z, w, encoded.batch, doubt)
                expected = p.mean.double().cpu()
            doubted = doubted + (expected - first) / n_samples
            square = square + (expected - first) ** 2 / n_samples
            within = within + p.variance.double().cpu() / n_samples
        between = (square - 2 * mean * doubted + mean**2).clamp(min=0)
        return (first + mean).float().numpy(), (within + between).sqrt().float().numpy()

    return moments


def completion(
    network: MultimodalVAE, s: int, n_samples: int, seed: int
) -> Callable[[Encoded], tuple[np.ndarray, np.ndarray]]:
    """Make the function that returns the measured values of a modality, and predicts the others.

    Parameters
    ----------
    network, s, n_samples, seed
        As for `prediction`. Only observations that lack a value are decoded.

    Returns
    -------
    callable
        From `Encoded` to mean and standard deviation (n, g), in the data's own units; the deviation of a measured
        value is 0.
    """
    moments = prediction(network, s, n_samples, seed)

    def complete(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        modality = encoded.batch.modalities[s]
        mask = modality.mask.expand_as(modality.values)
        mean = modality.filled.float().cpu().numpy().copy()
        sd = np.zeros_like(mean)
        lacking = (~mask.all(dim=1)).nonzero()[:, 0]
        if len(lacking):
            rows, missing = lacking.cpu().numpy(), ~mask[lacking].cpu().numpy()
            predicted, deviation = moments(encoded.take(network, lacking))
            mean[rows] = np.where(missing, predicted, mean[rows])
            sd[rows] = np.where(missing, deviation, 0)
        return mean, sd

    return complete


def predict(
    network: MultimodalVAE, source: MaskedModalities, s: int, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Predict one modality for all observations, some at a time.

    Parameters
    ----------
    network, s, n_samples, seed
        As for `prediction`.
    source
        Where rows come from; it also says what is conditioned on.

    Yields
    ------
    tuple of numpy.ndarray
        Positions (rows,), predictive mean and standard deviation (rows, g), in the data's own units.
    """
    of = prediction(network, s, n_samples, seed)
    for encoded in encode(network, source):
        yield (encoded.batch.index.cpu().numpy(), *of(encoded))


def draw_predictions(
    network: MultimodalVAE, source: MaskedModalities, s: int, columns: np.ndarray, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw values of a modality from its predictive distribution, some observations at a time.

    Parameters
    ----------
    network
        A fitted network.
    source
        Where rows come from; it also says what is conditioned on.
    s
        Position of the modality.
    columns
        Positions of the features to give.
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
    x ~ p(x_s | z, w_s), with z ~ q(z | x_O), w_s ~ q(w_s | z, x_O) (the prior where the modality is absent, and doubt
    about what is decoded, as in `prediction`).
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    size = max(1, DRAWS_AT_ONCE // (n_samples * max(1, len(columns))))
    for start in range(0, source.n_obs, size):
        for encoded in encode(network, source, np.arange(start, min(start + size, source.n_obs))):
            draws = np.empty((n_samples, len(encoded.batch.index), len(columns)), np.float32)
            for i, (z, w, doubt) in enumerate(_states(network, encoded, s, n_samples, generator)):
                p = network.decode(s, z, w, encoded.batch, doubt)
                draws[i] = p.sample(generator).cpu().numpy()[:, columns]
            yield encoded.batch.index.cpu().numpy(), draws


def _states(
    network: MultimodalVAE, encoded: Encoded, s: int, n_samples: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Draw z and w_s, and the doubt about what is decoded from them where not all was measured, if there is any."""
    absent, calibration = ~encoded.batch.presence[:, s], network.decoders[s].calibration
    doubtful = bool(calibration.spread.any())
    doubt = torch.zeros(())
    drawn = encoded.posterior.rsample(generator, n_samples)
    shrunk = calibration.shrink(drawn, network.prior_of(encoded.batch).mean)
    for i, z in enumerate(torch.where(absent.unsqueeze(-1), shrunk, drawn)):
        w = network.private_posterior(encoded.h, encoded.batch.presence, z).rsample(generator)
        if doubtful:
            # Each second draw mirrors the doubt of the one before, so that it does not move the average.
            doubt = -doubt if i % 2 else calibration.noise(absent, generator)
        yield z, w[:, s], doubt if doubtful else None
