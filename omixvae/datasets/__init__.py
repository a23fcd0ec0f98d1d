"""Public data sets: downloaded once, checked, and made into MuData."""

from omixvae.datasets.collection import fetch, info, list, load, path
from omixvae.datasets.registry import Dataset, Modality, UpstreamFile

__all__ = ["Dataset", "Modality", "UpstreamFile", "fetch", "info", "list", "load", "path"]
