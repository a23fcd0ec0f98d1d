"""The features that are shown are those with the largest weights."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from omixvae import InputError, pl


def names(ax, columns):
    """Give the names of the features in each column, from above."""
    texts = {tuple(int(p) for p in text.get_position()): text.get_text() for text in ax.texts}
    rows = 1 + max(row for _, row in texts)
    return [[texts[column, row] for row in range(rows)] for column in range(columns)]


def test_features_have_the_largest_weights_the_most_positive_first(fitted):
    mdata, model = fitted
    ax = pl.loadings(mdata, "rna", n_features=6, ax=Figure().subplots())
    weights = model.loadings("rna")
    assert [label.get_text() for label in ax.get_xticklabels()] == list(weights)
    for i, (column, shown) in enumerate(zip(weights, names(ax, 5), strict=True)):
        largest = weights[column].loc[weights[column].abs().nlargest(6).index].sort_values(ascending=False)
        assert shown == list(largest.index)
        np.testing.assert_allclose(ax.images[0].get_array()[:, i], largest, rtol=1e-6)
    low, high = ax.images[0].get_clim()
    assert low == -high


def test_dimensions_can_be_chosen(mdata):
    ax = pl.loadings(mdata, "protein", dims=[2, "private 0"], ax=Figure().subplots())
    assert [label.get_text() for label in ax.get_xticklabels()] == ["shared 2", "private 0"]
    with pytest.raises(InputError, match="no dimension 'shared 9'"):
        pl.loadings(mdata, "protein", dims=[9], ax=Figure().subplots())


def test_the_dimensions_with_the_largest_weights_are_shown_shared_ones_first(mdata):
    g = mdata["protein"].n_vars
    size = np.array([1, 9, 2, 8, 3, 7, 4, 6, 5, 50, 70, 60.0])
    mdata.uns["omixvae"]["plan"]["n_latent"] = 9
    mdata["protein"].varm["omixvae_loadings"] = np.random.default_rng(0).choice([-1, 1], (g, 12)) * size
    ax = pl.loadings(mdata, "protein", ax=Figure().subplots())
    shared = [f"shared {i}" for i in (1, 3, 5, 6, 7, 8)]
    assert [label.get_text() for label in ax.get_xticklabels()] == [*shared, "private 1", "private 2"]


def test_a_network_without_loadings_is_refused_with_the_mend(without_clusters):
    with pytest.raises(InputError, match=r"only a linear decoder has them(?s:.*)decoder='linear'"):
        pl.loadings(without_clusters, "rna", key="other", ax=Figure().subplots())
