"""Which rows next: the held-out split, folds, and the order of an epoch."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Layout", "epoch_batches", "folds", "held_out_split", "in_order", "shared_batches"]


@dataclass(frozen=True, eq=False)
class Layout:
    """How the observations of a source lie on disk.

    Parameters
    ----------
    place
        Shape (n,): the row that each observation has there, or is near.
    block
        Rows that are read together.
    window
        Rows that can be at hand at once, some blocks.
    """

    place: np.ndarray
    block: int
    window: int


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
    share = np.diff(np.floor(np.arange(len(usable) + 1) * fraction + 1e-9)) > 0
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


def in_order(rows: np.ndarray, layout: Layout | None) -> np.ndarray:
    """Sort rows as they lie on disk: in any other order, each batch would touch every block.

    Parameters
    ----------
    rows
        Positions of observations.
    layout
        How they lie; None in memory, where any order will do.

    Returns
    -------
    numpy.ndarray
        The same rows.

    Examples
    --------
    >>> in_order(np.array([0, 1, 2]), Layout(np.array([5, 3, 4]), block=2, window=4)).tolist()
    [1, 2, 0]
    """
    return rows if layout is None else rows[np.argsort(layout.place[rows], kind="stable")]


def epoch_batches(
    rows: np.ndarray, batch_size: int, rng: np.random.Generator | None = None, layout: Layout | None = None
) -> list[np.ndarray]:
    """Cut rows into batches of nearly equal size.

    Parameters
    ----------
    rows
        Positions of observations.
    batch_size
        Most rows of a batch.
    rng
        Shuffles the rows first; they keep their order when not given.
    layout
        How they lie on disk, if they do: then blocks are shuffled, and rows within as many blocks as can be at hand at
        once, so that each block is read once.

    Returns
    -------
    list of numpy.ndarray
        All rows once, in batches whose sizes differ by at most one.

    Examples
    --------
    >>> [len(b) for b in epoch_batches(np.arange(10), 4)]
    [4, 3, 3]
    """
    if rng is None:
        order = rows
    elif layout is None:
        order = rng.permutation(rows)
    else:
        order = _mixed(_shuffled_blocks(rows, layout, rng), layout, rng)
    return np.array_split(order, max(1, -(-len(rows) // batch_size)))


def shared_batches(
    rows: np.ndarray,
    batch_size: int,
    n_parts: int,
    rng: np.random.Generator | None = None,
    layout: Layout | None = None,
) -> list[tuple[np.ndarray, ...]]:
    """Cut rows into batches, and each into parts for processes that train together.

    Parameters
    ----------
    rows
        Positions of observations, at least as many as there are parts.
    batch_size
        Most rows of a part.
    n_parts
        Number of processes.
    rng, layout
        As for `epoch_batches`. On disk, each process reads blocks of its own.

    Returns
    -------
    list of tuple of numpy.ndarray
        Each batch with its parts, none of them empty. In memory, and for one process, the batches are those of
        `epoch_batches` for as many times the rows, dealt out one by one.

    Examples
    --------
    >>> [[part.tolist() for part in parts] for parts in shared_batches(np.arange(6), 2, 2)]
    [[[0, 2], [1]], [[3, 5], [4]]]
    """
    n_batches = max(1, min(-(-len(rows) // (batch_size * n_parts)), len(rows) // n_parts))
    if rng is None or layout is None or n_parts == 1:
        order = np.concatenate(epoch_batches(rows, len(rows), rng, layout))
        return [tuple(b[part::n_parts] for part in range(n_parts)) for b in np.array_split(order, n_batches)]
    blocks = _shuffled_blocks(rows, layout, rng)
    orders = [_mixed(blocks[part::n_parts], layout, rng) for part in range(n_parts)]
    return list(zip(*(np.array_split(order, n_batches) for order in orders), strict=True))


def _shuffled_blocks(rows: np.ndarray, layout: Layout, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut rows where a block on disk ends, and put the parts in random order."""
    along = in_order(rows, layout)
    blocks = np.split(along, np.flatnonzero(np.diff(layout.place[along] // layout.block)) + 1)
    return [blocks[i] for i in rng.permutation(len(blocks))]


def _mixed(blocks: list[np.ndarray], layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Shuffle rows within as many blocks as can be at hand at once."""
    n = max(1, layout.window // layout.block)
    windows = (np.concatenate(blocks[i : i + n]) for i in range(0, len(blocks), n))
    return np.concatenate([rng.permutation(window) for window in windows])
