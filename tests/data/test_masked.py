import numpy as np
import pytest
import scipy.sparse as sp
import torch

from omixvae.data import DataConfig, ModalityBatch, from_mudata
from tests.builders import build_mdata

CPU = torch.device("cpu")


@pytest.mark.parametrize("modality", ["rna", "protein", "mutation"])
@pytest.mark.parametrize("sparse", [True, False])
def test_moments_are_those_of_numpy_over_measured_entries(modality, sparse):
    mdata = build_mdata(50, seed=2, sparse=False)
    values = mdata[modality].X.copy()
    values[:5, 0] = np.nan
    mdata[modality].X = sp.csr_matrix(values) if sparse else values
    moments = from_mudata(mdata).table(modality).moments
    np.testing.assert_allclose(moments.mean, np.nanmean(values.astype(np.float64), axis=0), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, np.nanvar(values.astype(np.float64), axis=0), rtol=1e-4, atol=1e-7)


def test_a_feature_without_values_has_mean_0_and_variance_1():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    mdata["protein"].X[:, 1] = np.nan
    with pytest.warns(UserWarning, match="has no value for 1 of the 5 features"):
        moments = from_mudata(mdata, DataConfig(), schema).table("protein").moments
    assert (moments.mean[1], moments.variance[1]) == (0.0, 1.0)


@pytest.mark.parametrize("sparse", [True, False])
def test_measured_gives_each_measured_value_and_no_other(sparse):
    mdata = build_mdata(20, sparse=False)
    values = mdata["rna"].X + 1
    values[0, 0] = np.nan
    mdata["rna"].X = sp.csr_matrix(values) if sparse else values
    table = from_mudata(mdata).table("rna")
    assert sorted(table.measured()) == sorted(values[~np.isnan(values)])
    values[3, 3] = 0
    mdata["rna"].X = sp.csr_matrix(values) if sparse else values
    assert np.sum(from_mudata(mdata).table("rna").measured() == 0) == 1


def test_rows_come_in_the_order_asked_for():
    data = from_mudata(build_mdata(20))
    index = np.array([7, 3, 3, 19])
    batch, all_rows = data.rows(index, CPU, torch.float32), data.rows(np.arange(20), CPU, torch.float32)
    assert batch.index.tolist() == index.tolist()
    for some, whole in zip(batch.modalities, all_rows.modalities, strict=True):
        assert torch.equal(some.filled, whole.filled[index])
        assert torch.equal(some.mask, whole.mask[index])
        assert torch.equal(some.library, whole.library[index])


def test_given_hides_the_other_modalities_and_keeps_the_data():
    data = from_mudata(build_mdata(20))
    hidden = data.given(["protein"])
    assert not hidden.presence[:, [0, 2]].any()
    np.testing.assert_array_equal(hidden.presence[:, 1], data.presence[:, 1])
    assert data.presence[:, 0].any()


def test_complete_is_only_said_of_complete_batches():
    data = from_mudata(build_mdata(40))
    full = np.flatnonzero(data.table("mutation").present)
    assert data.table("mutation").at(full, CPU, torch.float32).complete
    assert not data.table("mutation").at(np.arange(40), CPU, torch.float32).complete
    assert not data.table("protein").at(np.arange(40), CPU, torch.float32).complete


def test_filled_has_zeros_where_nothing_was_measured_whatever_is_stored():
    values = torch.tensor([[1.0, torch.nan], [torch.inf, 2.0], [torch.nan, torch.nan]])
    observed = torch.tensor([[True, False], [False, True], [True, True]])
    batch = ModalityBatch(values, torch.tensor([True, True, False]), observed, torch.ones(3))
    assert batch.filled.tolist() == [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
    assert batch.only_measured(values, -1.0).tolist() == [[1.0, -1.0], [-1.0, 2.0], [-1.0, -1.0]]


@pytest.mark.parametrize("sparse", [True, False])
def test_observations_taken_alone_are_those_of_the_whole_and_their_moments_know_no_other(sparse):
    mdata = build_mdata(20, sparse=sparse)
    data, index = from_mudata(mdata), np.array([7, 3, 19, 0, 11])
    taken = data.take(index)
    some, whole = taken.rows(np.arange(5), CPU, torch.float32), data.rows(index, CPU, torch.float32)
    for s, name in enumerate(data.schema.modalities):
        assert torch.equal(some.modalities[s].filled, whole.modalities[s].filled)
        assert torch.equal(some.modalities[s].present, whole.modalities[s].present)
        assert torch.equal(some.modalities[s].library, whole.modalities[s].library)
        inside = [n for n in mdata.obs_names[index] if n in mdata[name].obs_names]
        values = mdata[name][inside].to_df().to_numpy(np.float64)
        assert taken.tables[s].values.shape == values.shape
        np.testing.assert_allclose(taken.tables[s].moments.mean, np.nanmean(values, axis=0), rtol=1e-6, atol=1e-7)
    assert taken.obs_names.tolist() == mdata.obs_names[index].tolist()


def test_observations_taken_alone_keep_their_coverage():
    mdata = build_mdata(20)
    mdata["rna"].layers["reads"] = np.asarray(mdata["rna"].X.todense()) + np.arange(mdata["rna"].n_obs)[:, None]
    data, index = from_mudata(mdata, DataConfig(coverage_layers={"rna": "reads"})), np.array([7, 3, 19, 0, 11])
    some = data.take(index).rows(np.arange(5), CPU, torch.float32).modalities[0]
    whole = data.rows(index, CPU, torch.float32).modalities[0]
    assert torch.equal(some.exposure, whole.exposure)
    assert torch.equal(some.mask, whole.mask)


@pytest.mark.parametrize("modality", ["rna", "protein"])
@pytest.mark.parametrize("sparse", [True, False])
def test_hidden_features_are_missing_and_the_others_stay(modality, sparse):
    table = from_mudata(build_mdata(20, sparse=sparse)).table(modality)
    hidden = np.zeros(table.n_features, bool)
    hidden[[0, 2]] = True
    before, after = (t.at(np.arange(20), CPU, torch.float32) for t in (table, table.without(hidden)))
    mask = before.mask.expand_as(before.filled) & ~torch.from_numpy(hidden)
    assert torch.equal(after.mask.expand_as(after.filled), mask)
    assert torch.equal(after.filled, torch.where(mask, before.filled, 0.0))
    assert torch.equal(after.library, before.library)
