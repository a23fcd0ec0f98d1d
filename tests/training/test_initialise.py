"""Where training begins: at the means and variances of the data."""

import dataclasses

import anndata
import mudata
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from builders import build_mdata, build_plan, plan_of

from omixvae.data import from_mudata
from omixvae.plan import ModalityPlan
from omixvae.training.initialise import initialise_network
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


@pytest.mark.parametrize("word", ["poisson", "negative_binomial"])
def test_counts_without_a_size_factor_start_at_their_mean_whatever_the_total(word):
    data = from_mudata(build_mdata(400))
    rna = data.table("rna")
    counts, *others = plan_of(data).modalities
    plan = build_plan([dataclasses.replace(counts, likelihood=word, by_total=False), *others])
    network = MultimodalVAE(plan).double()
    initialise_network(network, data, np.random.default_rng(0))
    nothing, s = torch.zeros(1, 2, dtype=torch.float64), 0
    decoded = network.decoders[s](nothing, nothing, nothing[:, :0])
    for total in (10.0, 1000.0):
        exposure = torch.full((1, 1), total, dtype=torch.float64)
        mean = network.likelihoods[s](decoded, exposure).mean[0].detach()
        np.testing.assert_allclose(mean, np.asarray(rna.values.mean(axis=0)).ravel(), rtol=1e-5)
        x = torch.tensor([[0.0, 3.0] * 4], dtype=torch.float64)
        np.testing.assert_allclose(network.likelihoods[s].encoder_input(x, exposure), torch.log1p(x), rtol=1e-6)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_matrix])
def test_the_unit_of_a_feature_far_from_zero_is_its_deviation(storage):
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal((200, 3))).astype(np.float32)
    data = from_mudata(mudata.MuData({"x": anndata.AnnData(storage(x))}))
    network = MultimodalVAE(build_plan([ModalityPlan("x", 3, "gaussian", 0)]))
    initialise_network(network, data, np.random.default_rng(0))
    np.testing.assert_allclose(network.likelihoods[0].unit, x.std(axis=0, dtype=np.float64), rtol=1e-4)
