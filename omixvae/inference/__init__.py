"""Questions to a fitted network; one file per question."""

from omixvae.inference.clusters import cluster_probabilities, entropy
from omixvae.inference.evidence import log_likelihood
from omixvae.inference.impute import draw_predictions, predict
from omixvae.inference.information import information
from omixvae.inference.posterior import private_latent, sample_latent, shared_latent
from omixvae.inference.variance import variance_explained

__all__ = [
    "cluster_probabilities",
    "draw_predictions",
    "entropy",
    "information",
    "log_likelihood",
    "predict",
    "private_latent",
    "sample_latent",
    "shared_latent",
    "variance_explained",
]
