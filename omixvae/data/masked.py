"""Masked modality tensors: what was measured, and where nothing was.

`MaskedModalities` holds all observations, as stored, in memory or on disk; `MaskedBatch` holds some of them as dense
tensors on a device. What is present comes from names, never from values; what was not measured holds a zero.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import torch

from omixvae.data.batches import MaskedBatch, ModalityBatch, Nonzeros
from omixvae.data.sampler import Layout
from omixvae.data.stored_matrix import BLOCK_ROWS
from omixvae.data.survey import Moments
from omixvae.data.tables import ModalityTable, Table

__all__ = [
    "Covariate",
    "MaskedBatch",
    "MaskedModalities",
    "ModalityBatch",
    "ModalityTable",
    "Moments",
    "Nonzeros",
    "Schema",
]


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

    def to_json(self) -> str:
        """Write the schema as JSON.

        Returns
        -------
        str
            For `from_json`.

        Examples
        --------
        >>> Schema({"rna": ("CD4", "CD8A")}).to_json()[:31]
        '{"features": {"rna": ["CD4", "C'
        """
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Read the schema back.

        Parameters
        ----------
        text
            What `to_json` gave.

        Returns
        -------
        Schema
            Equal to the one that was written.

        Examples
        --------
        >>> schema = Schema({"rna": ("CD4",)}, covariates=(Covariate("donor", ("a", "b")),))
        >>> Schema.from_json(schema.to_json()) == schema
        True
        """
        read = json.loads(text)
        features = {name: tuple(names) for name, names in read["features"].items()}
        covariates = tuple(Covariate(**c | {"categories": tuple(c["categories"])}) for c in read["covariates"])
        return cls(**read | {"features": features, "covariates": covariates})


@dataclass(frozen=True, eq=False)
class MaskedModalities:
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

    tables: tuple[Table, ...]
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

    @cached_property
    def layout(self) -> Layout | None:
        """How the observations lie in the largest table on disk, the absent ones with those that come before them."""
        windows = {s: table.window for s, table in enumerate(self.tables) if table.window is not None}
        if not windows:
            return None
        largest = min(windows, key=lambda s: windows[s])
        row = self.tables[largest].row
        last = np.maximum.accumulate(np.where(row >= 0, np.arange(self.n_obs), -1))
        return Layout(np.where(last >= 0, row[last], -1), BLOCK_ROWS, windows[largest])

    def rows(self, index: np.ndarray, device: torch.device, dtype: torch.dtype) -> MaskedBatch:
        """Return some observations as tensors on a device.

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

    def on(self, device: torch.device) -> "MaskedModalities":
        """Let values stay on a device, where they fit there: batches are then put together by the device itself.

        Parameters
        ----------
        device
            Where batches will be asked for.

        Returns
        -------
        MaskedModalities
            The same observations.
        """
        return replace(self, tables=tuple(table.on(device) for table in self.tables))

    def table(self, modality: str) -> Table:
        """Return the table of one modality by its name."""
        return self.tables[self.schema.modalities.index(modality)]

    def take(self, index: np.ndarray) -> "MaskedModalities":
        """Return some observations alone, as if there were no others.

        Parameters
        ----------
        index
            Shape (n,): observations.

        Returns
        -------
        MaskedModalities
            In memory, in the order of `index`, with the same features and the same way of encoding covariates.
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
        tables = [t if t.name in modalities else t.absent() for t in self.tables]
        return replace(self, tables=tuple(tables))
