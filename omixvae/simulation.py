"""Multi-omics MuData from a known generative model, with the truth inside."""

import anndata
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.errors import InputError
from omixvae.mudata_io import without_pulling

__all__ = ["simulate"]


def simulate(
    n_obs: int = 2000,
    *,
    n_genes: int = 400,
    n_proteins: int = 20,
    n_clusters: int = 6,
    n_latent: int = 6,
    missing: float = 0.5,
    seed: int = 0,
) -> mudata.MuData:
    """Make a CITE-seq-like MuData: RNA and protein counts of cells from two batches, with known clusters.

    Parameters
    ----------
    n_obs
        Number of cells, at least 10.
    n_genes, n_proteins
        Number of features of the modalities ``rna`` and ``protein``.
    n_clusters
        Number of cell types; their sizes differ.
    n_latent
        Dimensions of the latent state that both modalities read.
    missing
        Part of the cells of the second batch that lack the protein modality, from 0 to 1.
    seed
        The same seed gives the same data.

    Returns
    -------
    mudata.MuData
        ``obs["cluster"]``, ``obs["batch"]``, ``obsm["latent"]`` hold the truth, ``mdata["protein"]`` only the cells
        that were "measured", and ``obsm["protein_truth"]`` the expected protein counts of all cells.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> mdata = simulate(n_obs=100, seed=1)
    >>> mdata.n_obs, mdata["rna"].n_vars, mdata["protein"].n_obs
    (100, 400, 75)

    Notes
    -----
    Latent z = cluster centre + N(0, 0.3² I), the centres far apart among many drawn from N(0, 1.5² I). Expected counts
    are depth × softmax(bias + loadings · z + batch effect), with depths log-normal per cell, and counts are negative
    binomial (gamma-Poisson) with θ = 2 for RNA and 10 for protein.
    """
    if not (n_obs >= 10 and n_clusters >= 1 and n_latent >= 1 and 0 <= missing <= 1 and min(n_genes, n_proteins) >= 2):
        raise InputError(
            "These numbers describe no data.",
            "the arguments of simulate",
            "Give n_obs >= 10, n_clusters >= 1, n_latent >= 1, at least 2 genes and proteins, and missing from 0 to 1.",
        )
    rng = np.random.default_rng(seed)
    sizes = rng.dirichlet(np.full(n_clusters, 10.0))
    cluster = rng.choice(n_clusters, n_obs, p=sizes)
    batch = rng.permutation(np.arange(n_obs) % 2)
    centre = _spread_out(1.5 * rng.standard_normal((20 * n_clusters, n_latent)), n_clusters)
    z = centre[cluster] + 0.3 * rng.standard_normal((n_obs, n_latent))
    second = np.flatnonzero(batch == 1)
    lacking = second[rng.permutation(len(second))[: round(missing * len(second))]]
    measured = np.setdiff1d(np.arange(n_obs), lacking)

    rna, _ = _counts(z, batch, n_genes, depth=2000.0, theta=2.0, spread=1.5, rng=rng)
    protein, expected = _counts(z, batch, n_proteins, depth=1500.0, theta=10.0, spread=0.5, rng=rng)
    names = np.array([f"cell{i:05d}" for i in range(n_obs)])
    mods = {
        "rna": _adata(rna, names, [f"gene{j:04d}" for j in range(n_genes)]),
        "protein": _adata(protein[measured], names[measured], [f"protein{j:02d}" for j in range(n_proteins)]),
    }
    with without_pulling():
        mdata = mudata.MuData(mods)
    obs = pd.DataFrame(
        {
            "cluster": pd.Categorical([f"type {c}" for c in cluster]),
            "batch": pd.Categorical([f"batch {b}" for b in batch]),
        },
        index=names,
    ).loc[mdata.obs_names]
    order = pd.Index(names).get_indexer(mdata.obs_names)
    for column in obs:
        mdata.obs[column] = obs[column]
    mdata.obsm["latent"] = z[order]
    mdata.obsm["protein_truth"] = expected[order]
    return mdata


def _spread_out(points: np.ndarray, n: int) -> np.ndarray:
    """Choose points one after the other, each as far as can be from those chosen before: no two cell types coincide."""
    chosen = points[:1]
    while len(chosen) < n:
        distance = np.linalg.norm(points[:, None] - chosen, axis=-1).min(axis=1)
        chosen = np.vstack([chosen, points[distance.argmax()]])
    return chosen


def _counts(
    z: np.ndarray,
    batch: np.ndarray,
    n_features: int,
    *,
    depth: float,
    theta: float,
    spread: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw counts around the composition that z and the batch give; also give the expected counts."""
    loadings = rng.standard_normal((z.shape[1], n_features)) / np.sqrt(z.shape[1])
    bias = spread * rng.standard_normal(n_features)
    shift = 0.3 * rng.standard_normal((2, n_features))
    logits = bias + z @ loadings + shift[batch]
    composition = np.exp(logits - logits.max(1, keepdims=True))
    composition /= composition.sum(1, keepdims=True)
    expected = depth * np.exp(0.3 * rng.standard_normal((len(z), 1))) * composition
    return rng.poisson(rng.gamma(theta, expected / theta)).astype(np.float32), expected.astype(np.float32)


def _adata(counts: np.ndarray, obs_names: np.ndarray, var_names: list[str]) -> anndata.AnnData:
    return anndata.AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(index=obs_names), var=pd.DataFrame(index=var_names))
