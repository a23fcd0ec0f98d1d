"""Results that stand in a MuData are read as tables, whatever names the features have and however many they are."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

import omixvae
from omixvae.mudata_io import read_mudata, without_pulling, write_mudata, writing_elements

NO_NAMES_OF_DATASETS = [".", "", "_index", "cell", "CD4/CD8", "..", "/", "../protein", "a b", "β-actin", "index"]
"""Names of features that no data set of an h5mu file can have, and others that look like it."""

WIDE = 5_000
"""More features than an h5mu file holds columns of a DataFrame."""


def build(features: list[str], seed: int = 0) -> mudata.MuData:
    """Build 40 cells with RNA, 30 of which have proteins of these names; the index of the cells is called "cell"."""
    draws, cells = np.random.default_rng(seed), pd.Index([f"c{i}" for i in range(40)], name="cell")
    parts = {
        name: anndata.AnnData(
            draws.poisson(5, (len(rows), len(names))).astype(np.float32),
            pd.DataFrame(index=rows),
            pd.DataFrame(index=pd.Index(names, dtype=object)),
        )
        for name, rows, names in [("rna", cells, [f"g{i}" for i in range(20)]), ("protein", cells[:30], features)]
    }
    with without_pulling():
        mdata = mudata.MuData(parts)
    mdata.obs.index.name = "cell"
    return mdata


def fit(mdata: mudata.MuData, **options: object) -> omixvae.OmixVAE:
    return omixvae.fit(mdata, max_epochs=1, n_latent=2, hidden_size=8, early_stopping=False, progress=False, **options)


@pytest.mark.parametrize("features", [NO_NAMES_OF_DATASETS, [f"p{i}" for i in range(WIDE)]], ids=["names", "wide"])
def test_imputed_values_keep_the_names_of_any_features_in_a_file(features, tmp_path):
    mdata = build(features)
    fit(mdata)
    write_mudata(mdata, tmp_path / "out.h5mu")
    with writing_elements():
        mdata.write_zarr(tmp_path / "out.zarr")
    for path in tmp_path.iterdir():
        read = read_mudata(path)
        for sd in (False, True):
            table = omixvae.imputed(read, "protein", sd=sd)
            assert list(table.columns) == features
            assert list(table.index) == list(mdata.obs_names)
            np.testing.assert_array_equal(table, mdata.obsm[f"omixvae_imputed_protein{'_sd' * sd}"])
        measured = mdata["protein"].to_df()
        np.testing.assert_array_equal(omixvae.imputed(read, "protein").loc[measured.index], measured)


def test_imputed_values_follow_the_order_of_the_features_in_the_data():
    model = fit(build(["p0", "p1", "p2"]), impute="all")
    other = build(["p2", "further", "p0", "p1"], seed=1)
    model.annotate(other)
    table = omixvae.imputed(other, "protein")
    assert list(table.columns) == ["p2", "p0", "p1"]
    measured = other["protein"].to_df()
    np.testing.assert_array_equal(table.loc[measured.index], measured[table.columns])


def test_labels_are_imputed_as_probabilities_under_their_own_names():
    mdata = build(["p0", "p1"])
    mdata.obs["cell_type"] = np.resize(["CD4/CD8", "_index", np.nan], 40).astype(object)
    mdata.obs.loc[mdata.obs["cell_type"] == "nan", "cell_type"] = np.nan
    fit(mdata, labels_key="cell_type")
    table = omixvae.imputed(mdata, "cell_type")
    assert sorted(table.columns) == ["CD4/CD8", "_index"]
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("wide", [False, True])
def test_results_of_the_first_version_are_read(wide):
    mdata = build(["p0", "p1"])
    fit(mdata)
    expected = omixvae.imputed(mdata, "protein")
    del mdata.uns["omixvae"]["features"]
    if not wide:
        mdata.obsm["omixvae_imputed_protein"] = expected
    pd.testing.assert_frame_equal(omixvae.imputed(mdata, "protein"), expected)


def test_what_was_not_imputed_is_said():
    mdata = build(["p0", "p1"])
    fit(mdata)
    for name, message in {
        "rna": (
            "Modality 'rna' was not imputed.\n"
            "Where: mdata.obsm['omixvae_imputed_rna']\n"
            "Fix: Ask the model: model.impute(mdata, 'rna'). Or train with impute='all'."
        ),
        "protien": (
            "There is no modality 'protien'.\n"
            "Where: the argument mod\n"
            "Fix: Did you mean 'protein'? Known: 'rna', 'protein'."
        ),
    }.items():
        with pytest.raises(omixvae.InputError) as caught:
            omixvae.imputed(mdata, name)
        assert str(caught.value) == message
