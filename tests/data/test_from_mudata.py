import warnings

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

import omixvae
from omixvae.data import DataConfig, from_mudata
from tests.builders import build_mdata


def dense(matrix) -> np.ndarray:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix)


def expected(mdata: mudata.MuData, modality: str) -> pd.DataFrame:
    """Give the measured values by name: NaN where nothing was measured."""
    adata = mdata[modality]
    frame = pd.DataFrame(dense(adata.X), adata.obs_names, adata.var_names)
    return frame.reindex(mdata.obs_names)


def read_back(data, modality: str) -> np.ndarray:
    """Give what a model is shown: NaN where it is told that nothing was measured."""
    batch = data.table(modality).at(np.arange(data.n_obs), torch.device("cpu"), torch.float32)
    return torch.where(batch.mask, batch.values, torch.nan).numpy()


def snapshot(mdata: mudata.MuData) -> dict[str, object]:
    """Copy everything that a MuData holds, by name."""
    kept: dict[str, object] = {"obs": mdata.obs.copy(), "uns": sorted(mdata.uns), "obsm": sorted(mdata.obsm)}
    for name, adata in mdata.mod.items():
        kept[f"{name}.X"] = dense(adata.X).copy()
        kept[f"{name}.kind"] = type(adata.X)
        kept[f"{name}.obs"] = adata.obs.copy()
        kept[f"{name}.slots"] = (sorted(adata.obsm), sorted(adata.varm), sorted(adata.layers), sorted(adata.uns))
    return kept


def assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, after[name])
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, after[name])
        else:
            assert value == after[name]


@pytest.mark.parametrize("modality", ["rna", "protein", "mutation"])
@pytest.mark.parametrize("sparse", [True, False])
def test_values_are_found_by_name_whatever_the_order(modality, sparse):
    mdata = build_mdata(30, seed=1, sparse=sparse)
    assert list(mdata["rna"].obs_names) != sorted(mdata["rna"].obs_names)  # the builder shuffles each modality
    data = from_mudata(mdata)
    np.testing.assert_array_equal(read_back(data, modality), expected(mdata, modality).to_numpy(np.float32))


def test_presence_is_that_of_names():
    rna = anndata.AnnData(np.ones((3, 2), np.float32), pd.DataFrame(index=["a", "b", "c"]))
    protein = anndata.AnnData(np.zeros((3, 2), np.float32), pd.DataFrame(index=["d", "c", "b"]))
    protein.var_names = ["x", "y"]
    data = from_mudata(mudata.MuData({"rna": rna, "protein": protein}))
    presence = pd.DataFrame(data.presence, data.obs_names)
    assert presence.loc[["a", "b", "c", "d"]].to_numpy().tolist() == [
        [True, False],
        [True, True],
        [True, True],
        [False, True],
    ]


def test_a_view_of_some_observations_reads_like_a_copy_of_them():
    mdata = build_mdata(30)
    some = mdata[mdata.obs_names[::-2]]
    data = from_mudata(some)
    assert list(data.obs_names) == list(mdata.obs_names[::-2])
    np.testing.assert_array_equal(read_back(data, "protein"), expected(mdata, "protein").iloc[::-2])


@pytest.mark.parametrize(
    "store",
    [
        sp.csr_matrix,
        sp.csc_matrix,
        sp.coo_matrix,
        np.asarray,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int32),
        lambda x: sp.csr_matrix(x.astype(np.int64)),
        np.asfortranarray,
    ],
    ids=["csr", "csc", "coo", "dense", "float64", "int32", "sparse int64", "fortran"],
)
def test_every_way_of_storing_counts_reads_the_same(store):
    mdata = build_mdata(20, sparse=False)
    values = mdata["rna"].X
    plain = from_mudata(mdata)
    stored = store(values)
    mdata["rna"].X = stored if not sp.issparse(stored) or stored.format in ("csr", "csc") else stored.tocsc()
    data = from_mudata(mdata)
    assert sp.issparse(data.table("rna").values) == sp.issparse(stored)
    assert data.table("rna").values.dtype == np.float32
    np.testing.assert_array_equal(read_back(data, "rna"), read_back(plain, "rna"))
    np.testing.assert_array_equal(data.table("rna").library, plain.table("rna").library)


def test_sparse_values_are_not_copied():
    mdata = build_mdata(20)
    assert np.shares_memory(from_mudata(mdata).table("rna").values.data, mdata["rna"].X.data)


