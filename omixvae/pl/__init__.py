"""Plots: Matplotlib axes in and out."""

from omixvae.pl.history import history
from omixvae.pl.latent import latent
from omixvae.pl.variance import variance_explained

__all__ = ["history", "latent", "variance_explained"]
