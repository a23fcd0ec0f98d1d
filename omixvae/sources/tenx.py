"""What Cell Ranger and tools like it write: one matrix of all that was counted, in an h5 file or in an mtx folder."""

import csv
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import anndata
import pandas as pd
import scipy.sparse as sp

from omixvae.errors import InputError
from omixvae.sources.stores import reading_store

__all__ = ["is_matrix_folder", "read_10x", "split_by_type"]

TYPES = "feature_types"
"""Column of var that says what kind of molecule a feature is."""

MODALITIES = {
    "Gene Expression": "rna",
    "GEX": "rna",
    "Antibody Capture": "protein",
    "ADT": "protein",
    "Peaks": "atac",
    "ATAC": "atac",
    "CRISPR Guide Capture": "crispr",
    "Multiplexing Capture": "hashtag",
    "Antigen Capture": "antigen",
}
"""Kind of molecule, as 10x and sets made from its files call it, to the name of the modality."""

TYPE = 2
"""Column of the file of features that says it, from Cell Ranger 3 on; ids and symbols come before."""


def is_matrix_folder(path: Path) -> bool:
    """Return whether a folder holds a matrix as Cell Ranger writes it.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    bool
        Whether there is a file ``matrix.mtx`` or ``matrix.mtx.gz``, whatever stands before its name.
    """
    return path.is_dir() and bool(_matrices(path))


def _matrices(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(("matrix.mtx", "matrix.mtx.gz")))


def read_10x(path: Path) -> anndata.AnnData:
    """Read an h5 file or an mtx folder.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    anndata.AnnData
        All features together, under their symbols; ``var`` has ``gene_ids`` and, from Cell Ranger 3 on,
        ``feature_types``.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    import scanpy as sc  # only here: it takes seconds to load

    with reading_store(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on repeated names, which are made unique afterwards
        return _read_folder(path) if path.is_dir() else sc.read_10x_h5(path, gex_only=False)


def _read_folder(folder: Path) -> anndata.AnnData:
    matrices = _matrices(folder)
    if len(matrices) > 1:
        raise InputError(
            f"The folder holds {len(matrices)} matrices, the first are {matrices[0].name!r} and {matrices[1].name!r}.",
            f"folder {folder}",
            "Put the files of each into a folder of its own.",
        )
    before, _, _ = matrices[0].name.rpartition("matrix.mtx")
    barcodes, features = (_read_names(folder, before, kinds) for kinds in (("barcodes",), ("features", "genes")))
    counts = anndata.io.read_mtx(matrices[0], dtype="float32")
    if counts.shape != (len(features), len(barcodes)):
        raise InputError(
            f"The matrix has {counts.n_obs:,} features and {counts.n_vars:,} barcodes, and there are names of "
            f"{len(features):,} and {len(barcodes):,}.",
            f"folder {folder}",
            "The files are of different runs, or one was cut off: copy all three again.",
        )
    var = pd.DataFrame({"gene_ids": features[0].to_numpy()}, index=features[min(1, features.shape[1] - 1)].to_numpy())
    if features.shape[1] > TYPE:
        var[TYPES] = features[TYPE].to_numpy()
    return anndata.AnnData(sp.csr_matrix(counts.X.T), pd.DataFrame(index=barcodes[0].to_numpy()), var)


def _read_names(folder: Path, before: str, kinds: Sequence[str]) -> pd.DataFrame:
    """Read a file of names, gzipped or not: scanpy wants all files alike, and those of other tools are not."""
    wanted = [f"{before}{kind}.tsv{ending}" for kind in kinds for ending in (".gz", "")]
    there = [folder / name for name in wanted if (folder / name).is_file()]
    if not there:
        raise InputError(
            f"The folder holds a matrix and no {' or '.join(f'{before}{kind}.tsv' for kind in kinds)}.",
            f"folder {folder}",
            "Copy all three files of the matrix into it: matrix, barcodes and features, gzipped or not.",
        )
    return pd.read_csv(there[0], sep="\t", header=None, dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)


def split_by_type(adata: anndata.AnnData) -> Mapping[str, anndata.AnnData]:
    """Split features by the kind of molecule.

    Parameters
    ----------
    adata
        What was read.

    Returns
    -------
    dict
        Name of the modality to its part. One alone where there is a single kind; nothing is known of the kind of
        features that have no ``feature_types``: empty.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> var = pd.DataFrame({"feature_types": ["Gene Expression", "Antibody Capture"]}, ["CD4", "CD4_TotalSeqB"])
    >>> {name: part.shape for name, part in split_by_type(anndata.AnnData(np.ones((3, 2)), var=var)).items()}
    {'rna': (3, 1), 'protein': (3, 1)}
    """
    if TYPES not in adata.var:
        return {}
    kinds = adata.var[TYPES].astype(str)
    if kinds.nunique() == 1:
        return {_modality(kinds.iloc[0]): adata}
    parts = {_modality(kind): adata[:, (kinds == kind).to_numpy()].copy() for kind in kinds.unique()}
    for part in list(parts.values())[1:]:
        del part.obsm, part.obsp, part.uns  # what was computed of all of it stays in the first alone
    return parts


def _modality(kind: str) -> str:
    """Name a modality by its kind; one that is not known by its own words."""
    return MODALITIES.get(kind) or re.sub(r"\W+", "_", kind.lower()).strip("_")
