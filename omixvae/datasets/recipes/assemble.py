"""What all recipes end with: tables of observations and features become one MuData."""

from collections.abc import Mapping, Sequence

import anndata
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.datasets.r_objects import RMatrix
from omixvae.mudata_io import without_pulling

__all__ = ["assemble", "observed", "transposed"]


def transposed(matrix: RMatrix) -> anndata.AnnData:
    """Make a modality of an R matrix whose rows are features.

    Parameters
    ----------
    matrix
        Features x observations.

    Returns
    -------
    anndata.AnnData
        As `observed` makes it.
    """
    return observed(matrix.values.T, matrix.columns, matrix.rows)


def observed(
    values: "np.ndarray | sp.spmatrix", obs_names: Sequence[str] | pd.Index, var_names: Sequence[str] | pd.Index
) -> anndata.AnnData:
    """Make a modality.

    Parameters
    ----------
    values
        Observations x features. Sparse ones stay sparse.
    obs_names, var_names
        Their names.

    Returns
    -------
    anndata.AnnData
        With values in single precision.

    Examples
    --------
    >>> observed(np.ones((2, 3)), ["cell1", "cell2"], ["CD3D", "CD4", "CD8A"]).shape
    (2, 3)
    """
    if sp.issparse(values):
        x = sp.csr_matrix(values, dtype=np.float32)
        x.sort_indices()
    else:
        x = np.ascontiguousarray(values, np.float32)
    return anndata.AnnData(x, pd.DataFrame(index=pd.Index(obs_names)), pd.DataFrame(index=pd.Index(var_names)))


def assemble(modalities: Mapping[str, anndata.AnnData], obs: pd.DataFrame | None = None) -> mudata.MuData:
    """Put modalities and labels together.

    Parameters
    ----------
    modalities
        Each with the observations that were measured in it. A modality that shares feature names with an earlier one
        gets its own name as a suffix to all of them; the plain ones go to ``var["name"]``.
    obs
        Columns of at least all these observations, which come in this order. What is no number becomes categorical; an
        unknown label is missing.

    Returns
    -------
    mudata.MuData
        The whole.

    Examples
    --------
    >>> rna = observed(np.ones((2, 1)), ["a", "b"], ["TP53"])
    >>> mutation = observed(np.zeros((1, 1)), ["b"], ["TP53"])
    >>> mdata = assemble({"rna": rna, "mutation": mutation}, pd.DataFrame({"sex": ["f", "m"]}, ["a", "b"]))
    >>> mdata["mutation"].var_names.to_list()
    ['TP53_mutation']
    """
    taken: set[str] = set()
    for name, adata in modalities.items():
        if not taken.isdisjoint(adata.var_names):
            adata.var["name"] = adata.var_names.to_numpy()
            adata.var_names = [f"{feature}_{name}" for feature in adata.var_names]
        taken.update(adata.var_names)
    with without_pulling():
        mdata = mudata.MuData(dict(modalities))
    for column, values in (obs if obs is not None else pd.DataFrame()).items():
        known = values.reindex(mdata.obs_names)
        is_number = pd.api.types.is_numeric_dtype(known)
        mdata.obs[column] = known if is_number else known.astype(object).astype("category")
    return mdata