def test_an_entry_stored_in_two_parts_is_their_sum():
    mdata = build_mdata(20)
    values = mdata["rna"].X
    parts = sp.csr_matrix(
        (np.repeat(values.data / 2, 2), np.repeat(values.indices, 2), 2 * values.indptr), shape=values.shape
    )
    whole = read_back(from_mudata(mdata), "rna")
    mdata["rna"].X = parts
    np.testing.assert_array_equal(read_back(from_mudata(mdata), "rna"), whole)
    assert mdata["rna"].X.nnz == parts.nnz


@pytest.mark.parametrize("sparse", [True, False])
def test_a_backed_file_reads_like_one_in_memory(tmp_path, sparse):
    mdata = build_mdata(20, sparse=sparse)
    mdata.write_h5mu(tmp_path / "in.h5mu")
    backed = mudata.read_h5mu(tmp_path / "in.h5mu", backed="r")
    for modality in mdata.mod:
        np.testing.assert_array_equal(
            read_back(from_mudata(backed), modality), expected(mdata, modality).to_numpy(np.float32)
        )
    backed.file.close()


@pytest.mark.parametrize("sparse", [True, False])
def test_nan_is_missing_and_zero_is_not(sparse):
    mdata = build_mdata(20, sparse=False, missing=0.0)
    values = mdata["rna"].X.copy()
    values[0, :3] = [np.nan, 0, 5]
    values[1] = 0
    stored = sp.csr_matrix(values)
    stored.data[stored.indptr[0] + 1] = 0.0  # the 5 becomes a zero that is stored
    values[0, 2] = 0
    mdata["rna"].X = stored if sparse else values
    data = from_mudata(mdata)
    order = mdata["rna"].obs_names.get_indexer(mdata.obs_names)
    np.testing.assert_array_equal(read_back(data, "rna"), values[order])
    assert dense(data.table("rna").missing).sum() == 1
    assert not np.isnan(dense(data.table("rna").values)).any()


@pytest.mark.parametrize("sparse", [True, False])
def test_a_row_of_nothing_but_nan_is_an_absent_modality(sparse):
    mdata = build_mdata(20, missing=0.0, sparse=False)
    name = mdata["rna"].obs_names[4]
    mdata["rna"].X[4] = np.nan
    if sparse:
        mdata["rna"].X = sp.csr_matrix(mdata["rna"].X)
    table = from_mudata(mdata).table("rna")
    position = mdata.obs_names.get_loc(name)
    assert np.flatnonzero(~table.present).tolist() == [position]
    assert table.library[position] == np.median(np.delete(table.library, position))


def test_layers_are_read_instead_of_x():
    mdata = build_mdata(20)
    mdata["rna"].layers["counts"] = mdata["rna"].X.copy()
    mdata["rna"].X = mdata["rna"].X.log1p()
    data = from_mudata(mdata, DataConfig(layers={"rna": "counts"}))
    rows = mdata["rna"].obs_names.get_indexer(mdata.obs_names)
    present = rows >= 0
    np.testing.assert_array_equal(read_back(data, "rna")[present], dense(mdata["rna"].layers["counts"])[rows[present]])


def test_modalities_come_in_the_order_asked_for():
    data = from_mudata(build_mdata(20, missing=0.0), DataConfig(modalities=("mutation", "rna")))
    assert data.schema.modalities == ("mutation", "rna")


def test_library_is_the_total_and_the_median_of_the_batch_where_absent():
    mdata = build_mdata(60, seed=3)
    totals = pd.Series(dense(mdata["rna"].X).sum(1), mdata["rna"].obs_names).reindex(mdata.obs_names)
    medians = totals.groupby(mdata.obs["batch"], observed=True).transform("median")
    assert medians.nunique() == 2
    assert totals.isna().any()
    data = from_mudata(mdata, DataConfig(batch_key="batch"))
    np.testing.assert_allclose(data.table("rna").library, totals.fillna(medians), rtol=1e-6)
    without = from_mudata(mdata)
    np.testing.assert_allclose(without.table("rna").library, totals.fillna(totals.median()), rtol=1e-6)


def test_covariates_are_indicators_and_standard_units():
    mdata = build_mdata(20)
    data = from_mudata(mdata, DataConfig(batch_key="batch", covariate_keys=("age",)))
    age = mdata.obs["age"].to_numpy()
    by_hand = np.column_stack(
        [mdata.obs["batch"] == "first", mdata.obs["batch"] == "second", (age - age.mean()) / age.std()]
    )
    np.testing.assert_allclose(data.covariates, by_hand.astype(np.float32), atol=1e-6)


