"""Plots: Matplotlib axes in and out."""

from omixvae.pl.clusters import clusters
from omixvae.pl.history import history
from omixvae.pl.imputation import imputation
from omixvae.pl.information import information
from omixvae.pl.latent import latent
from omixvae.pl.loadings import loadings
from omixvae.pl.presence import presence
from omixvae.pl.selection import selection
from omixvae.pl.variance import variance_explained

__all__ = [
    "clusters",
    "history",
    "imputation",
    "information",
    "latent",
    "loadings",
    "presence",
    "selection",
    "variance_explained",
]


def __dir__() -> list[str]:
    """List the plots alone: completion is there to find them."""
    return sorted(__all__)
