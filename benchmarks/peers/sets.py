"""The data sets, the scale on which predictions are compared, and what is hidden. Needs NumPy and mudata only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import anndata
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

__all__ = [
    "ROBUST",
    "SETS",
    "DataSet",
    "Hidden",
    "draw",
    "hide_donor",
    "hide_entries",
    "hide_halves",
    "hide_modalities",
    "hide_nothing",
    "hide_types",
    "on_scale",
    "padded",
    "values_of",
]

LARGEST_LOGGED = 50.0
"""Values that are never negative and go beyond this are abundances, and are compared as log(1 + x)."""

SHARE_OF_OBSERVATIONS, SHARE_OF_ENTRIES, TYPES = 0.2, 0.1, 2

COHORT = ("modalities", "entries")


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
        Modalities that are predicted and scored; all when empty.
    cells
        Whether observations are single cells; such a set is taken only when it is named.
    tasks
        What is hidden, of the tasks of `benchmarks.peers`.
    n_obs, n_features
        How many observations, and how many features of some modalities, are drawn at random; all when not given.
    """

    file: str
    labels: tuple[str, ...] = ()
    batch: str | None = None
    scored: tuple[str, ...] = ()
    cells: bool = False
    tasks: tuple[str, ...] = COHORT
    n_obs: int | None = None
    n_features: Mapping[str, int] = field(default_factory=dict)


SETS = {
    "acc": DataSet("tcga_acc_mini.h5mu", ("COC", "mRNA_K4", "C1A.C1B")),
    "blca": DataSet("tcga_blca_mirna_rppa.h5mu"),
    "brca": DataSet("tcga_brca_diablo.h5mu", ("subtype",)),
    "coread": DataSet("tcga_coread_cms.h5mu", ("cms_label",)),
    "lgg": DataSet("tcga_lgg_brain.h5mu"),
    "nci60": DataSet("nci60_multidrug.h5mu", ("tissue",)),
    "mesc": DataSet("mesc_scmt.h5mu", ("culture",)),
    "digits": DataSet("uci_multiple_features.h5mu", ("digit",), tasks=("whole", *COHORT)),
    "pbmc": DataSet(
        "pbmc_citeseq_10k_5k.h5mu",
        ("cell_type",),
        "batch",
        scored=("protein",),
        cells=True,
        tasks=("whole", "donor", "types", "halves"),
    ),
    "eccite": DataSet(
        "pbmc_eccite_control.h5mu",
        ("cluster_citefuse",),
        scored=("protein",),
        cells=True,
        tasks=("whole", "donor", "halves"),
    ),
    "a549": DataSet(
        "a549_scicar.h5mu", ("treatment_hours",), scored=("rna",), cells=True, tasks=("whole", "donor", "halves")
    ),
    "multiome": DataSet("pbmc_multiome_mini.h5mu", cells=True, tasks=("modalities", "halves")),
}

SETS |= {
    "two samples": DataSet(
        "pbmc_eccite_two_samples.h5mu", ("cluster_citefuse",), "batch", cells=True, tasks=("whole",)
    ),
    "nutrimouse": DataSet("nutrimouse.h5mu", ("genotype", "diet"), tasks=("whole", "modalities")),
    "ibd": DataSet("ibd_ihmp_four_omics.h5mu", ("diagnosis",)),
    "infants": DataSet("infants_t1d_longitudinal.h5mu", ("subject",)),
    "adenoma": DataSet("colon_adenoma.h5mu", ("group",)),
}

PARTS: Mapping[str, tuple[tuple[int | None, Mapping[str, int]], ...]] = {
    "pbmc": ((500, {}), (1500, {}), (1500, {"protein": 10}), (3000, {}), (5000, {}), (None, {})),
    "eccite": ((None, {}), (None, {"rna": 4000}), (None, {"rna": 4000, "protein": 10}), (250, {})),
    "two samples": ((None, {}),),
    "a549": ((1000, {}), (None, {})),
    "digits": ((500, {}), (1000, {}), (None, {})),
    "brca": ((110, {}), (None, {})),
    "coread": ((60, {}), (None, {})),
    "acc": ((46, {}), (None, {})),
    "mesc": ((None, {}),),
    "nci60": ((None, {}),),
    "nutrimouse": ((None, {}),),
    "ibd": ((None, {}),),
    "infants": ((None, {}),),
    "adenoma": ((None, {}),),
}
"""Of each labelled set: how many observations and features are drawn."""

