"""New data for a trained model: other genes, other spellings, other values; in Python and on the command line."""

import json
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
from omixvae.evaluation import evaluate

N_GENES = 400


def cells(n_obs: int, seed: int) -> mudata.MuData:
    """Draw cells of three kinds; the first genes are by far the most abundant, so that totals are theirs."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99)
    kind = rng.integers(3, size=n_obs)
    rates = truth.gamma(1.0, 1.0, (3, N_GENES)) * np.where(np.arange(N_GENES) < 40, 20.0, 1.0)
    protein = truth.normal(0.0, 2.0, (3, 12))
    depth = rng.gamma(10.0, 0.1, (n_obs, 1))
    names = [f"cell{seed}-{i}" for i in range(n_obs)]
    parts = {
        "rna": (sp.csr_matrix(rng.poisson(depth * rates[kind]).astype(np.float32)), "GENE-"),
        "protein": ((protein[kind] + rng.normal(0.0, 1.0, (n_obs, 12))).astype(np.float32), "CD"),
    }
    mdata = mudata.MuData(
        {
            name: anndata.AnnData(
                x, pd.DataFrame(index=names), pd.DataFrame(index=[f"{start}{j}" for j in range(x.shape[1])])
            )
            for name, (x, start) in parts.items()
        }
    )
    mdata.obs["batch"] = pd.Categorical(np.array(["1", "2"])[np.arange(n_obs) % 2])
    return mdata


@pytest.fixture(scope="module")
def model():
    return omixvae.OmixVAE(max_epochs=15, n_latent=4, batch_key="batch", progress=False).fit(cells(200, seed=0))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "model"
    model.save(path)
    return path


def with_rna(mdata: mudata.MuData, rna: anndata.AnnData) -> mudata.MuData:
    new = mudata.MuData({"rna": rna, "protein": mdata["protein"]})
    new.obs["batch"] = mdata.obs["batch"].reindex(new.obs_names)
    return new


def closeness(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the variance of latents that others explain."""
    return float(1 - ((one - other) ** 2).sum() / ((one - one.mean(0)) ** 2).sum())


def test_latents_stay_close_when_the_most_abundant_genes_are_lacking(model):
    new = cells(60, seed=1)
    lacking = with_rna(new, new["rna"][:, 40:].copy())
    whole, _ = model.latent(new, given=["rna"])
    with pytest.warns(UserWarning, match="'rna' has no value for 40 of the 400 features"):
        data = model.read(lacking)
    latent, _ = model.latent(data, given=["rna"])
    assert closeness(whole, latent) > 0.9
    estimated = data.table("rna").library
    np.testing.assert_allclose(np.median(estimated / model.read(new).table("rna").library), 1.0, atol=0.1)


