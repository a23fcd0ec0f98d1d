"""Public data sets: downloaded once, checked, and made into MuData."""

from omixvae.errors import InputError

try:
    from omixvae.datasets.collection import fetch, info, list, load, path
    from omixvae.datasets.registry import Dataset, Modality, UpstreamFile
except ModuleNotFoundError as error:
    raise InputError(
        f"Public data sets need the package {error.name!r}, which is not installed.",
        "omixvae.datasets",
        "Install what they need: pip install 'omixvae[datasets]'.",
    ) from error

__all__ = ["Dataset", "Modality", "UpstreamFile", "fetch", "info", "list", "load", "path"]
