"""The map of the latents shows each observation once, in the right colour."""

import mudata
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

from omixvae import InputError, pl
from omixvae.pl.colours import MISSING, PALETTE


def drawn(ax):
    """Give a table of points: where they are, and in which colour; in the order in which they are drawn."""
    rows = []
    for collection in ax.collections:
        xy = np.asarray(collection.get_offsets(), float).reshape(-1, 2)
        colours = np.broadcast_to(collection.get_facecolors(), (len(xy), 4))
        rows += [(x, y, to_hex(c)) for (x, y), c in zip(xy, colours, strict=True)]
    return pd.DataFrame(rows, columns=["x", "y", "colour"])


def colour_of_each(ax, points):
    """Give the colour of each observation, whose places are all different."""
    table = drawn(ax)
    nearest = np.abs(table[["x", "y"]].to_numpy()[None] - points[:, None]).sum(axis=2).argmin(axis=1)
    return table["colour"].to_numpy()[nearest]


def with_places(mdata):
    """Give coordinates that tell observations apart."""
    mdata.obsm["X_places"] = np.random.default_rng(1).standard_normal((mdata.n_obs, 2))
    return mdata.obsm["X_places"]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_each_observation_has_the_colour_of_its_label_and_those_without_lie_below(mdata):
    points = with_places(mdata)
    ax = pl.latent(mdata, "label", basis="places", ax=Figure().subplots())
    labels = mdata.obs["label"]
    names = sorted(labels.dropna().unique())
    expected = labels.map(dict(zip(names, PALETTE, strict=False))).fillna(MISSING)
    assert colour_of_each(ax, points).tolist() == expected.tolist()
    assert len(drawn(ax)) == mdata.n_obs
    assert (drawn(ax)["colour"] == MISSING).to_numpy().nonzero()[0].tolist() == list(range(labels.isna().sum()))
    assert legend(ax) == [*names, "no value"]


