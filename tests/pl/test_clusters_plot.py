"""Sizes, certainty and labels of clusters are those in the MuData."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from omixvae import InputError, pl
from omixvae.pl.colours import PALETTE


def test_sizes_and_certainty_of_each_cluster(mdata):
    left, right = pl.clusters(mdata, ax=Figure().subplots(1, 2))
    sizes = mdata.obs["omixvae_cluster"].value_counts(sort=False)
    sizes = sizes[sizes > 0]
    for ax in (left, right):
        assert [label.get_text() for label in ax.get_yticklabels()] == list(sizes.index)
    assert [int(bar.get_width()) for bar in left.patches] == list(sizes)
    assert [to_hex(bar.get_facecolor()) for bar in left.patches] == list(PALETTE[: len(sizes)])
    medians = mdata.obs.groupby("omixvae_cluster", observed=True)["omixvae_cluster_entropy"].median()
    np.testing.assert_allclose(right.collections[-1].get_offsets()[:, 0], medians, rtol=1e-5)
    (most,) = {line.get_xdata()[0] for line in right.lines}
    assert most == pytest.approx(np.log(mdata.obsm["omixvae_cluster_probs"].shape[1]))


def test_labels_are_counted_and_compared(mdata):
    ax = pl.clusters(mdata, "label", ax=Figure().subplots())
    known = mdata.obs[mdata.obs["label"].notna()]
    counts = pd.crosstab(known["label"], known["omixvae_cluster"])
    rows = [label.get_text() for label in ax.get_yticklabels()]
    columns = [label.get_text() for label in ax.get_xticklabels()]
    assert (sorted(rows), columns) == (sorted(counts.index), list(counts.columns))
    counts = counts.loc[rows]
    np.testing.assert_allclose(ax.images[0].get_array(), counts / counts.sum())
    written = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert written == {place: f"{n:,}" for place, n in np.ndenumerate(counts.to_numpy()) if n}
    pair = known["label"].to_numpy(str), known["omixvae_cluster"].to_numpy(str)
    agreement = f"ARI {adjusted_rand_score(*pair):.2f}, NMI {normalized_mutual_info_score(*pair):.2f}"
    assert ax.get_title() == f"{agreement}\n30 of 150 have no label"


def test_labels_that_agree_make_a_diagonal(mdata):
    clusters = mdata.obs["omixvae_cluster"]
    mdata.obs["same"] = clusters.map({c: f"type {9 - int(c)}" for c in clusters.cat.categories})
    ax = pl.clusters(mdata, "same", ax=Figure().subplots())
    np.testing.assert_array_equal(ax.images[0].get_array(), np.eye(clusters.nunique()))
    assert ax.get_title() == "ARI 1.00, NMI 1.00"


def test_one_cluster_is_drawn(mdata):
    mdata.obs["omixvae_cluster"] = pd.Categorical(["0"] * mdata.n_obs)
    mdata.obsm["omixvae_cluster_probs"] = np.ones((mdata.n_obs, 1), np.float32)
    left, right = pl.clusters(mdata, ax=Figure().subplots(1, 2))
    assert [int(bar.get_width()) for bar in left.patches] == [mdata.n_obs]
    assert not right.lines
    assert pl.clusters(mdata, "cluster", ax=Figure().subplots()).images[0].get_array().shape[1] == 1


def test_what_cannot_be_drawn_is_said(mdata, without_clusters):
    with pytest.raises(InputError, match=r"no clusters: the prior standard_normal(?s:.*)prior='gaussian_mixture'"):
        pl.clusters(without_clusters, key="other", ax=Figure().subplots(1, 2))
    with pytest.raises(InputError, match=r"no column 'lable'(?s:.*)Did you mean 'label'"):
        pl.clusters(mdata, "lable", ax=Figure().subplots())
    mdata.obs["age"] = np.linspace(20, 80, mdata.n_obs)
    with pytest.raises(InputError, match="'age' holds 150 different values, which are no labels"):
        pl.clusters(mdata, "age", ax=Figure().subplots())
