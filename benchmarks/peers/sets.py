"""The data sets, the scale on which predictions are compared, and what is hidden. Needs NumPy and mudata only."""

from collections.abc import Mapping
from dataclasses import dataclass

import anndata
import mudata
import numpy as np
from scipy import sparse

__all__ = ["SETS", "DataSet", "Hidden", "hide_entries", "hide_modalities", "on_scale", "values_of"]

LARGEST_LOGGED = 50.0
"""Values that are never negative and go beyond this are abundances, and are compared as log(1 + x)."""

SHARE_OF_OBSERVATIONS, SHARE_OF_ENTRIES = 0.2, 0.1


@dataclass(frozen=True)
class DataSet:
    """One file.

    Parameters
    ----------
    labels
        Columns of `obs` with groups that clusters are compared with.
    batch
        Column of `obs` with the batch, where there is one.
    scored
        Modalities that are hidden and scored; all when empty.
    cells
        Whether observations are single cells; such a set is taken only when it is named.
    """

    file: str
    labels: tuple[str, ...] = ()
    batch: str | None = None
    scored: tuple[str, ...] = ()
    cells: bool = False


SETS = {
    "acc": DataSet("tcga_acc_mini.h5mu", ("COC", "mRNA_K4", "C1A.C1B")),
    "blca": DataSet("tcga_blca_mirna_rppa.h5mu"),
    "brca": DataSet("tcga_brca_diablo.h5mu", ("subtype",)),
    "coread": DataSet("tcga_coread_cms.h5mu", ("cms_label",)),
    "lgg": DataSet("tcga_lgg_brain.h5mu"),
    "nci60": DataSet("nci60_multidrug.h5mu", ("tissue",)),
    "mesc": DataSet("mesc_scmt.h5mu", ("culture",)),
    "pbmc": DataSet("pbmc_citeseq_10k_5k.h5mu", ("cell_type",), "batch", scored=("protein",), cells=True),
    "digits": DataSet("uci_multiple_features.h5mu", ("digit",)),
}


@dataclass(frozen=True)
class Hidden:
    """What a method does not see.

    Parameters
    ----------
    seen
        The observations with values hidden.
    entries
        For each modality, shape (n, features) in the order of the whole data: true where a measured value was hidden.
    """

    seen: mudata.MuData
    entries: Mapping[str, np.ndarray]


def values_of(mdata: mudata.MuData, name: str) -> np.ndarray:
    """Give the values of a modality densely for all observations; NaN where nothing was measured."""
    table = mdata[name]
    x = table.X.toarray() if sparse.issparse(table.X) else np.asarray(table.X)
    whole = np.full((mdata.n_obs, table.n_vars), np.nan, np.float32)
    whole[mdata.obs_names.get_indexer(table.obs_names)] = x
    return whole


def on_scale(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Bring values to the scale of the comparison: log(1 + x) where the data `like` them are abundances."""
    if np.nanmin(like) >= 0 and np.nanmax(like) > LARGEST_LOGGED:
        return np.log1p(np.maximum(values, 0))
    return values


def hide_modalities(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Take one whole modality away from some observations: from a fifth of those that have it, for each modality.

    An observation loses one modality at most, and keeps another one.
    """
    rng = np.random.default_rng(seed)
    present = np.stack([mdata.obs_names.isin(table.obs_names) for table in mdata.mod.values()], axis=1)
    entries = {name: ~np.isnan(values_of(mdata, name)) for name in mdata.mod}
    free = present.sum(axis=1) > 1
    for s in rng.permutation(present.shape[1]):
        name = list(mdata.mod)[s]
        lost = np.zeros(mdata.n_obs, bool)
        if name in (data_set.scored or mdata.mod):
            rows = rng.permutation(np.flatnonzero(free & present[:, s]))
            lost[rows[: round(SHARE_OF_OBSERVATIONS * present[:, s].sum())]] = True
        free &= ~lost
        present[:, s] &= ~lost
        entries[name] &= lost[:, None]
    kept = {name: mdata[name][mdata.obs_names[here]].copy() for name, here in zip(mdata.mod, present.T, strict=True)}
    return Hidden(_together(kept, mdata), entries)


def hide_entries(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Take a tenth of the measured entries away."""
    rng = np.random.default_rng(seed)
    entries, kept = {}, {}
    for name, table in mdata.mod.items():
        values = values_of(mdata, name)
        share = SHARE_OF_ENTRIES if name in (data_set.scored or mdata.mod) else 0.0
        entries[name] = (rng.random(values.shape) < share) & ~np.isnan(values)
        kept[name] = table.copy()
        if entries[name].any():
            rows = mdata.obs_names.get_indexer(table.obs_names)
            kept[name].X = np.where(entries[name], np.nan, values)[rows]
    return Hidden(_together(kept, mdata), entries)


def _together(tables: Mapping[str, anndata.AnnData], like: mudata.MuData) -> mudata.MuData:
    """Put tables together, with the observations and their columns in the order of `like`."""
    made = mudata.MuData(dict(tables))
    made = made[like.obs_names[like.obs_names.isin(made.obs_names)]].copy()
    made.obs = like.obs.loc[made.obs_names]
    return made