def test_labels_are_a_modality_that_unlabelled_observations_lack():
    mdata = build_mdata(20)
    mdata.obs.iloc[:5, list(mdata.obs).index("group")] = np.nan
    table = from_mudata(mdata, DataConfig(labels_key="group")).table("group")
    assert table.features == ("a", "b", "c")
    np.testing.assert_array_equal(table.present, mdata.obs["group"].notna())
    read = np.array(table.features)[table.values[table.row[table.present]].argmax(axis=1)]
    assert read.tolist() == mdata.obs["group"].dropna().tolist()


def test_new_data_are_brought_into_the_order_of_the_model():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    shuffled = {}
    rng = np.random.default_rng(0)
    for name in ("mutation", "rna"):
        adata = mdata[name][:, rng.permutation(mdata[name].n_vars)]
        further = anndata.AnnData(np.full((adata.n_obs, 1), 7.0, np.float32), adata.obs[[]])
        further.var_names = [f"{name} of another panel"]
        further.obs_names = adata.obs_names
        shuffled[name] = anndata.concat([further, adata], axis=1)
    new = mudata.MuData(shuffled)
    data = from_mudata(new, DataConfig(), schema)
    assert data.schema.modalities == ("rna", "protein", "mutation")
    assert not data.table("protein").present.any()
    np.testing.assert_array_equal(
        read_back(data, "rna"), expected(mdata, "rna").reindex(new.obs_names).to_numpy(np.float32)
    )


@pytest.mark.parametrize("modality", ["rna", "protein"])
@pytest.mark.parametrize("sparse", [True, False])
def test_features_that_new_data_lack_were_not_measured(modality, sparse):
    mdata = build_mdata(20, sparse=False)
    schema = from_mudata(mdata).schema
    kept = mdata[modality][:, [4, 1, 3]].copy()  # in an order of their own
    padded = kept.to_df().reindex(columns=mdata[modality].var_names)
    if sparse:
        kept.X = sp.csr_matrix(kept.X)
    new = mudata.MuData({modality: kept})
    with pytest.warns(UserWarning, match="has no value") as caught:
        data = from_mudata(new, DataConfig(), schema)
    n = len(schema.features[modality])
    assert [str(w.message) for w in caught] == [
        f"{modality!r} has no value for {n - 3} of the {n} features that the model was trained on, the first is "
        f"'{modality}0'; they are taken as not measured."
    ]
    np.testing.assert_array_equal(read_back(data, modality), padded.reindex(new.obs_names))
    survey = data.table(modality).survey
    np.testing.assert_array_equal(survey.n_measured, padded.notna().sum())
    np.testing.assert_allclose(survey.totals, padded.sum(axis=1), rtol=1e-6)
    some = np.array([7, 2])
    np.testing.assert_array_equal(read_back(data.take(some), modality), padded.reindex(new.obs_names).iloc[some])


def test_the_total_of_features_that_are_lacking_is_estimated():
    mdata = build_mdata(20, missing=0.0)
    schema = from_mudata(mdata).schema
    new = mudata.MuData({"rna": mdata["rna"][:, :4].copy()})
    composition = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.0, 2.0])  # six of ten parts are measured
    with pytest.warns(UserWarning, match="has no value"):
        data = from_mudata(new, DataConfig(), schema, {"rna": composition})
    totals = dense(new["rna"].X).sum(1)[new["rna"].obs_names.get_indexer(new.obs_names)]
    np.testing.assert_allclose(data.table("rna").library, totals / 0.6, rtol=1e-6)


def test_features_in_another_spelling_are_read_and_said():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    new = mudata.MuData({"rna": mdata["rna"].copy()})
    new["rna"].var_names = new["rna"].var_names.str.upper()
    with pytest.warns(UserWarning, match="spelled otherwise") as caught:
        data = from_mudata(new, DataConfig(), schema)
    np.testing.assert_array_equal(read_back(data, "rna"), expected(mdata, "rna").reindex(new.obs_names))
    assert [str(w.message) for w in caught] == [
        "Features of 'rna' are spelled otherwise than in the training: 'RNA0' is taken for 'rna0', found whatever its "
        "case, and 7 more features are found so. Rename them in var_names if that is wrong."
    ]


