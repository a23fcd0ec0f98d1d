import dataclasses

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from scipy.spatial import KDTree

from benchmarks.paper.simulations import LEAK, N_SEGMENTS, Simulation, _well_conditioned, five, label, linear, to_mudata

DRAWS = {
    "linear": lambda seed: linear(seed, private=False, n_obs=60),
    "linear, private": lambda seed: linear(seed, private=True, n_obs=60),
    "label": lambda seed: label(seed, n_obs=60),
    "five": lambda seed: five(seed, missing=True, n_obs=60)[0],
    "five, test": lambda seed: five(seed, missing=False, n_obs=60)[1],
}


def stacked(simulation: Simulation) -> np.ndarray:
    return np.concatenate(list(simulation.values.values()), axis=1)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_seed_alone_decides_what_is_drawn(draw):
    np.random.seed(1)
    first = draw(3)
    np.random.seed(2)
    again, other = draw(3), draw(4)
    for field in dataclasses.fields(first):
        np.testing.assert_equal(getattr(again, field.name), getattr(first, field.name))
    assert not np.array_equal(first.latent, other.latent)
    assert all(v.dtype == np.float32 and np.isfinite(v).all() for v in first.values.values())
    assert first.present.shape == (60, len(first.values))


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_linear_loadings_are_orthonormal_also_to_the_private_ones(private, seed):
    drawn = linear(seed, private=private, n_obs=5)
    for values, w, v in zip(drawn.values.values(), drawn.loadings, drawn.private_loadings, strict=True):
        assert 30 <= values.shape[1] <= 59
        assert w.shape == (values.shape[1], 5)
        both = np.concatenate([w, v], axis=1)
        np.testing.assert_allclose(both.T @ both, np.eye(10 if private else 5), atol=1e-12)
    assert drawn.n_stacked == (30 if private else 5)


@pytest.mark.parametrize("private", [True, False])
def test_linear_values_have_the_moments_of_the_model(private):
    n_obs = 20_000
    drawn = linear(0, private=private, n_obs=n_obs)
    of_noise, of_signal = [], []
    for values, w, v, b in zip(
        drawn.values.values(), drawn.loadings, drawn.private_loadings, drawn.offset, strict=True
    ):
        residual = values - b - drawn.latent @ w.T
        of_signal.append(residual @ v)  # the private latents, with the noise along them
        of_noise.append(residual @ scipy.linalg.null_space(np.concatenate([w, v], axis=1).T))
    noise = np.concatenate(of_noise, axis=1)
    # the variance of a variance is 2 / n, and there are some 200 features
    np.testing.assert_allclose(noise.var(0), 1, atol=5 * np.sqrt(2 / n_obs))
    np.testing.assert_allclose(noise.mean(0), 0, atol=5 / np.sqrt(n_obs))
    np.testing.assert_allclose(np.concatenate(of_signal, axis=1).var(0), 2, atol=10 * np.sqrt(2 / n_obs))
    np.testing.assert_allclose(np.cov(drawn.latent.T), np.eye(5), atol=5 * np.sqrt(2 / n_obs))


def test_label_is_the_segment():
    drawn = label(0, n_obs=4000)
    np.testing.assert_array_equal(drawn.values["label"].argmax(1), drawn.segment)
    np.testing.assert_array_equal(drawn.values["label"].sum(1), 1)
    np.testing.assert_array_equal(np.bincount(drawn.segment), [800] * N_SEGMENTS)
    assert not np.array_equal(drawn.segment, np.sort(drawn.segment))  # a half of the rows has every segment


def test_label_data_are_bent_by_orthogonal_layers_with_noise_of_a_tenth():
    drawn = label(0, n_obs=4000)
    x, z = drawn.values["x"].astype(np.float64), drawn.latent
    bound, size = np.linalg.norm(z, axis=1), np.linalg.norm(x, axis=1)
    assert (size <= bound + 0.6).all()  # orthogonal matrices keep the length, leaky ReLU at least a tenth of it
    assert (size >= LEAK * bound - 0.6).all()
    assert (size[bound > 4] / bound[bound > 4]).min() < 1.5 * LEAK  # where both units are negative
    first, second = KDTree(z).query_pairs(0.03, output_type="ndarray").T
    assert (x[first] - x[second]).var() == pytest.approx(2 * 0.1**2, rel=0.15)
    fit, *_ = np.linalg.lstsq(np.c_[z, np.ones(4000)], x, rcond=None)
    assert (x - np.c_[z, np.ones(4000)] @ fit).var() > 0.1  # ten times the noise


@pytest.mark.parametrize("drawn", [label(1), five(1, missing=False, n_obs=4000)[0]], ids=["label", "five"])
def test_segments_are_gaussians_within_the_limits(drawn):
    scales = []
    for k in range(N_SEGMENTS):
        own = drawn.latent[drawn.segment == k]
        scale = own.std(0)
        standard_error = scale / np.sqrt(len(own))
        assert (np.abs(own.mean(0)) < 5 + 5 * standard_error).all()
        assert (scale > 0.5 - 5 * standard_error).all()
        assert (scale < 3 + 5 * standard_error).all()
        scales.append(scale)
        correlation = np.corrcoef(own.T)[np.triu_indices(own.shape[1], 1)]
        assert np.abs(correlation).max() < 5 / np.sqrt(len(own))
    assert np.min(scales) < 1.2
    assert np.max(scales) > 2


