"""How far can predictions of a modality that was not measured be trusted? Held-out observations show it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.inference.skill import (
    FEWEST_ROWS,
    MAX_SCORED_VALUES,
    MOST_ROWS,
    draw_latents,
    feature_means,
    load,
    other_modalities,
    predict_average,
    rows_to_score,
    skill,
)
from omixvae.vae import MultimodalVAE

__all__ = ["calibrate", "interval_credit"]

DRAWS = 100

MAX_DRAWN_VALUES = 2_000_000
"""Most drawn values from which the spread is found: a few hundred observations of a panel, some of a genome."""

SPREADS = tuple(round(0.1 * i, 1) for i in range(16))
"""On the scale of the decoder, on which features vary by about 1."""

COVERAGE = 0.95

HIDDEN_ENTRIES = 0.1
"""Of held-out observations, to see how well single missing entries are predicted."""


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """Values by which predictions are calibrated.

    Parameters
    ----------
    batch
        The observations as the encoders see them.
    s
        Position of the modality that is predicted.
    given
        Shape (n, m): modalities that it is predicted from.
    x
        Shape (n, g): its values.
    entries
        Shape (n, g): which of them count.
    """

    batch: MaskedBatch
    s: int
    given: Tensor
    x: Tensor
    entries: Tensor


@torch.no_grad()
def calibrate(
    network: MultimodalVAE, data: MaskedModalities, held_out_rows: np.ndarray, train_rows: np.ndarray, seed: int
) -> None:
    """Predict each modality of held-out observations from their others, and keep in its decoder what is learned.

    Parameters
    ----------
    network
        Fitted; the calibrations of its decoders are set.
    data
        The observations.
    held_out_rows
        Positions of those that the network was not trained on.
    train_rows
        Positions of those that it was trained on, which the mean of each feature is taken over.
    seed
        The same seed gives the same result.

    Notes
    -----
    A model of few observations believes too much in what it has seen: its predictions go too far, and fewer hidden
    values lie within their limits than should. For each modality:

    1. Slope: that of held-out values over their predictions, both as deviations from the mean (Σ x x̂ / Σ x̂², the
       calibration slope of Cox 1958), less one standard error, from 0 to 1. Predictions are shrunk towards the mean by
       it, as van Houwelingen and le Cessie (1990) do. Linear decoders only: with hidden layers, latents halfway to the
       average do not make half a prediction, and with as many observations as these need, slopes are near 1.
    2. Spread: the smallest of `SPREADS` with which limits of 95 % hold 95 % of the held-out values
       (`interval_credit`), and under which these are no less probable than without a spread.
    3. Where there is no such spread: the one under which the held-out values are most probable.
    4. Where single entries are missing, a second spread, found in the same way from a tenth of the entries, which are
       hidden from the encoders.
    5. Skill: that of `omixvae.inference.skill`, against the means of the training.
    """
    rng = np.random.default_rng(seed)
    presence = data.presence
    for s, (decoder, likelihood) in enumerate(zip(network.decoders, network.likelihoods, strict=True)):
        calibration = decoder.calibration
        known = train_rows[presence[train_rows, s]]
        if len(known):
            known = rng.permutation(known)[:MOST_ROWS]
            calibration.baseline.copy_(feature_means(network, likelihood, data, known, s))
        chosen = rows_to_score(network, presence, held_out_rows, s, seed)
        if len(chosen) < FEWEST_ROWS:
            continue
        if decoder.weights is not None:
            calibration.slope.copy_(_slope(network, data, s, chosen, seed))
        batch = load(network, data, chosen[: max(2, MAX_DRAWN_VALUES // (DRAWS * likelihood.n_features))])
        x = batch.modalities[s].filled
        measured = batch.modalities[s].mask.expand_as(x)
        spread = [_spread(network, CalibrationSet(batch, s, other_modalities(batch, s), x, measured), seed), 0.0]
        hidden = measured & torch.from_numpy(rng.random(x.shape) < HIDDEN_ENTRIES).to(x.device)
        if batch.modalities[s].observed is not None and hidden.any():
            seen = _without(batch, s, hidden)
            spread[1] = _spread(network, CalibrationSet(seen, s, batch.presence, x, hidden), seed)
        calibration.spread.copy_(torch.tensor(spread))
        calibration.skill.copy_(skill(network, data, s, chosen, calibration.baseline, seed))


def _without(batch: MaskedBatch, s: int, hidden: Tensor) -> MaskedBatch:
    """Hide entries (n, g) of one modality."""
    modality = batch.modalities[s]
    assert modality.observed is not None
    left = modality.library - torch.where(hidden, modality.values, 0.0).sum(-1)
    # a total of nothing has no logarithm
    part = replace(modality, observed=modality.observed & ~hidden, library=left.clamp(min=1.0))
    return replace(batch, modalities=(*batch.modalities[:s], part, *batch.modalities[s + 1 :]))


def _spread(network: MultimodalVAE, values: CalibrationSet, seed: int) -> float:
    """Find the spread with which limits of predictions hold as many values as they should."""
    latents = draw_latents(network, values.batch, values.s, values.given, DRAWS, network.generator(seed))
    tried: list[tuple[float, float]] = []
    for spread in SPREADS:
        tried.append(_try_spread(network, values, latents, spread, network.generator(seed)))
        if _settled(tried):
            break
    return SPREADS[_chosen(tried)]


def _try_spread(
    network: MultimodalVAE,
    values: CalibrationSet,
    latents: list[tuple[Tensor, Tensor]],
    spread: float,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Return the mean log-likelihood of single values with a spread, and the share of them within their limits."""
    absent, calibration = ~values.batch.presence[:, values.s], network.decoders[values.s].calibration
    below = at = torch.zeros_like(values.x)
    log_p = []
    for z, w in latents:
        noise = calibration.noise(absent, generator, torch.full_like(calibration.spread, spread))
        p = network.decode(values.s, z, w, values.batch, noise)
        log_p.append(p.log_prob(values.x))
        drawn = p.sample(generator)
        below, at = below + (drawn < values.x), at + (drawn == values.x)
    likelihood = torch.logsumexp(torch.stack(log_p), dim=0)[values.entries].double().mean()
    within = interval_credit(below, at, len(latents), COVERAGE)[values.entries].double().mean()
    return float(likelihood), float(within)


