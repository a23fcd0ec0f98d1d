"""Predictions: the law of total variance, and nothing but what is given."""

import numpy as np
import pytest
import torch
from builders import all_rows, build_mdata, small_network

from omixvae import inference
from omixvae.data import from_mudata


@pytest.fixture
def data():
    """Give three modalities with observations and entries missing."""
    return from_mudata(build_mdata())


def draw_latents(network, batch, n_samples, seed):
    """Draw z, and all private latents, in the order in which inference does."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        h = network.features(batch)
        draws = network.posterior(batch, h, batch.presence).rsample(generator, n_samples)
        return [(z, network.private_posterior(h, batch.presence, z).rsample(generator)) for z in draws]


@pytest.mark.parametrize("s", range(3))
def test_prediction_follows_the_law_of_total_variance(s, data):
    network, batch = small_network(data), all_rows(data)
    (rows, mean, deviation), *others = inference.predict(network, data, s, 7, seed=3)
    assert not others
    np.testing.assert_array_equal(rows, np.arange(data.n_obs))
    expected, variances = [], []
    with torch.no_grad():
        for z, w in draw_latents(network, batch, 7, seed=3):
            for i in range(data.n_obs):
                one = data.rows(np.array([i]), torch.device("cpu"), torch.float64)
                p = network.decode(s, z[i : i + 1], w[i : i + 1, s], one)
                expected.append(p.mean[0].numpy())
                variances.append(p.variance[0].numpy())
    expected = np.reshape(expected, (7, *mean.shape))
    variances = np.reshape(variances, (7, *mean.shape))
    assert expected.var(axis=0).min() > 1e-8, "the latents make a difference"
    np.testing.assert_allclose(mean, expected.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, np.sqrt(variances.mean(axis=0) + expected.var(axis=0)), rtol=1e-5)


@pytest.mark.parametrize("lacking", ["the modality", "every value"])
def test_counts_that_no_observation_has_are_predicted_at_the_depth_of_the_training_data(lacking, data):
    network = small_network(data)
    network.likelihoods[0].typical_library.fill_(123.0)
    new = build_mdata()
    if lacking == "the modality":
        del new.mod["rna"]
    else:
        new["rna"].X = np.full(new["rna"].shape, np.nan, np.float32)
    source = from_mudata(new, schema=data.schema)
    assert not source.presence[:, 0].any()
    ((_, mean, _),) = inference.predict(network, source, 0, 3, seed=0)
    np.testing.assert_allclose(mean.sum(axis=1), 123, rtol=1e-5)


def test_a_prediction_does_not_look_at_what_is_not_given(data):
    """Values of a modality that is left out cannot reach its own prediction."""
    network = small_network(data)
    hidden = data.given(["rna", "mutation"])
    changed = build_mdata()
    changed["protein"].X = changed["protein"].X + 100
    predictions = [
        next(iter(inference.predict(network, source, 1, 3, seed=0)))[1]
        for source in (hidden, from_mudata(changed).given(["rna", "mutation"]), from_mudata(changed))
    ]
    np.testing.assert_array_equal(predictions[0], predictions[1])
    assert np.abs(predictions[0] - predictions[2]).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [50_000_000, 500 * 2 * 7])
@pytest.mark.parametrize("s", range(3))
def test_draws_are_of_the_predictive_distribution(s, at_once, data, monkeypatch):
    """Also where memory allows a few observations at a time only."""
    monkeypatch.setattr("omixvae.inference.impute.MAX_DRAWN_VALUES", at_once)
    network = small_network(data)
    columns = np.array([2, 0])
    batches = list(inference.draw_predictions(network, data, s, columns, n_samples=500, seed=3))
    rows, drawn = np.concatenate([rows for rows, _ in batches]), np.concatenate([draws for _, draws in batches], axis=1)
    low, high = np.quantile(drawn, (0.1, 0.9), axis=0)
    assert (len(batches) > 1) == (at_once < 50_000_000)
    np.testing.assert_array_equal(rows, np.arange(data.n_obs))
    batch = all_rows(data)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        draws = np.array(
            [
                network.decode(s, z, w[:, s], batch).sample(generator).numpy()[:, columns]
                for z, w in draw_latents(network, batch, 500, seed=4)
            ]
        )
    # other draws: as many of them as asked lie below each limit; of counts and of zeros and ones, at least as many
    for limit, share in ((low, 0.1), (high, 0.9)):
        below, at_most = (draws < limit).mean(0), (draws <= limit).mean(0)
        assert (below < share + 0.1).all()
        assert (at_most > share - 0.1).all()


def test_doubt_about_a_logarithm_widens_what_is_predicted_and_does_not_raise_it():
    data = from_mudata(build_mdata(60))
    network = small_network(data)
    absent = ~data.presence[:, 0]
    found = []
    for spread in (0.0, 1.0):
        network.decoders[0].calibration.spread.fill_(spread)
        mean, sd = np.empty((2, data.n_obs, data.tables[0].n_features))
        for rows, m, s in inference.predict(network, data, 0, 200, seed=0):
            mean[rows], sd[rows] = m, s
        found.append((mean[absent], sd[absent]))
    (plain, narrow), (doubted, wide) = found
    assert np.median(doubted / plain) == pytest.approx(1, abs=0.1)
    assert np.median(wide / narrow) > 1.2
