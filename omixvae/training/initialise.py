"""Start values from the data: where networks begin, and where the mixture's components are put."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from anndata import AnnData
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph

from omixvae.data.masked import MaskedModalities, Schema
from omixvae.vae import MultimodalVAE

__all__ = ["group_latents", "initialise_network", "known_levels", "united"]

SAMPLE_VALUES = 20_000_000
"""Most values of one modality that are looked at densely (80 MB in float32)."""

NEIGHBOURS = (5, 15)
"""Fewest and most in the graph: with 15 of each of a hundred patients, all groups are connected."""

RESOLUTIONS = tuple(np.geomspace(0.01, 1.0, 13))
APART = 0.15
"""Groups of observations are different clusters if they have less than this part of the neighbours in one another that
they would have by chance."""

JUDGES = 30
"""So many of each group, those with the most modalities, say whether it is a cluster of its own."""


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


def group_latents(
    latent: np.ndarray, n_measured: np.ndarray, n_clusters: int, *, choose: bool, seed: int
) -> np.ndarray:
    """Find groups of observations in latent space.

    Parameters
    ----------
    latent
        Shape (n, d): posterior mean of each observation.
    n_measured
        Shape (n,): how many modalities each has.
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
    A given number of groups: k-means. Else: Leiden communities of the graph of nearest neighbours, at the finest of
    several resolutions that gives no more than are allowed, and then those together that the graph connects (`united`).
    Communities need not be round, so one cell type is not cut into several as by k-means.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> latent = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0) + rng.standard_normal((150, 2))
    >>> len(np.unique(group_latents(latent, np.full(150, 2), 10, choose=True, seed=0)))
    3
    """
    if not choose:
        k = min(n_clusters, len(np.unique(latent, axis=0)))
        groups: np.ndarray = KMeans(k, n_init=10, random_state=seed).fit_predict(latent)
        return groups
    allowed = [found for found in _communities(latent, seed) if found.max() < n_clusters]
    finest = max(allowed, key=lambda found: int(found.max()), default=np.zeros(len(latent), np.intp))
    return united(latent, n_measured, finest)[finest]


def united(latent: np.ndarray, n_measured: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Say which groups of observations belong together: those that the graph of nearest neighbours connects.

    Parameters
    ----------
    latent
        Shape (n, d): posterior mean of each observation.
    n_measured
        Shape (n,): how many modalities each has.
    groups
        Shape (n,): group of each observation, 0 to k - 1.

    Returns
    -------
    numpy.ndarray
        Shape (k,): the cluster of each group, 0 for the largest.

    Notes
    -----
    Between two groups there are e_ab of the edges of the graph; were edges drawn without regard to groups, there would
    be e_a e_b, with e_a the part of all ends that a has. The pair with the largest ratio e_ab / (e_a e_b), the
    connectivity of PAGA (Wolf et al., Genome Biology 2019), becomes one group, until all ratios are below `APART`.

    An observation of which little is known lies between the groups that it could belong to, and would connect them. The
    graph is therefore one of the observations with the most modalities, down to the number that `JUDGES` of a group
    have; so a group in which no observation has them all is still judged.
    """
    fewest = [np.sort(n_measured[groups == group])[-JUDGES:][0] for group in range(groups.max() + 1)]
    judges = n_measured >= np.array(fewest)[groups]
    members = np.eye(groups.max() + 1)[groups[judges]]
    graph = _neighbour_graph(latent[judges])
    clusters = [np.array([group]) for group in range(members.shape[1])]
    edges = np.asarray(members.T @ (graph @ members)) / graph.sum()
    while len(clusters) > 1:
        by_chance = np.outer(edges.sum(1), edges.sum(1))
        ratio = np.triu(np.divide(edges, by_chance, out=np.zeros_like(edges), where=by_chance > 0), 1)
        a, b = np.unravel_index(ratio.argmax(), ratio.shape)
        if ratio[a, b] < APART:
            break
        edges[a] += edges[b]
        edges[:, a] += edges[:, b]
        edges = np.delete(np.delete(edges, b, 0), b, 1)
        clusters[a] = np.concatenate([clusters[a], clusters.pop(b)])
    cluster = np.empty(members.shape[1], np.intp)
    size = np.bincount(groups)
    for number, i in enumerate(sorted(range(len(clusters)), key=lambda i: -size[clusters[i]].sum())):
        cluster[clusters[i]] = number
    return cluster


def _communities(latent: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Give the Leiden communities of the nearest-neighbour graph, from coarse to fine."""
    import scanpy as sc  # only here: it takes seconds to load, and commands that do not train need it not

    graph = _neighbour_graph(latent)
    observations = AnnData(latent)
    for resolution in RESOLUTIONS:
        sc.tl.leiden(
            observations,
            resolution,
            adjacency=graph,
            directed=False,
            flavor="igraph",
            n_iterations=2,
            random_state=seed,
        )
        yield observations.obs["leiden"].cat.codes.to_numpy(np.intp)


def _neighbour_graph(latent: np.ndarray) -> sparse.csr_matrix:
    """Connect each observation with its nearest, half the root of n of them, in both directions."""
    nearest = int(np.clip(round(math.sqrt(len(latent)) / 2), *NEIGHBOURS))
    neighbours = kneighbors_graph(latent, min(nearest, len(latent) - 1))
    return neighbours.maximum(neighbours.T)
