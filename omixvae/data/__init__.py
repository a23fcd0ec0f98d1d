"""MuData → masked tensors: useful to any model that has to live with missing modalities."""

from omixvae.config import DataConfig
from omixvae.data.from_mudata import from_mudata
from omixvae.data.masked import MaskedBatch, MaskedModalities, ModalityBatch, ModalityTable, Schema, Source
from omixvae.data.open import open_mudata

__all__ = [
    "DataConfig",
    "MaskedBatch",
    "MaskedModalities",
    "ModalityBatch",
    "ModalityTable",
    "Schema",
    "Source",
    "from_mudata",
    "open_mudata",
]
