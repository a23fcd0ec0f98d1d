"""How well is a modality predicted from the others? R² of each feature, one definition for all callers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.data.sampler import epoch_batches
from omixvae.likelihoods import Likelihood
from omixvae.vae import MultimodalVAE

__all__ = [
    "FEWEST_ROWS",
    "draw_latents",
    "error_sums",
    "feature_means",
    "load",
    "other_modalities",
    "predict_average",
    "r_squared",
    "rows_to_score",
    "skill",
    "squared_errors",
]

FEWEST_ROWS = 5
"""Observations below which nothing is concluded from them."""

MOST_ROWS = 1000
DRAWS = 32

MAX_SCORED_VALUES = 4_000_000
"""Most values of a modality that predictions are compared with: more would change R² by less than its error."""

MAX_LOADED_VALUES = 20_000_000
"""Most values of the widest modality that are loaded while another is predicted: 80 MB in float32."""


def rows_to_score(
    network: MultimodalVAE, presence: np.ndarray, rows: np.ndarray, s: int, seed: int, most: int = MOST_ROWS
) -> np.ndarray:
    """Choose the observations by which predictions of a modality are scored.

    Parameters
    ----------
    network
        Determines how much is loaded at once.
    presence
        Shape (n, m): which observation has which modality.
    rows
        Positions of those that may be chosen.
    s
        Position of the modality.
    seed
        The same seed gives the same choice.
    most
        How many are chosen at most.

    Returns
    -------
    numpy.ndarray
        Positions of observations that have the modality and another one, in random order; fewer of wide modalities.
    """
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    rows = np.sort(rows)  # the same choice whatever their order
    usable = rows[presence[rows, s] & (presence[rows].sum(axis=1) > 1)]
    return np.random.default_rng(seed).permutation(usable)[: max(FEWEST_ROWS, min(most, MAX_LOADED_VALUES // widest))]


@torch.no_grad()
def feature_means(
    network: MultimodalVAE, likelihood: Likelihood, data: MaskedModalities, rows: np.ndarray, s: int
) -> Tensor:
    """Compute the mean of each feature of a modality, what R² = 0 stands for.

    Parameters
    ----------
    network
        Determines where to compute, and with which precision.
    likelihood
        On the scale of its encoder's input.
    data
        The observations.
    rows
        Observations to average over.
    s
        Position of the modality.

    Returns
    -------
    torch.Tensor
        Shape (g,); 0 for a feature that none of them has.
    """
    total = n = torch.zeros(likelihood.n_features, device=network.device, dtype=network.dtype)
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    for index in epoch_batches(np.sort(rows), max(1, MAX_SCORED_VALUES // widest)):
        modality = load(network, data, index).modalities[s]
        x = modality.only_measured(likelihood.encoder_input(modality.filled, modality.exposure), 0.0)
        total, n = total + x.sum(0), n + modality.mask.expand_as(x).sum(0)
    return total / n.clamp(min=1)


def skill(
    network: MultimodalVAE, data: MaskedModalities, s: int, rows: np.ndarray, mean: Float[Tensor, " g"], seed: int
) -> Float[Tensor, "two g"]:
    """Compute R² of each feature of a modality predicted from the other modalities, and its standard error.

    Parameters
    ----------
    network
        Fitted.
    data
        The observations.
    s
        Position of the modality.
    rows
        Observations that have it and another one (see `rows_to_score`); of wide modalities only the first ones are
        used.
    mean
        From `feature_means`: of the training.
    seed
        The same seed gives the same result.

    Returns
    -------
    torch.Tensor
        Shape (2, g); NaN where it is not known.

    Notes
    -----
    R² = 1 - Σ (x - x̂)² / Σ (x - x̄)² over the observations, x̄ the mean in the training, on the scale that the encoder
    sees (standard units, or logged counts of an observation of typical depth), with the standard error of a ratio of
    means. x̂ is the average of drawn values on that scale, since the logarithm of an expected count is not the expected
    logarithm; what a finite number of draws adds to the error is taken off. It is not known of a feature whose variance
    lies in fewer than five observations.
    """
    of_prediction, of_mean = squared_errors(network, data, s, rows, mean, seed)
    r2 = r_squared(error_sums(of_prediction, of_mean))
    gain = (1 - r2) * of_mean - of_prediction
    return torch.stack([r2, gain.square().sum(0).sqrt() / of_mean.sum(0)])


def error_sums(of_prediction: Float[Tensor, "n g"], of_mean: Float[Tensor, "n g"]) -> Float[Tensor, "three g"]:
    """Sum over observations what `r_squared` needs; the sums of several sets of observations may be added.

    Parameters
    ----------
    of_prediction, of_mean
        From `squared_errors`.

    Returns
    -------
    torch.Tensor
        Shape (3, g): of both errors, and of the squares of the second.
    """
    return torch.stack([of_prediction.sum(0), of_mean.sum(0), of_mean.square().sum(0)])


def r_squared(sums: Float[Tensor, "three g"]) -> Float[Tensor, " g"]:
    """Compute R² of each feature: 1 is perfect, 0 what the mean achieves.

    Parameters
    ----------
    sums
        From `error_sums`.

    Returns
    -------
    torch.Tensor
        Shape (g,); NaN for a feature whose variance lies in fewer than five observations.

    Examples
    --------
    >>> r_squared(error_sums(torch.full((9, 1), 0.5), torch.ones(9, 1)))
    tensor([0.5000])
    """
    of_prediction, of_mean, of_squares = sums
    # Kish's effective number: of a peak that one cell in a hundred has, hardly more cells tell anything than have it.
    effective = of_mean**2 / of_squares
    return torch.where(effective >= FEWEST_ROWS, 1 - of_prediction / of_mean, torch.nan)


@torch.no_grad()
def squared_errors(
    network: MultimodalVAE,
    data: MaskedModalities,
    s: int,
    rows: np.ndarray,
    mean: Float[Tensor, " g"],
    seed: int,
    scale: Likelihood | None = None,
) -> tuple[Float[Tensor, "n g"], Float[Tensor, "n g"]]:
    """Compute the squared errors that `skill` compares.

    Parameters
    ----------
    network, data, s, rows, mean, seed
        As for `skill`.
    scale
        Errors are those of its encoder's input; the network's own likelihood when not given. Networks with different
        likelihoods are compared on the scale of one of them.

    Returns
    -------
    tuple of torch.Tensor
        Each of shape (n, g): squared errors of the prediction, and of the mean. Both are 0 where nothing was measured,
        and for a feature that does not vary among these observations.
    """
    scale = network.likelihoods[s] if scale is None else scale
    generator = network.generator(seed)
    batch = load(network, data, rows[: max(FEWEST_ROWS, MAX_SCORED_VALUES // scale.n_features)])
    modality = batch.modalities[s]
    predicted, noise = predict_average(network, batch, s, generator, scale)
    x = scale.encoder_input(modality.filled, modality.exposure)
    n = modality.mask.expand_as(x).sum(0)
    varies = modality.only_measured((x - modality.only_measured(x, 0.0).sum(0) / n) ** 2, 0.0).sum(0) > 1e-6 * n
    measured = modality.mask.expand_as(x) & varies
    of_prediction = torch.where(measured, (x - predicted) ** 2 - noise, 0.0)
    return of_prediction, torch.where(measured, (x - mean) ** 2, 0.0)


def predict_average(
    network: MultimodalVAE, batch: MaskedBatch, s: int, generator: torch.Generator, scale: Likelihood
) -> tuple[Float[Tensor, "n g"], Float[Tensor, "n g"]]:
    """Average values of a modality that are drawn from what the other modalities tell.

    Parameters
    ----------
    network
        Fitted.
    batch
        Some observations.
    s
        Position of the modality.
    generator
        Source of random numbers.
    scale
        The average is that of its encoder's input.

    Returns
    -------
    tuple of torch.Tensor
        The average, and its variance between sets of draws; each (n, g).
    """
    modality = batch.modalities[s]
    mean = squares = torch.zeros_like(modality.values)
    for i, (z, w) in enumerate(draw_latents(network, batch, s, other_modalities(batch, s), DRAWS, generator), 1):
        drawn = scale.encoder_input(network.decode(s, z, w, batch).sample(generator), modality.exposure)
        before = drawn - mean
        mean = mean + before / i
        squares = squares + before * (drawn - mean)
    return mean, squares / (DRAWS - 1) / DRAWS


def load(network: MultimodalVAE, data: MaskedModalities, rows: np.ndarray) -> MaskedBatch:
    """Read some observations to where the network computes, in the order of the data.

    Parameters
    ----------
    network
        Determines where, and with which precision.
    data
        The observations.
    rows
        Their positions.

    Returns
    -------
    MaskedBatch
        All of them.
    """
    return data.rows(np.sort(rows), network.device, network.dtype)


def other_modalities(batch: MaskedBatch, s: int) -> Bool[Tensor, "n m"]:
    """Return which modalities each observation has, one of them left out.

    Parameters
    ----------
    batch
        Some observations.
    s
        Position of the one.

    Returns
    -------
    torch.Tensor
        Shape (n, m).
    """
    here = batch.presence.clone()
    here[:, s] = False
    return here


def draw_latents(
    network: MultimodalVAE,
    batch: MaskedBatch,
    s: int,
    given: Bool[Tensor, "n m"],
    n_samples: int,
    generator: torch.Generator,
) -> list[tuple[Float[Tensor, "n d"], Float[Tensor, "n p"]]]:
    """Draw z and the w of one modality as they predict it.

    Parameters
    ----------
    network
        Fitted.
    batch
        Some observations.
    s
        Position of the modality.
    given
        Modalities that lead to the belief.
    n_samples
        Number of draws.
    generator
        Source of random numbers.

    Returns
    -------
    list of tuple of torch.Tensor
        For each draw z (n, d) and w_s (n, p).
    """
    h = network.features(batch)
    draws = network.posterior(batch, h, given).rsample(generator, n_samples)
    if not given[:, s].any():
        draws = network.decoders[s].calibration.shrink(draws, network.prior_of(batch).mean)
    return [(z, network.private_posterior(h, given, z).rsample(generator)[:, s]) for z in draws]
