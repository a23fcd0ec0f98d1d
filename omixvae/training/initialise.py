"""Start values from the data: where networks begin, and where the mixture's components are put."""

from collections.abc import Iterator

import numpy as np
import scanpy as sc
import torch
from anndata import AnnData
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.neighbors import kneighbors_graph

from omixvae.data.masked import MaskedModalities, Schema
from omixvae.vae import MultimodalVAE

__all__ = ["group_latents", "initialise_network", "known_levels"]

SAMPLE_VALUES = 20_000_000
"""Most values of one modality that are looked at densely (80 MB in float32)."""

NEIGHBOURS = 15
RESOLUTIONS = tuple(np.geomspace(0.01, 1.0, 13))
CLOSE_TO_BEST = 0.96
ROWS_TO_SCORE = 5000
"""Most observations whose silhouette is taken: its cost grows with their square."""


def initialise_network(network: MultimodalVAE, data: MaskedModalities, rng: np.random.Generator) -> None:
    """Start inputs, decoders and likelihoods at the means and variances of the data.

    Parameters
    ----------
    network
        Changed in place.
    data
        The observations to train on.
    rng
        Picks the observations that are looked at densely.
    """
    weight = next(network.parameters())
    for s, table in enumerate(data.tables):
        present = np.flatnonzero(table.present)
        most = max(64, min(2000, SAMPLE_VALUES // table.n_features))
        rows = np.sort(rng.permutation(present)[:most])
        sample = table.at(rows, weight.device, weight.dtype)
        start = network.likelihoods[s].initialise(table.moments, sample)
        inputs = network.likelihoods[s].encoder_input(sample.filled, sample.exposure)
        network.encoders[s].initialise(inputs, sample)
        known = known_levels(data.schema, data.covariates[present])
        network.decoders[s].initialise(start, torch.from_numpy(known).to(weight))


def known_levels(schema: Schema, covariates: np.ndarray) -> np.ndarray:
    """Map each level of a covariate that a modality never saw to the average of those it did see.

    Parameters
    ----------
    schema
        Says which columns belong together.
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
    >>> known_levels(schema, np.array([[1.0, 0.0]])).tolist()
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


def group_latents(latent: np.ndarray, n_clusters: int, *, choose: bool, seed: int) -> np.ndarray:
    """Find groups of observations in latent space.

    Parameters
    ----------
    latent
        Shape (n, d): posterior mean of each observation.
    n_clusters
        Number of groups, or the most that are allowed.
    choose
        Whether the number is to be found.
    seed
        Of the random starts.

    Returns
    -------
    numpy.ndarray
        Shape (n,): group of each observation, 0 to at most ``n_clusters - 1``.

    Notes
    -----
    A given number of groups: k-means. Else: Leiden communities of the graph of nearest neighbours, at resolutions from
    coarse to fine; taken are the fewest groups whose silhouette is within 4 % of the best. Communities need not be
    round, so one cell type is not cut into several as by k-means; the silhouette says when a finer cut stops
    separating anything. Where no cut has a positive silhouette there is one group.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> latent = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0) + rng.standard_normal((150, 2))
    >>> len(np.unique(group_latents(latent, 10, choose=True, seed=0)))
    3
    """
    if not choose:
        k = min(n_clusters, len(np.unique(latent, axis=0)))
        groups: np.ndarray = KMeans(k, n_init=10, random_state=seed).fit_predict(latent)
        return groups
    scored: list[tuple[float, np.ndarray]] = []
    for found in _communities(latent, seed):
        if 2 <= found.max() + 1 <= min(n_clusters, len(latent) - 1):
            score = silhouette_score(latent, found, sample_size=min(len(latent), ROWS_TO_SCORE), random_state=seed)
            scored.append((float(score), found))
    best = max((score for score, _ in scored), default=0.0)
    if best <= 0:
        return np.zeros(len(latent), np.intp)
    return min((found for score, found in scored if score >= CLOSE_TO_BEST * best), key=lambda found: found.max())


def _communities(latent: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Give the Leiden communities of the nearest-neighbour graph, from coarse to fine."""
    neighbours = kneighbors_graph(latent, min(NEIGHBOURS, len(latent) - 1))
    observations = AnnData(latent)
    for resolution in RESOLUTIONS:
        sc.tl.leiden(
            observations,
            resolution,
            adjacency=neighbours.maximum(neighbours.T),
            directed=False,
            flavor="igraph",
            n_iterations=2,
            random_state=seed,
        )
        yield observations.obs["leiden"].cat.codes.to_numpy(np.intp)
