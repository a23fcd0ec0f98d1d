"""Clusters of two-batch PBMC CITE-seq against the annotated cell types: omixvae, and principal components of RNA.

python -m benchmarks.clusters --data FOLDER [--seeds 3] [-o clusters.json]
"""

import time
import warnings
from pathlib import Path

import anndata
import click
import mudata
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import omixvae
from benchmarks.tables import data_option, output_option, report

FILE, LABELS, BATCH = "pbmc_citeseq_10k_5k.h5mu", "cell_type", "batch"
RESOLUTIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


@click.command()
@data_option
@click.option("--seeds", default=1, show_default=True, help="Number of seeds: 0, 1, …")
@output_option
def main(data: Path, seeds: int, output: Path | None) -> None:
    """Print ARI and NMI of clusters against the cell types of the labelled cells."""
    warnings.simplefilter("ignore")
    mdata = mudata.read_h5mu(data / FILE)
    labels = mdata.obs[LABELS]
    rows = [{"latent": "50 PCs of RNA", "seed": "", **best_leiden(_principal_components(mdata), labels), "seconds": ""}]
    for seed in range(seeds):
        began = time.perf_counter()
        model = omixvae.OmixVAE(seed=seed, batch_key=BATCH).fit(mdata)
        seconds = time.perf_counter() - began
        assigned, _ = model.clusters(mdata)
        name = f"omixvae, {len(model.history)} epochs"
        latent, _ = model.latent(mdata)
        rows += [
            {"latent": name, "seed": seed, **best_leiden(latent, labels), "seconds": seconds},
            {"latent": name, "seed": seed, **_row("mixture prior", assigned, labels), "seconds": seconds},
        ]
    report({f"{FILE}: clusters against {LABELS}": rows}, output)


def _principal_components(mdata: mudata.MuData) -> np.ndarray:
    """Give the usual 50 principal components of log-normalised, scaled RNA."""
    rna = mdata["rna"].copy()
    sc.pp.normalize_total(rna)
    sc.pp.log1p(rna)
    sc.pp.scale(rna, max_value=10)
    sc.pp.pca(rna, n_comps=50, random_state=0)
    return rna.obsm["X_pca"]


def best_leiden(latent: np.ndarray, labels: pd.Series) -> dict[str, object]:
    """Give the scores of the Leiden resolution that agrees best: what a user who knows the answer could reach."""
    cells = anndata.AnnData(latent, obs=pd.DataFrame(index=labels.index))
    sc.pp.neighbors(cells, use_rep="X", random_state=0)
    found = []
    for resolution in RESOLUTIONS:
        sc.tl.leiden(cells, resolution, flavor="igraph", n_iterations=2, directed=False, random_state=0)
        found.append(_row(f"best Leiden, resolution {resolution}", cells.obs["leiden"], labels))
    return max(found, key=lambda row: float(row["ARI"]))


def _row(name: str, clusters: pd.Series, labels: pd.Series) -> dict[str, object]:
    return {"clusters": name, "K": int(clusters.nunique()), **agreement(clusters, labels)}


def agreement(clusters: pd.Series, labels: pd.Series) -> dict[str, float]:
    """Give ARI and NMI of clusters against labels, over the labelled observations."""
    known = labels.notna().to_numpy()
    truth, found = labels[known].astype(str), clusters[known].astype(str)
    return {
        "ARI": float(adjusted_rand_score(truth, found)),
        "NMI": float(normalized_mutual_info_score(truth, found)),
    }


if __name__ == "__main__":
    main()
