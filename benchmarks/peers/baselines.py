"""What costs nothing: the mean, nearest neighbours, ridge regression, all from principal components."""

from collections.abc import Callable, Iterator

import mudata
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import NearestNeighbors

from benchmarks.peers.outcome import Outcome
from benchmarks.peers.sets import on_scale, values_of

__all__ = ["knn", "mean", "ridge"]

COMPONENTS = 50
NEIGHBOURS = 15
PENALTIES = np.geomspace(1e-2, 1e4, 13)
"""For components in units of the first one's standard deviation; each feature gets the best, by leaving one out."""

Regression = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(components, values, components of those to predict) → predictions."""


def mean(mdata: mudata.MuData, seed: int, batch: str | None = None) -> Outcome:
    """Predict the mean of each feature."""
    return Outcome({name: np.broadcast_to(np.nanmean(y, axis=0), y.shape) for name, y in _targets(mdata)})


def knn(mdata: mudata.MuData, seed: int, batch: str | None = None) -> Outcome:
    """Predict the mean over the nearest observations, in the principal components, that have the value."""
    return _regress(mdata, seed, _neighbours)


def ridge(mdata: mudata.MuData, seed: int, batch: str | None = None) -> Outcome:
    """Predict by ridge regression on the principal components, with a penalty of its own for each feature."""
    return _regress(mdata, seed, _ridge)


def _targets(mdata: mudata.MuData) -> Iterator[tuple[str, np.ndarray]]:
    for name in mdata.mod:
        values = values_of(mdata, name)
        yield name, on_scale(values, values)


def _inputs(mdata: mudata.MuData) -> dict[str, np.ndarray]:
    """Give each modality standardised, abundances as log(1 + x at the median total), zeros where missing."""
    found = {}
    for name in mdata.mod:
        values = values_of(mdata, name)
        if on_scale(values, values) is not values:
            total = np.nansum(values, axis=1, keepdims=True)
            values = np.log1p(values / np.where(total > 0, total, 1) * np.median(total[total > 0]))
        deviation = np.nanstd(values, axis=0)
        x = (values - np.nanmean(values, axis=0)) / np.where(deviation > 1e-6, deviation, 1)
        found[name] = np.nan_to_num(np.clip(x, -10, 10)) / np.sqrt(values.shape[1])
    return found


def _regress(mdata: mudata.MuData, seed: int, predict: Regression) -> Outcome:
    """Predict what lacks a modality whole from the other modalities, and what lacks entries of it from all."""
    inputs = _inputs(mdata)
    predicted = {}
    for name, y in _targets(mdata):
        here = ~np.isnan(y).all(axis=1)
        predicted[name] = np.where(np.isnan(y), np.nanmean(y, axis=0), y)
        for rows, names in (
            (~here, [other for other in inputs if other != name]),
            (here & np.isnan(y).any(axis=1), list(inputs)),
        ):
            if rows.any():
                components = _components([inputs[other] for other in names], seed)
                predicted[name][rows] = predict(components[here], y[here], components[rows])
    return Outcome(predicted)


def _components(blocks: list[np.ndarray], seed: int) -> np.ndarray:
    """Give the principal components of several modalities side by side."""
    x = np.concatenate(blocks, axis=1)
    return PCA(min(COMPONENTS, min(x.shape) - 1), random_state=seed).fit_transform(x)


def _neighbours(known: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(known)
    near = y[search.kneighbors(wanted, return_distance=False)]
    n = (~np.isnan(near)).sum(axis=1)
    return np.where(n > 0, np.nansum(near, axis=1) / np.maximum(n, 1), np.nanmean(y, axis=0))


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
