"""Which options do these data support? Each is judged by how probable it makes observations that it never saw."""

import itertools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Unpack, cast

import mudata
import numpy as np
import pandas as pd
import torch

from omixvae.config import Config, affecting
from omixvae.data import MaskedModalities, from_mudata
from omixvae.data.doubts import find_doubts, warn_of
from omixvae.data.masked import ModalityTable
from omixvae.data.sampler import folds, held_out_split
from omixvae.devices import resolve_device
from omixvae.errors import InputError, raise_together
from omixvae.inference import log_likelihood, predict
from omixvae.keywords import Options
from omixvae.likelihoods.choice import suitable
from omixvae.model import LIKELIHOOD_SAMPLES, OmixVAE
from omixvae.own_modules import OwnModules
from omixvae.plan import Plan, make_plan
from omixvae.results.annotate import IMPUTATION_SAMPLES
from omixvae.sources import Source, as_mudata
from omixvae.training.engine import DivergedError, train
from omixvae.training.initialise import initialise_network
from omixvae.training.progress import SelectionProgress
from omixvae.vae import MultimodalVAE, new_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Selection", "select", "word"]

ONE_SPLIT_FROM = 1000
"""Observations from which one split will do: a fifth of them tells settings apart, and folds would take long."""

FOLDS, HELD_OUT = 5, 0.2
"""Parts of the cross-validation of smaller sets; part that is held out of larger ones."""

FEWEST_TRAINED, FEWEST_JUDGED = 4, 2
"""Observations without which nothing can be trained, and without which no standard error can be taken."""

