"""How far can predictions of a modality that was not measured be trusted? Held-out observations tell."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from omixvae.data.loader import load_batches
from omixvae.data.masked import MaskedBatch, MaskedModalities
from omixvae.data.sampler import epoch_batches
from omixvae.vae import MultimodalVAE

__all__ = ["FEWEST_ROWS", "calibrate", "held", "judge"]

FEWEST_ROWS = 5
"""Held-out observations below which nothing is concluded from them."""

MOST_ROWS = 1000
DRAWS = 100
DRAWS_FOR_SKILL = 32
VALUES_AT_ONCE = 2_000_000
"""Most drawn values of which the spread is found: a few hundred observations of a panel, some of a genome."""

VALUES_FOR_SKILL = 4_000_000
"""Most measured values of which the skill is found."""

VALUES_LOADED = 20_000_000
"""Most values of the widest modality that are held densely while another is predicted: 80 MB in float32."""

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
        Fitted; `slope`, `spread` and `skill` of its decoders are set.
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

    The spread of a decoder is the smallest with which limits of 95 % hold 95 % of the held-out values (`held`), or,
    where each such one makes these less probable than none does, that under which they are most probable. Where entries
    are missing there is a second one, found in the same way from a tenth of the entries, which are hidden from the
    encoders.

    The skill of a feature is R² = 1 - Σ (x - x̂)² / Σ (x - x̄)² over the held-out observations, x̄ the mean in the
    training, on the scale that the encoder sees (standard units, or logged counts of an observation of typical depth),
    with the standard error of a ratio of means. x̂ is the average of drawn values on that scale, since the logarithm of
    an expected count is not the expected logarithm; what a finite number of draws adds to the error is taken off. It is
    not known of a feature whose variance lies in fewer than five observations.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator(next(network.parameters()).device)
    presence = source.presence
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    most = max(FEWEST_ROWS, min(MOST_ROWS, VALUES_LOADED // widest))
    for s, (decoder, likelihood) in enumerate(zip(network.decoders, network.likelihoods, strict=True)):
        judges = rng.permutation(rows[presence[rows, s] & (presence[rows].sum(axis=1) > 1)])[:most]
        if len(judges) < FEWEST_ROWS:
            continue
        known = train_rows[presence[train_rows, s]]
        mean = _mean(network, source, rng.permutation(known)[:MOST_ROWS], s)
        many = _load(network, source, judges[: max(FEWEST_ROWS, VALUES_FOR_SKILL // likelihood.n_features)])
        if decoder.weights is not None:
            decoder.slope.copy_(_slope(network, many, s, mean, generator.manual_seed(seed)))
        few = max(2, VALUES_AT_ONCE // (DRAWS * likelihood.n_features))
        batch = _load(network, source, judges[:few])
        x = batch.modalities[s].filled
        measured = batch.modalities[s].mask.expand_as(x)
        spread = [_spread(network, Trial(batch, s, _others(batch, s), x, measured), seed), 0.0]
        hidden = measured & torch.from_numpy(rng.random(x.shape) < HIDDEN_ENTRIES).to(x.device)
        if batch.modalities[s].observed is not None and hidden.any():
            spread[1] = _spread(network, Trial(_without(batch, s, hidden), s, batch.presence, x, hidden), seed)
        decoder.spread.copy_(torch.tensor(spread))
        decoder.skill.copy_(_skill(network, many, s, mean, generator.manual_seed(seed)))


@torch.no_grad()
def judge(
    network: MultimodalVAE, source: MaskedModalities, s: int, rows: np.ndarray, known: np.ndarray, seed: int
) -> np.ndarray:
    """Say how well each feature of a modality is predicted from the other modalities.

    Parameters
    ----------
    network
        Fitted.
    source
        Where rows come from.
    s
        Position of the modality.
    rows
        Observations that have it and another one; of the widest modalities only the first ones are looked at.
    known
        Observations that have it, and say what the mean of a feature is.
    seed
        The same seed gives the same result.

    Returns
    -------
    numpy.ndarray
        R² of each feature and its standard error, shape (2, g), as in the notes of `calibrate`; NaN where it could not
        be judged.
    """
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    most = max(FEWEST_ROWS, VALUES_FOR_SKILL // max(likelihood.n_features for likelihood in network.likelihoods))
    batch = _load(network, source, rows[:most])
    return _skill(network, batch, s, _mean(network, source, known, s), generator).double().cpu().numpy()


def _load(network: MultimodalVAE, source: MaskedModalities, rows: np.ndarray) -> MaskedBatch:
    parameter = next(network.parameters())
    return next(load_batches(source, [np.sort(rows)], parameter.device, parameter.dtype))


def _others(batch: MaskedBatch, s: int) -> Tensor:
    """Say which modalities an observation has but for one."""
    others = batch.presence.clone()
    others[:, s] = False
    return others


def _latents(
    network: MultimodalVAE, batch: MaskedBatch, s: int, given: Tensor, n_samples: int, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Draw z and the w of one modality as they predict it, from the belief that the modalities given (n, m) lead to."""
    h = network.features(batch)
    draws = network.posterior(batch, h, given).rsample(generator, n_samples)
    draws = draws if given[:, s].any() else network.trusted(s, draws, batch)
    return [(z, network.private_posterior(h, given, z).rsample(generator)[:, s]) for z in draws]


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
    latents = _latents(network, trial.batch, trial.s, trial.given, DRAWS, generator.manual_seed(seed))
    found: list[tuple[float, float]] = []
    for spread in SPREADS:
        network.decoders[trial.s].spread.fill_(spread)
        found.append(_judge(network, trial, latents, generator.manual_seed(seed)))
        if _settled(found):
            break
    return SPREADS[_chosen(found)]


