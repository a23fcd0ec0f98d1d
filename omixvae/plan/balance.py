"""How much modalities say, and the weights that let a panel be heard beside thousands of features."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from omixvae.data.masked import MaskedModalities
from omixvae.data.tables import Table
from omixvae.likelihoods import LIKELIHOODS
from omixvae.own_modules import OwnModules
from omixvae.plan.plan import Plan

__all__ = ["balance", "balanced_weights", "gain"]

MAX_SAMPLE_ROWS = 1000
"""Observations that a gain is estimated from: their eigenvalues take a fraction of a second."""

LARGEST_WEIGHT = 10.0
"""The largest that was tried."""


def balance(plan: Plan, data: MaskedModalities, own: OwnModules) -> Plan:
    """Weigh modalities by what the data of a training say.

    Parameters
    ----------
    plan
        All else that is decided.
    data
        The observations to train on.
    own
        What the user brings.

    Returns
    -------
    Plan
        With these weights, and their reason. A label, and a modality that is alone, keep weight 1.

    Examples
    --------
    >>> from omixvae.config import Config
    >>> from omixvae.data import from_mudata
    >>> from omixvae.plan import make_plan
    >>> from omixvae.simulation import simulate
    >>> [m.name for m in make_plan(Config(), from_mudata(simulate(n_obs=200))).modalities if m.weight > 1]
    ['protein']
    """
    rng = np.random.default_rng(plan.seed)
    gains, weights = {}, {m.name: 1.0 for m in plan.modalities}
    for m, table in zip(plan.modalities, data.tables, strict=True):
        if not table.is_label and table.present.any():
            kind = (own.likelihoods[m.name] if m.likelihood == "own" else LIKELIHOODS[m.likelihood]).kind
            logged = kind in ("counts", "amounts")
            gains[m.name] = gain(table, plan.n_latent, rng, logged=logged, by_total=m.by_total)
    if len(gains) > 1:
        weights |= balanced_weights(gains, {m.name: m.n_features for m in plan.modalities if m.name in gains})
        said = ", ".join(f"{name} {nats:.3g}" for name, nats in gains.items())
        reason = f"what says less than another counts for more (nats of an observation: {said})"
    else:
        reason = "there is nothing to balance"
    return replace(
        plan,
        modalities=tuple(replace(m, weight=weights[m.name]) for m in plan.modalities),
        reasons={**plan.reasons, "weights": f"weights = {weights}: {reason}"},
        balanced=True,
    )


def gain(table: Table, n_components: int, rng: np.random.Generator, *, logged: bool, by_total: bool) -> float:
    """Estimate how much better a modality's values are explained by its principal components than by their means.

    Parameters
    ----------
    table
        The modality.
    n_components
        Number of components.
    rng
        Picks the observations that are looked at.
    logged
        Whether log(1 + x) is looked at.
    by_total
        Whether values are first divided by the observation's total.

    Returns
    -------
    float
        Nats per observation, 0 at least: the log-likelihood ratio of probabilistic principal components and of
        independent features in standard units, beyond that of the same features each in another random order.

    Notes
    -----
    With λ₁ ≥ λ₂ ≥ … the eigenvalues of the g × g correlation matrix, k components, and σ² the mean of the others, it is
    −½ (Σ_{i≤k} log λ_i + (g − k) log σ²) (Tipping and Bishop, J. R. Stat. Soc. B 1999). What remains of it when
    features are shuffled is what so few observations make of noise.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> rna, protein = from_mudata(simulate(n_obs=200)).tables
    >>> rng = np.random.default_rng(0)
    >>> gain(rna, 5, rng, logged=True, by_total=True) > gain(protein, 5, rng, logged=True, by_total=False)
    True
    """
    batch = table.sample(MAX_SAMPLE_ROWS, rng, torch.device("cpu"), torch.float32)
    x = batch.filled
    if batch.coverage is not None:
        x = x / batch.coverage.clamp(min=1)
    elif by_total:
        x = x * (batch.library.median() / batch.library).unsqueeze(-1)
    x = batch.only_measured(torch.log1p(x) if logged else x, torch.nan)
    x = x - x.nanmean(0)
    unit = x.square().nanmean(0).sqrt()
    standard = (x / unit)[:, unit > 1e-6].nan_to_num(0.0).numpy()
    k = min(n_components, (min(standard.shape) - 1) // 2)
    return max(0.0, _explained(standard, k) - _explained(rng.permuted(standard, axis=0), k)) if k > 0 else 0.0


def _explained(x: np.ndarray, k: int) -> float:
    """Return the gain of k components over none; features have mean 0."""
    n, g = x.shape
    products = x @ x.T if n < g else x.T @ x
    value = np.linalg.eigvalsh(products.astype(np.float64))[::-1] / n
    rest = max((value.sum() - value[:k].sum()) / (g - k), 1e-12)
    separate = np.log(np.maximum(np.square(x).mean(axis=0, dtype=np.float64), 1e-12)).sum()
    return 0.5 * float(separate - np.log(np.maximum(value[:k], 1e-12)).sum() - (g - k) * math.log(rest))


def balanced_weights(gains: Mapping[str, float], n_features: Mapping[str, int]) -> dict[str, float]:
    """Choose weights that let each modality say more nearly as much as the one that says most.

    Parameters
    ----------
    gains
        Of each modality (see `gain`).
    n_features
        Of each modality.

    Returns
    -------
    dict
        Modality to weight, from 1 to 10: the root of the ratio of gains, but no more than the root of the ratio of
        numbers of features, so that many features that say little are not made loud. In two digits.

    Examples
    --------
    >>> balanced_weights({"rna": 180.0, "protein": 5.0}, {"rna": 4000, "protein": 14})
    {'rna': 1.0, 'protein': 6.0}
    >>> balanced_weights({"rna": 70.0, "noise": 0.1}, {"rna": 200, "noise": 180})
    {'rna': 1.0, 'noise': 1.1}
    """
    loudest, widest = max(gains.values()), max(n_features.values())
    weights = {}
    for name, of in gains.items():
        by_gain = math.sqrt(loudest / of) if of > 0 else math.inf
        by_size = math.sqrt(widest / n_features[name])
        weights[name] = float(f"{min(LARGEST_WEIGHT, by_gain, by_size):.2g}")
    return weights
