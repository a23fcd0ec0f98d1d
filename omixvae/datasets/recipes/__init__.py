"""How the files of each public data set become a MuData: word of the registry → function."""

from collections.abc import Callable, Mapping
from pathlib import Path

import mudata

from omixvae.datasets.recipes.cite_seq import pbmc_citeseq_10k_5k, pbmc_eccite_control, pbmc_eccite_two_samples
from omixvae.datasets.recipes.digits import uci_multiple_features
from omixvae.datasets.recipes.epigenomes import a549_scicar, mesc_scmt, pbmc_multiome_mini
from omixvae.datasets.recipes.panels import nci60_multidrug, nutrimouse, tcga_brca_diablo
from omixvae.datasets.recipes.tumours import tcga_acc_mini, tcga_blca_mirna_rppa, tcga_coread_cms, tcga_lgg_brain

__all__ = ["RECIPES", "Recipe"]

Recipe = Callable[[Mapping[str, Path]], mudata.MuData]
"""Gets the upstream files by their name, gives the data."""

RECIPES: Mapping[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (
        *(a549_scicar, mesc_scmt, nci60_multidrug, nutrimouse),
        *(pbmc_citeseq_10k_5k, pbmc_eccite_control, pbmc_eccite_two_samples, pbmc_multiome_mini),
        *(tcga_acc_mini, tcga_blca_mirna_rppa, tcga_brca_diablo, tcga_coread_cms, tcga_lgg_brain),
        uci_multiple_features,
    )
}
