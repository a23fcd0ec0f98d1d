"""Is a model judged rightly, by observations that it was not trained on?"""

import copy
import json

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from builders import build_mdata
from click.testing import CliRunner
from sklearn.metrics import adjusted_rand_score

import omixvae
from omixvae import InputError
from omixvae.cli import main
from omixvae.data import from_mudata
from omixvae.evaluation import agreement, covered, evaluate
from omixvae.evaluation.evaluate import _held_out
from omixvae.inference.calibrate import calibrate
from omixvae.inference.skill import feature_means, skill
from omixvae.report.facts import Facts
from omixvae.results.read import Results


def two_views(n_obs: int, first: int = 0) -> mudata.MuData:
    """Make two Gaussian modalities of three shared factors; in the second, half of the features are noise."""
    rng = np.random.default_rng(3)
    loadings = rng.standard_normal((3, 24))
    loadings[:, 18:] = 0
    rng = np.random.default_rng(first)
    z = rng.standard_normal((n_obs, 3))
    x = (z @ loadings + rng.standard_normal((n_obs, 24))).astype(np.float32)
    names = [f"sample{first + i}" for i in range(n_obs)]
    parts = {}
    for name, block in (("a", x[:, :12]), ("b[1]", x[:, 12:])):
        var = pd.DataFrame(index=[f"{name}{j}" for j in range(12)])
        parts[name] = anndata.AnnData(block, pd.DataFrame(index=names), var)
    mdata = mudata.MuData(parts)
    mdata.obs["side"] = np.where(z[:, 0] > 0, "right", "left")
    return mdata


@pytest.fixture(scope="module")
def model():
    return omixvae.OmixVAE(n_latent=3, n_private=0, max_epochs=120, progress=False, seed=1).fit(two_views(300))


@pytest.fixture(scope="module")
def new():
    return two_views(200, first=1000)


@pytest.fixture(scope="module")
def found(model, new):
    return evaluate(model, new, labels_key="side", n_samples=32)


def by_hand(model, mdata, mod, other):
    """R² of each feature, and the part of values within limits of 90 %, from what users can call."""
    measured = mdata[mod].to_df()
    predicted, _ = model.impute(mdata, mod, given=[other], n_samples=200)
    low, high = model.impute_interval(mdata, mod, 0.9, given=[other])
    known = two_views(300)[mod].to_df().mean()  # nearly that of the observations trained on
    r2 = 1 - ((measured - predicted) ** 2).sum() / ((measured - known) ** 2).sum()
    return r2, float(((measured >= low) & (measured <= high)).to_numpy().mean())


@pytest.mark.slow
@pytest.mark.parametrize(("mod", "other"), [("a", "b[1]"), ("b[1]", "a")])
def test_errors_and_coverage_are_those_computed_by_hand(model, new, found, mod, other):
    r2, within = by_hand(model, new, mod, other)
    row = found.imputation.loc[mod]
    assert row["n"] == 200
    assert row["features"] == 12
    assert row["r2"] == pytest.approx(r2.median(), abs=0.02)
    assert row["within_90"] == pytest.approx(within, abs=0.015)
    assert 0.85 < row["within_90"] < 0.97
    assert 0.4 < row["within_50"] < 0.65
    assert abs(row["better"] - (r2 > 0.05).sum()) <= 2


@pytest.mark.slow
def test_noise_is_not_better_than_the_mean_and_signal_is(model, new):
    data = from_mudata(new, model.config.data, model.schema)
    rows = np.arange(200)
    mean = feature_means(model.network, model.network.likelihoods[1], data, rows, 1)
    r2, error = skill(model.network, data, 1, rows, mean, seed=0).numpy()
    better = r2 > 2 * error
    assert better[:6].sum() >= 5
    assert better[6:].sum() <= 1


@pytest.mark.slow
def test_log_likelihoods_are_those_of_the_model(model, new, found):
    joint = model.log_likelihood(new, n_samples=32)
    assert found.log_likelihood.loc["all", "mean"] == pytest.approx(joint.mean(), abs=1e-4)
    assert found.log_likelihood.loc["all", "se"] == pytest.approx(joint.std() / np.sqrt(200), rel=1e-4)
    given = model.log_likelihood(new, of=["a"], given=["b[1]"], n_samples=32)
    assert found.log_likelihood.loc["a", "mean"] == pytest.approx(given.mean(), abs=1e-4)
    assert found.information.equals(model.information(new))


@pytest.mark.slow
def test_clusters_are_compared_with_labels(model, new, found):
    clusters, _ = model.clusters(new)
    assert found.clusters.n == 200
    assert found.clusters.ari == pytest.approx(adjusted_rand_score(new.obs["side"], clusters))


@pytest.mark.slow
def test_the_held_out_observations_are_those_of_the_training(model):
    """What the training learned from them is learned again, to the last digits."""
    mdata = two_views(300)
    data = from_mudata(mdata, model.config.data, model.schema)
    rows = _held_out(model, data)
    assert evaluate(model, mdata, held_out=True, n_samples=2).n == len(rows) < 100
    network = copy.deepcopy(model.network)
    for decoder in network.decoders:
        decoder.calibration.slope.fill_(1.0)
        decoder.calibration.spread.zero_()
    calibrate(network, data, rows, np.setdiff1d(np.arange(300), rows), model.plan.seed)
    np.testing.assert_allclose(
        network.decoders[1].calibration.skill, np.transpose(model.imputation_skill("b[1]")[["r2", "se"]]), atol=1e-4
    )


