"""One trial: train a setting on some observations, and judge it by others."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch

from omixvae.data import MaskedModalities
from omixvae.data.masked import ModalityTable
from omixvae.evaluation.grid import Setting, words
from omixvae.inference import log_likelihood
from omixvae.inference.skill import MOST_ROWS, error_sums, feature_means, rows_to_score, squared_errors
from omixvae.likelihoods import Likelihood
from omixvae.plan.balance import balance
from omixvae.training.engine import DivergedError, train
from omixvae.training.fit import fit_network
from omixvae.vae import MultimodalVAE

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """How well one training has done.

    Parameters
    ----------
    held
        Shape (n,): observations that were held out.
    log_likelihood
        Shape (n,), in nats; NaN where the training diverged.
    errors
        For each modality, shape (3, g): sums from which R² follows (`omixvae.inference.skill.r_squared`).
    scales
        Likelihoods on whose scale the errors are; None where the training diverged.
    seconds
        Of the training, and of the judgement.
    """

    held: np.ndarray
    log_likelihood: np.ndarray
    errors: list[torch.Tensor]
    scales: Sequence[Likelihood] | None
    seconds: float


def judge(
    setting: Setting,
    seed: int,
    rows: np.ndarray,
    held: np.ndarray,
    *,
    device: torch.device,
    n_samples: int,
    scales: Sequence[Likelihood] | None,
    working: Callable[[float], None],
) -> Verdict:
    """Train a setting on some observations, and judge it by others.

    Parameters
    ----------
    setting
        What to train.
    seed
        Of the training.
    rows, held
        Observations to train on, and to judge by.
    device
        Where to compute.
    n_samples
        Importance samples of each log-likelihood.
    scales
        Likelihoods on whose scale predictions are judged; the setting's own when not given.
    working
        Called with the part of the training that is done.

    Returns
    -------
    Verdict
        With a warning if the training diverged.
    """
    began = time.perf_counter()
    working(0.0)
    plan, seen = replace(setting.plan, seed=seed), setting.data.take(rows)
    if plan.balanced:
        plan = balance(plan, seen, setting.own)  # by these observations alone
    loop = partial(train, on_epoch=lambda row: working((row.epoch + 1) / plan.max_epochs))
    try:
        network, _ = fit_network(plan, seen, device, setting.own, loop=loop)
    except DivergedError as error:  # one setting that cannot be trained must not take the others with it
        warnings.warn(f"{words(setting.values)} is out: {error.problem}", stacklevel=3)
        errors = [torch.full((3, table.n_features), torch.nan) for table in seen.tables]
        return Verdict(held, np.full(len(held), np.nan), errors, None, time.perf_counter() - began)
    new = _with_known_features(setting.data.take(held), seen)
    of, given = np.ones(len(new.tables), bool), np.zeros(len(new.tables), bool)
    values = log_likelihood(network, new, of, given, n_samples, seed)
    scales = network.likelihoods if scales is None else scales
    errors = [_errors(network, seen, new, s, scale, seed) for s, scale in enumerate(scales)]
    return Verdict(held, values, errors, scales, time.perf_counter() - began)


def _in_memory(data: MaskedModalities) -> tuple[ModalityTable, ...]:
    return cast("tuple[ModalityTable, ...]", data.tables)


def _with_known_features(new: MaskedModalities, seen: MaskedModalities) -> MaskedModalities:
    """Hide the features about whose variation nothing could be learned."""
    tables = []
    for table, before in zip(_in_memory(new), seen.tables, strict=True):
        mean, variance = before.moments.mean, before.moments.variance
        constant = (before.survey.n_measured < 2) | (variance <= 1e-12 * (1 + mean**2))
        tables.append(table.without(constant) if constant.any() else table)
    return replace(new, tables=tuple(tables))


def _errors(
    network: MultimodalVAE, seen: MaskedModalities, new: MaskedModalities, s: int, scale: Likelihood, seed: int
) -> torch.Tensor:
    """Sum the errors of predicting a modality from the others, and of predicting its mean in the training."""
    rows = rows_to_score(network, new.presence, np.arange(new.n_obs), s, seed)
    known = np.flatnonzero(seen.presence[:, s])
    if not len(rows) or not len(known):
        return torch.zeros(3, scale.n_features)
    known = np.random.default_rng(seed).permutation(known)[:MOST_ROWS]
    mean = feature_means(network, scale, seen, known, s)
    return error_sums(*squared_errors(network, new, s, rows, mean, seed, scale)).cpu()
