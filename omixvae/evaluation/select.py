"""Which options do these data support? Each is judged by how probable it makes observations that it never saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Unpack, cast

import numpy as np
import pandas as pd
import torch

from omixvae.devices import resolve_device
from omixvae.errors import InputError
from omixvae.evaluation.grid import Setting, read_grid, splits, words
from omixvae.evaluation.trial import Verdict, judge
from omixvae.inference.skill import r_squared
from omixvae.keywords import Options
from omixvae.model import LIKELIHOOD_SAMPLES
from omixvae.plan import Plan
from omixvae.sources import Source, as_mudata
from omixvae.training.engine import DivergedError
from omixvae.training.progress import SelectionProgress

__all__ = ["Selection", "select"]

SIZES: dict[str, Callable[[Plan], float]] = {
    "n_latent": lambda plan: plan.n_latent,
    "n_private": lambda plan: sum(m.n_private for m in plan.modalities),
    "n_clusters": lambda plan: plan.n_clusters,
    "n_components": lambda plan: plan.n_components,
    "hidden_size": lambda plan: plan.hidden_size,
    "shrinkage": lambda plan: -plan.shrinkage,
}
"""Options that make a model simpler or richer, and how rich; of all others no value is simpler than another."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What `select` found.

    Parameters
    ----------
    table
        One row per setting, in the order of the grid: a column for each option of the grid; ``log_likelihood``, the
        mean over the held-out observations in nats (NaN where a training diverged); ``difference`` from the highest,
        0 or below; ``se``, the standard error of that difference, paired over observations; ``r2_MOD`` for each
        modality, the median over its features of R² of predicting it from the others, as `OmixVAE.imputation_skill`
        has it (where settings differ in likelihoods: on the scale of the first); ``seconds``; and ``chosen``.
    per_observation
        Held-out log-likelihood of each observation (rows) for each setting (columns, as the rows of `table`).
    best
        Options for `omixvae.fit`: those that were given, and the chosen setting.
    reason
        Why that setting was chosen, in one sentence.
    options
        Names of the options of the grid.
    """

    table: pd.DataFrame
    per_observation: pd.DataFrame
    best: Options
    reason: str
    options: tuple[str, ...]


def select(
    mdata: Source,
    grid: Mapping[str, Sequence[object]],
    *,
    n_folds: int | None = None,
    held_out: float | None = None,
    n_seeds: int = 1,
    n_samples: int = LIKELIHOOD_SAMPLES,
    **options: Unpack[Options],
) -> Selection:
    """Try several values of some options, and judge each by the log-likelihood of observations that were held out.

    Parameters
    ----------
    mdata
        MuData, or anything `omixvae.read` takes; it is not changed. Any modality of an observation may be missing;
        values may be NaN.
    grid
        Option of `omixvae.fit` to the values to try, ``"auto"`` among them where the option allows it. All
        combinations are tried.
    n_folds
        Parts of a cross-validation: each is held out once, while all others are trained on. 5 below 1,000
        observations, when neither this nor `held_out` is given.
    held_out
        Part of the observations that is held out once, instead of a cross-validation; 0.2 from 1,000 observations on.
    n_seeds
        Times that all is repeated with other parts and other random starts: the seeds are the option `seed`,
        ``seed + 1``, and so on.
    n_samples
        Importance samples of each log-likelihood; the more, the closer (from below) to the truth.
    **options
        All other options, for every setting, as in `omixvae.fit`.

    Returns
    -------
    Selection
        `table`, `best`, `reason` and `per_observation`; `omixvae.pl.selection` draws it.

    Raises
    ------
    InputError
        If an option is not known, a value is not allowed, the grid is empty, or there are too few observations; before
        anything is trained.

    Notes
    -----
    Parts are alike in what is missing. Every setting is trained on the same observations, with what `omixvae.fit` would
    do with all of them (the same likelihoods, sizes and epochs), and is judged by (section "Likelihood" of the method
    page)::

        (1/N) Σ_n log p(x_n | trained without n)

    A feature that does not vary where a model was trained is not judged there: nothing was learned about it. With
    d_n the difference of two settings' log-likelihoods of observation n, the standard error is sd(d_n) / √N (with
    several seeds: of their means over seeds). It takes models of different parts as independent, and is a little too
    small.

    Chosen is the setting with the highest log-likelihood, or a simpler one that is within one standard error of it
    (Breiman et al. 1984): of those that have no larger `n_latent`, `n_private`, `n_clusters`, `n_components` or
    `hidden_size` and no smaller `shrinkage`, and agree in everything else, the one with the smallest. Where a choice
    has no order (words, mappings, a learning rate) the highest is taken.

    What can be compared: densities of the same values (`gaussian`, `student_t`, `laplace`, `log_normal` and `beta` are
    all densities of x itself), and probabilities of the same counts (`poisson`, `negative_binomial` and its
    zero-inflated form). A probability and a density cannot: the density at a count stands for the probability of a cell
    of width one around it only where counts are large and the density is flat over that cell. `modalities`, `layers`
    and `labels_key` change what is explained, so they cannot be in the grid.

    The estimate lies below the truth, and by more where there are more latents: with ten or more, and hundreds of
    features, by several nats at 512 samples. Look at small differences in favour of few latents again with larger
    `n_samples`.

    Examples
    --------
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> found = omixvae.select(mdata, {"n_latent": [2, 5]}, n_folds=2, n_samples=4, max_epochs=2, progress=False)
    >>> list(found.table["n_latent"])
    [2, 5]
    >>> model = omixvae.fit(mdata, **found.best)
    """
    tried = read_grid(as_mudata(mdata), grid, options)
    presence, training = tried[0].data.presence, tried[0].config.training
    cut = splits(presence, n_folds, held_out)
    for name, number in (("n_seeds", n_seeds), ("n_samples", n_samples)):
        if number < 1:
            raise InputError(f"{name} is {number}.", f"the argument {name}", "Give 1 at least.")
    parts = [
        (seed, k, part)
        for seed in range(training.seed, training.seed + n_seeds)
        for k, part in enumerate(cut(np.random.default_rng(seed)))
    ]
    verdicts: list[list[Verdict]] = [[] for _ in tried]
    device = resolve_device(training.device)
    with SelectionProgress(len(parts) * len(tried), show=training.progress) as progress:
        for seed, k, (rows, held) in parts:
            scales = None  # those of the first setting: predictions of all are compared on one scale
            for setting, own_verdicts in zip(tried, verdicts, strict=True):
                name = f"{words(setting.values)}, part {k + 1}" + (f" of seed {seed}" if n_seeds > 1 else "")
                working = partial(progress.working, name)
                verdict = judge(
                    setting, seed, rows, held, device=device, n_samples=n_samples, scales=scales, working=working
                )
                scales = verdict.scales or scales
                own_verdicts.append(verdict)
                progress.done(f"{name}: {verdict.log_likelihood.mean():,.1f} nats")
    return _selection(tried, verdicts, options)


def _selection(
    tried: Sequence[Setting], verdicts: Sequence[Sequence[Verdict]], options: Mapping[str, object]
) -> Selection:
    """Put the verdicts together, and choose."""
    data = tried[0].data
    total, times = np.zeros((data.n_obs, len(tried))), np.zeros((data.n_obs, len(tried)))
    for i, of_setting in enumerate(verdicts):
        for verdict in of_setting:
            total[verdict.held, i] += verdict.log_likelihood
            times[verdict.held, i] += 1
    judged = times[:, 0] > 0  # all settings are judged by the same observations
    per_observation = pd.DataFrame(total[judged] / times[judged], data.obs_names[judged])
    mean = per_observation.mean(skipna=False)
    if mean.isna().all():
        fix = "Lower the learning_rate, or look for extreme values in the data."
        raise DivergedError("The training of every setting diverged.", "the grid", fix)
    top = int(mean.idxmax())
    difference = per_observation.sub(per_observation[top], axis=0)
    table = pd.DataFrame([setting.values for setting in tried])
    table["log_likelihood"], table["difference"] = mean, difference.mean(skipna=False)
    table["se"] = difference.std(skipna=False) / np.sqrt(len(difference))
    if len(data.tables) > 1:
        for s, name in enumerate(data.schema.modalities):
            table[f"r2_{name}"] = [_median_skill([verdict.errors[s] for verdict in each]) for each in verdicts]
    table["seconds"] = [round(sum(verdict.seconds for verdict in of_setting), 1) for of_setting in verdicts]
    chosen = _simplest(tried, top, table)
    table["chosen"] = table.index == chosen
    best = cast("Options", {**options, **tried[chosen].values})
    return Selection(table, per_observation, best, _reason(tried, table, top, chosen), tuple(tried[0].values))


def _median_skill(errors: Sequence[torch.Tensor]) -> float:
    """Compute R² of each feature over all parts, and take the median."""
    r2 = r_squared(torch.stack(list(errors)).sum(0)).double().numpy()
    return float(np.nanmedian(r2)) if np.isfinite(r2).any() else np.nan


def _simplest(tried: Sequence[Setting], top: int, table: pd.DataFrame) -> int:
    """Find the simplest setting that is within one standard error of the best, and differs from it in size alone."""
    ordered = [name for name in tried[top].values if name in SIZES]
    sizes = np.array([[SIZES[name](setting.plan) for name in ordered] for setting in tried])
    others = [{k: v for k, v in setting.values.items() if k not in ordered} for setting in tried]
    candidates = [
        i
        for i in range(len(tried))
        if -table["difference"][i] <= table["se"][i] and others[i] == others[top] and (sizes[i] <= sizes[top]).all()
    ]
    # Sizes of different options have no common unit: ranks do.
    ranks = sum((np.unique(size, return_inverse=True)[1] for size in sizes.T), np.zeros(len(tried), int))
    return min(candidates, key=lambda i: (ranks[i], -table["difference"][i]))


def _reason(tried: Sequence[Setting], table: pd.DataFrame, top: int, chosen: int) -> str:
    highest = f"{table['log_likelihood'][top]:,.1f} nats per observation"
    if chosen == top:
        return f"{words(tried[top].values)} has the highest held-out log-likelihood, {highest}."
    lower = f"{-table['difference'][chosen]:,.2f} ± {table['se'][chosen]:,.2f}"
    return (
        f"{words(tried[chosen].values)} is the simplest within one standard error (lower by {lower} nats) of the "
        f"highest held-out log-likelihood, {highest} with {words(tried[top].values)}."
    )