def test_every_question_takes_what_was_read(model):
    data = model.read(cells(30, seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for answer, n in (
            (model.latent(data)[0], 30),
            (model.private_latent(data, "rna")[0], 30),
            (model.clusters(data)[0], 30),
            (model.impute(data, "protein", given=["rna"])[0], 30),
            (model.log_likelihood(data, n_samples=2), 30),
        ):
            assert len(answer) == n
            assert np.isfinite(np.asarray(answer, dtype=float)).all()


def test_data_read_for_another_model_are_refused(model):
    other = omixvae.OmixVAE(max_epochs=1, progress=False).fit(cells(30, seed=2))
    with pytest.raises(omixvae.InputError) as caught:
        model.latent(other.read(cells(30, seed=1)))
    assert str(caught.value) == (
        "These data were read for another model.\nWhere: the argument mdata\nFix: Read them with read() of this model."
    )


def test_what_the_model_says_of_features_stands_beside_the_right_ones():
    trained = cells(60, seed=0)
    model = omixvae.OmixVAE(max_epochs=2, decoder="linear", progress=False).fit(trained)
    rna = trained["rna"][:, [7, 3, *range(100, 400)]].copy()
    rna.var_names = ["of no model", *rna.var_names[1:].str.lower()]
    new = with_rna(trained, rna)
    with pytest.warns(UserWarning, match="of the model|taken") as caught:
        model.annotate(new)
    assert "'gene-3' is taken for 'GENE-3'" in str(caught[0].message)
    assert "has no value for 99 of the 400 features" in str(caught[1].message)
    written = new["rna"].varm["omixvae_loadings"]
    assert np.isnan(written[0]).all()
    np.testing.assert_array_equal(written[1], model.loadings("rna").loc["GENE-3"])
    assert not new["rna"].var["omixvae_imputable"].iloc[0]


CHANGES = {
    "scaled": (
        lambda x: x - x.mean(0),
        "negative values (smallest {smallest:.4g})",
    ),
    "logged": (np.log1p, "values such as {first:.4g}"),
    "fractions": (lambda x: x / x.sum(1, keepdims=True), "values such as {first:.4g}"),
}


def unfit(change) -> tuple[mudata.MuData, np.ndarray]:
    new = cells(40, seed=1)
    x = change(new["rna"].X.toarray()).astype(np.float32)
    new["rna"].X = x
    return new, x


@pytest.mark.parametrize("name", CHANGES)
def test_values_that_the_likelihood_cannot_take_are_refused_everywhere(model, folder, tmp_path, name):
    change, example = CHANGES[name]
    new, x = unfit(change)
    wrong = (x < 0) | (x != np.round(x))
    message = (
        f"Modality 'rna' holds {example.format(smallest=x.min(), first=x[wrong][0])}, but its likelihood is "
        "negative_binomial, which needs counts: whole numbers, zero or more.\n"
        f"Where: mdata['rna'], {wrong.any(0).sum()} of 400 features, first: 'GENE-{np.argmax(wrong.any(0))}'\n"
        "Fix: Give values of the same kind as in the training, in the same place (X, or the layer that they were read "
        "from), or train a new model on these."
    )
    for ask in (model.annotate, model.latent, lambda mdata: evaluate(model, mdata)):
        with pytest.raises(omixvae.InputError) as caught:
            ask(new)
        assert str(caught.value) == message
    assert not [key for key in new.obsm if key.startswith("X_")]
    new.write_h5mu(tmp_path / "new.h5mu")
    for words in ("annotate -o out.h5mu", "impute --modality protein -o out.h5mu", "evaluate"):
        command, *rest = words.replace("out.h5mu", str(tmp_path / "out.h5mu")).split()
        result = CliRunner().invoke(main, [command, str(tmp_path / "new.h5mu"), "--model", str(folder), *rest])
        assert result.exit_code == 2
        assert result.stderr == f"Error: {message}\n"
    assert not (tmp_path / "out.h5mu").exists()


def test_the_commands_refuse_too_few_features_and_go_on_when_they_are_allowed(folder, tmp_path):
    new = cells(40, seed=1)
    few = with_rna(new, new["rna"][:, :60].copy())
    few.write_h5mu(tmp_path / "few.h5mu")
    out = tmp_path / "out.h5mu"
    note = (
        "Note: 'rna' has no value for 340 of the 400 features that the model was trained on, the first is 'GENE-60'; "
        "they are taken as not measured.\n"
    )
    for words in (["annotate", "-o", str(out)], ["impute", "--modality", "protein", "-o", str(out)], ["evaluate"]):
        line = [words[0], str(tmp_path / "few.h5mu"), "--model", str(folder), *words[1:], "--json"]
        refused = CliRunner().invoke(main, line)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("Error: Modality 'rna' has 60 of the 400 features that the model was trained")
        assert not out.exists()
        allowed = CliRunner().invoke(main, [*line, "--allow-missing-features"])
        assert allowed.exit_code == 0, allowed.output
        assert allowed.stderr == note
        assert json.loads(allowed.stdout)
        out.unlink(missing_ok=True)


def test_annotate_says_what_it_recognized_and_what_it_did_not(folder, tmp_path):
    new = cells(40, seed=1)
    new["rna"].var["symbol"] = new["rna"].var_names
    new["rna"].var_names = [f"ENSG{j:011d}.3" for j in range(N_GENES)]
    new.obs["batch"] = np.where(np.arange(40) < 30, "1.0", "7.0")
    new.write_h5mu(tmp_path / "new.h5mu")
    out = tmp_path / "out.h5mu"
    line = ["annotate", str(tmp_path / "new.h5mu"), "--model", str(folder), "-o", str(out), "--quiet"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "Note: Features of 'rna' are spelled otherwise than in the training: 'ENSG00000000000.3' is taken for "
        "'GENE-0', found by var['symbol'], and 399 more features are found so. "
        "Rename them in var_names if that is wrong.",
        "Note: Levels of 'batch' are spelled otherwise than in the training: '1.0' is taken for '1'.",
        "Note: Column 'batch' holds 1 level that the model was not trained with, in 10 of 40 observations: '7.0'. An "
        "average is used for them, so what is special about them stays in the latents.",
    ]
    plain = cells(40, seed=1)
    plain.obs["batch"] = np.where(np.arange(40) < 30, "1", "7")
    with pytest.warns(UserWarning, match="not trained with"):
        expected, _ = omixvae.load(folder).latent(plain)
    np.testing.assert_allclose(mudata.read_h5mu(out).obsm["X_omixvae"], expected, atol=1e-5)


def test_a_model_trained_on_a_layer_says_where_new_data_need_it(tmp_path):
    trained = cells(30, seed=0)
    trained["rna"].layers["umis"] = trained["rna"].X.copy()
    model = omixvae.OmixVAE(max_epochs=1, layers={"rna": "umis"}, progress=False).fit(trained)
    model.save(tmp_path / "model")
    cells(30, seed=1).write_h5mu(tmp_path / "new.h5mu")
    result = CliRunner().invoke(main, ["evaluate", str(tmp_path / "new.h5mu"), "--model", str(tmp_path / "model")])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: The model was trained on the layer 'umis' of 'rna', which is not here.\n"
        "Where: mdata['rna'].layers\n"
        "Fix: Put such values there: mdata['rna'].layers['umis'] = mdata['rna'].X.copy(), if it is these that X "
        "holds.\n"
    )
