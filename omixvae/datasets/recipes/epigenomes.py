"""Single cells of which RNA and accessible chromatin or DNA methylation were measured."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.datasets.r_objects import RMatrix, frame, matrix, part, read_r
from omixvae.datasets.recipes.assemble import assemble, observed, transposed

__all__ = ["a549_scicar", "mesc_scmt", "pbmc_multiome_mini"]

ASSAYS_OF_MESC = {
    "rna": "RNA expression",
    "met_enhancers": "Met Enhancers",
    "met_cpg_islands": "Met CpG Islands",
    "met_promoters": "Met Promoters",
}


def a549_scicar(files: Mapping[str, Path]) -> mudata.MuData:
    """Take A549 cells; the values are logarithms, scaled in each cell, and become counts and 0/1 again."""
    data = read_r(files["data_A549.rda"])
    rna, atac = (matrix(part(data, "data", name)) for name in ("RNA", "ATAC"))
    seen = RMatrix(_with_data(atac.values, 1.0), _regions(atac.rows), atac.columns)
    modalities = {"rna": transposed(RMatrix(_recounted(rna.values), rna.rows, rna.columns)), "atac": transposed(seen)}
    hours = pd.DataFrame(part(data, "labels"))["Time"].astype(str) + "h"
    return assemble(modalities, pd.DataFrame({"treatment_hours": hours}))


def pbmc_multiome_mini(files: Mapping[str, Path]) -> mudata.MuData:
    """Take the cells of muon's test file as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the file's age and mudata's plans: nothing for the user to do here
        source = mudata.read_h5mu(files["test_rna_atac.h5mu"])
    modalities = {}
    for name in ("rna", "atac"):
        modalities[name] = observed(source[name].X, source[name].obs_names, source[name].var_names)
        modalities[name].var = source[name].var[["gene_ids", "interval"]].astype(object)
    return assemble(modalities)


def mesc_scmt(files: Mapping[str, Path]) -> mudata.MuData:
    """Take stem cells; each assay has the cells that passed its own quality control."""
    data = read_r(files["scMT_data.RData"])
    experiments = part(data, "ExperimentList", "listData")
    modalities = {name: transposed(matrix(part(experiments, assay))) for name, assay in ASSAYS_OF_MESC.items()}
    obs = frame(part(data, "colData"))
    passed = ["pass_rnaQC", "pass_metQC"]
    obs[passed] = obs[passed].astype(str)
    return assemble(modalities, obs)


def _with_data(values: sp.csc_matrix, data: "np.ndarray | float") -> sp.csc_matrix:
    """Replace the values that are not zero."""
    changed = values.copy()
    changed.data[:] = data
    return changed


def _recounted(values: sp.csc_matrix) -> sp.csc_matrix:
    """Undo log(1 + count x factor of the cell): the smallest value of a cell is one count."""
    scaled = np.expm1(values.data)
    per_cell = np.diff(values.indptr)
    smallest = np.minimum.reduceat(scaled, values.indptr[:-1][per_cell > 0])
    return _with_data(values, np.rint(scaled / np.repeat(smallest, per_cell[per_cell > 0])))


def _regions(names: pd.Index) -> pd.Index:
    """Write 1-9963-10665 as chr1:9963-10665."""
    return "chr" + names.str.replace("-", ":", n=1)
