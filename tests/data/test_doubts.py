"""Values that may stand for "not measured" are pointed at, before training and by inspect; real zeros are not."""

import warnings

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.config import DataConfig
from omixvae.data import from_mudata
from omixvae.data.doubts import find_doubts, warn_of

N = 90


def build(*, sparse=True, **changes):
    """Make counts of rna (40 genes, most rare) and protein (12) of 90 cells from three runs, some arrays replaced."""
    rng = np.random.default_rng(3)
    values = {
        "rna": rng.poisson(rng.gamma(0.4, 2.0, 40), (N, 40)),
        "protein": rng.poisson(rng.gamma(3.0, 8.0, 12), (N, 12)),
    }
    values = {name: np.array(changes.get(name, x), np.float32) for name, x in values.items()}
    names = [f"cell{i}" for i in range(N)]
    mdata = mudata.MuData(
        {
            name: anndata.AnnData(
                sp.csr_matrix(x) if sparse and name == "rna" else x,
                pd.DataFrame(index=names),
                pd.DataFrame(index=[f"{name}{i}" for i in range(x.shape[1])]),
            )
            for name, x in values.items()
        }
    )
    mdata.obs["run"] = np.repeat(["one", "two", "three"], 30)
    return mdata


def values_of(name):
    x = build()[name].X
    return (x.toarray() if sp.issparse(x) else x).copy()


def notes(mdata, **options):
    """Give what training says before it starts."""
    config = DataConfig(**options)
    found = find_doubts(mdata, from_mudata(mdata, config), config)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_of(found)
    return [str(w.message) for w in said]


def doubts(mdata, **options):
    """Give what inspect says."""
    config = DataConfig(**options)
    return [(d.problem, d.where, d.fix) for d in find_doubts(mdata, from_mudata(mdata, config), config, thorough=True)]


def assert_said(mdata, *expected, **options):
    """Compare what inspect says, and that training says the same in one line."""
    assert doubts(mdata, **options) == list(expected)
    assert notes(mdata, **options) == [f"{problem[:-1]} ({where}). {fix}" for problem, where, fix in expected]


def test_counts_as_they_are():
    assert_said(build())
    assert_said(build(), batch_key="run")


ZERO = "A zero is taken for a measurement. If the assay failed"


def test_a_batch_without_an_assay():
    protein = values_of("protein")
    protein[30:60] = 0
    whole = (
        "30 of 90 observations of 'protein' hold nothing but zeros, among them all of batch 'two'.",
        "mdata['protein'].X, first: 'cell30'",
        f"{ZERO} or was not made there, leave these rows out of the modality: adata[adata.X.sum(axis=1) > 0].",
    )
    assert_said(build(protein=protein), whole, batch_key="run")
    unknown = (
        "30 of 90 observations of 'protein' hold nothing but zeros.",
        whole[1],
        f"{ZERO} there, leave these rows out of the modality: adata[adata.X.sum(axis=1) > 0].",
    )
    assert_said(build(protein=protein), unknown)
    made = build(protein=protein)
    protein = made["protein"]
    left = mudata.MuData({"rna": made["rna"], "protein": protein[protein.X.sum(axis=1) > 0].copy()})
    left.obs["run"] = made.obs["run"]
    assert_said(left, batch_key="run")


def test_batches_without_an_assay_of_values_that_may_be_negative():
    protein = np.random.default_rng(0).standard_normal((N, 2))
    protein[30:] = 0
    made = build(protein=protein)
    made["protein"].layers["scaled"], made["protein"].X = made["protein"].X.copy(), np.ones((N, 2), np.float32)
    assert doubts(made, batch_key="run", layers={"protein": "scaled"}) == [
        (
            "60 of 90 observations of 'protein' hold nothing but zeros, among them all of batch 'three', 'two'.",
            "mdata['protein'].layers['scaled'], first: 'cell30'",
            f"{ZERO} or was not made there, leave these rows out of the modality: "
            "adata[(adata.layers['scaled'] != 0).sum(axis=1) > 0].",
        )
    ]


