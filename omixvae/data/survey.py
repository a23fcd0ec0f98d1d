"""What is said of the values of a modality as a whole: added up in one look, alike wherever they lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omixvae.data.matrices import Matrix, count_in_columns
from omixvae.data.stray import Stray, StrayValues

if TYPE_CHECKING:
    from omixvae.data.tables import ModalityTable

__all__ = ["ABUNDANT", "Moments", "Survey", "block_rows", "survey"]

ABUNDANT = 10
"""Counts from here on are more than single molecules that happened to be seen."""

MAX_BLOCK_VALUES = 2**24
"""Most values of a block, were it dense: 64 MB."""


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each feature over its measured entries.

    Parameters
    ----------
    mean, variance
        Shape (g,). A feature that was never measured has mean 0 and variance 1.
    """

    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False)
class Survey:
    """What one look at all values of a modality tells.

    Parameters
    ----------
    totals, n_measured_in, n_nonzero_in
        Shape (rows,): sum and number of the measured entries of each row, and how many of them are not 0.
    n_measured, n_infinite
        Shape (g,): number of measured entries of each feature, and how many of them are infinite.
    moments
        Mean and variance of each feature.
    smallest, largest
        Of all measured values; infinite where there is none.
    whole
        Whether all are whole numbers.
    n_abundant
        How many are `ABUNDANT` or more.
    strays
        Numbers that probably stand for "not measured".
    """

    totals: np.ndarray
    n_measured_in: np.ndarray
    n_nonzero_in: np.ndarray
    n_measured: np.ndarray
    n_infinite: np.ndarray
    moments: Moments
    smallest: float
    largest: float
    whole: bool
    n_abundant: int
    strays: tuple[Stray, ...]

    @property
    def n_zero(self) -> int:
        """Number of measured entries that are 0."""
        return int(self.n_measured.sum() - self.n_nonzero_in.sum())

    @property
    def n_missing(self) -> int:
        """Number of entries that were not measured."""
        return len(self.totals) * len(self.n_measured) - int(self.n_measured.sum())


def survey(blocks: "Iterable[ModalityTable]", n_features: int) -> Survey:
    """Look at all values once.

    Parameters
    ----------
    blocks
        All rows, some at a time.
    n_features
        Number of features.

    Returns
    -------
    Survey
        Sums are in float64.

    Examples
    --------
    >>> from omixvae.data.tables import ModalityTable
    >>> values = np.array([[1.0, 0.0], [3.0, 0.5]], np.float32)
    >>> table = ModalityTable("rna", ("CD4", "CD8A"), values, np.arange(2), None, np.ones(2))
    >>> found = survey(table.blocks(), 2)
    >>> found.moments.mean.tolist(), found.largest, found.whole
    ([2.0, 0.25], 3.0, False)
    """
    totals, measured_in, nonzero_in = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    n_measured, n_infinite = np.zeros(n_features, np.int64), np.zeros(n_features, np.int64)
    total, squares = np.zeros(n_features), np.zeros(n_features)
    smallest, largest, whole, n_abundant, ends = np.inf, -np.inf, True, 0, StrayValues(n_features)
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite values, which are refused
        for block in blocks:
            values, missing, measured = block.values, block.missing, block.measured()
            totals.append(np.asarray(values.sum(1, dtype=np.float64)).ravel())
            lacking = np.zeros(values.shape[0], np.int64) if missing is None else np.asarray(missing.sum(1)).ravel()
            measured_in.append(n_features - lacking)
            n_measured += values.shape[0] - (0 if missing is None else np.asarray(missing.sum(0)).ravel())
            added, added_squares = _sums(values)
            total, squares = total + added, squares + added_squares
            low, high = measured.min(initial=np.inf), measured.max(initial=-np.inf)
            smallest, largest = min(smallest, float(low)), max(largest, float(high))
            whole = whole and bool(np.all(measured == np.round(measured)))
            n_abundant += int(np.sum(measured >= ABUNDANT))
            nonzero_in.append(_n_nonzero_in(values))
            ends.add(values, measured, float(low), float(high))
            if np.isinf([low, high]).any():
                n_infinite += count_in_columns(values, np.isinf)
        mean = total / np.maximum(n_measured, 1)
        variance = squares / np.maximum(n_measured, 1) - mean**2
    variance = np.where(n_measured > 0, np.maximum(variance, 0.0), 1.0)
    return Survey(
        np.concatenate(totals),
        np.concatenate(measured_in),
        np.concatenate(nonzero_in),
        n_measured,
        n_infinite,
        Moments(mean, variance),
        smallest,
        largest,
        whole,
        n_abundant,
        ends.found(whole=whole),
    )


def _sums(values: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Sum values and squares of each feature."""
    if isinstance(values, np.ndarray):
        return values.sum(0, dtype=np.float64), np.square(values, dtype=np.float64).sum(0)
    # SciPy adds up in float32, whatever dtype is asked for: far from zero no digit of the variance is left.
    g = values.shape[1]
    squares = np.square(values.data, dtype=np.float64)
    return np.bincount(values.indices, values.data, g), np.bincount(values.indices, squares, g)


def _n_nonzero_in(values: Matrix) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return np.count_nonzero(values, axis=1)
    stored = np.concatenate([[0], np.cumsum(values.data != 0)])  # a zero may be stored
    return np.diff(stored[values.indptr])


def block_rows(n_features: int) -> int:
    """Return how many rows a block has that is looked at as a whole.

    Parameters
    ----------
    n_features
        Number of features.

    Returns
    -------
    int
        The same for tables in memory and on disk, so that sums are the same to the last digit.
    """
    return max(1, MAX_BLOCK_VALUES // max(1, n_features))
