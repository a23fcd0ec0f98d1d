"""Synthetic cells of any number, with the density of real ones: what training costs does not depend on biology."""

from collections.abc import Iterator

import anndata
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

__all__ = ["FEATURES", "make"]

FEATURES = {"cite": {"rna": 4000, "protein": 100}, "multiome": {"rna": 4000, "atac": 20_000}}
"""Features of each modality."""

DENSITY = {"rna": 0.14, "atac": 0.05}
"""Share of entries that are not zero."""

PROTEIN_TOTAL = 10_000.0
N_FACTORS = 15
N_TYPES = 12
ROWS_AT_ONCE = 2000


def make(name: str, n_cells: int, seed: int = 0) -> mudata.MuData:
    """Draw cells of a dozen types: counts of RNA and proteins, and whether each region is open.

    Parameters
    ----------
    name
        ``"cite"`` or ``"multiome"``.
    n_cells
        How many.
    seed
        The same seed gives the same cells.

    Returns
    -------
    mudata.MuData
        Sparse but for the proteins; `obs["type"]` says which type a cell is of.
    """
    rng = np.random.default_rng(seed)
    types = rng.integers(N_TYPES, size=n_cells)
    factors = rng.standard_normal((N_TYPES, N_FACTORS))[types] + 0.5 * rng.standard_normal((n_cells, N_FACTORS))
    factors = factors.astype(np.float32)
    depth = np.exp(0.3 * rng.standard_normal(n_cells)).astype(np.float32)
    names = pd.Index([f"cell{i}" for i in range(n_cells)])
    tables = {}
    for modality, n_features in FEATURES[name].items():
        blocks = list(_blocks(modality, n_features, factors, depth, rng))
        x = np.concatenate(blocks) if modality == "protein" else sparse.vstack(blocks, format="csr")
        features = pd.DataFrame(index=[f"{modality}{j}" for j in range(n_features)])
        tables[modality] = anndata.AnnData(x, pd.DataFrame(index=names), features)
    made = mudata.MuData(tables)
    made.obs["type"] = types.astype(str)
    return made


def _blocks(
    modality: str, n_features: int, factors: np.ndarray, depth: np.ndarray, rng: np.random.Generator
) -> Iterator[np.ndarray | sparse.csr_matrix]:
    """Draw some cells at a time."""
    loadings = 0.3 * rng.standard_normal((N_FACTORS, n_features), np.float32)
    offset = 1.5 * rng.standard_normal(n_features, np.float32)
    scale = None
    for first in range(0, len(factors), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        rate = np.exp(offset + factors[rows] @ loadings) * depth[rows, None]
        if scale is None:
            scale = (
                PROTEIN_TOTAL / rate.sum(axis=1).mean() if modality == "protein" else _scale(rate, DENSITY[modality])
            )
        counts = rng.poisson(scale * rate * rng.gamma(5.0, 0.2, rate.shape)).astype(np.float32)
        yield (
            counts
            if modality == "protein"
            else sparse.csr_matrix(counts > 0 if modality == "atac" else counts, dtype=np.float32)
        )


def _scale(rate: np.ndarray, density: float) -> float:
    """Find the factor with which so many Poisson counts of these rates are not zero."""
    low, high = 1e-6, 1e6
    for _ in range(50):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if -np.expm1(-middle * rate).mean() < density else (low, middle)
    return float(middle)
