"""Matrices on disk: a `Part` is what any store must offer; a `StoredMatrix` is one matrix, in one or several parts."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import anndata.abc
import h5py
import numpy as np
import scipy.sparse as sp
import zarr

from omixvae.data.matrices import Matrix, as_matrix, stack
from omixvae.errors import InputError

__all__ = ["BLOCK_ROWS", "Part", "StoredMatrix", "lies_on_disk"]

BLOCK_ROWS = 256
"""Rows that are read together."""


def lies_on_disk(x: object) -> bool:
    """Return whether a matrix is one whose values are still in a file.

    Parameters
    ----------
    x
        What AnnData holds.

    Returns
    -------
    bool
        True for the matrices of backed files.

    Examples
    --------
    >>> lies_on_disk(np.zeros((2, 2)))
    False
    """
    on_disk = (h5py.Dataset, zarr.Array, anndata.abc.CSRDataset, anndata.abc.CSCDataset, StoredMatrix)
    return isinstance(x, on_disk)


class Part(Protocol):
    """Rows of a matrix in some store: all that training asks of it.

    Another kind of file, a database or a service is one class with these two; see `omixvae.data.StoredAnnData`.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""

    def read(self, first: int, last: int) -> Matrix:
        """Read the rows from `first` to before `last`, dense or CSR, but always the same; NaN where nothing is known.

        None when `first` is `last`: then the result has shape (0, columns).
        """


class _Rows:
    """What the rows of data sets in files share."""

    def __init__(self, dataset: Any) -> None:  # noqa: ANN401 (they have no common class)
        self.dataset = dataset

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        n, g = self.dataset.shape
        return n, g


class DenseRows(_Rows):
    """Rows of a dense data set of HDF5 or zarr.

    Parameters
    ----------
    dataset
        An `h5py.Dataset` or a `zarr.Array`.
    """

    def read(self, first: int, last: int) -> Matrix:
        """Read rows that follow one another."""
        rows: np.ndarray = self.dataset[first:last]
        return rows


class SparseRows(_Rows):
    """Rows of a sparse data set of anndata.

    Parameters
    ----------
    dataset
        A `CSRDataset`, or a `CSCDataset`, whose rows cannot be read (see `StoredMatrix.check`).
    """

    @cached_property
    def indptr(self) -> np.ndarray:
        """Where each row begins: 8 bytes a row, to ask the file each time would be one more access for each block."""
        starts: np.ndarray = self.dataset.group["indptr"][:].astype(np.int64)
        return starts

    def read(self, first: int, last: int) -> Matrix:
        """Read rows that follow one another."""
        indptr = self.indptr[first : last + 1]
        values, columns = (self.dataset.group[of][indptr[0] : indptr[-1]] for of in ("data", "indices"))
        return sp.csr_matrix((values, columns, indptr - indptr[0]), shape=(last - first, self.shape[1]))


def _as_part(x: Any) -> Part:  # noqa: ANN401 (as in _Rows)
    if isinstance(x, (anndata.abc.CSRDataset, anndata.abc.CSCDataset)):
        return SparseRows(x)
    part: Part = DenseRows(x) if isinstance(x, (h5py.Dataset, zarr.Array)) else x
    return part


class StoredMatrix:
    """A matrix on disk, its rows in one part or in several, one after the other.

    Parameters
    ----------
    parts
        Each an `h5py.Dataset`, a `zarr.Array`, a sparse dataset of anndata, or any other `Part`; all dense or all
        sparse by rows (see `check`).
    name
        The modality, for messages.
    """

    def __init__(self, parts: Sequence[Any], name: str) -> None:
        self.parts, self.name = tuple(_as_part(part) for part in parts), name
        self.starts = np.cumsum([0, *(part.shape[0] for part in self.parts)])
        self.shape = (int(self.starts[-1]), int(self.parts[0].shape[1]))

    @cached_property
    def sparse(self) -> bool:
        """Whether all parts are sparse."""
        return all(isinstance(part, SparseRows) or sp.issparse(part.read(0, 0)) for part in self.parts)

    def check(self, where: str) -> None:
        """Refuse a matrix whose rows cannot be read; not before it is asked for, as a file may hold others beside it.

        Parameters
        ----------
        where
            How the matrix is written in Python.

        Raises
        ------
        InputError
            If it is stored by columns, or in part dense and in part sparse.
        """
        sparse = [part.dataset for part in self.parts if isinstance(part, SparseRows)]
        by_columns = [dataset for dataset in sparse if isinstance(dataset, anndata.abc.CSCDataset)]
        if by_columns:
            kind = "zarr" if isinstance(by_columns[0].group, zarr.Group) else "h5mu"
            raise InputError(
                f"Modality {self.name!r} is stored by columns (CSC), of which single rows cannot be read.",
                where,
                f"Write the file again by rows (CSR): mdata = mudata.read_{kind}(path); {where} = {where}.tocsr(); "
                f"mdata.write_{kind}(path).",
            )
        if sparse and not self.sparse:
            raise InputError(
                f"Modality {self.name!r} is sparse in some files and dense in others.", where, "Write all files alike."
            )

    @cached_property
    def row_bytes(self) -> float:
        """Bytes of an average row in memory."""
        if not self.sparse:
            return 4.0 * self.shape[1]
        return 8.0 * sum(map(_n_stored, self.parts)) / max(1, self.shape[0])

    def read(self, first: int, last: int) -> Matrix:
        """Read rows that follow one another.

        Parameters
        ----------
        first, last
            The first row, and the one after the last.

        Returns
        -------
        numpy.ndarray or scipy.sparse.csr_matrix
            Float32, NaN where an entry is missing.
        """
        read = []
        for part, start, end in zip(self.parts, self.starts[:-1], self.starts[1:], strict=True):
            if first < end and last > start:
                rows = part.read(int(max(first, start) - start), int(min(last, end) - start))
                read.append(as_matrix(rows, self.name))
        return stack(read)


def _n_stored(part: Part) -> float:
    """Return how many values a sparse part holds; about, judged by its first rows, where that is nowhere written."""
    n = part.shape[0]
    if isinstance(part, SparseRows):
        return float(part.indptr[-1])
    first = sp.csr_matrix(part.read(0, min(n, BLOCK_ROWS)))
    return float(first.nnz / max(1, first.shape[0]) * n)