def _judge(
    network: MultimodalVAE, trial: Trial, latents: list[tuple[Tensor, Tensor]], generator: torch.Generator
) -> tuple[float, float]:
    """Give the log-likelihood of each value judged by itself, and the share of them within their limits."""
    absent = ~trial.batch.presence[:, trial.s]
    below = at = torch.zeros_like(trial.x)
    log_p = []
    for z, w in latents:
        p = network.decode(trial.s, z, w, trial.batch, network.decoders[trial.s].doubt(absent, generator))
        log_p.append(p.log_prob(trial.x))
        drawn = p.sample(generator)
        below, at = below + (drawn < trial.x), at + (drawn == trial.x)
    likelihood = torch.logsumexp(torch.stack(log_p), dim=0)[trial.entries].double().mean()
    within = held(below, at, len(latents), COVERAGE)[trial.entries].double().mean()
    return float(likelihood), float(within)


def held(below: Tensor, at: Tensor, n: int, coverage: float) -> Tensor:
    """Say whether limits that should hold a share of the values hold a value, from draws as likely as the value is.

    Parameters
    ----------
    below, at
        How many draws are less than the value, and how many equal it.
    n
        Number of draws.
    coverage
        The share that the limits should hold.

    Returns
    -------
    torch.Tensor
        From 0 to 1: the part of the ranks that the value could have among the draws, were ties broken by chance, that
        lies between the tails. No limits of zeros and ones hold exactly 95 % of them; these parts have that average
        wherever value and draws come from one distribution (the randomised probability integral transform: Dunn and
        Smyth, J. Comput. Graph. Stat. 1996).

    Examples
    --------
    >>> below, at = torch.tensor([0.0, 50.0, 0.0]), torch.tensor([0.0, 0.0, 99.0])
    >>> held(below, at, 99, 0.5).tolist()
    [0.0, 1.0, 0.5]
    """
    low, high = below / (n + 1), (below + at + 1) / (n + 1)
    tail = 0.5 - coverage / 2
    return (high.clamp(max=1 - tail) - low.clamp(min=tail)).clamp(min=0) / (high - low)


def _settled(judged: list[tuple[float, float]]) -> bool:
    """Say whether the last of several rising spreads, the first of them none, holds enough or is less probable."""
    likelihood, cover = judged[-1]
    return cover >= COVERAGE or likelihood < judged[0][0]


