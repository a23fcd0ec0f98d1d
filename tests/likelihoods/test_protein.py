"""Background and foreground of surface proteins: the density, the start, and a model that uses it."""

import numpy as np
import pytest
import torch
from builders import build_mdata
from scipy import stats
from torch import nn

import omixvae
from omixvae import InputError, OmixVAE
from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.protein import ProteinMixture

QUICK = {"max_epochs": 3, "progress": False, "likelihoods": {"rna": "protein_mixture"}}


def test_it_equals_a_mixture_written_out_in_scipy(generator, float64):
    likelihood = ProteinMixture(5).to(float64)
    with torch.no_grad():
        for tensor in (*likelihood.parameters(), likelihood.center):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        likelihood.unit.copy_(torch.rand(5, generator=generator) + 0.5)
    decoded = torch.randn(7, 10, generator=generator, dtype=float64)
    x = torch.randint(30, (7, 5), generator=generator).to(float64)
    p = likelihood(decoded, torch.ones(7, 1, dtype=float64))
    background, theta = likelihood.log_background.detach().exp().numpy(), likelihood.log_theta.detach().exp().numpy()
    above = (likelihood.center + likelihood.unit * decoded[:, :5]).numpy()
    means = [np.broadcast_to(background, (7, 5)), background * (1 + np.exp(above))]
    pi = 1 / (1 + np.exp(-decoded[:, 5:].numpy()))
    parts = [stats.nbinom(t, t / (t + mu)) for t, mu in zip(theta, means, strict=True)]
    expected = (1 - pi) * parts[0].pmf(x) + pi * parts[1].pmf(x)
    np.testing.assert_allclose(p.log_prob(x).detach().exp(), expected, rtol=1e-8)
    mean = (1 - pi) * parts[0].mean() + pi * parts[1].mean()
    square = (1 - pi) * (parts[0].var() + means[0] ** 2) + pi * (parts[1].var() + means[1] ** 2)
    np.testing.assert_allclose(p.mean.detach(), mean, rtol=1e-8)
    np.testing.assert_allclose(p.variance.detach(), square - mean**2, rtol=1e-8)


def drawn(n, rng):
    """Draw three proteins: on a third of the cells, on none, and on all; a twentieth of the entries is missing."""
    on = np.column_stack([rng.random(n) < 1 / 3, np.zeros(n, bool), np.ones(n, bool)])
    mean = np.where(on, 400.0, 10.0)
    counts = rng.poisson(rng.gamma(8.0, mean / 8)).astype(np.float64)
    counts[rng.random((n, 3)) < 0.05] = np.nan
    values = torch.from_numpy(counts)
    batch = ModalityBatch(values, torch.ones(n, dtype=torch.bool), ~values.isnan(), torch.ones(n))
    return batch, Moments(np.nanmean(counts, axis=0), np.nanvar(counts, axis=0))


def test_it_starts_at_the_two_groups_of_cells_and_at_the_mean_of_the_data():
    batch, moments = drawn(3000, np.random.default_rng(0))
    likelihood = ProteinMixture(3).double()
    start = likelihood.initialise(moments, batch)
    p = likelihood(start, torch.ones(1))
    np.testing.assert_allclose(p.background.mean[0].detach(), 10, rtol=0.05)
    np.testing.assert_allclose(p.foreground.mean[0].detach(), 400, rtol=0.05)
    np.testing.assert_allclose(torch.sigmoid(p.logit[0]), 1 / 3, atol=0.03)
    np.testing.assert_allclose(likelihood.log_theta[:, 0].detach().exp(), 8, rtol=0.15)
    np.testing.assert_allclose(p.mean.detach(), moments.mean, rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_protein_that_never_varies_has_a_start(value):
    values = torch.full((60, 2), value)
    batch = ModalityBatch(values, torch.ones(60, dtype=torch.bool), None, torch.ones(60))
    likelihood = ProteinMixture(2)
    p = likelihood(likelihood.initialise(Moments(np.full(2, value), np.zeros(2)), batch), torch.ones(1))
    assert torch.isfinite(p.log_prob(values)).all()
    assert (p.foreground.mean > p.background.mean).all()
    np.testing.assert_allclose(p.mean.detach(), max(value, 0.1), rtol=0.02)


@pytest.mark.slow
def test_loadings_are_those_of_the_foreground_and_shrinkage_holds_for_all_weights(tmp_path):
    mdata = build_mdata()
    model = omixvae.fit(mdata, **QUICK)
    weights = model.network.decoders[0].weights
    assert weights.shape[0] == 16
    np.testing.assert_array_equal(model.loadings("rna"), weights[:8].detach())
    rows = mdata["rna"].var_names.get_indexer(model.loadings("rna").index)
    np.testing.assert_array_equal(mdata["rna"].varm["omixvae_loadings"][rows], weights[:8].detach())
    largest = [
        OmixVAE(shrinkage=shrinkage, learning_rate=0.05, **QUICK | {"max_epochs": 120, "early_stopping": False})
        .fit(mdata)
        .network.decoders[0]
        .weights[8:]
        .abs()
        .max()
        for shrinkage in (0.0, 1e6)
    ]
    assert largest[1] < 0.01 * largest[0]
    model.save(tmp_path / "model")
    loaded = omixvae.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.impute(mdata, "rna")[0], model.impute(mdata, "rna")[0])


def test_a_decoder_of_ones_own_gives_both_numbers():
    mdata = build_mdata()
    with pytest.raises(InputError) as refusal:
        OmixVAE(decoders={"rna": nn.LazyLinear(8)}, **QUICK).fit(mdata)
    assert refusal.value.problem == (
        "The module gives 8 values for 8 features, of each of which the likelihood takes 2."
    )
    assert refusal.value.fix == "Let the module return a tensor of shape (n, 16)."
    mean, sd = OmixVAE(decoders={"rna": nn.LazyLinear(16)}, **QUICK).fit(mdata).impute(mdata, "rna")
    assert np.isfinite(mean.to_numpy()).all()
    assert (sd.to_numpy() > 0).all()


@pytest.mark.slow
def test_who_carries_a_protein_is_found_and_predicted_without_it():
    """Of each protein two of four cell types carry it, ten times above a background that all cells have."""
    rng = np.random.default_rng(0)
    mdata = omixvae.simulate(n_obs=600, n_clusters=4, missing=0.0, seed=1)
    kind = mdata.obs["cluster"].cat.codes.to_numpy()
    on = np.array([[(t >> b) & 1 for b in (0, 1)] * 3 for t in range(4)], bool)[kind]
    protein = mdata["protein"][:, :6].copy()
    protein.X = rng.poisson(rng.gamma(4.0, np.where(on, 100.0, 10.0) / 4)).astype(np.float32)
    mdata = type(mdata)({"rna": mdata["rna"].copy(), "protein": protein})
    model = OmixVAE(likelihoods={"protein": "protein_mixture"}, max_epochs=40, progress=False).fit(mdata[:450].copy())
    held = type(mdata)({"rna": mdata["rna"][450:].copy()})
    mean, _ = model.impute(held, "protein")
    assert ((mean.to_numpy() > 40) == on[450:]).mean() > 0.95
    low, high = model.impute_interval(held, "protein", coverage=0.9)
    inside = ((protein.X[450:] >= low.to_numpy()) & (protein.X[450:] <= high.to_numpy())).mean()
    assert 0.85 < inside < 0.97
