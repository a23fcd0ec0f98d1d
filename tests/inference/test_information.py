"""The table of information equals closed forms."""

import itertools

import numpy as np
import oracles
import pytest
import torch
from builders import all_rows, build_mdata, small_network

from omixvae import inference
from omixvae.data import from_mudata


@pytest.fixture
def data():
    """Give three modalities with observations and entries missing."""
    return from_mudata(build_mdata())


def test_information_equals_closed_form_divergences(data):
    """With the standard normal prior all beliefs are Gaussian; the spread of the estimates is known, too."""
    n_samples = 60
    network, batch = small_network(data), all_rows(data)
    names = data.schema.modalities
    table = inference.information(network, data, n_samples=n_samples)
    with torch.no_grad():
        h = network.features(batch)

    def belief(subset):
        here = torch.zeros_like(batch.presence)
        here[:, list(subset)] = batch.presence[:, list(subset)]
        with torch.no_grad():
            q = network.posterior(batch, h, here)
        return q.mean.numpy(), q.variance.sqrt().numpy()

    def assert_close(got, divergence, variance):
        assert abs(got - divergence.mean()) < 5 * np.sqrt(variance.sum() / n_samples) / len(variance) + 1e-12

    present = batch.presence.numpy()
    subsets = [s for size in (1, 2, 3) for s in itertools.combinations(range(3), size)]
    assert list(table.index) == ["+".join(names[s] for s in subset) for subset in subsets]
    for subset in subsets:
        row = table.loc["+".join(names[s] for s in subset)]
        whole = present[:, list(subset)].all(axis=1)
        assert row["n"] == whole.sum()
        assert_close(row["rate"], *(v[whole] for v in oracles.gaussian_kl(*belief(subset), 0.0, 1.0)))
        for t in range(3):
            if t in subset:
                assert np.isnan(row[f"adds_{names[t]}"])
                continue
            both = whole & present[:, t]
            more = oracles.gaussian_kl(*belief((*subset, t)), *belief(subset))
            assert_close(row[f"adds_{names[t]}"], *(v[both] for v in more))