def interval_credit(below: Tensor, at: Tensor, n: int, coverage: float) -> Tensor:
    """Compute the fraction of the ranks a value could have among draws that fall inside the central interval.

    Parameters
    ----------
    below, at
        How many draws are less than the value, and how many equal it.
    n
        Number of draws.
    coverage
        Share of the values that the interval should hold.

    Returns
    -------
    torch.Tensor
        From 0 to 1. No limits of zeros and ones hold exactly 95 % of them; these fractions have that average wherever
        value and draws come from one distribution (the randomised probability integral transform: Dunn and Smyth,
        J. Comput. Graph. Stat. 1996).

    Examples
    --------
    >>> below, at = torch.tensor([0.0, 50.0, 0.0]), torch.tensor([0.0, 0.0, 99.0])
    >>> interval_credit(below, at, 99, 0.5).tolist()
    [0.0, 1.0, 0.5]
    """
    low, high = below / (n + 1), (below + at + 1) / (n + 1)
    tail = 0.5 - coverage / 2
    return (high.clamp(max=1 - tail) - low.clamp(min=tail)).clamp(min=0) / (high - low)


def _settled(judged: list[tuple[float, float]]) -> bool:
    """Return whether the last of several rising spreads, of which the first is 0, holds enough or is less probable."""
    likelihood, cover = judged[-1]
    return cover >= COVERAGE or likelihood < judged[0][0]


def _chosen(judged: list[tuple[float, float]]) -> int:
    """Choose the last spread if it holds enough and is as probable as 0, else the most probable."""
    likelihoods = [likelihood for likelihood, _ in judged]
    enough = judged[-1][1] >= COVERAGE and likelihoods[-1] >= likelihoods[0]
    return len(judged) - 1 if enough else int(np.argmax(likelihoods))


def _slope(network: MultimodalVAE, data: MaskedModalities, s: int, rows: np.ndarray, seed: int) -> Tensor:
    """Compute the slope of values over predictions, less its standard error, from 0 to 1."""
    likelihood, mean = network.likelihoods[s], network.decoders[s].calibration.baseline
    batch = load(network, data, rows[: max(FEWEST_ROWS, MAX_SCORED_VALUES // likelihood.n_features)])
    modality = batch.modalities[s]
    generator = network.generator(seed)
    predicted, noise = predict_average(network, batch, s, generator, likelihood)
    x = likelihood.encoder_input(modality.filled, modality.exposure) - mean
    predicted = predicted - mean
    along = modality.only_measured(x * predicted, 0.0).sum(-1)
    square = modality.only_measured(predicted**2 - noise, 0.0).sum(-1)
    slope = along.sum() / square.sum()
    # Values of one observation go wrong together: the error is that of a ratio of sums over observations.
    error = (along - slope * square).square().sum().sqrt() / square.sum()
    return torch.where(square.sum() > 0, slope - error, 0.0).clamp(0, 1)