def test_few_rows_of_zeros_are_told_by_inspect_alone():
    protein = values_of("protein")
    protein[[4, 50]] = 0
    assert notes(build(protein=protein), batch_key="run") == []
    assert [problem for problem, _, _ in doubts(build(protein=protein), batch_key="run")] == [
        "2 of 90 observations of 'protein' hold nothing but zeros."
    ]


def test_a_small_batch_may_hold_zeros_by_chance():
    mutation = (np.random.default_rng(0).random((N, 12)) < 0.08).astype(np.float32)
    mutation[:3] = 0
    made = build(protein=mutation)
    made.obs["run"] = np.repeat(["few", "many"], [3, 87])
    assert (mutation.sum(axis=1) == 0).mean() > 0.3
    assert_said(made, batch_key="run")


def test_zeros_where_there_is_everything_between_none_and_many():
    rng = np.random.default_rng(1)
    rate = np.repeat([0.0, 0.02, 0.1, 0.5, 0.9], 18)[:, None]  # of the genes that a tumour has copies more of
    assert_said(build(protein=np.where(rng.random((N, 60)) < rate, 1.7, 0.0)))


def test_features_that_a_batch_lacks():
    protein = values_of("protein")
    protein[60:, [2, 5, 9]] = 0
    told = (
        "Features of 'protein' that are 0 in a whole batch, and not in the others: 3 in batch 'three'.",
        "mdata['protein'].X, 3 of 12 features, first: 'protein2'",
        "A zero is taken for a measurement. If the panel of that batch lacks these features, make the values NaN "
        "there.",
    )
    assert_said(build(protein=protein), told, batch_key="run")
    assert_said(build(protein=protein))
    protein[60:, [2, 5, 9]] = np.nan
    assert_said(build(protein=protein), batch_key="run")


def test_features_that_several_batches_lack_in_sparse_values():
    rna = np.random.default_rng(0).poisson(3.0, (N, 40))
    rna[:30, :20] = 0
    rna[60:, 20:] = 0
    assert [(p, w) for p, w, _ in doubts(build(rna=rna), batch_key="run")] == [
        (
            "Features of 'rna' that are 0 in a whole batch, and not in the others: 20 in batch 'one', 20 in batch "
            "'three'.",
            "mdata['rna'].X, 40 of 40 features, first: 'rna0'",
        )
    ]


def test_rare_genes_are_zero_in_a_small_batch_by_chance_or_by_its_cells():
    rng = np.random.default_rng(0)
    rna = rng.poisson(rng.gamma(0.5, 0.6, 40), (N, 40))
    rna[:4, ::2] = 0  # four cells, half of the genes
    rna[4:34, rna[34:].astype(bool).mean(0) < 0.4] = 0  # thirty cells without any of the rarer genes
    made = build(rna=rna)
    made.obs["run"] = np.repeat(["four", "thirty", "others"], [4, 30, 56])
    assert (rna[4:34] == 0).all(0).sum() > 10
    assert [p for p, _, _ in doubts(made, batch_key="run") if "'rna' that are 0" in p] == []


def test_a_single_gene_of_many_is_no_other_panel():
    rna = np.random.default_rng(0).poisson(5.0, (N, 60))
    rna[:30, 7] = 0  # the Y chromosome
    assert_said(build(rna=rna), batch_key="run")


@pytest.mark.parametrize("sparse", [True, False])
def test_a_number_that_stands_for_missing(sparse):
    rna = values_of("rna")
    rna[[1, 2, 60], [7, 3, 3]] = -999
    largest = rna.max()
    assert_said(
        build(sparse=sparse, rna=rna),
        (
            f"-999 occurs 3 times in 'rna', far from all other values (0 to {largest:.4g}).",
            "mdata['rna'].X, 2 of 40 features, first: 'rna3'",
            "If it stands for what was not measured, make it NaN: mdata['rna'].X = "
            "mdata['rna'].to_df().replace(-999, float('nan')).to_numpy(), or read the tables again with omixvae "
            "convert --na -999.",
        ),
    )