def _chosen(judged: list[tuple[float, float]]) -> int:
    """Choose the last spread if it holds enough and is as probable as none, else the most probable."""
    likelihoods = [likelihood for likelihood, _ in judged]
    enough = judged[-1][1] >= COVERAGE and likelihoods[-1] >= likelihoods[0]
    return len(judged) - 1 if enough else int(np.argmax(likelihoods))


def _mean(network: MultimodalVAE, source: MaskedModalities, rows: np.ndarray, s: int) -> Tensor:
    """Give the mean of each feature on the scale that the encoder sees."""
    likelihood, parameter = network.likelihoods[s], next(network.parameters())
    total = n = torch.zeros(likelihood.n_features, device=parameter.device, dtype=parameter.dtype)
    widest = max(likelihood.n_features for likelihood in network.likelihoods)
    for index in epoch_batches(np.sort(rows), max(1, VALUES_FOR_SKILL // widest)):
        modality = _load(network, source, index).modalities[s]
        x = modality.only_measured(likelihood.encoder_input(modality.filled, modality.exposure), 0.0)
        total, n = total + x.sum(0), n + modality.mask.expand_as(x).sum(0)
    return total / n.clamp(min=1)


def _predicted(network: MultimodalVAE, batch: MaskedBatch, s: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Average drawn values on the scale that the encoder sees, and give the variance of that average."""
    modality, likelihood = batch.modalities[s], network.likelihoods[s]
    mean = squares = torch.zeros_like(modality.values)
    for i, (z, w) in enumerate(_latents(network, batch, s, _others(batch, s), DRAWS_FOR_SKILL, generator), 1):
        drawn = likelihood.encoder_input(network.decode(s, z, w, batch).sample(generator), modality.exposure)
        before = drawn - mean
        mean = mean + before / i
        squares = squares + before * (drawn - mean)
    return mean, squares / (DRAWS_FOR_SKILL - 1) / DRAWS_FOR_SKILL


def _slope(network: MultimodalVAE, batch: MaskedBatch, s: int, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Give the slope of values over predictions, less its standard error, from 0 to 1."""
    modality = batch.modalities[s]
    predicted, noise = _predicted(network, batch, s, generator)
    x = network.likelihoods[s].encoder_input(modality.filled, modality.exposure) - mean
    predicted = predicted - mean
    along = modality.only_measured(x * predicted, 0.0).sum(-1)
    square = modality.only_measured(predicted**2 - noise, 0.0).sum(-1)
    slope = along.sum() / square.sum()
    # Values of one observation go wrong together: the error is that of a ratio of sums over observations.
    error = (along - slope * square).square().sum().sqrt() / square.sum()
    return torch.where(square.sum() > 0, slope - error, 0.0).clamp(0, 1)


def _skill(network: MultimodalVAE, batch: MaskedBatch, s: int, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Give R² of each feature and its standard error, shape (2, g)."""
    modality, likelihood = batch.modalities[s], network.likelihoods[s]
    predicted, noise = _predicted(network, batch, s, generator)
    x = likelihood.encoder_input(modality.filled, modality.exposure)
    of_mean = modality.only_measured((x - mean) ** 2, 0.0)
    of_prediction = modality.only_measured((x - predicted) ** 2 - noise, 0.0)
    n = modality.mask.expand_as(x).sum(0)
    r2 = 1 - of_prediction.sum(0) / of_mean.sum(0)
    gain = modality.only_measured((1 - r2) * of_mean - of_prediction, 0.0)
    error = gain.square().sum(0).sqrt() / of_mean.sum(0)
    # Kish's number: of a peak that one cell in a hundred has, hardly more cells can say anything than have it.
    effective = of_mean.sum(0) ** 2 / of_mean.square().sum(0)
    varies = modality.only_measured((x - modality.only_measured(x, 0.0).sum(0) / n) ** 2, 0.0).sum(0) > 1e-6 * n
    enough = varies & (effective >= FEWEST_ROWS)
    return torch.where(enough, torch.stack([r2, error]), torch.nan)
