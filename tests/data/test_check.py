import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import omixvae
from omixvae.data import DataConfig, ModalityTable, from_mudata
from omixvae.data.check import check_container, check_links, check_names_and_layers, check_values
from omixvae.data.columns import check_columns
from omixvae.errors import InputError, nearest, raise_together
from tests.builders import build_mdata


def test_an_anndata_is_no_mudata():
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(build_mdata(12)["rna"])
    assert str(caught.value) == (
        "A AnnData was given, not a MuData.\n"
        "Where: the data\n"
        "Fix: Read it with omixvae.read, which takes files, AnnData and data frames."
    )


def test_modalities_that_share_features():
    parts = {name: build_mdata(12, seed=i)["rna"].copy() for i, name in enumerate(("first", "second"))}
    for i, adata in enumerate(parts.values()):
        adata.obs_names = [f"{name}-{i}" for name in adata.obs_names]
    assert [str(e) for e in check_container(mudata.MuData(parts, axis=1))] == [
        "The modalities of this MuData share features, not observations (axis=1).\n"
        "Where: the MuData's axis\n"
        "Fix: Build it with axis=0: one modality per assay, the same samples in each."
    ]


def test_a_modality_changed_after_the_mudata_was_built():
    mdata = build_mdata(20)
    mdata.mod["rna"] = mdata["rna"][:5].copy()
    assert [str(e) for e in check_names_and_layers(mdata, "rna", None)] == [
        "The MuData no longer fits its modality 'rna', which was changed after it was put together.\n"
        "Where: mdata.obsm['rna']\n"
        "Fix: Call mdata.update() and try again."
    ]


def test_a_modality_without_x():
    mdata = build_mdata(12)
    mdata["rna"].layers["counts"] = mdata["rna"].X
    del mdata["rna"].X
    assert [str(e) for e in check_names_and_layers(mdata, "rna", None)] == [
        "Modality 'rna' has no X.\n"
        "Where: mdata['rna'].X\n"
        "Fix: Say which layer holds its values: layers={'rna': ...}. Choose from 'counts'."
    ]
    assert list(check_names_and_layers(mdata, "rna", "counts")) == []


def test_values_that_are_no_numbers():
    mdata = build_mdata(12)
    adata = mdata["rna"]
    adata.layers["words"] = np.full(adata.shape, "low", dtype=object)
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, DataConfig(layers={"rna": "words"}))
    assert str(caught.value) == (
        "Modality 'rna' holds values that are not numbers (could not convert string to float: 'low').\n"
        "Where: mdata['rna']\n"
        "Fix: Convert them to numbers, with NaN for what was not measured."
    )


def test_sparse_and_dense_values_have_the_same_problems():
    values = np.array([[1.0, np.inf, 0.0], [-np.inf, np.inf, 0.0]], np.float32)
    missing = np.array([[False, False, True], [False, False, True]])
    features = ("CD3D", "CD4", "CD8A")
    tables = [
        ModalityTable("rna", features, kind(values), np.arange(2), kind(missing), np.ones(2))
        for kind in (np.asarray, sp.csr_matrix)
    ]
    dense, sparse = ([str(e) for e in check_values("rna", table.survey, features)] for table in tables)
    assert dense == sparse
    assert dense == [
        "Modality 'rna' holds 3 infinite values.\n"
        "Where: mdata['rna'], 2 of 3 features, first: 'CD3D'\n"
        "Fix: Replace them by NaN where nothing was measured; a log of zero is the usual cause.",
        "1 feature of modality 'rna' has no value at all, only NaN.\n"
        "Where: mdata['rna'], 1 of 3 features, first: 'CD8A'\n"
        "Fix: Drop these features before training.",
    ]


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        (
            [np.nan] * 12,
            {"labels_key": "x"},
            "Column 'x' holds no label at all.\nWhere: option labels_key\nFix: Leave the option out.",
        ),
        (
            [1.0, np.nan] + [2.0] * 10,
            {"covariate_keys": ("x",)},
            "Column 'x' is missing for 1 of 12 observations.\n"
            "Where: option covariate_keys, mdata.obs['x'], first: 'sample000'\n"
            "Fix: Fill the column, or leave the option out.",
        ),
        (
            [1.0, np.inf] + [2.0] * 10,
            {"covariate_keys": ("x",)},
            "Column 'x' holds infinite values.\n"
            "Where: option covariate_keys, mdata.obs['x'], first: 'sample000'\n"
            "Fix: Correct the column, or leave the option out.",
        ),
    ],
)
def test_columns(column, options, message):
    mdata = build_mdata(12)
    mdata.obs = pd.DataFrame({"x": column}, index=mdata.obs_names)
    found = [str(e) for e in check_columns(mdata, DataConfig(**options))]
    assert found == [message.replace("sample000", mdata.obs_names[1])]


