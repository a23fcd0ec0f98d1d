"""Cluster probabilities are responsibilities, averaged over the belief."""

import numpy as np
import oracles
import pytest
import torch
from builders import all_rows, build_mdata, small_network

from omixvae import InputError, OmixVAE, inference
from omixvae.data import from_mudata


@pytest.fixture
def data():
    """Give three modalities with observations and entries missing."""
    return from_mudata(build_mdata())


def test_cluster_probabilities_average_responsibilities_over_samples(data):
    network, batch = small_network(data, prior="gaussian_mixture"), all_rows(data)
    got = inference.cluster_probabilities(network, data, 9, seed=4)
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-6)
    with torch.no_grad():
        p = network.prior()
        mixture = [t.numpy() for t in (p.log_weights.exp(), p.loc, p.scale)]
        generator = torch.Generator().manual_seed(4)
        draws = network.posterior(batch, network.features(batch), batch.presence).rsample(generator, 9).numpy()
    expected = np.mean([oracles.mixture(*mixture, z)[1] for z in draws], axis=0)
    assert expected[:, 2].max() == 0
    assert got.shape == (data.n_obs, 2), "components that are switched off are left out"
    np.testing.assert_allclose(got, expected[:, :2], atol=1e-6)


def test_a_prior_without_components_has_no_clusters(data):
    assert inference.cluster_probabilities(small_network(data), data, 9, seed=4).shape == (data.n_obs, 0)


@pytest.mark.slow
def test_as_many_clusters_as_asked_for():
    mdata = build_mdata(n_obs=150)
    model = OmixVAE(n_clusters=3, max_epochs=60, progress=False).fit(mdata)
    assignments, probabilities = model.clusters(mdata)
    assert 2 <= probabilities.shape[1] <= 3, "those that no observation uses are switched off"
    assert assignments.nunique() >= 2
    with pytest.raises(InputError, match="The prior vamp has no clusters"):
        OmixVAE(prior="vamp", max_epochs=1, progress=False).fit(mdata).clusters(mdata)
