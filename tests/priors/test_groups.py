"""Groups that a mixture starts from: those that the graph of nearest neighbours leaves apart."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from omixvae.priors.groups import APART, group_latents, united

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
