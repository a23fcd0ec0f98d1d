"""Sparse rows that stay on a device: taken there, without a copy from the host and without waiting for it."""

import numpy as np
import scipy.sparse as sp
import torch

from omixvae.data.batches import Nonzeros

__all__ = ["ResidentRows", "fits"]

PART_OF_MEMORY = 0.5
"""Of what is free on a device, data may take: networks and batches need the rest."""

BYTES_OF_ENTRY = 8


def fits(matrix: sp.csr_matrix, device: torch.device) -> bool:
    """Return whether a matrix can stay on a device.

    Parameters
    ----------
    matrix
        Float32.
    device
        Where to.

    Returns
    -------
    bool
        False on a processor, which has the matrix at hand anyway.

    Examples
    --------
    >>> fits(sp.csr_matrix((2, 3), dtype=np.float32), torch.device("cpu"))
    False
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return BYTES_OF_ENTRY * matrix.nnz < PART_OF_MEMORY * free


class ResidentRows:
    """A sparse matrix on a device.

    Parameters
    ----------
    matrix
        Shape (rows, g), float32.
    device
        Where it is to stay.

    Examples
    --------
    >>> rows = ResidentRows(sp.csr_matrix(np.array([[0, 1], [2, 3]], np.float32)), torch.device("cpu"))
    >>> [part.tolist() for part in rows.take(np.array([1]), np.array([0]))]
    [[2.0, 3.0], [0, 0], [0, 1]]
    """

    def __init__(self, matrix: sp.csr_matrix, device: torch.device) -> None:
        self.starts, self.lengths = matrix.indptr[:-1].astype(np.int64), np.diff(matrix.indptr).astype(np.int64)
        self.values = torch.from_numpy(matrix.data).to(device)
        self.columns = torch.from_numpy(matrix.indices).to(device)
        self.device = self.values.device  # with its number, which "cuda" has not

    def take(self, rows: np.ndarray, to: np.ndarray) -> Nonzeros:
        """Take the entries of some rows.

        Parameters
        ----------
        rows
            Shape (n,): which rows.
        to
            Shape (n,): what each is called in the result.

        Returns
        -------
        Nonzeros
            Row after row; equal to what SciPy's slices give.
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        n_entries = int(lengths.sum())  # known to the host, which would else have to ask the device
        firsts = starts - np.cumsum(lengths) + lengths
        first, length, name = torch.from_numpy(np.stack([firsts, lengths, to])).to(self.device, non_blocking=True)
        which = torch.repeat_interleave(length, output_size=n_entries)
        place = torch.arange(n_entries, device=self.device) + first.index_select(0, which)
        columns = self.columns.index_select(0, place).long()
        return Nonzeros(self.values.index_select(0, place), name.index_select(0, which), columns)
