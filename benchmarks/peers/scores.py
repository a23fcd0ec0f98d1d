"""How good is a prediction of hidden values, and how honest is its doubt?"""

import numpy as np

from benchmarks.peers.outcome import COVERAGES

__all__ = ["coverage_scores", "prediction_scores"]

FEWEST = 5
"""Hidden values of a feature below which no correlation is taken."""


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
        Shape (n, features).
    limits
        Shape (2 × coverages, n, features).
    hidden
        True for the entries to look at.

    Returns
    -------
    dict
        ``cover50`` and so on. Limits that a discrete value equals count as half: of zeros and ones no limits can hold
        exactly a given share.
    """
    found = {}
    for c, low, high in zip(COVERAGES, limits[0::2], limits[1::2], strict=True):
        t, low, high = truth[hidden], low[hidden], high[hidden]
        within = 0.5 * (((t > low) & (t < high)).astype(float) + ((t >= low) & (t <= high)))
        found[f"cover{100 * c:.0f}"] = float(within.mean())
    return found


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (x - np.nanmean(x, axis=0) for x in (a, b))
    size = np.sqrt(np.nansum(a**2, axis=0) * np.nansum(b**2, axis=0))
    return np.where(size > 1e-9, np.nansum(a * b, axis=0) / np.where(size > 1e-9, size, 1), 0.0)
