"""Every aggregation, prior and bound works with every other, from the MuData to the file and back."""

import itertools

import anndata
import mudata
import numpy as np
import pytest
import torch
from builders import build_mdata

import omixvae
from omixvae import InputError, OmixVAE
from omixvae.encoders import AGGREGATIONS
from omixvae.likelihoods import LIKELIHOODS
from omixvae.objectives import OBJECTIVES
from omixvae.priors import PRIORS

OTHERS = itertools.cycle(
    (prior, objective)
    for prior, objective in itertools.product(PRIORS, OBJECTIVES)
    if (prior, objective) != ("vamp", "total_correlation")
)
SYSTEMS = [
    (aggregation, *next(OTHERS), n_private, kl)
    for aggregation, (n_private, kl) in itertools.product(AGGREGATIONS, ((0, "closed_form"), (2, "stl")))
]


@pytest.mark.slow
@pytest.mark.parametrize(("aggregation", "prior", "objective", "n_private", "kl"), SYSTEMS)
def test_every_system_from_data_to_file_and_back(aggregation, prior, objective, n_private, kl, tmp_path):
    mdata = build_mdata(60)
    options = {"aggregation": aggregation, "prior": prior, "objective": objective, "n_private": n_private, "kl": kl}
    model = omixvae.fit(mdata, max_epochs=3, progress=False, **options)
    assert all(np.isfinite(row.bound) for row in model.history)
    mdata.write(tmp_path / "out.h5mu")
    written = mudata.read_h5mu(tmp_path / "out.h5mu")
    for key in ("X_omixvae", "X_omixvae_sd", "omixvae_imputed_protein"):
        assert np.isfinite(np.asarray(written.obsm[key])).all(), key
    assert ("omixvae_cluster" in written.obs) == (prior == "gaussian_mixture")
    assert np.isfinite(model.log_likelihood(mdata, n_samples=5)).all()
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(omixvae.load(tmp_path / "model").latent(mdata)[0], model.latent(mdata)[0])


@pytest.mark.slow
@pytest.mark.parametrize("word", LIKELIHOODS)
def test_every_likelihood_from_data_to_imputed_values_in_the_units_of_the_data(word):
    mdata = build_mdata(80)
    counts = np.asarray(mdata["rna"].X.todense() if hasattr(mdata["rna"].X, "todense") else mdata["rna"].X)
    values = {
        "categorical": np.eye(counts.shape[1], dtype=np.float32)[np.argmax(counts, axis=1)],
        "bernoulli": (counts > np.median(counts)).astype(np.float32),
        "beta": counts / counts.max(),
    }
    mdata["rna"].X = values.get(word, counts)
    mdata["rna"].layers["reads"] = counts + 5
    out_of = {"coverage_layers": {"rna": "reads"}} if word == "binomial" else {}
    model = omixvae.fit(mdata, likelihoods={"rna": word}, max_epochs=3, progress=False, **out_of)
    assert all(np.isfinite(row.bound) for row in model.history)
    assert np.isfinite(model.log_likelihood(mdata, of=["rna"], given=["protein"], n_samples=5)).all()
    mean, sd = model.impute(mdata, "rna", given=["protein"])
    low, high = model.impute_interval(mdata, "rna", given=["protein"], n_samples=20)
    assert model.impute_draws(mdata, "rna", given=["protein"], n_samples=2).shape == (2, *mean.shape)
    for frame in (mean, sd, low, high):
        assert np.isfinite(frame.to_numpy()).all()
    assert (sd.to_numpy() > 0).all()
    largest = mdata["rna"].X.max()
    assert largest / 100 < mean.to_numpy().max() < 2 * largest


def test_numbers_of_draws_that_make_no_sense_are_refused():
    mdata = build_mdata()
    model = OmixVAE(max_epochs=1, progress=False).fit(mdata)
    with pytest.raises(InputError, match="n_samples must be at least 1, not 0"):
        model.impute_draws(mdata, "rna", n_samples=0)
    for coverage, n_samples in ((0.0, 200), (1.0, 200), (0.95, 1)):
        with pytest.raises(InputError, match="No limits can be drawn"):
            model.impute_interval(mdata, "rna", coverage=coverage, n_samples=n_samples)


def test_a_prior_that_the_bound_would_not_train_is_refused():
    with pytest.raises(InputError, match="has no term that trains the prior vamp"):
        OmixVAE(prior="vamp", objective="total_correlation", progress=False).fit(build_mdata())


def test_the_mixture_is_fitted_to_the_final_latents_where_the_bound_does_not_train_it():
    mdata = build_mdata(150)
    model = OmixVAE(
        objective="total_correlation", n_clusters=3, max_epochs=30, early_stopping=False, progress=False
    ).fit(mdata)
    p = model.network.prior()
    used = np.isfinite(p.log_weights.detach().numpy())
    mean, _ = model.latent(mdata)
    share = np.exp(p.log_weights.detach().numpy()[used])
    np.testing.assert_allclose(share @ p.loc.detach().numpy()[used] / share.sum(), mean.mean(0), atol=0.35)


@pytest.mark.parametrize("seen", [False, True])
def test_encoders_see_the_batch_only_if_asked(seen):
    mdata = build_mdata()
    model = OmixVAE(batch_key="batch", encode_covariates=seen, max_epochs=3, progress=False).fit(mdata)
    swapped = mdata.copy()
    swapped.obs["batch"] = mdata.obs["batch"].cat.rename_categories({"first": "second", "second": "first"})
    moved = np.abs(model.latent(swapped)[0] - model.latent(mdata)[0]).max()
    assert (moved > 1e-3) == seen


@pytest.mark.slow
def test_dispersions_may_differ_between_batches():
    rng = np.random.default_rng(0)
    batch = np.repeat(["first", "second"], 300)
    theta = np.where(batch == "first", 1.0, 30.0)[:, None]
    tables = {}
    for name in ("x", "y"):
        tables[name] = anndata.AnnData(rng.poisson(20 * rng.gamma(theta, 1 / theta, (600, 8))).astype(np.float32))
        tables[name].var_names = [f"{name}{j}" for j in range(8)]
    mdata = mudata.MuData(tables)
    mdata.obs["batch"] = batch
    options = {
        "batch_key": "batch",
        "n_latent": 1,
        "n_private": 0,
        "max_epochs": 40,
        "learning_rate": 0.02,
        "progress": False,
    }
    model = OmixVAE(dispersion="batch", **options).fit(mdata)
    decoder, likelihood = model.network.decoders[0], model.network.likelihoods[0]
    found = likelihood.log_theta + decoder.dispersion_shift(torch.eye(2))
    assert found.detach()[0].median() == pytest.approx(0.0, abs=0.4)
    assert found.detach()[1].median() == pytest.approx(np.log(30), abs=0.6)
    _, sd = model.impute(mdata, "x", given=["y"])
    assert sd[batch == "first"].to_numpy().mean() > 2 * sd[batch == "second"].to_numpy().mean()
    with pytest.raises(InputError, match="no batch is given"):
        OmixVAE(dispersion="batch", progress=False).fit(mdata)
