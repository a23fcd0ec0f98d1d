"""Where training begins: at the means and variances of the data."""

import anndata
import mudata
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from builders import build_mdata, build_plan, plan_of
from sklearn.metrics import silhouette_score

from omixvae.data import from_mudata
from omixvae.plan import ModalityPlan
from omixvae.training.initialise import group_latents, initialise_network
from omixvae.vae import MultimodalVAE


def test_an_average_observation_has_the_mean_of_the_data():
    data = from_mudata(build_mdata(400, missing_entries=0.2))
    network = MultimodalVAE(plan_of(data)).double()
    initialise_network(network, data, np.random.default_rng(0))
    nothing = torch.zeros(1, 2, dtype=torch.float64)
    for s, table in enumerate(data.tables):
        rows = table.values.toarray() if sp.issparse(table.values) else table.values
        measured = np.ma.masked_array(rows, table.missing)
        expected = measured.mean(axis=0, dtype=np.float64)
        total = torch.full((1, 1), expected.sum(), dtype=torch.float64)
        decoded = network.decoders[s](nothing, nothing, nothing[:, :0])
        np.testing.assert_allclose(
            network.likelihoods[s](decoded, total).mean[0].detach(), expected, rtol=1e-5, err_msg=table.name
        )


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_matrix])
def test_the_unit_of_a_feature_far_from_zero_is_its_deviation(storage):
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal((200, 3))).astype(np.float32)
    data = from_mudata(mudata.MuData({"x": anndata.AnnData(storage(x))}))
    network = MultimodalVAE(build_plan([ModalityPlan("x", 3, "gaussian", 0)]))
    initialise_network(network, data, np.random.default_rng(0))
    np.testing.assert_allclose(network.likelihoods[0].unit, x.std(axis=0, dtype=np.float64), rtol=1e-4)


def ring(n, radius):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def test_where_no_cut_separates_there_is_one_group():
    """A ring around another: two communities, but most points are nearer to the other one than to their own."""
    latent = np.concatenate([ring(100, 1), ring(600, 2)])
    assert silhouette_score(latent, np.arange(700) < 100) < 0
    assert not group_latents(latent, 2, choose=True, seed=0).any()
    assert len(np.unique(group_latents(latent, 2, choose=False, seed=0))) == 2, "what is asked for is done"