def test_a_column_of_labels_named_like_a_modality():
    mdata = build_mdata(12)
    mdata.obs["rna"] = "a"
    assert [str(e) for e in check_columns(mdata, DataConfig(labels_key="rna"))] == [
        "'rna' is the name of a modality and of the label column.\n"
        "Where: option labels_key\n"
        "Fix: Rename the column of mdata.obs."
    ]


def test_a_covariate_of_words_where_the_model_knows_numbers():
    mdata = build_mdata(12)
    config = DataConfig(covariate_keys=("age",))
    schema = from_mudata(mdata, config).schema
    mdata.obs["age"] = "old"
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, config, schema)
    assert str(caught.value) == (
        "Column 'age' holds 'old', but the model was trained with numbers there.\n"
        "Where: mdata.obs['age']\n"
        "Fix: Convert the column to numbers."
    )


def chain(*names_of_modalities: str) -> mudata.MuData:
    """Make one modality for each word, whose letters are the names of its observations."""
    parts = {}
    for i, names in enumerate(names_of_modalities):
        parts[f"m{i}"] = anndata.AnnData(np.ones((len(names), 1), np.float32), pd.DataFrame(index=list(names)))
        parts[f"m{i}"].var_names = [f"feature {i}"]
    return mudata.MuData(parts)


@pytest.mark.parametrize("order", [("ab", "bc", "cd"), ("ab", "cd", "bc"), ("ab",), ("abc", "abc")])
def test_modalities_linked_through_others_are_linked(order):
    assert list(check_links(from_mudata(chain(*order)))) == []


def test_labels_link_modalities():
    mdata = chain("ab", "cd")
    mdata.obs["type"] = "x"
    assert from_mudata(mdata, DataConfig(labels_key="type")).n_obs == 4
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata)
    assert caught.value.problem == (
        "Modality 'm1' shares no observation with 'm0': none of the 2 names here (the first is 'c') is among the 2 "
        "there (the first is 'a')."
    )


def test_problems_of_problems_are_listed_once():
    errors = [InputError(f"Problem {i}.", "there", "Change it.") for i in range(3)]
    with pytest.raises(InputError) as two:
        raise_together(errors[:2])
    with pytest.raises(InputError) as three:
        raise_together([two.value, errors[2]])
    assert three.value.parts == tuple(errors)
    assert str(three.value).splitlines() == [
        "The input has 3 problems.",
        "Where: listed below",
        "Fix: Do what is said of each, then run the same again.",
        *(line for i in range(3) for line in (f"  {i + 1}. Problem {i}.", "     Where: there", "     Fix: Change it.")),
    ]


def test_nearest_says_what_there_is():
    assert nearest("x", []) == "There is none to choose from."
    assert nearest("x", [], "Leave it out.") == "Leave it out."
    assert nearest("x", ["a", "b"]) == "Choose from 'a', 'b'."
    many = nearest("x", [f"word {i}" for i in range(13)])
    assert many.endswith("'word 11' … (13 in all).")


@pytest.mark.parametrize(
    ("layers", "fix"),
    [
        (
            ["counts", "logged"],
            "Say which layer holds its values: layers={'rna': ...}. Choose from 'counts', 'logged'.",
        ),
        ([], "Leave it out with the option modalities, or write the file again with its values."),
    ],
)
def test_a_modality_without_values_names_the_layers_that_it_has(layers, fix):
    mdata = build_mdata(20)
    for layer in layers:
        mdata["rna"].layers[layer] = mdata["rna"].X.copy()
    mdata["rna"].X = None
    assert [str(e) for e in check_names_and_layers(mdata, "rna", None)] == [
        f"Modality 'rna' has no X.\nWhere: mdata['rna'].X\nFix: {fix}"
    ]


def test_a_modality_without_features_is_empty_and_nothing_else():
    rna = build_mdata(20)["rna"]
    mdata = mudata.MuData({"rna": rna, "airr": anndata.AnnData(obs=rna.obs)})
    assert [e.problem for e in check_names_and_layers(mdata, "airr", None)] == [
        f"Modality 'airr' is empty: {rna.n_obs} observations by 0 features."
    ]
