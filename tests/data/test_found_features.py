import anndata
import numpy as np
import pandas as pd
import pytest

from omixvae.data.features import check_features, find_features


def of(names, **columns) -> anndata.AnnData:
    var = pd.DataFrame(columns, index=pd.Index(names, dtype=object))
    return anndata.AnnData(np.ones((1, len(names)), np.float32), var=var)


@pytest.mark.parametrize(
    ("names", "columns", "model", "found", "how"),
    [
        (["b", "c", "a"], {}, ["a", "b"], [2, 0], ""),
        (["ENSMUSG00000000001.4", "ENSMUSG00000000028"], {}, ["ENSMUSG00000000028.15", "ENSMUSG00000000001.7"], [1, 0],
         "without the version at its end"),
        (["Cd8a", "FoxP3", "IL7R"], {}, ["IL7R", "FOXP3", "CD8A"], [2, 1, 0], "whatever its case"),
        (["HLA.A", "NKX2.1"], {}, ["NKX2-1", "HLA-A"], [1, 0], "whether with '-', '.', '_' or ':'"),
        (["chr1:5-9", "chr2:1-4"], {}, ["chr1_5_9", "chr2_1_4"], [0, 1], "whether with '-', '.', '_' or ':'"),
        (["hla.a", "ensg00000000003.2"], {}, ["HLA-A", "ENSG00000000003"], [0, 1],
         "whatever its case, punctuation and version"),
        (["f0", "f1"], {"feature_name": ["GAPDH", "ACTB"]}, ["ACTB", "GAPDH"], [1, 0], "by var['feature_name']"),
        (["f0", "f1"], {"ids": ["ENSG00000000003.9", "ENSG00000000005.1"]}, ["ENSG00000000005", "ENSG00000000003"],
         [1, 0], "by var['ids'], without the version at its end"),
    ],
)  # fmt: skip
def test_features_are_found_in_the_spelling_that_finds_most(names, columns, model, found, how):
    result = find_features(of(names, **columns), model)
    assert result.columns.tolist() == found
    assert result.how == how


@pytest.mark.parametrize(
    ("names", "columns", "model", "found"),
    [
        pytest.param(["Il2", "iL2", "Cd4"], {}, ["IL2", "CD4"], [-1, 2], id="two that could be meant"),
        pytest.param(["il2"], {}, ["IL2", "Il2", "b"], [-1, -1, -1], id="two that could mean it"),
        pytest.param(["RP11-34P13.8"], {}, ["RP11-34P13.7"], [-1], id="no version"),
        pytest.param(["g1", "g2"], {"copies": [1, 2]}, ["1", "2"], [-1, -1], id="numbers are no names"),
        pytest.param(
            ["a", "b", "c", "D"],
            {},
            ["a", "b", "c", "d", "e", "f"],
            [0, 1, 2, -1, -1, -1],
            id="one more is no spelling",
        ),
        pytest.param(
            ["a", "b", "c", "D"], {}, ["a", "b", "c", "d", "e"], [0, 1, 2, 3, -1], id="half of what is lacking"
        ),
    ],
)
def test_what_is_in_doubt_is_not_found(names, columns, model, found):
    assert find_features(of(names, **columns), model).columns.tolist() == found


def test_names_that_fit_as_they_are_stay():
    adata = of(["CD4", "Cd8a", "Cd19"], name=["CD8A", "CD4", "CD19"])
    assert find_features(adata, ["CD4", "CD8A", "CD19"]).columns.tolist() == [0, 1, 2]


def test_another_spelling_is_said_with_a_pair():
    found = find_features(of(["Cd4", "Cd19", "Cd8a"]), ["CD8A", "CD19", "CD14", "CD4"])
    assert found.sentences("rna") == [
        "Features of 'rna' are spelled otherwise than in the training: 'Cd8a' is taken for 'CD8A', found whatever its "
        "case, and 2 more features are found so. Rename them in var_names if that is wrong."
    ]
    assert find_features(of(["CD4"]), ["CD4", "CD8A"]).sentences("rna") == []


def test_too_few_features_are_refused_unless_they_are_allowed():
    model = [f"gene{i}" for i in range(1, 1001)]
    adata = of([*model[:199], "other"])
    columns = find_features(adata, model).columns
    assert [str(e) for e in check_features("rna", adata, model, columns, allow_missing_features=False)] == [
        "Modality 'rna' has 199 of the 1,000 features that the model was trained on, and with fewer than 20% of them "
        "its values tell next to nothing about the latents.\n"
        "Where: mdata['rna'].var_names (here such as 'gene1', in the model such as 'gene200')\n"
        "Fix: If these are the same features, rename them as they were in the training, or put those names into a "
        "column of mdata['rna'].var; if not, leave the modality out. To go on all the same, allow missing features: "
        "--allow-missing-features, in Python allow_missing_features=True."
    ]
    assert list(check_features("rna", adata, model, columns, allow_missing_features=True)) == []
    enough = of(model[:200])
    columns = find_features(enough, model).columns
    assert list(check_features("rna", enough, model, columns, allow_missing_features=False)) == []
