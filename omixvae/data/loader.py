"""Rows → `MaskedBatch`, one after the other."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from omixvae.data.masked import MaskedBatch, MaskedModalities

__all__ = ["load_batches"]


def load_batches(
    source: MaskedModalities, batches: Iterable[np.ndarray], device: torch.device, dtype: torch.dtype
) -> Iterator[MaskedBatch]:
    """Give one `MaskedBatch` for each batch of row positions.

    Parameters
    ----------
    source
        Where rows come from.
    batches
        Positions of each batch.
    device, dtype
        Where to put the tensors, and as what.

    Yields
    ------
    MaskedBatch
        In the order asked for.

    Examples
    --------
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> data = from_mudata(simulate(n_obs=50))
    >>> [len(b.index) for b in load_batches(data, [np.arange(3)], torch.device("cpu"), torch.float32)]
    [3]
    """
    for index in batches:
        yield source.rows(index, device, dtype)
