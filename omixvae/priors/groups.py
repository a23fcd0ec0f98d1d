"""Groups of observations in latent space, from which the components of a mixture start."""

import math
from collections.abc import Iterator

import numpy as np
from anndata import AnnData
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph

__all__ = ["group_latents", "united"]

NEIGHBOURS = (5, 15)
"""Fewest and most in the graph: with 15 of each of a hundred patients, all groups are connected."""

RESOLUTIONS = tuple(np.geomspace(0.01, 1.0, 13))
APART = 0.15
"""Groups of observations are different clusters if they have less than this part of the neighbours in one another that
they would have by chance."""

JUDGES = 30
"""So many of each group, those with the most modalities, say whether it is a cluster of its own."""


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
    """Find the groups of observations that belong together: those that the graph of nearest neighbours connects.

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
    """Yield the Leiden communities of the nearest-neighbour graph, from coarse to fine."""
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
