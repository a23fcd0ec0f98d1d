"""Which rows next: the held-out split, and the order of an epoch."""

import numpy as np

__all__ = ["epoch_batches", "held_out_split"]


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
    usable = np.flatnonzero(presence.any(axis=1))
    # Sorting shuffled rows by pattern and taking every k-th gives each pattern its share, also where it has few rows.
    usable = rng.permutation(usable)
    _, pattern = np.unique(presence[usable], axis=0, return_inverse=True)
    usable = usable[np.argsort(pattern.ravel(), kind="stable")]
    share = np.floor(np.arange(1, len(usable) + 1) * fraction + 1e-9) > np.floor(
        np.arange(len(usable)) * fraction + 1e-9
    )
    return np.sort(usable[~share]), np.sort(usable[share])


def epoch_batches(rows: np.ndarray, batch_size: int, rng: np.random.Generator | None = None) -> list[np.ndarray]:
    """Cut rows into batches of nearly equal size.

    Parameters
    ----------
    rows
        Positions of observations.
    batch_size
        Most rows of a batch.
    rng
        Shuffles the rows first; they keep their order when not given.

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
    return np.array_split(order, max(1, -(-len(rows) // batch_size)))
