"""How far can predictions of a modality that was not measured be trusted? Held-out observations tell."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.inference.skill import (
    FEWEST_ROWS,
    MOST_ROWS,
    VALUES_AT_ONCE,
    draw_latents,
    feature_means,
    judges,
    load,
    others,
    predict_average,
    skill,
)
from omixvae.vae import MultimodalVAE

__all__ = ["calibrate", "interval_credit"]

DRAWS = 100
VALUES_DRAWN = 2_000_000
"""Most drawn values of which the spread is found: a few hundred observations of a panel, some of a genome."""

SPREADS = tuple(round(0.1 * i, 1) for i in range(16))
"""On the scale of the decoder, on which features vary by about 1."""

COVERAGE = 0.95

HIDDEN_ENTRIES = 0.1
"""Of held-out observations, to see how well single missing entries are predicted."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Values that predictions are held against.

    Parameters
    ----------
    batch
        What is seen.
    s
        The modality that is predicted.
    given
        Shape (n, m): from which modalities.
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
    network: MultimodalVAE, source: MaskedModalities, rows: np.ndarray, train_rows: np.ndarray, seed: int
) -> None:
    """Predict each modality of held-out observations from their others, and keep in its decoder what is learned.

    Parameters
    ----------
    network
        Fitted; the calibrations of its decoders are set.
    source
        Where rows come from.
    rows
        Observations that the network was not trained on.
    train_rows
        Those that it was trained on: they say what the mean of a feature is.
    seed
        The same seed gives the same result.

    Notes
    -----
    A model of few observations believes too much in what it has seen: its predictions go too far, and of hidden
    values, less lie within the limits than should. The slope of a decoder is that of held-out values over their
    predictions, both as deviations from the mean (Σ x x̂ / Σ x̂², the calibration slope of Cox 1958), less one standard
    error, from 0 to 1; predictions are drawn in towards the mean by it, as van Houwelingen and le Cessie (1990) do. It
    is found for linear decoders only: with hidden layers, latents halfway to the average are no half prediction, and
    where observations are so many, slopes are near 1.

    The spread of a decoder is the smallest with which limits of 95 % hold 95 % of the held-out values
    (`interval_credit`), or, where each such one makes these less probable than none does, that under which they are
    most probable. Where entries are missing there is a second one, found in the same way from a tenth of the entries,
    which are hidden from the encoders.

    The skill is that of `omixvae.inference.skill`, against the means of the training.
    """
    rng = np.random.default_rng(seed)
    presence = source.presence
    for s, (decoder, likelihood) in enumerate(zip(network.decoders, network.likelihoods, strict=True)):
        found = decoder.calibration
        known = train_rows[presence[train_rows, s]]
        if len(known):
            found.baseline.copy_(feature_means(network, likelihood, source, rng.permutation(known)[:MOST_ROWS], s))
        chosen = judges(network, presence, rows, s, seed)
        if len(chosen) < FEWEST_ROWS:
            continue
        if decoder.weights is not None:
            found.slope.copy_(_slope(network, source, s, chosen, seed))
        batch = load(network, source, chosen[: max(2, VALUES_DRAWN // (DRAWS * likelihood.n_features))])
        x = batch.modalities[s].filled
        measured = batch.modalities[s].mask.expand_as(x)
        spread = [_spread(network, Trial(batch, s, others(batch, s), x, measured), seed), 0.0]
        hidden = measured & torch.from_numpy(rng.random(x.shape) < HIDDEN_ENTRIES).to(x.device)
        if batch.modalities[s].observed is not None and hidden.any():
            spread[1] = _spread(network, Trial(_without(batch, s, hidden), s, batch.presence, x, hidden), seed)
        found.spread.copy_(torch.tensor(spread))
        found.skill.copy_(skill(network, source, s, chosen, found.baseline, seed))


def _without(batch: MaskedBatch, s: int, hidden: Tensor) -> MaskedBatch:
    """Hide entries (n, g) of one modality."""
    modality = batch.modalities[s]
    assert modality.observed is not None
    left = modality.library - torch.where(hidden, modality.values, 0.0).sum(-1)
    # a total of nothing has no logarithm
    part = replace(modality, observed=modality.observed & ~hidden, library=left.clamp(min=1.0))
    return replace(batch, modalities=(*batch.modalities[:s], part, *batch.modalities[s + 1 :]))


def _spread(network: MultimodalVAE, trial: Trial, seed: int) -> float:
    """Find the spread with which predictions hold the values that they are held against."""
    generator = torch.Generator(trial.x.device)
    latents = draw_latents(network, trial.batch, trial.s, trial.given, DRAWS, generator.manual_seed(seed))
    found: list[tuple[float, float]] = []
    for spread in SPREADS:
        network.decoders[trial.s].calibration.spread.fill_(spread)
        found.append(_judge(network, trial, latents, generator.manual_seed(seed)))
        if _settled(found):
            break
    return SPREADS[_chosen(found)]


def _judge(
    network: MultimodalVAE, trial: Trial, latents: list[tuple[Tensor, Tensor]], generator: torch.Generator
) -> tuple[float, float]:
    """Return the log-likelihood of each value judged by itself, and the share of them within their limits."""
    absent, calibration = ~trial.batch.presence[:, trial.s], network.decoders[trial.s].calibration
    below = at = torch.zeros_like(trial.x)
    log_p = []
    for z, w in latents:
        p = network.decode(trial.s, z, w, trial.batch, calibration.noise(absent, generator))
        log_p.append(p.log_prob(trial.x))
        drawn = p.sample(generator)
        below, at = below + (drawn < trial.x), at + (drawn == trial.x)
    likelihood = torch.logsumexp(torch.stack(log_p), dim=0)[trial.entries].double().mean()
    within = interval_credit(below, at, len(latents), COVERAGE)[trial.entries].double().mean()
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
    """Return whether the last of several rising spreads, the first of them none, holds enough or is less probable."""
    likelihood, cover = judged[-1]
    return cover >= COVERAGE or likelihood < judged[0][0]


def _chosen(judged: list[tuple[float, float]]) -> int:
    """Choose the last spread if it holds enough and is as probable as none, else the most probable."""
    likelihoods = [likelihood for likelihood, _ in judged]
    enough = judged[-1][1] >= COVERAGE and likelihoods[-1] >= likelihoods[0]
    return len(judged) - 1 if enough else int(np.argmax(likelihoods))


def _slope(network: MultimodalVAE, source: MaskedModalities, s: int, rows: np.ndarray, seed: int) -> Tensor:
    """Compute the slope of values over predictions, less its standard error, from 0 to 1."""
    likelihood, mean = network.likelihoods[s], network.decoders[s].calibration.baseline
    batch = load(network, source, rows[: max(FEWEST_ROWS, VALUES_AT_ONCE // likelihood.n_features)])
    modality = batch.modalities[s]
    generator = torch.Generator(mean.device).manual_seed(seed)
    predicted, noise = predict_average(network, batch, s, generator, likelihood)
    x = likelihood.encoder_input(modality.filled, modality.exposure) - mean
    predicted = predicted - mean
    along = modality.only_measured(x * predicted, 0.0).sum(-1)
    square = modality.only_measured(predicted**2 - noise, 0.0).sum(-1)
    slope = along.sum() / square.sum()
    # Values of one observation go wrong together: the error is that of a ratio of sums over observations.
    error = (along - slope * square).square().sum().sqrt() / square.sum()
    return torch.where(square.sum() > 0, slope - error, 0.0).clamp(0, 1)
