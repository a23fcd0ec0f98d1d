"""Blood cells of which RNA and surface proteins were counted."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from omixvae.datasets.r_objects import RMatrix, alternative, assay, frame, matrix, part, read_r
from omixvae.datasets.recipes.assemble import assemble, transposed

__all__ = ["pbmc_citeseq_10k_5k", "pbmc_eccite_control", "pbmc_eccite_two_samples"]

GENOME = "hg19_"  # before each gene's name in the files of CiteFuse

LEAD = 3  # how many times a cell's first hashtag must exceed its second to name the cell's origin

NO_CELL_TYPE = "unknown"


def pbmc_citeseq_10k_5k(files: Mapping[str, Path]) -> mudata.MuData:
    """Take two runs of 10x; the smaller one gets no protein."""
    batches = {
        "pbmc10k": _counts(files["pbmc10k_harmo_rna.csv.gz"], "pbmc10k_"),
        "pbmc5k": _counts(files["pbmc5k_harmo_rna.csv.gz"], "pbmc5k_"),
    }
    rna = anndata.concat(list(batches.values()))
    protein = _counts(files["pbmc10k_harmo_pro.csv.gz"], "pbmc10k_")
    curated = pd.read_csv(files["truth_10X10k.csv"], index_col="Barcode")["trueType"]
    automatic = frame(part(read_r(files["test_sce.rda"]), "colData"))["Main.RNA"]
    obs = pd.DataFrame({"batch": np.repeat(list(batches), [len(batch) for batch in batches.values()])}, rna.obs_names)
    obs["cell_type"] = curated[curated != NO_CELL_TYPE].rename(index="pbmc10k_{}".format)
    obs["cell_type_rna"] = automatic.rename(index="pbmc10k_{}".format)
    return assemble({"rna": rna, "protein": protein}, obs)


def pbmc_eccite_control(files: Mapping[str, Path]) -> mudata.MuData:
    """Take the healthy control: human genes that occur, proteins, hashtags as columns."""
    example = read_r(files["CITEseq_example.rda"])
    rna = _human(transposed(matrix(part(example, "RNA"))))
    rna = rna[:, rna.X.getnnz(axis=0) > 0].copy()
    protein = transposed(matrix(part(example, "ADT")))
    hashtags = matrix(part(example, "HTO"))
    obs = pd.DataFrame(sp.csc_matrix(hashtags.values).toarray().T, hashtags.columns, hashtags.rows)
    obs["hashtag"] = _leading(obs)
    subset = read_r(files["sce_control_subset.rda"])
    obs["cluster_citefuse"] = frame(part(subset, "colData"))["SNF_W_louvain"]
    return assemble({"rna": rna, "protein": protein}, obs)


def pbmc_eccite_two_samples(files: Mapping[str, Path]) -> mudata.MuData:
    """Take a control and a patient, with the genes and proteins that both have."""
    experiments = {sample: read_r(files[f"sce_{sample}_subset.rda"]) for sample in ("control", "ctcl")}
    rna, protein, obs = [], [], []
    for sample, experiment in experiments.items():
        rna.append(_named_by(sample, _human(transposed(assay(experiment, "counts")))))
        protein.append(_named_by(sample, transposed(assay(alternative(experiment, "ADT")))))
        clusters = frame(part(experiment, "colData"))["SNF_W_louvain"]
        columns = {"batch": sample, "cluster_citefuse": [f"{sample}_{cluster}" for cluster in clusters]}
        obs.append(pd.DataFrame(columns, rna[-1].obs_names))
    return assemble({"rna": anndata.concat(rna), "protein": anndata.concat(protein)}, pd.concat(obs))


def _counts(path: Path, prefix: str) -> anndata.AnnData:
    """Read a table of features by cells, line by line: whole it would take a hundred times the file."""
    names, rows = [], []
    with gzip.open(path, "rt") as lines:
        cells = next(lines).rstrip("\n").split(",")[1:]
        for line in lines:
            name, _, numbers = line.partition(",")
            names.append(name)
            rows.append(sp.csr_matrix(np.fromstring(numbers, np.float32, sep=",")))
    return transposed(RMatrix(sp.vstack(rows), pd.Index(names), pd.Index([prefix + cell for cell in cells])))


def _human(rna: anndata.AnnData) -> anndata.AnnData:
    rna.var_names = rna.var_names.str.removeprefix(GENOME)
    return rna


def _named_by(sample: str, adata: anndata.AnnData) -> anndata.AnnData:
    adata.obs_names = [f"{sample}_{name}" for name in adata.obs_names]
    return adata


def _leading(hashtags: pd.DataFrame) -> pd.Series:
    """Name the hashtag that each cell has most of, if it leads far enough."""
    second, first = np.sort(hashtags.to_numpy(), axis=1)[:, -2:].T
    return hashtags.idxmax(axis=1).where(first >= LEAD * second, "ambiguous")
