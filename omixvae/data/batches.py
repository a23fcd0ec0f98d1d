"""Some observations as dense tensors on a device: the one message from the data to the model."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["MaskedBatch", "ModalityBatch", "Nonzeros"]


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
        """Return `x` where a number was measured, and something else where none was."""
        return x if self.complete else torch.where(self.mask, x, otherwise)

    def take(self, rows: Int[Tensor, " k"]) -> "ModalityBatch":
        """Return some of the observations, by their positions in the batch."""
        return replace(
            self,
            values=self.values[rows],
            present=self.present[rows],
            observed=None if self.observed is None else self.observed[rows],
            library=self.library[rows],
            coverage=None if self.coverage is None else self.coverage[rows],
            stored=None,
        )


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

    def take(self, rows: Int[Tensor, " k"]) -> "MaskedBatch":
        """Return some of the observations, by their positions in the batch."""
        return MaskedBatch(tuple(m.take(rows) for m in self.modalities), self.covariates[rows], self.index[rows])