ROBUST = {
    " ".join([name, *([f"{n:,}"] if n else []), *(f"{k:,} {mod}" for mod, k in features.items())]): replace(
        SETS[name], tasks=("whole",), n_obs=n, n_features=features
    )
    for name, parts in PARTS.items()
    for n, features in parts
}
"""Sets and random parts of them, of other sizes and other balance between modalities: a default must hold on all."""


@dataclass(frozen=True)
class Hidden:
    """What a method does not see.

    Parameters
    ----------
    seen
        The observations with values hidden.
    entries
        For each modality, shape (n, features) in the order of the whole data: true where a measured value was hidden
        and is to be predicted.
    batch
        Column of `seen.obs` with the batch, where there is one.
    at_random
        Whether chance alone said which observations lost a modality.
    """

    seen: mudata.MuData
    entries: Mapping[str, np.ndarray]
    batch: str | None = None
    at_random: bool = True


def values_of(mdata: mudata.MuData, name: str) -> np.ndarray:
    """Give the values of a modality densely for all observations; NaN where nothing was measured."""
    table = mdata[name]
    x = table.X.toarray() if sparse.issparse(table.X) else np.asarray(table.X)
    whole = np.full((mdata.n_obs, table.n_vars), np.nan, np.float32)
    whole[mdata.obs_names.get_indexer(table.obs_names)] = x
    return whole