NARROW_RANGE = 20.0
"""Ratio of the largest to the smallest value of an option from which its axis is logarithmic."""

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
        0 or below; ``se``, the standard error of that difference, paired over observations; ``error_MOD`` for each
        modality, the root mean square error of predicting it from the others over that of predicting its mean
        (features in standard units, abundances after log(1 + x)); ``seconds``; and ``chosen``.
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

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the held-out log-likelihood against the first option of the grid.

        Parameters
        ----------
        ax
            Matplotlib axes to draw into; new ones are made when not given.

        Returns
        -------
        matplotlib.axes.Axes
            One line for each combination of the other options; points without lines where the first option is not a
            number. Bars are one standard error of the difference from the best setting (a dotted line at its height);
            a ring marks the chosen setting.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> import omixvae
        >>> found = omixvae.select(
        ...     omixvae.simulate(n_obs=60), {"n_latent": [2, 5]}, n_folds=2, n_samples=4, max_epochs=2, progress=False
        ... )
        >>> found.plot(Figure().subplots()).get_xlabel()
        'n_latent'
        """
        if ax is None:
            from matplotlib import pyplot as plt  # only here: it needs a second, and looks for a screen

            ax = plt.subplots()[1]
        first, *others = self.options
        values = list(self.table[first])
        numbers = all(_is_number(v) for v in values)
        names = list(dict.fromkeys(map(word, values)))
        x = np.array(values, float) if numbers else np.array([names.index(word(v)) for v in values], float)
        lines = [", ".join(f"{name}={word(row[name])}" for name in others) for _, row in self.table.iterrows()]
        for line in dict.fromkeys(lines):
            here = np.flatnonzero([name == line for name in lines])
            here = here[np.argsort(x[here], kind="stable")]
            rows = self.table.iloc[here]
            ax.errorbar(
                x[here], rows["log_likelihood"], rows["se"], fmt="o-" if numbers else "o", capsize=3, label=line or None
            )
        chosen = self.table["chosen"].to_numpy()
        height = self.table["log_likelihood"].to_numpy()
        ax.plot(x[chosen], height[chosen], "o", markersize=14, fillstyle="none", color="black", label="chosen")
        ax.axhline(np.nanmax(height), linestyle=":", linewidth=1, color="grey", zorder=0)
        if numbers and x.min() > 0 and x.max() / x.min() > NARROW_RANGE:
            ax.set_xscale("log")
        ticks = np.unique(x)
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks] if numbers else names)
        ax.set_xticks([], minor=True)
        ax.set(xlabel=first, ylabel="held-out log-likelihood (nats per observation)")
        ax.legend()
        return ax


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
        Observations may lack any modality; values may be NaN. It is not changed. Whatever else `omixvae.read` takes is
        read.
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
        `table`, `best`, `reason`, `per_observation`, and `plot`.

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
    tried = _tried(as_mudata(mdata), grid, options)
    presence, training = tried[0].data.presence, tried[0].config.training
    cut = _cut(presence, n_folds, held_out)
    for name, number in (("n_seeds", n_seeds), ("n_samples", n_samples)):
        if number < 1:
            raise InputError(f"{name} is {number}.", f"the argument {name}", "Give 1 at least.")
    parts = [
        (seed, k, part)
        for seed in range(training.seed, training.seed + n_seeds)
        for k, part in enumerate(cut(np.random.default_rng(seed)))
    ]
    verdicts: list[list[_Verdict]] = [[] for _ in tried]
    device = resolve_device(training.device)
    with SelectionProgress(len(parts) * len(tried), show=training.progress) as progress:
        for seed, k, (rows, held) in parts:
            for setting, own_verdicts in zip(tried, verdicts, strict=True):
                name = f"{_words(setting.values)}, part {k + 1}" + (f" of seed {seed}" if n_seeds > 1 else "")
                judge = _Judge(replace(setting.plan, seed=seed), setting, device, n_samples)
                verdict = judge(rows, held, partial(progress.working, name))
                own_verdicts.append(verdict)
                progress.done(f"{name}: {verdict.log_likelihood.mean():,.1f} nats")
    return _selection(tried, verdicts, options)


@dataclass(frozen=True, eq=False)
class _Setting:
    """One combination of values, what it means for these data, and what is trained."""

    values: dict[str, object]
    config: Config
    own: OwnModules
    data: MaskedModalities
    plan: Plan


@dataclass(frozen=True, eq=False)
class _Verdict:
    """What one training has earned.

    Parameters
    ----------
    held
        Shape (n,): observations that were held out.
    log_likelihood
        Shape (n,), in nats.
    squares
        Shape (m, 2): for each modality the sum of squared errors of predicting it from the others, and from its mean.
    seconds
        Of the training, and of the judgement.
    """

    held: np.ndarray
    log_likelihood: np.ndarray
    squares: np.ndarray
    seconds: float


def _tried(mdata: mudata.MuData, grid: Mapping[str, Sequence[object]], options: Mapping[str, object]) -> list[_Setting]:
    """Make each combination concrete, and find everything that is wrong with any of them."""
    raise_together(_wrong_grid(grid, options))
    found: list[_Setting] = []
    errors: dict[str, InputError] = {}
    for combination in itertools.product(*grid.values()):
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in zip(grid, combination, strict=True)}
        try:
            model = OmixVAE(**{**options, **values})  # type: ignore[arg-type]  # modules of one's own among them
            same = (s.data for s in found if s.config.data == model.config.data)
            data = next(same, None) or from_mudata(mdata, model.config.data)
            raise_together(_on_disk(data))
            plan = make_plan(model.config, data, model.own)
            found.append(_Setting(values, model.config, model.own, data, plan))
        except InputError as error:
            errors |= {str(part): part for part in error.parts}  # what ails all settings is said once
    raise_together(list(errors.values()))
    read = {id(s.data): s for s in found}.values()
    warn_of({str(d): d for s in read for d in find_doubts(mdata, s.data, s.config.data)}.values())
    return found


def _on_disk(data: MaskedModalities) -> list[InputError]:
    """Find modalities of which no part could be held in memory by itself, as each training here does."""
    return [
        InputError(
            f"Modality {table.name!r} lies on disk, and settings are compared in memory only.",
            f"mdata[{table.name!r}].X",
            "Read the file whole, with mudata.read_h5mu(path), or a part of its observations.",
        )
        for table in data.tables
        if not isinstance(table, ModalityTable)
    ]


def _wrong_grid(grid: Mapping[str, Sequence[object]], options: Mapping[str, object]) -> list[InputError]:
    """Find what is wrong with the grid itself; names and values of options are checked where all others are."""
    if not isinstance(grid, Mapping) or not grid:
        example = "Name an option and the values to try, such as {'n_latent': [5, 10, 20]}."
        return [InputError("The grid names no option.", "the argument grid", example)]
    errors = []
    for name, values in grid.items():
        where = f"the grid, option {name}"
        if isinstance(values, (str, Mapping)) or not isinstance(values, (Sequence, np.ndarray)):
            errors.append(InputError(f"The grid gives {name} no list.", where, "Give a list of values to try."))
        elif not len(values):
            errors.append(InputError(f"The grid gives no value for {name}.", where, "Give one at least."))
        if name in options:
            errors.append(
                InputError(f"Option {name} is in the grid and given beside it.", where, "Leave it out of one of them.")
            )
        if name in affecting("data"):
            errors.append(
                InputError(
                    f"Option {name} changes what is to be explained, so log-likelihoods cannot be compared.",
                    where,
                    f"Run select once for each {name}.",
                )
            )
        if name in affecting("chance", "machine", "results", "screen"):
            fix = "Say n_seeds=3 to repeat all with three seeds." if name == "seed" else "Leave it out of the grid."
            errors.append(InputError(f"Option {name} does not change the model.", where, fix))
    return errors


def _cut(
    presence: np.ndarray, n_folds: int | None, held_out: float | None
) -> Callable[[np.random.Generator], list[tuple[np.ndarray, np.ndarray]]]:
    """Decide how the observations are cut, or say why they cannot be; give the cut as a function of random numbers."""
    n = int(presence.any(axis=1).sum())
    if n_folds is not None and held_out is not None:
        raise InputError(
            "Both folds and a single split are asked for.", "the arguments n_folds and held_out", "Give one of them."
        )
    if n_folds is not None and n_folds < 2:
        raise InputError(
            f"n_folds is {n_folds}: with fewer than 2 parts nothing is left to train on.",
            "the argument n_folds",
            "Give 2 at least; 5 is usual. For a single split give held_out=0.2.",
        )
    if held_out is not None and not 0 < held_out < 1:
        raise InputError(
            f"held_out is {held_out}.", "the argument held_out", "Give a part between 0 and 1, such as 0.2."
        )
    if held_out is None and (n_folds is not None or n < ONE_SPLIT_FROM):
        k = n_folds or FOLDS
        if n // k < FEWEST_JUDGED or n - -(-n // k) < FEWEST_TRAINED:
            raise InputError(
                f"{n:,} observations with any value are too few for {k} parts.",
                "the argument n_folds",
                f"Give {FEWEST_JUDGED} observations or more for each part; with 2 parts at least {2 * FEWEST_TRAINED}.",
            )
        return lambda rng: folds(presence, k, rng)
    part = held_out or HELD_OUT
    if int(n * part) < FEWEST_JUDGED or n - int(n * part) < FEWEST_TRAINED:
        raise InputError(
            f"Holding out {part:g} of {n:,} observations leaves {n - int(n * part):,} to train on, and "
            f"{int(n * part):,} to judge by.",
            "the argument held_out",
            f"At least {FEWEST_TRAINED} and {FEWEST_JUDGED} are needed: give another part, or n_folds=2.",
        )
    return lambda rng: [held_out_split(presence, part, rng)]


@dataclass(frozen=True, eq=False)
class _Judge:
    """Trains one setting on some observations, and judges it by others."""

    plan: Plan
    setting: _Setting
    device: torch.device
    n_samples: int

    def __call__(self, rows: np.ndarray, held: np.ndarray, working: Callable[[float], None]) -> _Verdict:
        """Train on `rows`, and judge by `held`."""
        began = time.perf_counter()
        working(0.0)
        seen = self.setting.data.take(rows)
        network = new_network(self.plan, self.device, self.setting.own)
        initialise_network(network, seen, np.random.default_rng(self.plan.seed))
        try:
            bound, n_epochs = self.setting.own.objective, self.plan.max_epochs
            train(network, seen, self.plan, bound=bound, on_epoch=lambda row: working((row.epoch + 1) / n_epochs))
        except DivergedError as error:  # one setting that cannot be trained must not take the others with it
            warnings.warn(f"{_words(self.setting.values)} is out: {error.problem}", stacklevel=3)
            nothing = np.full(len(held), np.nan), np.full((len(seen.tables), 2), np.nan)
            return _Verdict(held, *nothing, time.perf_counter() - began)
        new = _with_known_features(self.setting.data.take(held), seen)
        of, given = np.ones(len(new.tables), bool), np.zeros(len(new.tables), bool)
        values = log_likelihood(network, new, of, given, self.n_samples, self.plan.seed)
        squares = [_squares(network, table, new, s, self.plan.seed) for s, table in enumerate(_in_memory(seen))]
        return _Verdict(held, values, np.array(squares), time.perf_counter() - began)


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


def _squares(
    network: MultimodalVAE, seen: ModalityTable, new: MaskedModalities, s: int, seed: int
) -> tuple[float, float]:
    """Sum the squared errors of predicting a modality from the others, and of predicting its mean."""
    rows = np.flatnonzero(new.presence[:, s] & (new.presence.sum(axis=1) > 1))
    if not len(rows) or not seen.present.any():
        return 0.0, 0.0
    abundant = suitable(seen)[0] in ("negative_binomial", "log_normal")
    moments = replace(seen, values=np.log1p(seen.values)).moments if abundant else seen.moments
    unit = np.sqrt(np.where(moments.variance > 0, moments.variance, 1.0))
    truth = new.take(rows)
    hidden = replace(_in_memory(truth)[s], library=np.full(len(rows), np.median(seen.library[seen.present])))
    others = replace(truth, tables=tuple(hidden if t is truth.tables[s] else t for t in truth.tables))
    others = others.given([t.name for t in truth.tables if t is not truth.tables[s]])
    sums = np.zeros(2)
    for index, predicted, _ in predict(network, others, s, IMPUTATION_SAMPLES, seed):
        batch = truth.tables[s].at(index, torch.device("cpu"), torch.float32)
        x, predicted = (np.log1p(np.maximum(a, 0)) if abundant else a for a in (batch.filled.numpy(), predicted))
        for i, guess in enumerate((predicted, moments.mean)):
            sums[i] += np.square((x - guess) / unit, where=batch.mask.numpy(), out=np.zeros(x.shape)).sum()
    return float(sums[0]), float(sums[1])


def _selection(
    tried: Sequence[_Setting], verdicts: Sequence[Sequence[_Verdict]], options: Mapping[str, object]
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
    squares = np.array([np.sum([verdict.squares for verdict in of_setting], axis=0) for of_setting in verdicts])
    if len(data.tables) > 1:
        for s, name in enumerate(data.schema.modalities):
            error, reference = squares[:, s].T
            table[f"error_{name}"] = np.sqrt(error / np.where(reference > 0, reference, np.nan))
    table["seconds"] = [round(sum(verdict.seconds for verdict in of_setting), 1) for of_setting in verdicts]
    chosen = _simplest(tried, top, table)
    table["chosen"] = table.index == chosen
    best = cast("Options", {**options, **tried[chosen].values})
    return Selection(table, per_observation, best, _reason(tried, table, top, chosen), tuple(tried[0].values))


def _simplest(tried: Sequence[_Setting], top: int, table: pd.DataFrame) -> int:
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


def _reason(tried: Sequence[_Setting], table: pd.DataFrame, top: int, chosen: int) -> str:
    highest = f"{table['log_likelihood'][top]:,.1f} nats per observation"
    if chosen == top:
        return f"{_words(tried[top].values)} has the highest held-out log-likelihood, {highest}."
    lower = f"{-table['difference'][chosen]:,.2f} ± {table['se'][chosen]:,.2f}"
    return (
        f"{_words(tried[chosen].values)} is the simplest within one standard error (lower by {lower} nats) of the "
        f"highest held-out log-likelihood, {highest} with {_words(tried[top].values)}."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def word(value: object) -> str:
    """Write a value as on the command line.

    Parameters
    ----------
    value
        A value of an option, or a likelihood of one's own.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> word({"rna": 3, "protein": 2})
    'rna=3,protein=2'
    """
    if isinstance(value, Mapping):
        return ",".join(f"{k}={word(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(map(word, value))
    return value.__name__ if isinstance(value, type) else str(value)


def _words(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={word(value)}" for name, value in values.items())
