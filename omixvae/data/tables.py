"""Tables: all observations of one modality, in memory or on disk.

A `Table` is read in two ways: some observations as dense tensors (`at`), and all rows a block at a time (`blocks`).
From these, all that is said of the values as a whole (`Survey`) is added up, in one look, alike wherever they lie.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from omixvae.data.batches import ModalityBatch, Nonzeros
from omixvae.data.matrices import Matrix, dense
from omixvae.data.resident import ResidentRows, fits
from omixvae.data.survey import Moments, Survey, block_rows, survey

__all__ = ["ModalityTable", "Table"]

MAX_SAMPLE_VALUES = 20_000_000
"""Most values of a sample, which is dense: 80 MB in float32."""


class Table(ABC):
    """All observations of one modality, wherever they lie."""

    name: str
    features: tuple[str, ...]
    row: np.ndarray
    """Shape (n,): the stored row that belongs to each observation, -1 where the modality is absent."""
    library: np.ndarray
    """Shape (n,): total of each observation (see `ModalityTable`)."""
    is_label: bool
    coverage: np.ndarray | None

    @property
    def present(self) -> np.ndarray:
        """Shape (n,), true for the observations that have the modality."""
        return self.row >= 0

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.features)

    @property
    @abstractmethod
    def survey(self) -> Survey:
        """What one look at all values tells; taken once."""

    @property
    @abstractmethod
    def has_missing(self) -> bool:
        """Whether single entries were not measured."""

    @property
    @abstractmethod
    def window(self) -> int | None:
        """How many rows of a table on disk can be at hand at once; None in memory."""

    @property
    def moments(self) -> Moments:
        """Mean and variance of each feature over its measured entries, in float64."""
        return self.survey.moments

    def _stored(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the stored rows of some observations, and what their `row` is once there are no others."""
        row = self.row[index]
        return row[row >= 0], np.where(row >= 0, np.cumsum(row >= 0) - 1, -1)

    @abstractmethod
    def blocks(self) -> "Iterator[ModalityTable]":
        """Return all stored rows, one after the other, some at a time (`block_rows`), as tables in memory."""

    @abstractmethod
    def take(self, index: np.ndarray) -> "ModalityTable":
        """Return some observations alone, in memory, in the order of `index`."""

    @abstractmethod
    def absent(self) -> "Table":
        """Pretend that no observation has the modality."""

    @abstractmethod
    def on(self, device: torch.device) -> "Table":
        """Let values stay on a device from now on, where that can be done."""

    @abstractmethod
    def at(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> ModalityBatch:
        """Take some observations as dense tensors, in the order of `index`."""

    def sample(self, most: int, rng: np.random.Generator, device: torch.device, dtype: torch.dtype) -> ModalityBatch:
        """Draw observations that have the modality: at most so many, and of many features fewer, but 64 if there are.

        Parameters
        ----------
        most
            Observations.
        rng
            Source of random numbers.
        device, dtype
            Where to, and as what.

        Returns
        -------
        ModalityBatch
            In the order of the data.
        """
        most = max(64, min(most, MAX_SAMPLE_VALUES // self.n_features))
        rows = np.sort(rng.permutation(np.flatnonzero(self.present))[:most])
        return self.at(rows, device, dtype)


@dataclass(frozen=True, eq=False)
class ModalityTable(Table):
    """All observations of one modality in memory, as stored.

    Parameters
    ----------
    name
        The modality.
    features
        Names of the g features.
    values
        Shape (rows, g), dense or CSR, float32: one row per observation that has the modality, without NaN (a missing
        entry holds 0).
    row
        Shape (n,): the row of `values` that belongs to each observation, -1 where the modality is absent.
    missing
        Shape of `values`, true where a single entry was not measured (NaN in the source); None when there is none.
        Dense also beside sparse values where whole features were not measured.
    library
        Shape (n,): total of the measured entries of each observation, in the data's units; an observation without the
        modality has the median of the totals (of its batch, if one is given); NaN if no observation has it.
    is_label
        Whether this is a column of labels (indicator columns) and not a modality of the MuData.
    coverage
        Shape of `values`, then dense: the number that each count is out of, 0 where nothing was looked at (such an
        entry is missing). None where values are no counts out of a coverage.
    resident
        The same values on a device, where rows are then taken from; None where they come from `values`.
    """

    name: str
    features: tuple[str, ...]
    values: Matrix
    row: np.ndarray
    missing: Matrix | None
    library: np.ndarray
    is_label: bool = False
    coverage: np.ndarray | None = None
    resident: ResidentRows | None = None

    @cached_property
    def survey(self) -> Survey:
        """What one look at all values tells."""
        return survey(self.blocks(), self.n_features)

    @property
    def has_missing(self) -> bool:
        """Whether single entries were not measured."""
        return self.missing is not None

    @property
    def window(self) -> None:
        """None: all rows are at hand."""
        return None

    def blocks(self) -> "Iterator[ModalityTable]":
        """Yield all stored rows, one after the other, some at a time, without totals.

        Yields
        ------
        ModalityTable
            Views where the table is dense.
        """
        size = block_rows(self.n_features)
        for first in range(0, self.values.shape[0], size):
            rows = slice(first, first + size)
            values, missing = self.values[rows], None if self.missing is None else self.missing[rows]
            n = values.shape[0]
            yield ModalityTable(self.name, self.features, values, np.arange(n), missing, np.full(n, np.nan))

    def measured(self) -> np.ndarray:
        """Return the measured values as one flat array (if sparse: the stored ones, and one zero if any is implied).

        Returns
        -------
        numpy.ndarray
            Shape (number of values,).
        """
        values, missing = self.values, self.missing
        if isinstance(values, np.ndarray):
            return values.ravel() if missing is None else values[~missing]
        n_missing = 0 if missing is None else int(missing.sum())
        implied = np.zeros(int(values.nnz + n_missing < np.prod(values.shape)), values.dtype)
        return np.concatenate([values.data, implied])

    def absent(self) -> "ModalityTable":
        """Pretend that no observation has the modality.

        Returns
        -------
        ModalityTable
            Of the same observations and features.
        """
        return replace(self, row=np.full(len(self.row), -1))

    def take(self, index: np.ndarray) -> "ModalityTable":
        """Return some observations alone: nothing of the others is left, so that no moment or count sees them.

        Parameters
        ----------
        index
            Shape (n,): observations.

        Returns
        -------
        ModalityTable
            In the order of `index`; values are copied.
        """
        stored, row = self._stored(index)
        missing = None if self.missing is None else self.missing[stored]
        coverage = None if self.coverage is None else self.coverage[stored]
        return replace(
            self,
            values=self.values[stored],
            row=row,
            missing=missing,
            library=self.library[index],
            coverage=coverage,
            resident=None,
        )

    def without(self, hidden: np.ndarray) -> "ModalityTable":
        """Pretend that some features were measured nowhere.

        Parameters
        ----------
        hidden
            Shape (g,), true for these features.

        Returns
        -------
        ModalityTable
            The same features; totals (`library`) stay those of everything that was measured.
        """
        if isinstance(self.values, np.ndarray):
            values: Matrix = np.where(hidden, np.float32(0), self.values)
        else:
            values = self.values @ sp.diags((~hidden).astype(np.float32), format="csr")
        missing: Matrix = np.broadcast_to(hidden, values.shape)
        if self.missing is not None:
            missing = dense(self.missing) | missing
        return replace(self, values=values, missing=missing, resident=None)

    def on(self, device: torch.device) -> "ModalityTable":
        """Let values stay on a device, if they are sparse and fit there.

        Parameters
        ----------
        device
            Where batches will be asked for.

        Returns
        -------
        ModalityTable
            Itself on a processor.
        """
        if isinstance(self.values, np.ndarray) or not fits(self.values, device):
            return self
        return replace(self, resident=ResidentRows(self.values, device))

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
            In the order of `index`.
        """
        row = self.row[index]
        here = np.flatnonzero(row >= 0)
        values, stored = self._values(row[here], here, len(index), device, dtype)
        missing = None
        if self.missing is not None:
            missing = ~_scatter(self.missing, row[here], here, len(index), device, torch.bool)[0]
        present = torch.from_numpy(row >= 0).to(device)
        library = torch.from_numpy(self.library[index]).to(device, dtype)
        complete = missing is None and len(here) == len(index)
        coverage = None
        if self.coverage is not None:
            coverage, _ = _scatter(self.coverage, row[here], here, len(index), device, dtype)
        return ModalityBatch(values, present, missing, library, complete, coverage, stored)

    def _values(
        self, rows: np.ndarray, to: np.ndarray, n: int, device: torch.device, dtype: torch.dtype
    ) -> tuple[Tensor, Nonzeros | None]:
        """Take rows from the device where they stay, or else from the host."""
        if self.resident is None or self.resident.device != device:
            return _scatter(self.values, rows, to, n, device, dtype)
        taken = self.resident.take(rows, to)
        taken = taken._replace(values=taken.values.to(dtype))
        return _dense(taken, n, self.n_features), taken


def _scatter(
    matrix: Matrix, rows: np.ndarray, to: np.ndarray, n: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Nonzeros | None]:
    """Copy rows of a stored matrix into a dense (n, g) tensor, made on the device; and say where it may not be zero.

    These places ascend as `to` and the columns of a row do; None for a dense matrix.
    """
    if sp.issparse(matrix):
        part = matrix[rows]
        row = torch.from_numpy(np.repeat(to, np.diff(part.indptr))).to(device)
        column = torch.from_numpy(part.indices).to(device, torch.int64)
        stored = Nonzeros(torch.from_numpy(part.data).to(device, dtype), row, column)
        return _dense(stored, n, part.shape[1]), stored
    part = torch.from_numpy(np.ascontiguousarray(matrix[rows])).to(device, dtype)
    if len(to) == n:
        return part, None
    dense = torch.zeros(n, matrix.shape[1], device=device, dtype=dtype)
    dense[torch.from_numpy(to).to(device)] = part
    return dense, None


def _dense(stored: Nonzeros, n: int, g: int) -> Tensor:
    dense = torch.zeros(n * g, device=stored.values.device, dtype=stored.values.dtype)
    return dense.index_copy_(0, stored.row * g + stored.column, stored.values).view(n, g)