def test_a_number_in_a_layer_is_mended_there():
    protein = np.random.default_rng(0).standard_normal((N, 5))
    protein[:9, 1] = 9999
    made = build(protein=protein)
    made["protein"].layers["raw"], made["protein"].X = made["protein"].X.copy(), np.ones((N, 5), np.float32)
    ((_, where, fix),) = doubts(made, layers={"protein": "raw"})
    assert where == "mdata['protein'].layers['raw'], 1 of 5 features, first: 'protein1'"
    code = "mdata['protein'].layers['raw'] = mdata['protein'].to_df('raw').replace(9999, float('nan')).to_numpy()"
    assert fix == (
        f"If it stands for what was not measured, make it NaN: {code}, or read the tables again with omixvae convert "
        "--na 9999."
    )
    exec(code, {"mdata": made})
    assert np.isnan(made["protein"].layers["raw"]).sum() == 9
    assert_said(made, layers={"protein": "raw"})


def test_training_from_disk_says_what_one_look_tells(tmp_path):
    rna, protein = values_of("rna"), values_of("protein")
    rna[3:20, 0] = -9
    protein[30:60], protein[:30, 4] = 0, 0
    build(rna=rna, protein=protein).write_h5mu(tmp_path / "in.h5mu")
    backed = mudata.read_h5mu(tmp_path / "in.h5mu", backed="r")
    beginnings = ["-9 occurs 17 times in 'rna'", "30 of 90 observations of 'protein' hold nothing but zeros"]
    assert [note.split(",")[0] for note in notes(backed, batch_key="run")] == beginnings
    last = "Features of 'protein' that are 0 in a whole batch"
    assert [problem.split(",")[0] for problem, _, _ in doubts(backed, batch_key="run")] == [*beginnings, last]
    backed.file.close()


def test_observations_without_any_value():
    protein = values_of("protein")
    protein[30:35] = np.nan
    told = (
        "5 of 90 observations have no value in any modality.",
        "mdata, first: 'cell30'",
        "They are not trained on, and get the latent of an average observation; leave them out if that is not wanted.",
    )
    assert_said(build(protein=protein), told, modalities=("protein",))
    assert_said(build(protein=protein))


@pytest.fixture
def without_protein_in_a_run():
    protein = values_of("protein")
    protein[60:] = 0
    return build(protein=protein)


NOTE = (
    "30 of 90 observations of 'protein' hold nothing but zeros, among them all of batch 'three' "
    f"(mdata['protein'].X, first: 'cell60'). {ZERO} or was not made there, leave these rows out of the modality: "
    "adata[adata.X.sum(axis=1) > 0]."
)


def test_fit_says_it(without_protein_in_a_run):
    with pytest.warns(UserWarning, match="nothing but zeros") as caught:
        omixvae.fit(without_protein_in_a_run, batch_key="run", max_epochs=1, progress=False)
    assert [str(w.message) for w in caught if w.category is UserWarning] == [NOTE]


def test_train_says_it_once(without_protein_in_a_run, tmp_path):
    without_protein_in_a_run.write_h5mu(tmp_path / "in.h5mu")
    options = ["--batch-key", "run", "--max-epochs", "1", "--quiet"]
    command = ["train", str(tmp_path / "in.h5mu"), "-o", str(tmp_path / "out.h5mu"), *options]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"Note: {NOTE}\n")


@pytest.mark.slow
def test_select_says_it_once_for_all_settings(without_protein_in_a_run):
    with pytest.warns(UserWarning, match="nothing but zeros") as caught:
        omixvae.select(
            without_protein_in_a_run, {"n_latent": [2, 3]}, n_folds=2, batch_key="run", max_epochs=1, progress=False
        )
    assert [str(w.message) for w in caught if w.category is UserWarning] == [NOTE]


def test_new_data_for_a_trained_model_are_neither_refused_nor_doubted():
    made = build()
    schema = from_mudata(made, DataConfig(batch_key="run")).schema
    new = build(protein=np.zeros((N, 12)))
    new.obs["run"] = new.obs_names
    with pytest.warns(UserWarning, match="that the model was not trained with") as caught:
        assert from_mudata(new, DataConfig(batch_key="run"), schema).n_obs == N
    assert len([w for w in caught if w.category is UserWarning]) == 1
