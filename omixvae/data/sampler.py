"""Which rows next: the held-out split, folds, and the order of an epoch."""

import numpy as np

__all__ = ["epoch_batches", "folds", "held_out_split"]


def held_out_split(presence: np.ndarray, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split the observations into those to train on and those to hold out, alike in what is missing.

    Parameters
    ----------
    presence
        Shape (n, m), true where the observation has the modality. Observations without any modality are left out.
    fraction
        Part to hold out of each presence pattern, from 0 to less than 1.
    rng
        Source of random numbers.

    Returns
    -------
    tuple of numpy.ndarray
        Positions to train on, and positions held out; both sorted.

    Examples
    --------
    >>> train, held_out = held_out_split(np.ones((10, 2), bool), 0.2, np.random.default_rng(0))
    >>> len(train), len(held_out)
    (8, 2)
    """
    # Taking every k-th of the rows sorted by pattern gives each pattern its share, also where it has few rows.
    usable = _by_pattern(presence, rng)
    share = np.floor(np.arange(1, len(usable) + 1) * fraction + 1e-9) > np.floor(
        np.arange(len(usable)) * fraction + 1e-9
    )
    return np.sort(usable[~share]), np.sort(usable[share])


def folds(presence: np.ndarray, n_folds: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the observations into parts for cross-validation, alike in what is missing and nearly equal in size.

    Parameters
    ----------
    presence
        Shape (n, m), true where the observation has the modality. Observations without any modality are left out.
    n_folds
        Number of parts.
    rng
        Source of random numbers.

    Returns
    -------
    list of tuple of numpy.ndarray
        For each part the positions to train on (all others), and those held out (the part itself); both sorted.

    Examples
    --------
    >>> [len(held_out) for _, held_out in folds(np.ones((10, 2), bool), 3, np.random.default_rng(0))]
    [4, 3, 3]
    """
    usable = _by_pattern(presence, rng)
    parts = [usable[k::n_folds] for k in range(n_folds)]
    return [(np.sort(np.setdiff1d(usable, part)), np.sort(part)) for part in parts]


def _by_pattern(presence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sort the observations that have any modality by their presence pattern, in random order within each."""
    usable = rng.permutation(np.flatnonzero(presence.any(axis=1)))
    _, pattern = np.unique(presence[usable], axis=0, return_inverse=True)
    return usable[np.argsort(pattern.ravel(), kind="stable")]


def epoch_batches(
    rows: np.ndarray, batch_size: int, rng: np.random.Generator | None = None, n_parts: int = 1
) -> list[np.ndarray]:
    """Cut rows into batches of nearly equal size.

    Parameters
    ----------
    rows
        Positions of observations.
    batch_size
        Most rows of a batch, or of a part of it.
    rng
        Shuffles the rows first; they keep their order when not given.
    n_parts
        Into how many parts each batch will be cut: it has as many times the rows, and at least one for each part.

    Returns
    -------
    list of numpy.ndarray
        All rows once, in batches whose sizes differ by at most one.

    Examples
    --------
    >>> [len(b) for b in epoch_batches(np.arange(10), 4)]
    [4, 3, 3]
    """
    order = rows if rng is None else rng.permutation(rows)
    return np.array_split(order, max(1, min(-(-len(rows) // (batch_size * n_parts)), len(rows) // n_parts)))