@pytest.mark.parametrize("likelihood", ["negative_binomial", "log_normal"])
def test_the_report_and_evaluate_say_the_same_of_the_held_out_observations(likelihood):
    mdata = omixvae.simulate(n_obs=160, n_genes=30, n_proteins=8, seed=5)
    options = {"likelihoods": {"protein": likelihood}, "n_latent": 4, "hidden_size": 16, "max_epochs": 12}
    model = omixvae.fit(mdata, progress=False, **options)
    shown = Facts(Results(mdata, "omixvae"), ()).skills()
    judged = evaluate(model, mdata, held_out=True, n_samples=2).imputation
    assert list(shown) == list(judged.index) == ["rna", "protein"]
    for mod, row in judged.iterrows():
        assert row["features"] == shown[mod]["r2"].notna().sum() > 0
        assert row["better"] == shown[mod]["imputable"].sum()
        assert row["r2"] == pytest.approx(shown[mod]["r2"].median(), abs=1e-5)


@pytest.mark.slow
def test_a_model_that_did_not_keep_the_means_of_its_training_is_judged_against_those_at_hand(model, new):
    earlier = copy.deepcopy(model)
    for decoder in earlier.network.decoders:
        decoder.calibration.baseline.fill_(np.nan)
    measured = new["a"].to_df()
    predicted, _ = model.impute(new, "a", given=["b[1]"], n_samples=200)
    r2 = 1 - ((measured - predicted) ** 2).sum() / ((measured - measured.mean()) ** 2).sum()
    assert evaluate(earlier, new, n_samples=2).imputation.loc["a", "r2"] == pytest.approx(r2.median(), abs=0.02)


@pytest.mark.slow
def test_labels_that_were_trained_on_are_not_looked_at():
    mdata = two_views(200)
    labels = mdata.obs["side"].copy()
    options = {"n_latent": 3, "n_private": 0, "n_clusters": 2, "max_epochs": 20, "progress": False}
    model = omixvae.OmixVAE(labels_key="side", **options).fit(mdata)
    honest = evaluate(model, mdata, labels_key="side", n_samples=2).clusters
    mdata.obs["side"] = labels.sample(frac=1, random_state=0).to_numpy()
    shuffled = evaluate(model, mdata, labels_key="side", n_samples=2).clusters
    clusters, _ = model.clusters(mdata, given=["a", "b[1]"])
    assert honest.ari == pytest.approx(adjusted_rand_score(labels, clusters))
    assert shuffled.ari == pytest.approx(adjusted_rand_score(mdata.obs["side"], clusters))


@pytest.mark.slow
def test_modalities_that_are_missing_are_no_error():
    mdata = build_mdata(60)
    model = omixvae.OmixVAE(max_epochs=2, progress=False).fit(mdata)
    some = evaluate(model, mdata, n_samples=2, most=20)
    assert some.n == 20
    alone = evaluate(model, mudata.MuData({"rna": mdata["rna"]}), n_samples=2)
    assert alone.imputation["n"].tolist() == [0, 0, 0]
    assert alone.log_likelihood["n"].tolist() == [mdata["rna"].n_obs, 0, 0, 0]
    within = covered(model, mdata, "protein")
    assert within.loc[0.5, "all"] <= within.loc[0.95, "all"] <= 1


def test_no_labels_agree_with_nothing():
    nothing = agreement(pd.Series(["0", "1"]), pd.Series([None, None]))
    assert nothing.n == 0
    assert np.isnan(nothing.ari)


@pytest.mark.slow
def test_what_cannot_be_judged_is_said(new):
    options = {"n_latent": 2, "n_private": 0, "max_epochs": 2, "progress": False}
    model = omixvae.OmixVAE(early_stopping=False, **options).fit(new)
    with pytest.raises(InputError, match="No observations were held out in the training"):
        evaluate(model, new, held_out=True)
    with pytest.raises(InputError, match="Did you mean 'side'"):
        evaluate(model, new, labels_key="sides")


@pytest.mark.slow
def test_the_command_prints_tables_or_json(model, new, found, tmp_path):
    model.save(tmp_path / "model")
    new.write_h5mu(tmp_path / "new.h5mu")
    arguments = ["evaluate", f"{tmp_path}/new.h5mu", "--model", f"{tmp_path}/model", "--labels-key", "side"]
    done = CliRunner().invoke(main, [*arguments, "--n-samples", "32", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["observations"] == 200
    assert said["log_likelihood"]["all"]["mean"] == pytest.approx(found.log_likelihood.loc["all", "mean"], abs=1e-3)
    assert said["imputation"]["b[1]"]["features"] == 12
    assert said["clusters"]["n"] == 200
    shown = CliRunner().invoke(main, [*arguments, "--n-samples", "2"]).output
    assert "b[1]" in shown
    assert "does not remember which observations it was trained on" in shown
    two_views(300).write_h5mu(tmp_path / "trained_on.h5mu")
    arguments[1] = f"{tmp_path}/trained_on.h5mu"
    held_out = CliRunner().invoke(main, [*arguments, "--n-samples", "2", "--held-out"]).output
    assert "no weight was fitted to them" in held_out
