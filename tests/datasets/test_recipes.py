"""What is made of the upstream files equals the reference files, which were made apart from this code."""

from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from omixvae.datasets.cache import put_into_cache, read_cached
from omixvae.datasets.recipes.assemble import assemble, observed
from omixvae.datasets.recipes.cite_seq import _leading
from omixvae.datasets.recipes.epigenomes import _recounted
from omixvae.datasets.recipes.tumours import tcga_coread_cms
from omixvae.datasets.registry import registered

DATASETS = registered()
R_MISSING = -(2**31)  # the reference of tcga_acc_mini shows it as a number


def assert_equal_values(made: mudata.MuData, reference: mudata.MuData) -> None:
    assert list(made.mod) == list(reference.mod)
    assert list(made.obs_names) == list(reference.obs_names)
    for name in reference.mod:
        one, other = made[name], reference[name]
        assert list(one.obs_names) == list(other.obs_names)
        assert list(one.var_names) == list(other.var_names)
        pd.testing.assert_frame_equal(one.var, other.var)
        assert type(one.X) is type(other.X)
        assert one.X.dtype == other.X.dtype == np.float32
        if sp.issparse(one.X):
            assert (one.X != other.X).nnz == 0
        else:
            np.testing.assert_array_equal(one.X, other.X)


@pytest.fixture
def reference_of(data_folder):
    return lambda name: read_cached(data_folder / f"{name}.h5mu")


@pytest.fixture
def made_of(data_folder, tmp_path):
    """Make a data set from copies of its upstream files, which are all there: nothing is downloaded."""

    def make(name: str) -> mudata.MuData:
        (tmp_path / "upstream").symlink_to(data_folder / "upstream")
        return read_cached(put_into_cache(DATASETS[name], tmp_path, progress=True))

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_values_equal_the_reference(name, made_of, reference_of, capsys):
    made, reference = made_of(name), reference_of(name)
    assert capsys.readouterr().err == ""  # no download
    assert_equal_values(made, reference)
    assert list(made.obs) == list(reference.obs)
    if name != "tcga_acc_mini":
        pd.testing.assert_frame_equal(made.obs, reference.obs)
    for key in ("repository", "licence", "citation"):
        assert made.uns["provenance"][key] == reference.uns["provenance"][key]


@pytest.mark.parametrize("name", DATASETS)
def test_the_registry_describes_the_reference(name, reference_of):
    dataset, reference = DATASETS[name], reference_of(name)
    assert dataset.n_obs == reference.n_obs
    assert {name: (m.n_obs, m.n_vars) for name, m in dataset.modalities.items()} == {
        name: adata.shape for name, adata in reference.mod.items()
    }
    assert set(dataset.labels) <= set(reference.obs)
    assert bool(dataset.labels) == bool(len(reference.obs.columns))


def test_missing_numbers_of_r_are_missing(made_of, reference_of):
    made, reference = made_of("tcga_acc_mini").obs, reference_of("tcga_acc_mini").obs
    n_missing = 0
    for column in reference:
        if made[column].dtype == "category":
            pd.testing.assert_series_equal(made[column], reference[column])
            continue
        assert made[column].dtype in ("Int64", "int64", "float64")
        numbers = reference[column].astype(float)
        n_missing += (numbers == R_MISSING).sum()
        expected = numbers.where(numbers != R_MISSING)
        np.testing.assert_array_equal(made[column].to_numpy(float, na_value=np.nan), expected)
    assert n_missing > 100


def test_counts_are_found_again_behind_logarithms():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.7, (50, 30)).astype(float)
    counts[0] = 1  # each cell has a gene that was counted once
    counts[:, 3] = 0  # but for one in which nothing was counted
    scaled = sp.csc_matrix(np.log1p(counts * rng.uniform(0.3, 40, 30)))
    np.testing.assert_array_equal(_recounted(scaled).toarray(), counts)


def test_a_hashtag_must_lead_by_three_times():
    hashtags = pd.DataFrame({"A": [30, 29, 5, 0], "B": [10, 10, 0, 7], "C": [0, 0, 20, 0]})
    assert list(_leading(hashtags)) == ["A", "ambiguous", "C", "B"]


def test_shared_feature_names_get_the_later_modality_as_a_suffix():
    rna = observed(np.ones((2, 2)), ["a", "b"], ["TP53", "KRAS"])
    mutation = observed(np.zeros((2, 2)), ["b", "c"], ["APC", "TP53"])
    obs = pd.DataFrame({"label": ["x", None, "y"]}, ["c", "b", "a"])
    mdata = assemble({"rna": rna, "mutation": mutation}, obs)
    assert list(mdata["rna"].var_names) == ["TP53", "KRAS"]
    assert list(mdata["mutation"].var_names) == ["APC_mutation", "TP53_mutation"]
    assert list(mdata["mutation"].var["name"]) == ["APC", "TP53"]
    assert list(mdata.obs_names) == ["a", "b", "c"]
    assert list(mdata.obs["label"].cat.categories) == ["x", "y"]
    assert list(mdata.obs["label"].isna()) == [False, True, False]


def test_scaled_mutations_become_indicators(tmp_path):
    tables = {"gex": "1.5,0", "muts": "0.11,0", "cnv": "0,0.25"}
    for name, values in tables.items():
        (tmp_path / f"COREAD_CMS13_{name}.csv").write_text(f'"","P1","P2"\n"{name}1",{values}\n')
    columns = ["dataset", "gender", "tnm", "grade", "msi", "cimp", "cms_label", "rfsMo", "rfsStat"]
    (tmp_path / "COREAD_CMS13_subtypes.csv").write_text(
        ",".join(["", *columns]) + "\nP1,tcga,male,I,NA,msi,NA,CMS1,NA,NA\nP2,tcga,female,II,NA,mss,NA,CMS3,NA,NA\n"
    )
    mdata = tcga_coread_cms({path.name: path for path in Path(tmp_path).iterdir()})
    np.testing.assert_array_equal(mdata["mutation"].X, [[1], [0]])
    np.testing.assert_array_equal(mdata["rna"].X, [[1.5], [0]])
    assert list(mdata.obs["cms_label"]) == ["CMS1", "CMS3"]
    assert mdata.obs["cimp"].isna().all()