@pytest.mark.parametrize("n_obs", [1000, 1001])
def test_half_of_all_is_missing_and_no_observation_without_a_modality(n_obs):
    for drawn in five(0, missing=True, n_obs=n_obs):
        assert drawn.present.mean() == pytest.approx(0.5, abs=1 / n_obs)
        assert drawn.present.any(1).all()
        # a binomial share of each modality, and of the observations with one modality alone: 0.625⁴ in expectation
        assert np.abs(drawn.present.mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(n_obs)
        assert (drawn.present.sum(1) == 1).mean() == pytest.approx(0.625**4, abs=0.06)
    assert all(drawn.present.all() for drawn in five(0, missing=False, n_obs=10))


def test_train_and_test_of_five_share_segments_and_mixing_functions():
    train, test = five(0, missing=False, n_obs=4000)
    assert not np.array_equal(train.latent, test.latent)
    for k in range(N_SEGMENTS):
        one, other = (d.latent[d.segment == k] for d in (train, test))
        assert np.abs((one.mean(0) - other.mean(0)) / one.std(0)).max() < 5 * np.sqrt(2 / 800)
    # what is near in the latent space is near in the values: observations of both sets lie on one surface
    both = np.concatenate([train.latent, test.latent])
    for name in train.values:
        x = np.concatenate([train.values[name], test.values[name]])
        fit, *_ = np.linalg.lstsq(np.c_[both[:4000], np.ones(4000)], x[:4000], rcond=None)
        residual = x - np.c_[both, np.ones(len(both))] @ fit
        assert residual[4000:].var() == pytest.approx(residual[:4000].var(), rel=0.05)


def test_cut_in_half_most_of_the_test_comes_from_segments_that_none_was_trained_on():
    train, test = five(0, missing=True, n_obs=500, n_modalities=4, cut=True)
    assert len(train.values) == len(test.values) == 4
    assert [np.bincount(d.segment, minlength=5).tolist() for d in (train, test)] == [
        [200, 200, 100, 0, 0],
        [0, 0, 100, 200, 200],
    ]
    assert (np.diff(train.segment) < 0).any(), "and they come in no order"


def test_five_has_noise_that_its_signal_exceeds():
    train, _ = five(0, missing=False, n_obs=2000)
    for values in train.values.values():
        smallest, largest = np.linalg.eigvalsh(np.cov(values.T))[[0, -1]]
        assert 0.2 < smallest < 0.5  # the noise alone has 0.25; bends of the surface add to it
        assert largest > 4 * 0.25


def test_mixing_matrices_are_well_conditioned_with_weights_of_length_one_per_feature():
    rng = np.random.default_rng(0)
    for n_columns in (10, 25):
        matrix = _well_conditioned(25, n_columns, rng)
        assert np.linalg.cond(matrix) <= 25
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1)


@pytest.mark.parametrize("missing", [True, False])
def test_mudata_has_the_rows_of_the_simulation_in_their_order(missing):
    drawn, _ = five(0, missing=missing, n_obs=120)
    mdata = to_mudata(drawn)
    assert list(mdata.obs_names[[0, 7, 119]]) == ["000", "007", "119"]
    assert list(mdata.mod) == list(drawn.values)
    rows = np.arange(120)
    for present, (name, values) in zip(drawn.present.T, drawn.values.items(), strict=True):
        adata = mdata[name]
        assert not sp.issparse(adata.X)
        np.testing.assert_array_equal(adata.obs_names.astype(int), rows[present])
        np.testing.assert_array_equal(adata.X, values[present])
        # what mudata itself keeps agrees, so that slices are right
        np.testing.assert_array_equal(np.ravel(mdata.obsm[name]), present)
        chosen = mdata[mdata.obs_names[40:60]][name]
        np.testing.assert_array_equal(chosen.obs_names.astype(int), rows[40:60][present[40:60]])
    assert mdata.var_names.is_unique


def test_mudata_without_a_modality_is_refused():
    drawn, _ = five(0, missing=False, n_obs=20)
    present = drawn.present.copy()
    present[:, 2] = False
    with pytest.raises(AssertionError, match="x2"):
        to_mudata(dataclasses.replace(drawn, present=present))


def test_stacked_linear_values_have_as_many_large_eigenvalues_as_latent_dimensions():
    for private in (True, False):
        drawn = linear(0, private=private, n_obs=5000)
        eigenvalues = np.linalg.eigvalsh(np.cov(stacked(drawn).T))[::-1]
        assert eigenvalues[drawn.n_stacked - 1] > 1.8
        assert eigenvalues[drawn.n_stacked] < 1.6  # the noise; its largest of 200 in 5000 observations is (1 + 0.2)²
