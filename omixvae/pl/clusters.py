"""Draw how large and how certain clusters are, and which labels they hold."""

import mudata
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from omixvae.data.columns import column_names, find_column
from omixvae.errors import InputError, nearest
from omixvae.pl.canvas import AxesLike, finish, panel, panels, write_cells
from omixvae.pl.colours import categories
from omixvae.results.read import Results

__all__ = ["clusters"]

MOST_LABELS = 60
"""More are a measurement, not labels."""


def clusters(
    mdata: mudata.MuData,
    groupby: str | None = None,
    *,
    key: str = "omixvae",
    ax: AxesLike | None = None,
    show: bool = False,
) -> Axes | np.ndarray:
    """Draw the sizes of the clusters and how sure they are, or which labels each holds.

    Parameters
    ----------
    mdata
        After `omixvae.fit`.
    groupby
        A column of obs with labels to compare the clusters with.
    key
        The option `key_added` of the training.
    ax
        Axes to draw into, two without `groupby` and one with it; a new figure is made when not given.
    show
        Show it at once.

    Returns
    -------
    matplotlib.axes.Axes, or numpy.ndarray of them
        Without `groupby` two axes: the number of observations of each cluster, and how unsure they are of it (the dot
        is the median, the thick line holds half of them, the thin one nine of ten; the dotted line is where all
        clusters are equally probable). With `groupby` one: the part of each cluster (column) that has each label (row),
        with the numbers of observations, and in the title how well the two agree (adjusted Rand index, normalised
        mutual information).

    Raises
    ------
    InputError
        If there are no clusters, or no such labels.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import omixvae
    >>> mdata = omixvae.simulate(n_obs=60)
    >>> model = omixvae.fit(mdata, n_clusters=2, max_epochs=2, progress=False)
    >>> [label.get_text() for label in clusters(mdata, "batch", ax=Figure().subplots()).get_yticklabels()]
    ['batch 0', 'batch 1']
    """
    found = Results(mdata, key)
    _ = found.clusters  # says it when there are none
    drawn = _draw_sizes(found, ax) if groupby is None else _draw_labels(found, groupby, ax)
    finish(show=show)
    return drawn


def _draw_sizes(found: Results, ax: AxesLike | None) -> np.ndarray:
    kinds = categories(found.mdata, str(found.cluster_column), found.clusters)
    entropy = found.mdata.obs[found.keys.cluster_entropy].to_numpy(float)
    left, right = axes = panels(ax, 2, (8.2, 1.2 + 0.3 * len(kinds.names)))
    sizes = np.bincount(kinds.codes[kinds.codes >= 0], minlength=len(kinds.names))
    places = np.arange(len(kinds.names))
    bars = left.barh(places, sizes, color=kinds.colours, height=0.7)
    left.bar_label(bars, [f"{n:,}  ({n / sizes.sum():.0%})" for n in sizes], padding=3, fontsize="small")
    left.margins(x=0.25)
    left.set(xlabel="observations", ylabel="cluster")
    low, quarter, half, three_quarters, high = np.transpose(
        [np.nanquantile(entropy[kinds.codes == i], (0.05, 0.25, 0.5, 0.75, 0.95)) for i in places]
    )
    right.hlines(places, low, high, color=kinds.colours, linewidth=1.5)
    right.hlines(places, quarter, three_quarters, color=kinds.colours, linewidth=7)
    right.scatter(half, places, s=36, c="white", edgecolors="black", zorder=3)
    n_clusters = found.cluster_probabilities.shape[1]
    if n_clusters > 1:
        right.axvline(np.log(n_clusters), color="0.4", linestyle=":", linewidth=1)
    right.set_xlabel("entropy of the cluster (nats; 0 is certain)")
    for side in axes:
        side.set_yticks(places, kinds.names)
        side.set_ylim(len(places) - 0.4, -0.6)
        side.tick_params(axis="y", length=0)
        side.spines[["top", "right"]].set_visible(False)
    return axes


def _draw_labels(found: Results, groupby: str, ax: AxesLike | None) -> Axes:
    labels = _labels(found.mdata, groupby)
    known = labels.notna().to_numpy() & found.clusters.notna().to_numpy()
    cluster = found.clusters[known].cat.remove_unused_categories()
    label = labels[known].astype("category").cat.remove_unused_categories()
    counts = _in_order(pd.crosstab(label, cluster))
    n_labels, n_clusters = counts.shape
    width = 0.09 * max(len(str(name)) for name in counts.index)
    ax = panel(ax, (2.2 + width + max(0.55 * n_clusters, 2), 1.4 + max(0.3 * n_labels, 1.2)))
    share = counts / counts.sum()
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if counts.size <= 600:
        texts = [[f"{n:,}" if n else "" for n in row] for row in counts.to_numpy()]
        write_cells(ax, texts, share.to_numpy() > 0.6)
    ax.set_xticks(range(n_clusters), counts.columns)
    ax.set_yticks(range(n_labels), counts.index)
    ax.tick_params(length=0)
    ax.set(xlabel="cluster", ylabel=groupby)
    ax.figure.colorbar(image, ax=ax, label="part of the cluster")
    agreement = [round(score(label, cluster), 2) + 0.0 for score in (adjusted_rand_score, normalized_mutual_info_score)]
    without = f"\n{np.sum(~known):,} of {len(known):,} have no label" if not known.all() else ""
    ax.set_title("ARI {:.2f}, NMI {:.2f}".format(*agreement) + without, fontsize="medium")
    return ax


def _labels(mdata: mudata.MuData, groupby: str) -> "pd.Series[object]":
    labels = find_column(mdata, groupby)
    if labels is None:
        fix = nearest(groupby, column_names(mdata))
        raise InputError(f"There is no column {groupby!r}.", "the argument groupby", fix)
    if not 0 < labels.nunique() <= MOST_LABELS:
        raise InputError(
            f"Column {groupby!r} holds {labels.nunique():,} different values, which are no labels.",
            "the argument groupby",
            f"Choose a column with 1 to {MOST_LABELS} labels, or make groups of the values with pandas.cut.",
        )
    return labels


def _in_order(counts: pd.DataFrame) -> pd.DataFrame:
    """Order the labels along the clusters that they are most of, so that agreement shows as a diagonal."""
    share = (counts / counts.sum()).to_numpy()
    rows, columns = linear_sum_assignment(-share)
    place = share.argmax(axis=1).astype(float)
    place[rows] = columns
    return counts.iloc[np.lexsort((-share.max(axis=1), place))]
