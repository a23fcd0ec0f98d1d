"""How good is a prediction of hidden values, how honest is its doubt, and does a latent tell too much?"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers.outcome import COVERAGES

__all__ = ["FOLDS", "batch_mixing", "coverage_scores", "prediction_scores", "presence_auc"]

FEWEST = 5
"""Hidden values of a feature below which no correlation is taken."""

NEIGHBOURS = 50

FOLDS = 5
"""Of each class there must be as many."""


def prediction_scores(
    truth: np.ndarray, predicted: np.ndarray, hidden: np.ndarray, seen: np.ndarray
) -> dict[str, float]:
    """Compare predictions of hidden entries with their values.

    Parameters
    ----------
    truth, predicted
        Shape (n, features), on the scale of the comparison.
    hidden
        True for the entries to compare.
    seen
        The values that were seen; NaN elsewhere. Their mean is the reference.

    Returns
    -------
    dict
        ``pearson``: mean over features of the correlation over observations (0 where the prediction is constant);
        ``error``: root mean square error over that of predicting the mean, features in units of their deviation.
    """
    center, unit = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
    usable = (unit > 1e-6) & (hidden.sum(axis=0) >= FEWEST)
    t, p = ((np.where(hidden, a, np.nan) - center)[:, usable] / unit[usable] for a in (truth, predicted))
    return {
        "pearson": float(np.mean(_correlations(t, p))),
        "error": float(np.sqrt(np.nanmean((t - p) ** 2) / np.nanmean(t**2))),
    }


def coverage_scores(truth: np.ndarray, limits: np.ndarray, hidden: np.ndarray) -> dict[str, float]:
    """Give the share of hidden entries that lie within the limits of each coverage.

    Parameters
    ----------
    truth
        Shape (n, features), on the scale of the limits: whole numbers moved by chance (`sets.untied`).
    limits
        Shape (2 × coverages, n, features).
    hidden
        True for the entries to look at.

    Returns
    -------
    dict
        ``cover50`` and so on.
    """
    found = {}
    for c, low, high in zip(COVERAGES, limits[0::2], limits[1::2], strict=True):
        within = (truth >= low) & (truth <= high)
        found[f"cover{100 * c:.0f}"] = float(within[hidden].mean())
    return found


def batch_mixing(latent: np.ndarray, batch: np.ndarray) -> float:
    """Give the share of neighbours that come from another batch, over its expectation.

    Parameters
    ----------
    latent
        Shape (n, d).
    batch
        Shape (n,).

    Returns
    -------
    float
        Mean over observations of the share among the 50 nearest others, over the mean of (n - n_b) / (n - 1), where the
        own batch has n_b observations: 1 when batches lie as if given out by chance, 0 when they lie apart.
    """
    _, which, sizes = np.unique(batch, return_inverse=True, return_counts=True)
    # without points of its own, the search leaves out each point itself
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(latent) - 1)).fit(latent).kneighbors(return_distance=False)
    expected = (len(latent) - sizes[which]) / (len(latent) - 1)
    return float(np.mean(which[near] != which[:, None]) / np.mean(expected))


def presence_auc(latent: np.ndarray, present: np.ndarray, seed: int) -> float:
    """Say how well a classifier tells from the latent whether a modality was there.

    Parameters
    ----------
    latent
        Shape (n, d), of observations for which chance said whether they have the modality.
    present
        Shape (n,), whether they have it.
    seed
        How the folds are drawn.

    Returns
    -------
    float
        Area under the ROC curve, mean over 5 folds, of the better of logistic regression and boosted trees: 0.5 when
        nothing can be told, 1 when all can.
    """
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    classifiers = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        HistGradientBoostingClassifier(random_state=seed),
    )
    return max(float(cross_val_score(c, latent, present, cv=folds, scoring="roc_auc").mean()) for c in classifiers)


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (x - np.nanmean(x, axis=0) for x in (a, b))
    size = np.sqrt(np.nansum(a**2, axis=0) * np.nansum(b**2, axis=0))
    return np.where(size > 1e-9, np.nansum(a * b, axis=0) / np.where(size > 1e-9, size, 1), 0.0)
