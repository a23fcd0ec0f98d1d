"""Masked modality tensors: what was measured, and where nothing was.

`MaskedModalities` holds all observations, as stored (sparse stays sparse); `MaskedBatch` holds some of them as dense
tensors on a device. What is present comes from names, never from values; what was not measured holds a zero.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "Covariate",
    "MaskedBatch",
    "MaskedModalities",
    "ModalityBatch",
    "ModalityTable",
    "Moments",
    "Nonzeros",
    "Schema",
    "Source",
]

Matrix: TypeAlias = np.ndarray | sp.csr_matrix


@dataclass(frozen=True)
class Covariate:
    """How one column of obs becomes numbers.

    Parameters
    ----------
    name
        Column of obs.
    categories
        Its levels, one indicator column each; empty for a number.
    center, scale
        A number is given as ``(value - center) / scale``.
    """

    name: str
    categories: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """Number of columns it takes."""
        return max(1, len(self.categories))


@dataclass(frozen=True)
class Schema:
    """What a model needs to know to read other data of the same kind.

    Parameters
    ----------
    features
        Per modality, in order, the names of its features.
    labels_key
        The modality (if any) that comes from a column of obs; its features are the categories.
    covariates
        How the columns of obs that the decoders see become numbers; the batch comes first.
    batch_key
        The covariate that is the experimental batch.
    """

    features: dict[str, tuple[str, ...]]
    labels_key: str | None = None
    covariates: tuple[Covariate, ...] = ()
    batch_key: str | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return tuple(self.features)


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
class ModalityTable:
    """All observations of one modality, as stored.

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
    library
        Shape (n,): total of the measured entries of each observation, in the data's units; an observation without the
        modality has the median of the totals (of its batch, if one is given); NaN if no observation has it.
    is_label
        Whether this is a column of labels (indicator columns) and not a modality of the MuData.
    coverage
        Shape of `values`, then dense: the number that each count is out of, 0 where nothing was looked at (such an
        entry is missing). None where values are no counts out of a coverage.
    """

    name: str
    features: tuple[str, ...]
    values: Matrix
    row: np.ndarray
    missing: Matrix | None
    library: np.ndarray
    is_label: bool = False
    coverage: np.ndarray | None = None

    @property
    def present(self) -> np.ndarray:
        """Shape (n,), true for the observations that have the modality."""
        return self.row >= 0

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.features)

    def measured(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Give the measured values as one flat array (if sparse: the stored ones, and one zero if any is implied).

        Parameters
        ----------
        rows
            Rows of `values` to look at; all when not given.

        Returns
        -------
        numpy.ndarray
            Shape (number of values,).
        """
        values = self.values if rows is None else self.values[rows]
        missing = self.missing if rows is None or self.missing is None else self.missing[rows]
        if isinstance(values, np.ndarray):
            return values.ravel() if missing is None else values[~missing]
        n_missing = 0 if missing is None else int(missing.sum())
        implied = np.zeros(int(values.nnz + n_missing < np.prod(values.shape)), values.dtype)
        return np.concatenate([values.data, implied])

    @cached_property
    def moments(self) -> Moments:
        """Mean and variance of each feature over its measured entries, in float64."""
        n = np.full(self.n_features, self.values.shape[0], np.float64)
        if self.missing is not None:
            n -= np.asarray(self.missing.sum(0)).ravel()
        values = self.values
        if isinstance(values, np.ndarray):
            total = values.sum(0, dtype=np.float64)
            squares = np.square(values, dtype=np.float64).sum(0)
        else:
            # SciPy adds up in float32, whatever dtype is asked for: far from zero no digit of the variance is left.
            total = np.bincount(values.indices, values.data, self.n_features)
            squares = np.bincount(values.indices, np.square(values.data, dtype=np.float64), self.n_features)
        mean = total / np.maximum(n, 1)
        variance = squares / np.maximum(n, 1) - mean**2
        variance = np.where(n > 0, np.maximum(variance, 0.0), 1.0)
        return Moments(mean, variance)

    def take(self, index: np.ndarray) -> "ModalityTable":
        """Give some observations alone: nothing of the others is left, so that no moment or count sees them.

        Parameters
        ----------
        index
            Shape (n,): observations.

        Returns
        -------
        ModalityTable
            In the order of `index`; values are copied.
        """
        row = self.row[index]
        stored = row[row >= 0]
        new = np.full(len(index), -1)
        new[row >= 0] = np.arange(len(stored))
        missing = None if self.missing is None else self.missing[stored]
        coverage = None if self.coverage is None else self.coverage[stored]
        return replace(
            self, values=self.values[stored], row=new, missing=missing, library=self.library[index], coverage=coverage
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
            missing: Matrix = np.broadcast_to(hidden, self.values.shape)
            values: Matrix = np.where(missing, np.float32(0), self.values)
        else:
            missing = sp.csr_matrix(np.broadcast_to(hidden, self.values.shape))
            values = self.values @ sp.diags((~hidden).astype(np.float32), format="csr")
        return replace(self, values=values, missing=missing if self.missing is None else self.missing + missing)

    def at(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> "ModalityBatch":
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
        values, stored = _scatter(self.values, row[here], here, len(index), device, dtype)
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


def _scatter(
    matrix: Matrix, rows: np.ndarray, to: np.ndarray, n: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, "Nonzeros | None"]:
    """Copy rows of a stored matrix into a dense (n, g) tensor, made on the device; and say where it may not be zero.

    These places ascend as `to` and the columns of a row do; None for a dense matrix.
    """
    if sp.issparse(matrix):
        part = matrix[rows]
        row = torch.from_numpy(np.repeat(to, np.diff(part.indptr))).to(device)
        column = torch.from_numpy(part.indices).to(device, torch.int64)
        stored = Nonzeros(torch.from_numpy(part.data).to(device, dtype), row, column)
        dense = torch.zeros(n, part.shape[1], device=device, dtype=dtype)
        dense.view(-1)[row * part.shape[1] + column] = stored.values
        return dense, stored
    part = torch.from_numpy(np.ascontiguousarray(matrix[rows])).to(device, dtype)
    if len(to) == n:
        return part, None
    dense = torch.zeros(n, matrix.shape[1], device=device, dtype=dtype)
    dense[torch.from_numpy(to).to(device)] = part
    return dense, None


class Nonzeros(NamedTuple):
    """The entries of a table that may not be zero: all others are.

    Parameters
    ----------
    values
        Shape (k,).
    row, column
        Shape (k,): where they are, row after row, the columns of each ascending.
    """

    values: Float[Tensor, " k"]
    row: Int[Tensor, " k"]
    column: Int[Tensor, " k"]


@dataclass(frozen=True, eq=False)
class ModalityBatch:
    """Some observations of one modality, dense, on a device.

    Parameters
    ----------
    values
        Shape (n, g), in the data's units; whatever stands where nothing was measured is never used.
    present
        Shape (n,), true where the observation has the modality.
    observed
        Shape (n, g), true where the entry was measured; None when every entry of a present observation was.
    library
        Shape (n,), the observation's total (see `ModalityTable`).
    complete
        Set by whoever knows that every observation is present and every entry measured: saves looking at the mask.
    coverage
        Shape (n, g), the number that each count is out of (see `ModalityTable`); None where there is no such thing.
    stored
        The entries of `filled` that may not be zero; None where they are not known.
    """

    values: Float[Tensor, "n g"]
    present: Bool[Tensor, " n"]
    observed: Bool[Tensor, "n g"] | None
    library: Float[Tensor, " n"]
    complete: bool = False
    coverage: Float[Tensor, "n g"] | None = None
    stored: Nonzeros | None = None

    @property
    def exposure(self) -> Float[Tensor, "n g_or_1"]:
        """How much was looked at: the coverage of each entry, or else the total of each observation."""
        return self.library.unsqueeze(-1) if self.coverage is None else self.coverage

    @property
    def mask(self) -> Bool[Tensor, "n g_or_1"]:
        """True where a number was measured; shape (n, 1) when whole observations are present or absent."""
        present = self.present.unsqueeze(-1)
        return present if self.observed is None else present & self.observed

    @property
    def nonzeros(self) -> Nonzeros | None:
        """Like `stored`, and found where it is not known; None where finding it would make a GPU wait for its host."""
        if self.stored is None and self.values.device.type == "cpu":
            row, column = self.filled.nonzero(as_tuple=True)
            return Nonzeros(self.filled[row, column], row, column)
        return self.stored

    @cached_property
    def filled(self) -> Float[Tensor, "n g"]:
        """The values with 0 wherever nothing was measured: what every computation reads."""
        return self.only_measured(self.values, 0.0)

    def only_measured(self, x: Float[Tensor, "n g"], otherwise: Tensor | float) -> Float[Tensor, "n g"]:
        """Give `x` where a number was measured, and something else where none was."""
        return x if self.complete else torch.where(self.mask, x, otherwise)


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """Some observations of all modalities: the one message from the data to the model.

    Parameters
    ----------
    modalities
        One `ModalityBatch` per modality, in the order of the schema.
    covariates
        Shape (n, c): batch and covariates as numbers; c may be 0.
    index
        Shape (n,): which observations of the source these are.
    """

    modalities: tuple[ModalityBatch, ...]
    covariates: Float[Tensor, "n c"]
    index: Int[Tensor, " n"]

    @property
    def presence(self) -> Bool[Tensor, "n m"]:
        """True where the observation has the modality."""
        return torch.stack([modality.present for modality in self.modalities], dim=-1)


class Source(ABC):
    """Where rows come from: memory here, a file on disk elsewhere."""

    @property
    @abstractmethod
    def n_obs(self) -> int:
        """Number of observations."""

    @property
    @abstractmethod
    def presence(self) -> np.ndarray:
        """Shape (n, m), true where the observation has the modality."""

    @abstractmethod
    def rows(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> MaskedBatch:
        """Give some observations as tensors on a device, in the order of `index`."""


@dataclass(frozen=True, eq=False)
class MaskedModalities(Source):
    """All observations of a MuData as masked modalities.

    Made by `omixvae.data.from_mudata`; useful for any model that has to live with missing modalities.

    Parameters
    ----------
    tables
        One per modality.
    obs_names
        Shape (n,): names of the observations, in the order of the MuData.
    covariates
        Shape (n, c), float32: batch and covariates as numbers (see `Schema`).
    schema
        Names of the features and how covariates were encoded.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from omixvae.data import from_mudata
    >>> from omixvae.simulation import simulate
    >>> data = from_mudata(simulate(n_obs=100, seed=0))
    >>> data.schema.modalities, data.presence.mean(0).tolist()
    (('rna', 'protein'), [1.0, 0.75])
    >>> batch = data.rows(np.arange(4), torch.device("cpu"), torch.float32)
    >>> batch.modalities[0].values.shape
    torch.Size([4, 400])
    """

    tables: tuple[ModalityTable, ...]
    obs_names: np.ndarray
    covariates: np.ndarray
    schema: Schema

    @property
    def n_obs(self) -> int:
        """Number of observations."""
        return len(self.obs_names)

    @cached_property
    def presence(self) -> np.ndarray:
        """Shape (n, m), true where the observation has the modality."""
        return np.stack([table.present for table in self.tables], axis=1)

    def rows(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> MaskedBatch:
        """Give some observations as tensors on a device.

        Parameters
        ----------
        index
            Shape (n,): which observations, in which order.
        device, dtype
            Where to put the tensors, and as which floating point numbers.

        Returns
        -------
        MaskedBatch
            In the order of `index`.
        """
        covariates = torch.from_numpy(self.covariates[index]).to(device, dtype)
        modalities = tuple(table.at(index, device, dtype) for table in self.tables)
        return MaskedBatch(modalities, covariates, torch.from_numpy(np.asarray(index, np.int64)).to(device))

    def table(self, modality: str) -> ModalityTable:
        """Give the table of one modality by its name."""
        return self.tables[self.schema.modalities.index(modality)]

    def take(self, index: np.ndarray) -> "MaskedModalities":
        """Give some observations alone, as if there were no others.

        Parameters
        ----------
        index
            Shape (n,): observations.

        Returns
        -------
        MaskedModalities
            In the order of `index`, with the same features and the same way of encoding covariates.
        """
        tables = tuple(table.take(index) for table in self.tables)
        return MaskedModalities(tables, self.obs_names[index], self.covariates[index], self.schema)

    def given(self, modalities: Sequence[str]) -> "MaskedModalities":
        """Pretend that only these modalities were measured.

        Parameters
        ----------
        modalities
            Names of the modalities to keep; the others become absent for every observation.

        Returns
        -------
        MaskedModalities
            The same observations and features.
        """
        absent = np.full(self.n_obs, -1)
        tables = [t if t.name in modalities else replace(t, row=absent) for t in self.tables]
        return replace(self, tables=tuple(tables))
