"""Synthetic cells of any number, with the density of real ones: what training costs does not depend on biology."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

__all__ = ["DENSITY", "FEATURES", "make", "write_rna"]

FEATURES = {"cite": {"rna": 4000, "protein": 100}, "multiome": {"rna": 4000, "atac": 20_000}}
"""Features of each modality."""

DENSITY = {"rna": 0.14, "atac": 0.05}
"""Share of entries that are not zero."""

PROTEIN_TOTAL = 10_000.0
N_FACTORS = 15
N_TYPES = 12
ROWS_AT_ONCE = 2000

CHUNK = 2**15
"""Values in one chunk of a file: about what h5py takes for arrays of gigabytes."""


class _Cells(NamedTuple):
    """What all modalities of the same cells share."""

    types: np.ndarray
    factors: np.ndarray
    depth: np.ndarray


def make(
    features: Mapping[str, int], n_cells: int, seed: int = 0, density: Mapping[str, float] = DENSITY
) -> mudata.MuData:
    """Draw cells of a dozen types: counts of RNA and proteins, and whether each region is open.

    Parameters
    ----------
    features
        Modality to the number of its features. Its name says what it is: ``"rna"``, ``"atac"`` or ``"protein"``, with
        a number behind where there are several of a kind.
    n_cells
        How many.
    seed
        The same seed gives the same cells.
    density
        Share of entries that are not zero, for each kind that is sparse.

    Returns
    -------
    mudata.MuData
        Sparse but for the proteins; `obs["type"]` says which type a cell is of.
    """
    rng = np.random.default_rng(seed)
    cells = _draw_cells(n_cells, rng)
    values = {}
    for modality, n_features in features.items():
        blocks = list(_blocks(modality, n_features, cells, density, rng))
        values[modality] = sparse.vstack(blocks, format="csr") if sparse.issparse(blocks[0]) else np.concatenate(blocks)
    return _named(values, cells.types)


def write_rna(path: Path, n_genes: int, n_cells: int, seed: int = 0, compression: Literal["lzf"] | None = None) -> None:
    """Write the cells that `make({"rna": n_genes}, n_cells, seed)` gives, without ever holding more than a block.

    Parameters
    ----------
    path
        The h5mu file.
    n_genes, n_cells, seed
        As for `make`.
    compression
        Of the values and their positions.
    """
    rng = np.random.default_rng(seed)
    cells = _draw_cells(n_cells, rng)
    _named({"rna": sparse.csr_matrix((n_cells, n_genes), dtype=np.float32)}, cells.types).write(path)
    lengths = []
    with h5py.File(path, "r+") as file:
        x = file["mod/rna/X"]
        del x["data"], x["indices"], x["indptr"]
        layout = {"shape": (0,), "maxshape": (None,), "chunks": (CHUNK,), "compression": compression}
        data, indices = (
            x.create_dataset(name, dtype=dtype, **layout) for name, dtype in (("data", "f4"), ("indices", "i4"))
        )
        for block in _blocks("rna", n_genes, cells, DENSITY, rng):
            begin, end = len(data), len(data) + block.nnz
            for kept, drawn in ((data, block.data), (indices, block.indices)):
                kept.resize(end, axis=0)
                kept[begin:end] = drawn
            lengths.append(np.diff(block.indptr))
        ends = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
        x["indptr"] = ends.astype(np.int32 if ends[-1] <= np.iinfo(np.int32).max else np.int64)


def _draw_cells(n_cells: int, rng: np.random.Generator) -> _Cells:
    types = rng.integers(N_TYPES, size=n_cells)
    factors = rng.standard_normal((N_TYPES, N_FACTORS))[types] + 0.5 * rng.standard_normal((n_cells, N_FACTORS))
    depth = np.exp(0.3 * rng.standard_normal(n_cells))
    return _Cells(types, factors.astype(np.float32), depth.astype(np.float32))


def _named(values: Mapping[str, np.ndarray | sparse.csr_matrix], types: np.ndarray) -> mudata.MuData:
    """Give cells and features names."""
    cells = pd.Index([f"cell{i}" for i in range(len(types))])
    tables = {}
    for modality, x in values.items():
        features = pd.DataFrame(index=[f"{modality}_{j}" for j in range(x.shape[1])])
        tables[modality] = anndata.AnnData(x, pd.DataFrame(index=cells), features)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        made = mudata.MuData(tables)
    made.obs["type"] = types.astype(str)
    return made


def _blocks(
    modality: str, n_features: int, cells: _Cells, density: Mapping[str, float], rng: np.random.Generator
) -> Iterator[np.ndarray | sparse.csr_matrix]:
    """Draw some cells at a time."""
    kind = modality.rstrip("0123456789")
    loadings = 0.3 * rng.standard_normal((N_FACTORS, n_features), np.float32)
    offset = 1.5 * rng.standard_normal(n_features, np.float32)
    scale = None
    for first in range(0, len(cells.types), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        rate = np.exp(offset + cells.factors[rows] @ loadings) * cells.depth[rows, None]
        if scale is None:
            scale = PROTEIN_TOTAL / rate.sum(axis=1).mean() if kind == "protein" else _scale(rate, density[kind])
        counts = rng.poisson(scale * rate * rng.gamma(5.0, 0.2, rate.shape)).astype(np.float32)
        if kind == "protein":
            yield counts
        else:
            yield sparse.csr_matrix(counts > 0 if kind == "atac" else counts, dtype=np.float32)


def _scale(rate: np.ndarray, density: float) -> float:
    """Find the factor with which so many Poisson counts of these rates are not zero."""
    low, high = 1e-6, 1e6
    for _ in range(50):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if -np.expm1(-middle * rate).mean() < density else (low, middle)
    return float(middle)
