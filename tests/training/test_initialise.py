"""Where training begins: at the means and variances of the data."""

import dataclasses
import itertools

import anndata
import mudata
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from builders import build_mdata, build_plan, plan_of
from sklearn.metrics import adjusted_rand_score

from omixvae.data import from_mudata
from omixvae.plan import ModalityPlan
from omixvae.training.initialise import APART, group_latents, initialise_network, united
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


EQUAL = np.full(600, 2)
"""So many modalities each observation has where that plays no part."""


def test_a_ball_is_one_group():
    ball = np.random.default_rng(0).standard_normal((600, 6))
    assert not group_latents(ball, EQUAL[: len(ball)], 8, choose=True, seed=0).any()
    assert len(np.unique(group_latents(ball, EQUAL[: len(ball)], 8, choose=False, seed=0))) == 8, (
        "what is asked for is done"
    )


def test_a_small_ball_is_one_group_and_four_small_groups_are_four():
    """Each of 15 has 14 others in its group: with 15 neighbours all groups would be connected."""
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((60, 8))
    assert not group_latents(ball, EQUAL[: len(ball)], 8, choose=True, seed=0).any()
    truth = np.arange(60) % 4
    found = group_latents(ball + 7 * np.eye(8)[truth], EQUAL[:60], 8, choose=True, seed=0)
    assert adjusted_rand_score(truth, found) == 1


def test_groups_that_the_graph_connects_are_united_in_the_order_of_their_connectivity():
    rng = np.random.default_rng(1)
    latent = np.concatenate([rng.standard_normal((60, 2)), rng.standard_normal((93, 2)) + np.array([40, 0])])
    groups = np.r_[rng.integers(0, 2, 60), rng.integers(2, 5, 93)]
    assert united(latent, EQUAL[: len(latent)], groups).tolist() == [1, 1, 0, 0, 0], "the larger is the first"
    assert united(latent, EQUAL[:153], np.zeros(153, int)).tolist() == [0]


def test_connectivity_is_edges_over_those_expected_by_chance():
    """Two balls that touch: the verdict is that of counting edges one by one."""
    for seed, distance in itertools.product(range(4), (2.0, 3.5, 5.0)):
        rng = np.random.default_rng(seed)
        latent = np.concatenate([rng.standard_normal((80, 2)), rng.standard_normal((50, 2)) + np.array([distance, 0])])
        groups = (np.arange(130) >= 80).astype(int)
        far = np.linalg.norm(latent[:, None] - latent, axis=2)
        near = far.argsort(axis=1)[:, 1:7]  # half the root of 130
        edges = {(i, int(j)) for i in range(130) for j in near[i]}
        edges |= {(j, i) for i, j in edges}
        between = sum(groups[i] == 0 and groups[j] == 1 for i, j in edges)
        ends = [sum(groups[i] == g for i, _ in edges) for g in (0, 1)]
        apart = between / len(edges) / (ends[0] * ends[1] / len(edges) ** 2) < APART
        assert (len(set(united(latent, EQUAL[: len(latent)], groups))) == 2) == apart, f"distance {distance}"


@pytest.mark.parametrize("modalities_between", [1, 2])
def test_observations_of_which_little_is_known_do_not_connect_groups(modalities_between):
    rng = np.random.default_rng(2)
    latent = rng.standard_normal((500, 8))
    latent[:, 0] += np.repeat([0, 6, 3], [150, 150, 200])
    groups = (latent[:, 0] > 3).astype(int)
    n_measured = np.repeat([2, modalities_between], [300, 200])
    assert (len(set(united(latent, n_measured, groups))) == 2) == (modalities_between < 2)


def test_a_group_in_which_no_observation_has_all_modalities_is_judged_by_what_it_has():
    rng = np.random.default_rng(3)
    latent = rng.standard_normal((300, 2)) + np.repeat([[0.0, 0.0], [20.0, 0.0], [20.0, 1.0]], 100, axis=0)
    groups = np.repeat([0, 1, 2], 100)
    n_measured = np.repeat([2, 2, 1], 100)
    assert united(latent, n_measured, groups).tolist() == [1, 0, 0]
