"""Which features tell the clusters apart?"""

import warnings
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd

from omixvae.data.matrices import as_matrix, dense
from omixvae.pl.colours import COUNTS
from omixvae.results.read import Results

__all__ = ["Markers", "find_markers"]

MOST_PER_CLUSTER, FEWEST_PER_CLUSTER = 500, 3
"""Observations of each cluster that are compared: more change the order of its markers little, and take minutes."""

MOST_VALUES = 40_000_000
"""That are compared at once: 160 MB in float32."""

SIGNIFICANT = 0.05

LOGGED = (*COUNTS, "log_normal")

MEDIAN_FILLED = "Entries that were not measured take the median of their feature, which can only hide a difference."


@dataclass(frozen=True)
class Markers:
    """What tells the clusters apart in one modality.

    Parameters
    ----------
    table
        One row for each feature of a cluster that differs, the surest first: ``cluster``, ``feature``, ``score`` (z),
        ``p_adjusted``, and the mean ``inside`` and ``outside`` of the cluster, on the scale that was tested.
    how
        What was compared, in words.
    """

    table: pd.DataFrame
    how: str


def find_markers(found: Results, mod: str) -> Markers | str:
    """Compare each cluster with all others, feature by feature.

    Parameters
    ----------
    found
        The results; the data are not changed.
    mod
        The modality.

    Returns
    -------
    Markers or str
        Or the reason why there are none.

    Notes
    -----
    Wilcoxon's rank-sum test with correction for ties, p-values after Benjamini and Hochberg
    (`scanpy.tl.rank_genes_groups`).
    """
    likelihood = found.likelihood(mod)
    if likelihood in ("categorical", "own"):
        return f"{mod}: its likelihood is {likelihood}, so it is not known on which scale to compare its values."
    rows, clusters, most = _chosen(found, mod)
    if clusters.nunique() < 2:
        return f"{mod}: fewer than two clusters have {FEWEST_PER_CLUSTER} observations with this modality."
    x, scale = _values(found, mod, rows)
    missing = np.isnan(x).any()
    table = _ranked(x, clusters, list(found.mdata.mod[mod].var_names), only_higher=likelihood in COUNTS)
    taken = f"at most {most:,} observations of each cluster, drawn at random" if most else "all observations"
    how = f"{scale}; {taken} ({len(rows):,})." + f" {MEDIAN_FILLED}" * bool(missing)
    return Markers(table, how)


def _chosen(found: Results, mod: str) -> tuple[np.ndarray, "pd.Series[str]", int]:
    """Return rows of the modality, their clusters, and the number to which clusters were cut down (0 if none was)."""
    adata = found.mdata.mod[mod]
    present = found.presence[mod].reindex(adata.obs_names).to_numpy(bool)
    clusters = found.clusters.reindex(adata.obs_names)[present].dropna()
    sizes = clusters.value_counts()
    clusters = clusters[clusters.isin(sizes.index[sizes >= FEWEST_PER_CLUSTER])].cat.remove_unused_categories()
    n_groups = max(1, clusters.nunique())
    most = int(np.clip(MOST_VALUES // (n_groups * adata.n_vars), 30, MOST_PER_CLUSTER))
    rng = np.random.default_rng(0)
    order = pd.Series(rng.permutation(len(clusters)), clusters.index)
    rank = order.groupby(clusters, observed=True).rank()
    kept = clusters[rank <= most]
    return adata.obs_names.get_indexer(kept.index), kept, most if len(kept) < len(clusters) else 0


def _values(found: Results, mod: str, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Return values on the scale that fits their likelihood, NaN where nothing was measured, and say which it is."""
    adata, likelihood = found.mdata.mod[mod], found.likelihood(mod)
    x = _dense(adata, found.layer(mod), rows, mod)
    if likelihood == "binomial":
        coverage = _dense(adata, found.layer(mod, "coverage_layers"), rows, mod)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(coverage > 0, x / coverage, np.nan), "fractions of the coverage"
    if likelihood not in LOGGED:
        return x, "zeros and ones" if likelihood == "bernoulli" else "values as they are"
    if any(m.name == mod and m.by_total for m in found.record.plan.modalities):
        total = np.nansum(x, axis=1, keepdims=True)
        x = x / np.where(total > 0, total, 1.0) * np.median(total[total > 0])
        return np.log1p(x), "log(1 + counts per median total)"
    return np.log1p(x), "log(1 + value)"


def _dense(adata: anndata.AnnData, layer: str | None, rows: np.ndarray, mod: str) -> np.ndarray:
    stored = adata.layers[layer] if layer in adata.layers else adata.X
    ordered = np.argsort(rows)  # what lies on disk is read in the order in which it lies there
    x = dense(as_matrix(stored[rows[ordered]], mod))
    return np.asarray(x[np.argsort(ordered)])


def _ranked(x: np.ndarray, clusters: "pd.Series[str]", features: list[str], *, only_higher: bool) -> pd.DataFrame:
    import scanpy  # only here: it takes seconds to load

    unknown = np.isnan(x)
    filled = x
    if unknown.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # features without any value
            median = np.nan_to_num(np.nanmedian(x, axis=0))
        filled = np.where(unknown, median, x)
    # Ranks are the same of half the values, which no longer look like raw counts, of which scanpy would warn.
    light = anndata.AnnData(
        0.5 * filled.astype(np.float32), pd.DataFrame({"cluster": clusters.to_numpy()}, [str(i) for i in range(len(x))])
    )
    light.obs["cluster"] = light.obs["cluster"].astype("category")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fold changes, which mean nothing here
        scanpy.tl.rank_genes_groups(light, "cluster", method="wilcoxon", tie_correct=True, rankby_abs=not only_higher)
    result, parts = light.uns["rank_genes_groups"], []
    for name in result["names"].dtype.names:
        position = result["names"][name].astype(int)
        part = pd.DataFrame({"score": result["scores"][name], "p_adjusted": result["pvals_adj"][name]}).astype(float)
        inside = (clusters == name).to_numpy()
        part.insert(0, "feature", np.asarray(features, object)[position])
        part.insert(0, "cluster", name)
        part["inside"], part["outside"] = (_means(x[side])[position] for side in (inside, ~inside))
        differ = part["p_adjusted"] < SIGNIFICANT
        parts.append(part[differ & (part["score"] > 0)] if only_higher else part[differ])
    return pd.concat(parts, ignore_index=True)


def _means(x: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # features without any value
        return np.asarray(np.nanmean(x, axis=0, dtype=np.float64))
