"""The latents of a MuData in two dimensions."""

import hashlib
import warnings

import anndata
import mudata
import numpy as np

from omixvae.devices import kept_threads
from omixvae.errors import InputError, nearest
from omixvae.results.read import Results

__all__ = ["embedding"]

FEWEST_FOR_UMAP = 15
"""Observations below which UMAP has no neighbourhoods to show, and its start fails."""

MOST_FOR_EXACT_NEIGHBOURS = 50_000
"""Up to here exact neighbours are found sooner than approximate ones, whose search takes half a minute to compile."""


def embedding(found: Results, basis: str) -> tuple[np.ndarray, str]:
    """Return two coordinates for each observation.

    Parameters
    ----------
    found
        The results. A new UMAP is kept in obsm for the next call, with a fingerprint of the latents that it shows.
    basis
        ``"umap"``, ``"pca"``, or a key of obsm, with or without its ``X_``.

    Returns
    -------
    tuple
        Coordinates (n, 2), and what they are called.

    Raises
    ------
    InputError
        If there is no such basis.
    """
    if basis == "umap":
        if len(found.latent) < FEWEST_FOR_UMAP:
            return _principal_components(found.latent.to_numpy()), "PC"
        return _kept_umap(found), "UMAP"
    if basis == "pca":
        return _principal_components(found.latent.to_numpy()), "PC"
    obsm = found.mdata.obsm
    wide = [name for name in obsm if np.ndim(obsm[name]) == 2 and obsm[name].shape[1] > 1]
    for name in (basis, f"X_{basis}"):
        if name in wide:
            return np.asarray(obsm[name])[:, :2].astype(float), name.removeprefix("X_")
    fix = nearest(basis, ["umap", "pca", *wide])
    raise InputError(f"There are no coordinates {basis!r}.", "the argument basis", fix)


def _principal_components(latent: np.ndarray) -> np.ndarray:
    centred = latent.astype(float) - latent.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    scores = (u * s)[:, :2]
    return np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))


def _kept_umap(found: Results) -> np.ndarray:
    mdata: mudata.MuData = found.mdata
    record = mdata.uns[found.key]
    fingerprint = hashlib.sha256(np.ascontiguousarray(found.latent.to_numpy()).tobytes()).hexdigest()
    if found.keys.embedding in mdata.obsm and record.get("umap_of") == fingerprint:
        return np.asarray(mdata.obsm[found.keys.embedding])
    made = _umap(found.latent.to_numpy())
    if not mdata.is_view:  # a view would become a copy by it
        mdata.obsm[found.keys.embedding] = made
        record["umap_of"] = fingerprint
    return made


def _umap(latent: np.ndarray) -> np.ndarray:
    import scanpy  # only here: it takes seconds to load

    light = anndata.AnnData(latent)
    search = "sklearn" if len(latent) <= MOST_FOR_EXACT_NEIGHBOURS else None
    with warnings.catch_warnings(), kept_threads():
        warnings.simplefilter("ignore")  # notes of umap and scanpy on their own options and each other's versions
        scanpy.pp.neighbors(light, min(15, len(latent) - 1), use_rep="X", transformer=search, random_state=0)
        scanpy.tl.umap(light, random_state=0)
    return np.asarray(light.obsm["X_umap"], np.float32)
