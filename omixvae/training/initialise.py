"""Start values from the data: where networks begin."""

import numpy as np
import torch

from omixvae.data.masked import MaskedModalities, Schema
from omixvae.vae import MultimodalVAE

__all__ = ["initialise_network", "known_level_matrix"]

MAX_SAMPLE_ROWS = 2000
"""Observations of a modality that are loaded densely."""


def initialise_network(network: MultimodalVAE, data: MaskedModalities, rng: np.random.Generator) -> None:
    """Start inputs, decoders and likelihoods at the means and variances of the data.

    Parameters
    ----------
    network
        Changed in place.
    data
        The observations to train on.
    rng
        Picks the observations that are loaded densely.
    """
    for s, table in enumerate(data.tables):
        sample = table.sample(MAX_SAMPLE_ROWS, rng, network.device, network.dtype)
        start = network.likelihoods[s].initialise(table.moments, sample)
        inputs = network.likelihoods[s].encoder_input(sample.filled, sample.exposure)
        network.encoders[s].initialise(inputs, sample)
        known = known_level_matrix(data.schema, data.covariates[table.present])
        network.decoders[s].initialise(start, torch.from_numpy(known).to(network.device, network.dtype))


def known_level_matrix(schema: Schema, covariates: np.ndarray) -> np.ndarray:
    """Map each level of a covariate that a modality never saw to the average of those it did see.

    Parameters
    ----------
    schema
        Determines which columns belong together.
    covariates
        Shape (rows, c): covariates of the observations that have the modality.

    Returns
    -------
    numpy.ndarray
        Shape (c, c); ``covariates @ known`` is what the decoder sees. The identity where every level was seen.

    Examples
    --------
    >>> from omixvae.data.masked import Covariate
    >>> schema = Schema({"rna": ("CD4",)}, covariates=(Covariate("batch", ("a", "b")),))
    >>> known_level_matrix(schema, np.array([[1.0, 0.0]])).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    known = np.eye(covariates.shape[1])
    first = 0
    for covariate in schema.covariates:
        block = slice(first, first + covariate.width)
        first += covariate.width
        if covariate.categories:
            share = covariates[:, block].mean(axis=0)
            unseen = np.flatnonzero(share == 0) + block.start
            known[unseen] = 0
            known[unseen, block] = share
    return known
