"""Cohorts of The Cancer Genome Atlas: bulk assays of tumours, one row for each patient."""

from collections.abc import Mapping
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.datasets.r_objects import RMatrix, assay, frame, matrix, part, read_r
from omixvae.datasets.recipes.assemble import assemble, transposed

__all__ = ["tcga_acc_mini", "tcga_blca_mirna_rppa", "tcga_coread_cms", "tcga_lgg_brain"]

PRIMARY_TUMOUR = "01"  # the fourth part of a barcode of TCGA, e.g. TCGA-OR-A5J1-01A-11R-A29S-07

NUMBERS_OF_BLCA = ["years_to_birth", "vital_status", "days_to_death", "days_to_last_followup"]
WORDS_OF_BLCA = [
    *("pathologic_stage", "pathology_T_stage", "pathology_N_stage"),
    *("gender", "histological_type", "race", "ethnicity"),
]

LACKING_IN_COREAD = ["dataset", "grade", "rfsMo", "rfsStat"]  # the same for all, or for nobody known


def tcga_acc_mini(files: Mapping[str, Path]) -> mudata.MuData:
    """Take five assays of adrenocortical tumours."""
    data = read_r(files["miniACC.RData"])
    experiments = part(data, "ExperimentList", "listData")
    modalities = {
        "rna": _patients(assay(part(experiments, "RNASeq2GeneNorm"))),
        "cna": _patients(assay(part(experiments, "gistict"))),
        "protein": _patients(assay(part(experiments, "RPPAArray"))),
        "mutation": _patients(matrix(part(experiments, "Mutations"))),
        "mirna": _patients(assay(part(experiments, "miRNASeqGene"))),
    }
    obs = frame(part(data, "colData")).drop(columns="patientID")
    return assemble(modalities, obs)


def tcga_blca_mirna_rppa(files: Mapping[str, Path]) -> mudata.MuData:
    """Take microRNAs that occur and proteins of bladder tumours."""
    data = read_r(files["blca.Rda"])
    mirna = _patients(matrix(part(data, "miRNASeqGene")))
    protein = _patients(matrix(part(data, "RPPAArray", 0, "DataMatrix")))
    clinical = pd.DataFrame(part(data, "Clinical"))
    obs = clinical[NUMBERS_OF_BLCA].astype("Int64").join(clinical[WORDS_OF_BLCA])
    obs.index = obs.index.str.upper().str.replace(".", "-")
    return assemble({"mirna": mirna[:, (mirna.X > 0).any(axis=0)].copy(), "protein": protein}, obs)


def tcga_lgg_brain(files: Mapping[str, Path]) -> mudata.MuData:
    """Take three assays of lower-grade gliomas."""
    data = read_r(files["brain.rda"])
    modalities = {name: transposed(matrix(part(data, place))) for place, name in enumerate(("rna", "mirna", "protein"))}
    for adata in modalities.values():
        adata.obs_names = adata.obs_names.str.replace(".", "-")
    symbols, entrez = modalities["rna"].var_names.str.split("|", expand=True).to_frame(index=False).to_numpy().T
    modalities["rna"].var_names = pd.Index(np.where(symbols == "?", entrez, symbols))
    return assemble(modalities)


def tcga_coread_cms(files: Mapping[str, Path]) -> mudata.MuData:
    """Take three assays of colorectal tumours; the scaled indicators of mutations become 0/1 again."""
    tables = {name: pd.read_csv(files[f"COREAD_CMS13_{name}.csv"], index_col=0) for name in ("gex", "muts", "cnv")}
    tables["muts"] = tables["muts"] > 0
    gex, muts, cnv = (transposed(matrix(table.astype(float))) for table in tables.values())
    obs = pd.read_csv(files["COREAD_CMS13_subtypes.csv"], index_col=0).drop(columns=LACKING_IN_COREAD)
    return assemble({"rna": gex, "mutation": muts, "cna": cnv}, obs)


def _patients(samples: RMatrix) -> anndata.AnnData:
    """Keep primary tumours, named by patient."""
    parts = samples.columns.str.split("-")
    primary = np.flatnonzero([sample[3].startswith(PRIMARY_TUMOUR) for sample in parts])
    patients = pd.Index(["-".join(parts[place][:3]) for place in primary])
    return transposed(RMatrix(samples.values[:, primary], samples.rows, patients))
