"""Tables on disk: rows are read when they are asked for, and what was decoded last is kept, in bounds.

A `StoredTable` is a modality whose values lie in a `StoredMatrix`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch

from omixvae.data.batches import ModalityBatch
from omixvae.data.matrices import Matrix, arrange, stack
from omixvae.data.stored_matrix import BLOCK_ROWS, StoredMatrix
from omixvae.data.survey import Survey, block_rows, survey
from omixvae.data.tables import ModalityTable, Table

__all__ = ["StoredRows", "StoredTable"]

ROWS_WORTH_A_BLOCK = 3
"""Rows of a block from which on it takes less time to read it whole than to read them one by one."""

WINDOW_ROWS = 16_384
"""Rows that an epoch shuffles among one another: enough that what lies together in the file is mixed with 63 other
blocks."""

CACHE_BYTES = 2**28
"""Most bytes of decoded blocks that are kept of a modality; two windows fit, as a batch can reach into the next."""


class StoredRows:
    """Rows of a matrix on disk with the features that are asked for, what was not measured apart from what was.

    Parameters
    ----------
    matrix
        Where they lie.
    features
        Names of the g features.
    columns
        Shape (g,): columns of the matrix, -1 for a feature that it lacks; None where they are all, in order.
    """

    def __init__(self, matrix: StoredMatrix, features: tuple[str, ...], columns: np.ndarray | None) -> None:
        self.matrix, self.features, self.columns = matrix, features, columns
        self._kept: OrderedDict[int, ModalityTable] = OrderedDict()
        self._kept_bytes = 0

    @cached_property
    def survey(self) -> Survey:
        """What one look at all values tells."""
        return survey(self.blocks(), len(self.features))

    @property
    def lacks_features(self) -> bool:
        """Whether a feature that is asked for is not in the file."""
        return self.columns is not None and bool((self.columns < 0).any())

    @property
    def window(self) -> int:
        """Rows of which twice as many are kept."""
        fitting = int(CACHE_BYTES / 2 / max(1.0, self.matrix.row_bytes))
        return max(BLOCK_ROWS, min(WINDOW_ROWS, fitting))

    def blocks(self) -> Iterator[ModalityTable]:
        """Yield all rows, some at a time; none is kept."""
        n, size = self.matrix.shape[0], block_rows(len(self.features))
        for first in range(0, n, size):
            yield self._decode(first, min(n, first + size))

    def block(self, number: int) -> ModalityTable:
        """Return a block of `BLOCK_ROWS` rows, and keep it until others have taken its place."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        first = number * BLOCK_ROWS
        block = self._decode(first, min(self.matrix.shape[0], first + BLOCK_ROWS))
        self._kept[number] = block
        self._kept_bytes += _bytes(block)
        while self._kept_bytes > CACHE_BYTES and len(self._kept) > 1:
            self._kept_bytes -= _bytes(self._kept.popitem(last=False)[1])
        return block

    def some(self, number: int, rows: np.ndarray, *, alone: bool) -> Iterator[ModalityTable]:
        """Yield some rows of a block; where they are to be read alone, one at a time, unless the block is at hand."""
        if alone and number not in self._kept:
            yield from (self._decode(row, row + 1) for row in rows.tolist())
        else:
            yield self.block(number).take(rows - number * BLOCK_ROWS)

    def _decode(self, first: int, last: int) -> ModalityTable:
        values, missing = arrange(self.matrix.read(first, last), self.columns)
        n = last - first
        return ModalityTable(self.matrix.name, self.features, values, np.arange(n), missing, np.full(n, np.nan))


def _bytes(block: ModalityTable) -> int:
    matrices = [m for m in (block.values, block.missing) if m is not None]
    return sum(
        m.nbytes if isinstance(m, np.ndarray) else m.data.nbytes + m.indices.nbytes + m.indptr.nbytes for m in matrices
    )


@dataclass(frozen=True, eq=False)
class StoredTable(Table):
    """All observations of one modality, on disk.

    Parameters
    ----------
    name
        The modality.
    features
        Names of the g features.
    rows
        Where its rows lie.
    row
        Shape (n,): the row that belongs to each observation, -1 where the modality is absent.
    library
        Shape (n,): total of each observation (see `ModalityTable`).
    """

    name: str
    features: tuple[str, ...]
    rows: StoredRows
    row: np.ndarray
    library: np.ndarray
    is_label: bool = False
    coverage: None = None

    @property
    def survey(self) -> Survey:
        """What one look at all values tells."""
        return self.rows.survey

    @property
    def has_missing(self) -> bool:
        """Whether single entries were not measured."""
        return self.survey.n_missing > 0

    @property
    def window(self) -> int:
        """How many rows can be at hand at once."""
        return self.rows.window

    def blocks(self) -> Iterator[ModalityTable]:
        """Return all rows, one after the other, some at a time."""
        return self.rows.blocks()

    def absent(self) -> "StoredTable":
        """Pretend that no observation has the modality.

        Returns
        -------
        StoredTable
            Of the same observations and features.
        """
        return replace(self, row=np.full(len(self.row), -1))

    def take(self, index: np.ndarray) -> ModalityTable:
        """Read some observations into memory.

        Parameters
        ----------
        index
            Shape (n,): observations.

        Returns
        -------
        ModalityTable
            In the order of `index`.
        """
        stored, row = self._stored(index)
        values, missing = self._read(stored)
        return ModalityTable(self.name, self.features, values, row, missing, self.library[index], self.is_label)

    def on(self, device: torch.device) -> "StoredTable":
        """Return itself: what lies on disk may be too much for a device.

        Parameters
        ----------
        device
            Where batches will be asked for.

        Returns
        -------
        StoredTable
            Itself.
        """
        return self

    def at(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> ModalityBatch:
        """Take some observations as dense tensors.

        Parameters
        ----------
        index
            Shape (n,): observations.
        device, dtype
            Where to, and as what.

        Returns
        -------
        ModalityBatch
            In the order of `index`, each block of rows read once.
        """
        return self.take(index).at(np.arange(len(index)), device, dtype)

    def _read(self, stored: np.ndarray) -> tuple[Matrix, Matrix | None]:
        """Read rows, in any order, block by block."""
        order = np.argsort(stored, kind="stable")
        numbers, starts = np.unique(stored[order] // BLOCK_ROWS, return_index=True)
        far_apart = len(numbers) > 2 * self.window // BLOCK_ROWS and len(stored) < ROWS_WORTH_A_BLOCK * len(numbers)
        values, missing = [self._nothing(0, np.float32)], [self._no_mask(0)]
        for number, of_block in zip(numbers, np.split(order, starts)[1:], strict=True):
            for read in self.rows.some(int(number), stored[of_block], alone=far_apart):
                values.append(read.values)
                if self.has_missing:
                    missing.append(self._no_mask(read.values.shape[0]) if read.missing is None else read.missing)
        back = np.argsort(order, kind="stable")
        return stack(values)[back], stack(missing)[back] if self.has_missing else None

    def _nothing(self, n: int, dtype: type[np.generic]) -> Matrix:
        shape = (n, self.n_features)
        return sp.csr_matrix(shape, dtype=dtype) if self.rows.matrix.sparse else np.zeros(shape, dtype)

    def _no_mask(self, n: int) -> Matrix:
        """Make the mask of rows of which nothing is missing: dense where a feature is not there (see `arrange`)."""
        return np.zeros((n, self.n_features), np.bool_) if self.rows.lacks_features else self._nothing(n, np.bool_)
