"""Latents: the prior where nothing was seen, and the law of total variance for private ones."""

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


def test_latents_of_an_observation_without_anything_are_the_priors(data):
    network = small_network(data, prior="gaussian_mixture")
    mean, deviation = inference.shared_latent(network, data.given([]))
    p = network.prior().detach()
    np.testing.assert_allclose(mean, np.broadcast_to(p.mean, mean.shape), rtol=1e-6)
    np.testing.assert_allclose(deviation, np.broadcast_to(p.variance.sqrt(), mean.shape), rtol=1e-6)


def test_private_latents_follow_the_law_of_total_variance(data):
    network = small_network(data)
    mean, deviation = (
        moment[:, 0] for moment in inference.gather(network, data, inference.make_private_moments(network, 0))
    )
    draws = inference.sample_latent(network, data, 16, seed=0)
    batch = all_rows(data)
    with torch.no_grad():
        h = network.features(batch)
        beliefs = [network.private_posterior(h, batch.presence, torch.from_numpy(z).double()) for z in draws]
    means = np.stack([q.mean[:, 0].numpy() for q in beliefs])
    variances = np.stack([q.variance[:, 0].numpy() for q in beliefs])
    np.testing.assert_allclose(mean, means.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(deviation, np.sqrt(variances.mean(axis=0) + means.var(axis=0)), atol=1e-5)
    absent = ~data.presence[:, 0]
    assert absent.any()
    assert (mean[absent] == 0).all()
    assert (deviation[absent] == 1).all()
