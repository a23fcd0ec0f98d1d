import numpy as np
import pandas as pd
import pytest

import omixvae
from omixvae.data import DataConfig, from_mudata
from omixvae.data.columns import column_names, find_column
from tests.builders import build_mdata


@pytest.fixture
def mdata():
    mdata = build_mdata(30)
    for name, adata in mdata.mod.items():
        adata.obs["plate"] = pd.Categorical([f"{name} {i % 2}" for i in range(adata.n_obs)])
    return mdata


def test_obs_of_the_mudata_comes_first(mdata):
    mdata.obs["plate"] = "all"
    assert set(find_column(mdata, "plate")) == {"all"}


def test_each_observation_takes_the_value_of_its_first_modality(mdata):
    found = find_column(mdata, "plate")
    assert list(found.index) == list(mdata.obs_names)
    for name in mdata.obs_names:
        first = next(adata for adata in mdata.mod.values() if name in adata.obs_names)
        assert found[name] == first.obs["plate"][name]
    assert set(found.str.split().str[0]) >= {"rna", "protein"}


def test_an_unknown_value_is_taken_from_the_next_modality(mdata):
    both = mdata["rna"].obs_names.intersection(mdata["protein"].obs_names)
    mdata["rna"].obs["dose"] = np.nan
    mdata["protein"].obs["dose"] = 2
    assert (find_column(mdata, "dose")[both] == 2).all()


def test_whole_numbers_stay_whole_beside_a_gap(mdata):
    mdata["rna"].obs["donor"] = 1
    assert set(find_column(mdata, "donor").dropna().astype(str)) == {"1"}


def test_numbers_stay_numbers(mdata):
    for adata in mdata.mod.values():
        adata.obs["dose"] = np.arange(adata.n_obs) / 2
    assert pd.api.types.is_float_dtype(find_column(mdata, "dose"))


def test_prefixed_columns_are_found_under_their_own_name(mdata):
    mdata.obs["rna:plate"] = mdata["rna"].obs["plate"].reindex(mdata.obs_names)
    pd.testing.assert_series_equal(find_column(mdata, "rna:plate"), mdata.obs["rna:plate"])


def test_no_such_column(mdata):
    assert find_column(mdata, "plates") is None
    assert column_names(mdata) == ["batch", "age", "group", "plate"]


def test_batch_covariates_and_labels_may_be_in_a_modality(mdata):
    elsewhere = mdata.copy()
    for column in ("batch", "age", "group"):
        for adata in elsewhere.mod.values():
            adata.obs[column] = mdata.obs[column].reindex(adata.obs_names)
    elsewhere.obs = elsewhere.obs.drop(columns=["batch", "age", "group"])
    config = DataConfig(batch_key="batch", covariate_keys=("age",), labels_key="group")
    here, there = from_mudata(mdata, config), from_mudata(elsewhere, config)
    assert here.schema == there.schema
    np.testing.assert_array_equal(here.covariates, there.covariates)
    np.testing.assert_array_equal(here.table("group").row, there.table("group").row)
    np.testing.assert_array_equal(here.table("rna").library, there.table("rna").library)


def test_a_column_that_only_some_observations_have_is_refused_as_batch(mdata):
    mdata["rna"].obs["donor"] = "d1"
    lacking = mdata.obs_names[~mdata.obs_names.isin(mdata["rna"].obs_names)]
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, DataConfig(batch_key="donor"))
    assert str(caught.value) == (
        f"Column 'donor' is missing for {len(lacking)} of 30 observations.\n"
        f"Where: option batch_key, mdata.obs['donor'], first: {lacking[0]!r}\n"
        "Fix: Fill the column, or leave the option out."
    )