def test_the_order_of_drawing_is_random_but_always_the_same(mdata):
    with_places(mdata)
    first, second = (drawn(pl.latent(mdata, "cluster", basis="places", ax=Figure().subplots())) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first["colour"].iloc[:20].nunique() > 2


def test_clusters_are_the_default_and_are_named_where_they_lie(mdata):
    points = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[mdata.obs["omixvae_cluster"].cat.codes]
    mdata.obsm["X_apart"] = points + 0.01 * np.random.default_rng(0).standard_normal(points.shape)
    ax = pl.latent(mdata, basis="X_apart", ax=Figure().subplots())
    assert ax.get_title() == "omixvae_cluster"
    occur = [c for c in mdata.obs["omixvae_cluster"].cat.categories if (mdata.obs["omixvae_cluster"] == c).any()]
    assert [text.get_text() for text in ax.texts] == occur
    assert ax.get_legend() is None
    for text in ax.texts:
        there = points[mdata.obs["omixvae_cluster"] == text.get_text()][0]
        np.testing.assert_allclose(text.get_position(), there, atol=0.02)


def test_names_that_would_overlap_go_to_the_right(mdata):
    mdata.obsm["X_heap"] = 0.1 * np.random.default_rng(0).standard_normal((mdata.n_obs, 2))
    mdata.obs["short"] = pd.Categorical(np.arange(mdata.n_obs) % 4)
    ax = pl.latent(mdata, "short", basis="heap", ax=Figure().subplots())
    assert not ax.texts
    assert legend(ax) == ["0", "1", "2", "3"]
    assert pl.latent(mdata, "short", basis="heap", legend="none", ax=Figure().subplots()).get_legend() is None


def test_presence_names_what_was_measured(mdata):
    points = with_places(mdata)
    ax = pl.latent(mdata, "presence", basis="places", ax=Figure().subplots())
    both = mdata.obs_names.isin(mdata["protein"].obs_names)
    assert legend(ax) == ["rna+protein", "rna"]
    assert colour_of_each(ax, points).tolist() == np.where(both, *PALETTE[:2]).tolist()


def test_numbers_are_coloured_in_their_order(mdata):
    points = with_places(mdata)
    mdata.obs["age"] = np.linspace(20, 80, mdata.n_obs)
    mdata.obs.loc[mdata.obs_names[3], "age"] = np.nan
    ax = pl.latent(mdata, "age", basis="places", ax=Figure().subplots())
    colours = colour_of_each(ax, points)
    assert colours[3] == MISSING
    # viridis goes from dark to light
    light = np.array([sum(to_rgba(c)[:3]) for c in np.delete(colours, 3)])
    assert np.corrcoef(light, np.arange(len(light)))[0, 1] > 0.95


def test_a_feature_shows_counts_on_a_log_scale_and_says_how_many_were_predicted(mdata):
    points = with_places(mdata)
    feature = mdata["protein"].var_names[0]
    ax = pl.latent(mdata, f"protein:{feature}", basis="places", ax=Figure().subplots())
    assert len(drawn(ax)) == mdata.n_obs
    assert MISSING not in colour_of_each(ax, points)
    missing = mdata.n_obs - mdata["protein"].n_obs
    assert ax.child_axes[0].get_ylabel() == f"log(1 + count); {missing} of {mdata.n_obs} predicted"
    same = pl.latent(mdata, feature, basis="places", ax=Figure().subplots())
    pd.testing.assert_frame_equal(drawn(same), drawn(ax))


def test_a_feature_that_was_not_imputed_is_grey_where_it_was_not_measured(without_clusters):
    mdata = without_clusters.copy()
    points = with_places(mdata)
    color = f"protein:{mdata['protein'].var_names[0]}"
    ax = pl.latent(mdata, color, basis="places", key="other", ax=Figure().subplots())
    grey = colour_of_each(ax, points) == MISSING
    assert (grey == ~mdata.obs_names.isin(mdata["protein"].obs_names)).all()


def test_without_clusters_the_presence_is_shown(without_clusters):
    assert pl.latent(without_clusters, basis="pca", key="other", ax=Figure().subplots()).get_title() == "presence"
    with pytest.raises(InputError, match="prior standard_normal has none"):
        pl.latent(without_clusters, "cluster_entropy", basis="pca", key="other", ax=Figure().subplots())


def test_colours_of_scanpy_are_kept(mdata):
    points = with_places(mdata)
    mdata.uns["batch_colors"] = ["red", "#00ff00"]
    ax = pl.latent(mdata, "batch", basis="places", ax=Figure().subplots())
    expected = np.where(mdata.obs["batch"] == "batch 0", "#ff0000", "#00ff00")
    assert colour_of_each(ax, points).tolist() == expected.tolist()


def test_many_labels_have_as_many_colours(mdata):
    with_places(mdata)
    mdata.obs["plate"] = [f"plate {i % 30:02d}" for i in range(mdata.n_obs)]
    ax = pl.latent(mdata, "plate", basis="places", ax=Figure().subplots())
    assert drawn(ax)["colour"].nunique() == 30
    assert legend(ax) == sorted(mdata.obs["plate"].unique())


def test_several_colours_have_a_panel_each_in_a_figure_of_their_own(mdata):
    axes = pl.latent(mdata, ["batch", "presence", "cluster_entropy", "label"], basis="pca", columns=3)
    assert [ax.get_title() for ax in axes] == ["batch", "presence", "cluster_entropy", "label"]
    assert len({ax.figure for ax in axes}) == 1
    plt.close(axes[0].figure)


def test_given_axes_are_used_and_no_figure_is_opened(mdata):
    plt.close("all")
    ax = Figure().subplots()
    assert pl.latent(mdata, "batch", basis="pca", ax=ax) is ax
    assert plt.get_fignums() == []
    with pytest.raises(InputError, match="needs 2 axes, and 1 were given"):
        pl.latent(mdata, ["batch", "label"], basis="pca", ax=ax)


def test_principal_components_are_those_of_the_latents(mdata):
    ax = pl.latent(mdata, "batch", basis="pca", ax=Figure().subplots())
    spread = drawn(ax)[["x", "y"]].to_numpy().var(axis=0)
    largest = np.linalg.eigvalsh(np.cov(mdata.obsm["X_omixvae"].T, bias=True))[::-1][:2]
    np.testing.assert_allclose(spread, largest, rtol=1e-4)
    assert ax.get_xlabel() == "PC 1"


def test_a_handful_of_observations_is_drawn(mdata):
    few = mdata[:12].copy()
    ax = pl.latent(few, ax=Figure().subplots())
    assert len(drawn(ax)) == 12
    assert ax.get_xlabel() == "PC 1"


@pytest.mark.slow
def test_umap_is_kept_until_the_latents_change(mdata, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    ax = pl.latent(mdata, "batch", ax=Figure().subplots())
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert ax.get_xlabel() == "UMAP 1"
    kept = mdata.obsm["X_omixvae_umap"].copy()
    mdata.obsm["X_omixvae_umap"] += 7  # as another would have made it
    pl.latent(mdata, "label", ax=Figure().subplots())
    np.testing.assert_array_equal(mdata.obsm["X_omixvae_umap"], kept + 7)
    mdata.write(tmp_path / "again.h5mu")
    again = mudata.read_h5mu(tmp_path / "again.h5mu")
    pl.latent(again, "batch", ax=Figure().subplots())
    np.testing.assert_array_equal(again.obsm["X_omixvae_umap"], kept + 7)
    part = mdata[:100]
    pl.latent(part, "label", ax=Figure().subplots())
    assert part.is_view
    mdata.obsm["X_omixvae"] = mdata.obsm["X_omixvae"][:, ::-1].copy()
    pl.latent(mdata, "label", ax=Figure().subplots())
    assert np.abs(mdata.obsm["X_omixvae_umap"].mean() - kept.mean()) < 6


def test_umap_of_an_earlier_training_is_forgotten(fitted, mdata):
    mdata.obsm["X_omixvae_umap"] = np.zeros((mdata.n_obs, 2))
    fitted[1].annotate(mdata)
    assert "X_omixvae_umap" not in mdata.obsm


def test_what_is_not_there_is_named_with_what_was_meant(mdata):
    ax = Figure().subplots()
    with pytest.raises(InputError, match=r"neither a column nor a feature 'bacth'(?s:.*)Did you mean 'batch'"):
        pl.latent(mdata, "bacth", basis="pca", ax=ax)
    with pytest.raises(InputError, match=r"no coordinates 'umpa'(?s:.*)Did you mean 'umap'"):
        pl.latent(mdata, "batch", basis="umpa", ax=ax)
    with pytest.raises(InputError, match=r"under the key 'omixave'(?s:.*)Did you mean 'omixvae'"):
        pl.latent(mdata, key="omixave", ax=ax)
    del mdata.uns["omixvae"]
    with pytest.raises(InputError, match=r"Run omixvae.fit\(mdata\) first"):
        pl.latent(mdata, ax=ax)


def test_a_feature_of_two_modalities_must_name_one(mdata):
    mdata["rna"].var_names = [mdata["protein"].var_names[0], *mdata["rna"].var_names[1:]]
    feature = mdata["protein"].var_names[0]
    with pytest.raises(InputError, match=f"several modalities(?s:.*)'rna:{feature}'"):
        pl.latent(mdata, feature, basis="pca", ax=Figure().subplots())