def test_new_data_with_too_few_features_are_refused():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    new = mudata.MuData({"rna": mdata["rna"][:, 7:].copy()})
    with pytest.raises(omixvae.InputError, match=r"Modality 'rna' has 1 of the 8 features that the model was trained"):
        from_mudata(new, DataConfig(), schema)
    with pytest.warns(UserWarning, match="has no value for 7 of the 8 features"):
        data = from_mudata(new, DataConfig(), schema, allow_missing_features=True)
    np.testing.assert_array_equal(
        read_back(data, "rna")[:, 7], dense(new["rna"].X).ravel()[new["rna"].obs_names.get_indexer(new.obs_names)]
    )


def test_new_data_may_have_features_without_any_value():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    new = mudata.MuData({"protein": mdata["protein"].copy()})
    new["protein"].X[:, 2] = np.nan
    with pytest.warns(UserWarning, match="has no value for 1 of the 5 features") as caught:
        data = from_mudata(new, DataConfig(), schema)
    assert len(caught) == 1
    assert np.isnan(read_back(data, "protein")[:, 2]).all()


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (
            DataConfig(layers={"rna": "umis"}),
            lambda adata: adata.layers.pop("umis"),
            "The model was trained on the layer 'umis' of 'rna', which is not here.\n"
            "Where: mdata['rna'].layers (there are 'other')\n"
            "Fix: Put such values there: mdata['rna'].layers['umis'] = mdata['rna'].X.copy(), if it is these that X "
            "holds.",
        ),
        (
            DataConfig(),
            lambda adata: delattr(adata, "X"),
            "The model was trained on the X of 'rna', and here it is empty.\n"
            "Where: mdata['rna'].X (there are the layers 'umis', 'other')\n"
            "Fix: Put such values there: mdata['rna'].X = ...",
        ),
    ],
    ids=["layer", "X"],
)
def test_where_the_model_finds_its_values_is_said(config, change, message):
    mdata = build_mdata(20)
    for layer in ("umis", "other"):
        mdata["rna"].layers[layer] = mdata["rna"].X.copy()
    schema = from_mudata(mdata, config).schema
    change(mdata["rna"])
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, config, schema)
    assert str(caught.value) == message


def test_new_data_of_other_modalities_are_refused():
    mdata = build_mdata(20)
    schema = from_mudata(mdata).schema
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mudata.MuData({"RNA": mdata["rna"].copy()}), DataConfig(), schema)
    assert str(caught.value) == (
        "None of the modalities that the model was trained on has a value here; there are 'RNA', the model knows "
        "'rna', 'protein', 'mutation'.\n"
        "Where: mdata.mod\n"
        "Fix: Give at least one of them, under the name that it had in the training."
    )


def test_what_new_data_lack_is_said():
    mdata = build_mdata(20)
    config = DataConfig(batch_key="batch")
    schema = from_mudata(mdata, config).schema
    new = mudata.MuData({"rna": mdata["rna"].copy(), "proteins": mdata["protein"].copy()})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = from_mudata(new, config, schema)
    assert [str(w.message) for w in caught if w.category is UserWarning] == [
        "Modality 'proteins' is not used: the model was not trained on it. Did you mean 'protein'? "
        "Known: 'protein', 'mutation'.",
        "There is no column 'batch', which the model was trained with; an average is used for all observations. "
        "Add the column to mdata.obs if it is known.",
    ]
    assert not data.covariates.any()


@pytest.mark.parametrize("sparse", [True, False])
def test_reading_changes_nothing(sparse):
    mdata = build_mdata(20, sparse=sparse)
    before = snapshot(mdata)
    from_mudata(mdata, DataConfig(batch_key="batch", covariate_keys=("age",), labels_key="group"))
    assert_same(before, snapshot(mdata))


def test_fit_changes_nothing_but_its_own_keys():
    mdata = build_mdata(20)
    before = snapshot(mdata)
    omixvae.fit(mdata, max_epochs=1, progress=False, key_added="run")
    written = {"X_run", "X_run_sd", "run_cluster_probs"} | {n for n in mdata.obsm if n.startswith("run_imputed_")}
    for name in written:
        del mdata.obsm[name]
    del mdata.uns["run"]
    mdata.obs = mdata.obs.drop(columns=["run_cluster", "run_cluster_entropy"])
    for adata in mdata.mod.values():
        del adata.obsm["X_run_private"], adata.varm["run_loadings"]
    assert_same(before, snapshot(mdata))


def test_positions_of_two_widths_become_one():
    mdata = build_mdata(12)
    x = mdata["rna"].X
    x.indptr = x.indptr.astype(np.int64)
    values = from_mudata(mdata).table("rna").values
    assert values.indices.dtype == values.indptr.dtype
    np.testing.assert_array_equal(values.toarray(), x.toarray())
    assert np.shares_memory(values.data, x.data)
