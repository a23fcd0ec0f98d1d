"""Small tables of bulk samples that the mixOmics package ships."""

from collections.abc import Mapping
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd

from omixvae.datasets.r_objects import matrix, part, read_r
from omixvae.datasets.recipes.assemble import assemble, observed

__all__ = ["nci60_multidrug", "nutrimouse", "tcga_brca_diablo"]


def nci60_multidrug(files: Mapping[str, Path]) -> mudata.MuData:
    """Take cancer cell lines: transporters, and how much each compound holds up growth."""
    data = read_r(files["multidrug.rda"])
    lines = pd.DataFrame(part(data, "cell.line"))
    names = {"abc_transporter": "ABC.trans", "compound": "compound"}
    modalities = {name: _samples(part(data, part_of), list(lines["Sample"])) for name, part_of in names.items()}
    return assemble(modalities, pd.DataFrame({"tissue": lines["Class"].to_numpy()}, lines["Sample"]))


def nutrimouse(files: Mapping[str, Path]) -> mudata.MuData:
    """Take mice of two genotypes on five diets."""
    data = read_r(files["nutrimouse.rda"])
    mice = [f"mouse{number}" for number in matrix(part(data, "gene")).rows]
    modalities = {name: _samples(part(data, name), mice) for name in ("gene", "lipid")}
    labels = {name: np.asarray(part(data, name)) for name in ("diet", "genotype")}
    return assemble(modalities, pd.DataFrame(labels, mice))


def tcga_brca_diablo(files: Mapping[str, Path]) -> mudata.MuData:
    """Take breast tumours; the test samples lack the proteins."""
    data = read_r(files["breast.TCGA.rda"])
    splits = {name: part(data, f"data.{name}") for name in ("train", "test")}
    modalities = {
        name: anndata.concat([_samples(part(split, name)) for split in splits.values()]) for name in ("mrna", "mirna")
    }
    modalities["protein"] = _samples(part(splits["train"], "protein"))
    labels = {
        name: pd.DataFrame(
            {"subtype": np.asarray(part(split, "subtype")), "split": name}, matrix(part(split, "mrna")).rows
        )
        for name, split in splits.items()
    }
    return assemble(modalities, pd.concat(list(labels.values())))


def _samples(table: object, names: list[str] | None = None) -> anndata.AnnData:
    """Take a table whose rows are samples."""
    found = matrix(table)
    return observed(found.values, found.rows if names is None else names, found.columns)
