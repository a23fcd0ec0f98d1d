"""Ways in: whatever holds omics of samples → MuData. A family of formats per file."""

from omixvae.sources.how import Source
from omixvae.sources.read import as_mudata, read, split_name
from omixvae.sources.stores import is_mudata_store, reading_store

__all__ = ["Source", "as_mudata", "is_mudata_store", "read", "reading_store", "split_name"]
