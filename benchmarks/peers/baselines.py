"""What costs nothing: the mean, nearest neighbours, ridge regression, all from principal components."""

from collections.abc import Callable, Mapping, Sequence

import mudata
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import NearestNeighbors

from benchmarks.peers.outcome import Outcome
from benchmarks.peers.sets import on_scale, values_of

__all__ = ["components", "knn", "mean", "ridge"]

COMPONENTS = 50
NEIGHBOURS = 15
PENALTIES = np.geomspace(1e-2, 1e4, 13)
"""For components in units of the first one's standard deviation; each feature gets the best, by leaving one out."""

Regression = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(components, values, components of those to predict) → predictions."""


def mean(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Predict the mean of each feature."""
    targets = _targets(mdata, wanted)
    return Outcome({name: np.broadcast_to(np.nanmean(y, axis=0), y.shape) for name, y in targets.items()})


def knn(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Predict the mean over the nearest observations, in the principal components, that have the value."""
    return Outcome(_regress(_inputs(mdata), _targets(mdata, wanted), seed, _neighbours))


def ridge(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Predict by ridge regression on the principal components, with a penalty of its own for each feature."""
    return Outcome(_regress(_inputs(mdata), _targets(mdata, wanted), seed, _ridge))


def components(mdata: mudata.MuData, seed: int, batch: str | None, wanted: Sequence[str]) -> Outcome:
    """Give the principal components as a latent; what is missing is filled in by ridge regression first."""
    return Outcome({}, latent=_components(_filled(_inputs(mdata), seed, _ridge, passes=1), seed))


def _targets(mdata: mudata.MuData, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    measured = {name: values_of(mdata, name) for name in wanted}
    return {name: on_scale(values, values) for name, values in measured.items()}


def _inputs(mdata: mudata.MuData) -> dict[str, np.ndarray]:
    """Give each modality standardised, abundances as log(1 + x at the median total), NaN where missing."""
    found = {}
    for name in mdata.mod:
        values = values_of(mdata, name)
        if on_scale(values, values) is not values:
            total = np.nansum(values, axis=1, keepdims=True)
            values = np.log1p(values / np.where(total > 0, total, 1) * np.median(total[total > 0]))
        deviation = np.nanstd(values, axis=0)
        x = (values - np.nanmean(values, axis=0)) / np.where(deviation > 1e-6, deviation, 1)
        found[name] = np.clip(x, -10, 10) / np.sqrt(values.shape[1])
    return found


def _regress(
    inputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    seed: int,
    predict: Regression,
    passes: int = 2,
) -> dict[str, np.ndarray]:
    """Predict what lacks a modality whole from the other modalities, and what lacks entries of it from all.

    What the inputs lack is zero (the mean) in the first pass, and what the pass before would predict in the next ones.
    """
    predicted = {}
    for name, y in targets.items():
        here = ~np.isnan(y).all(axis=1)
        predicted[name] = np.where(np.isnan(y), np.nanmean(y, axis=0), y)
        for rows, names in (
            (~here, [other for other in inputs if other != name]),
            (here & np.isnan(y).any(axis=1), list(inputs)),
        ):
            blocks = {other: inputs[other] for other in names}
            told = np.any([~np.isnan(x).all(axis=1) for x in blocks.values()], axis=0)
            if (rows & told).any():
                # filled from these blocks alone: the modality to predict must not come back through the others
                parts = _components(_filled(blocks, seed, predict, passes - 1), seed)
                known = here & told
                predicted[name][rows & told] = predict(parts[known], y[known], parts[rows & told])
    return predicted


def _filled(blocks: Mapping[str, np.ndarray], seed: int, predict: Regression, passes: int) -> dict[str, np.ndarray]:
    zeros = {name: np.nan_to_num(x) for name, x in blocks.items()}
    if passes == 0:
        return zeros
    missing = {name: x for name, x in blocks.items() if np.isnan(x).any()}
    predicted = _regress(blocks, missing, seed, predict, passes)
    return zeros | {name: np.where(np.isnan(x), predicted[name], x) for name, x in missing.items()}


def _components(blocks: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
    """Give the principal components of several modalities side by side."""
    x = np.concatenate(list(blocks.values()), axis=1)
    return PCA(min(COMPONENTS, min(x.shape) - 1), random_state=seed).fit_transform(x)


def _neighbours(known: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(known)
    near = search.kneighbors(wanted, return_distance=False).T
    n = sum((~np.isnan(y[rows])).astype(np.float32) for rows in near)
    total = sum(np.nan_to_num(y[rows]) for rows in near)
    return np.where(n > 0, total / np.maximum(n, 1), np.nanmean(y, axis=0))


def _ridge(known: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Features that were measured in the same observations are fitted together."""
    result = np.empty((len(wanted), y.shape[1]), np.float32)
    unit = known[:, 0].std()
    patterns, which = np.unique(~np.isnan(y), axis=1, return_inverse=True)
    for i, rows in enumerate(patterns.T):
        columns = np.flatnonzero(which.ravel() == i)
        if rows.sum() < 3:
            result[:, columns] = np.nanmean(y[:, columns], axis=0)
            continue
        model = RidgeCV(PENALTIES, alpha_per_target=True).fit(known[rows] / unit, y[rows][:, columns])
        result[:, columns] = model.predict(wanted / unit).reshape(len(wanted), -1)
    return result
