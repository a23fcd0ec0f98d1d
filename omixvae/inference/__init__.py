"""Questions to a fitted network; one file per question.

`encode` runs the encoders over all observations; what is asked of the same observations shares one such pass.
"""

from omixvae.inference.clusters import cluster_probabilities, entropy, make_responsibilities
from omixvae.inference.evidence import log_likelihood
from omixvae.inference.impute import draw_predictions, make_completion, make_prediction, predict
from omixvae.inference.information import Information, information
from omixvae.inference.posterior import (
    Encoded,
    Gather,
    encode,
    gather,
    latent_names,
    make_private_moments,
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
    "draw_predictions",
    "encode",
    "entropy",
    "gather",
    "information",
    "latent_names",
    "log_likelihood",
    "make_completion",
    "make_prediction",
    "make_private_moments",
    "make_responsibilities",
    "predict",
    "sample_latent",
    "shared_latent",
    "shared_moments",
    "variance_explained",
]
