"""Questions to a fitted network; one file per question.

`encode` runs the encoders over all observations; what is asked of the same observations shares one such pass.
"""

from omixvae.inference.clusters import cluster_probabilities, entropy, responsibilities
from omixvae.inference.evidence import log_likelihood
from omixvae.inference.impute import completion, draw_predictions, predict, prediction
from omixvae.inference.information import Information, information
from omixvae.inference.posterior import (
    Encoded,
    Gather,
    encode,
    gather,
    latent_names,
    private_moments,
    sample_latent,
    shared_latent,
    shared_moments,
)
from omixvae.inference.variance import variance_explained

__all__ = [
    "Encoded",
    "Gather",
    "Information",
    "cluster_probabilities",
    "completion",
    "draw_predictions",
    "encode",
    "entropy",
    "gather",
    "information",
    "latent_names",
    "log_likelihood",
    "predict",
    "prediction",
    "private_moments",
    "responsibilities",
    "sample_latent",
    "shared_latent",
    "shared_moments",
    "variance_explained",
]