def on_scale(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Bring values to the scale of the comparison: log(1 + x) where the data `like` them are abundances."""
    return np.log1p(np.maximum(values, 0)) if _abundances(like) else values


def untied(values: np.ndarray, like: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bring values to the scale of the comparison, whole numbers moved by chance by up to half to each side.

    No limits of zeros and ones hold exactly half of them. Of values so moved they do, whatever was predicted, if it was
    the distribution that the values come from (Dunn and Smyth, J. Comput. Graph. Stat. 1996).
    """
    if np.array_equal(like, np.round(like), equal_nan=True):
        values = values + rng.random(values.shape, np.float32) - 0.5
    return np.log1p(np.maximum(values, -0.5)) if _abundances(like) else values


def _abundances(values: np.ndarray) -> bool:
    return bool(np.nanmin(values) >= 0 and np.nanmax(values) > LARGEST_LOGGED)


def padded(mdata: mudata.MuData) -> mudata.MuData:
    """Give every modality to every observation, zeros where nothing was measured, as scvi-tools wants it."""
    tables = {}
    for name in mdata.mod:
        x = np.nan_to_num(values_of(mdata, name))
        # empirical priors of totalVI read the proteins densely
        x = sparse.csr_matrix(x) if name != "protein" else x
        tables[name] = anndata.AnnData(x, mdata.obs[[]].copy(), mdata[name].var[[]].copy())
    made = mudata.MuData(tables)
    made.obs = mdata.obs.copy()
    return made


def draw(mdata: mudata.MuData, data_set: DataSet, seed: int) -> mudata.MuData:
    """Draw as many observations and features as the set is to have; features without any value are left out."""
    rng = np.random.default_rng([seed, 7])
    if data_set.n_obs is not None:
        mdata = mdata[np.sort(rng.permutation(mdata.n_obs)[: data_set.n_obs])].copy()
    tables = {}
    for name, table in mdata.mod.items():
        features = np.sort(rng.permutation(table.n_vars)[: data_set.n_features.get(name, table.n_vars)])
        measured = ~np.isnan(values_of(mdata, name)[:, features]).all(axis=0)
        tables[name] = table[:, features[measured]].copy()
    return _together(tables, mdata)


def hide_nothing(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Let everything be seen."""
    return _without(mdata, data_set, {})


def hide_modalities(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Take one whole modality away from some observations: from a fifth of those that have it, for each modality.

    An observation loses one modality at most, and keeps another one.
    """
    rng = np.random.default_rng(seed)
    present = _present(mdata)
    free = present.sum(axis=1) > 1
    lost = {}
    for s in rng.permutation(present.shape[1]):
        name = list(mdata.mod)[s]
        if name in (data_set.scored or mdata.mod):
            rows = rng.permutation(np.flatnonzero(free & present[:, s]))
            lost[name] = np.isin(np.arange(mdata.n_obs), rows[: round(SHARE_OF_OBSERVATIONS * present[:, s].sum())])
            free &= ~lost[name]
    return _without(mdata, data_set, lost)


def hide_halves(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Let half of the observations that have all modalities lose one, each modality as often as the others."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.flatnonzero(_present(mdata).all(axis=1)))
    parts = np.array_split(rows[: round(len(rows) / 2)], len(mdata.mod))
    lost = {name: np.isin(np.arange(mdata.n_obs), part) for name, part in zip(mdata.mod, parts, strict=True)}
    return _without(mdata, data_set, lost)


def hide_donor(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Make half of the observations that have what is scored a batch of their own without it.

    Chance says which half: a second donor with the biology of the first.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(_have_scored(mdata, data_set)))
    lost = np.isin(np.arange(mdata.n_obs), rows[: round(len(rows) / 2)])
    column = data_set.batch or "donor"
    batches = mdata.obs[column].astype(str) if data_set.batch else pd.Series("first", mdata.obs_names)
    batches = batches.where(~lost, batches + ", second")
    hidden = _without(mdata, data_set, dict.fromkeys(data_set.scored, lost), batch=column)
    hidden.seen.obs[column] = batches[hidden.seen.obs_names].astype("category")
    return hidden


def hide_types(mdata: mudata.MuData, data_set: DataSet, seed: int) -> Hidden:
    """Take what is scored away from all observations of some of the labelled types, in the batch that they are in."""
    labels = mdata.obs[data_set.labels[0]].where(_have_scored(mdata, data_set))
    types = np.random.default_rng(seed).choice(sorted(labels.dropna().unique()), TYPES, replace=False)
    lost = labels.isin(types).to_numpy()
    return _without(mdata, data_set, dict.fromkeys(data_set.scored, lost), at_random=False)


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
    return Hidden(_together(kept, mdata), entries, data_set.batch)


def _present(mdata: mudata.MuData) -> np.ndarray:
    """Say which observation has which modality, shape (n, modalities)."""
    return np.stack([mdata.obs_names.isin(table.obs_names) for table in mdata.mod.values()], axis=1)


def _have_scored(mdata: mudata.MuData, data_set: DataSet) -> np.ndarray:
    """Say which observations have all that is scored, and something else."""
    scored = np.isin(list(mdata.mod), data_set.scored)
    present = _present(mdata)
    return present[:, scored].all(axis=1) & present[:, ~scored].any(axis=1)


def _without(
    mdata: mudata.MuData,
    data_set: DataSet,
    lost: Mapping[str, np.ndarray],
    *,
    batch: str | None = None,
    at_random: bool = True,
) -> Hidden:
    """Take modalities away from the observations that lose them; `lost` gives these, shape (n,), by modality."""
    kept, entries = {}, {}
    for name, table in mdata.mod.items():
        gone = lost.get(name, np.zeros(mdata.n_obs, bool))
        kept[name] = table[mdata.obs_names[~gone & mdata.obs_names.isin(table.obs_names)]].copy()
        entries[name] = np.zeros((mdata.n_obs, table.n_vars), bool)
        if gone.any() and name in (data_set.scored or mdata.mod):
            entries[name][gone] = ~np.isnan(values_of(mdata, name)[gone])
    return Hidden(_together(kept, mdata), entries, batch or data_set.batch, at_random)


def _together(tables: Mapping[str, anndata.AnnData], like: mudata.MuData) -> mudata.MuData:
    """Put tables together, with the observations and their columns in the order of `like`."""
    made = mudata.MuData(dict(tables))
    made = made[like.obs_names[like.obs_names.isin(made.obs_names)]].copy()
    made.obs = like.obs.loc[made.obs_names]
    return made
