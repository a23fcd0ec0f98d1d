"""omixvae: integrate several omics of the same samples, missing modalities included."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omixvae import data, datasets, pl
    from omixvae.config import Config
    from omixvae.errors import InputError
    from omixvae.evaluation.select import select
    from omixvae.exports import export
    from omixvae.inspection import inspect
    from omixvae.model import OmixVAE, fit, load
    from omixvae.results.read import imputed
    from omixvae.simulation import simulate
    from omixvae.sources import read

__all__ = [
    "Config",
    "InputError",
    "OmixVAE",
    "__version__",
    "data",
    "datasets",
    "export",
    "fit",
    "imputed",
    "inspect",
    "load",
    "pl",
    "read",
    "select",
    "simulate",
]

__version__ = "0.1.0"

_HOMES = {
    "Config": "omixvae.config",
    "InputError": "omixvae.errors",
    "OmixVAE": "omixvae.model",
    "export": "omixvae.exports",
    "fit": "omixvae.model",
    "imputed": "omixvae.results.read",
    "inspect": "omixvae.inspection",
    "load": "omixvae.model",
    "read": "omixvae.sources",
    "select": "omixvae.evaluation",
    "simulate": "omixvae.simulation",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that `omixvae --help` needs no torch."""
    if name in ("data", "datasets", "pl"):
        return importlib.import_module(f"omixvae.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'omixvae' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
