"""MuData → masked tensors: useful to any model that has to live with missing modalities."""

from omixvae.config import DataConfig
from omixvae.data.from_mudata import from_mudata
from omixvae.data.masked import MaskedBatch, MaskedModalities, ModalityBatch, ModalityTable, Schema
from omixvae.data.open import StoredAnnData, open_mudata
from omixvae.data.stored_matrix import Part, StoredMatrix

__all__ = [
    "DataConfig",
    "MaskedBatch",
    "MaskedModalities",
    "ModalityBatch",
    "ModalityTable",
    "Part",
    "Schema",
    "StoredAnnData",
    "StoredMatrix",
    "from_mudata",
    "open_mudata",
]
