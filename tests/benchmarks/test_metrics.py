import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from benchmarks.paper.metrics import (
    coherence,
    factor_log_likelihood,
    linear_gaussian_log_likelihood,
    linear_probe,
    mcc,
    relative_gap,
)
from benchmarks.paper.simulations import LinearSimulation, linear
from tests.oracles import LinearGaussian


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def stacked(simulation: LinearSimulation) -> np.ndarray:
    return np.concatenate(list(simulation.values.values()), axis=1)


def exact(simulation: LinearSimulation, values: np.ndarray) -> float:
    return linear_gaussian_log_likelihood(
        values, simulation.loadings, simulation.private_loadings, simulation.offset, simulation.noise
    )


@pytest.mark.parametrize("weak", [True, False])
def test_mcc_ignores_order_sign_scale_and_place(weak, rng):
    true = rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4))
    inferred = true[:, [2, 0, 3, 1]] * [-3.0, 0.1, 20.0, 1.0] + [5.0, -1.0, 0.0, 2.0]
    assert mcc(true, inferred, weak=weak, rng=rng) == pytest.approx(1)


def test_weak_mcc_ignores_any_invertible_linear_map(rng):
    true = rng.standard_normal((200, 4))
    inferred = true @ rng.standard_normal((4, 4)) + rng.standard_normal(4)
    assert mcc(true, inferred, weak=True, rng=rng) == pytest.approx(1)


def test_strong_mcc_of_a_rotation_is_the_cosine(rng):
    true = rng.standard_normal((100_000, 2))
    angle = np.pi / 6
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert mcc(true, true @ rotation, weak=False, rng=rng) == pytest.approx(np.cos(angle), abs=0.01)
    assert mcc(true, true @ rotation, weak=True, rng=rng) == pytest.approx(1)


def test_mcc_is_measured_where_nothing_was_fitted(rng):
    # as many latents as observations in a half: canonical correlation fits noise perfectly there
    true, noise = rng.standard_normal((80, 38)), rng.standard_normal((80, 38))
    assert mcc(true, noise, weak=True, rng=rng) < 0.3


@pytest.mark.parametrize("weak", [True, False])
def test_mcc_counts_a_constant_latent_as_not_found(weak, rng):
    true = rng.standard_normal((300, 4))
    inferred = true.copy()
    inferred[:, 1] = 0.1
    found = mcc(true, inferred, weak=weak, rng=rng)
    assert found == pytest.approx(0.75)


@pytest.mark.parametrize("weak", [True, False])
def test_mcc_with_more_inferred_latents_than_true_ones(weak, rng):
    true = rng.standard_normal((300, 2))
    inferred = np.concatenate([rng.standard_normal((300, 3)), true], axis=1)
    assert mcc(true, inferred, weak=weak, rng=rng) == pytest.approx(1)


@pytest.mark.parametrize("private", [True, False])
def test_mcc_of_samples_of_the_exact_posterior_is_five_sixths(private, rng):
    drawn = linear(0, private=private, n_obs=5000)
    everything = np.ones(stacked(drawn).shape[1], dtype=bool)
    model = LinearGaussian(list(drawn.loadings), list(drawn.private_loadings), list(drawn.offset), list(drawn.noise))
    gain = np.concatenate(drawn.loadings).T @ np.linalg.inv(model.covariance)
    mean = (stacked(drawn) - model.mean) @ gain.T
    _, covariance = model.posterior(stacked(drawn)[0], everything)
    sample = mean + rng.standard_normal(mean.shape) @ np.linalg.cholesky(covariance).T
    shared = covariance[0, 0]
    np.testing.assert_allclose(covariance, shared * np.eye(5), atol=1e-9)
    # with private latents that are orthogonal to the shared ones within each modality nothing is lost
    assert shared == pytest.approx(1 / 6)
    for weak in (True, False):
        assert mcc(drawn.latent, sample, weak=weak, rng=rng) == pytest.approx(5 / 6, abs=0.02)
    assert mcc(drawn.latent, mean, weak=True, rng=rng) == pytest.approx(np.sqrt(5 / 6), abs=0.02)


def test_linear_probe_finds_what_is_linear_and_nothing_in_noise(rng):
    labels = np.repeat(["a", "b", "c"], 100)
    centre = np.repeat(1000 * np.eye(3), 100, axis=0)
    train, test = (centre + rng.standard_normal((300, 3)) for _ in range(2))
    assert linear_probe(train, labels, test, labels) == 1
    noise = linear_probe(rng.standard_normal((300, 3)), labels, rng.standard_normal((300, 3)), labels)
    assert noise == pytest.approx(1 / 3, abs=0.12)


def test_linear_probe_is_measured_on_the_test_set(rng):
    labels = np.repeat([0, 1], 50)
    train = labels[:, None] + 0.01 * rng.standard_normal((100, 1))
    assert linear_probe(train, labels, train, 1 - labels) == 0


def test_coherence_is_the_share_of_samples_taken_for_their_label(rng):
    labels = np.arange(200) % 2
    real = 10 * labels[:, None] + rng.standard_normal((200, 3))
    classifier = LogisticRegression().fit(real, labels)
    generated = real.copy()
    generated[:50] = real[1:51]  # 50 of 200 look like the other label
    assert coherence(generated, labels, classifier.predict) == 0.75


@pytest.mark.parametrize("n_latent", [1, 3, 6])
def test_factor_log_likelihood_is_that_of_probabilistic_pca(n_latent, rng):
    values = rng.standard_normal((400, 8)) @ rng.standard_normal((8, 8)) + 3
    pca = PCA(n_latent).fit(values)
    # scikit-learn divides by n − 1, which changes the log-likelihood by some g / n²
    noise_variance = pca.noise_variance_ * (1 - 1 / len(values))
    assert factor_log_likelihood(values, n_latent, noise_variance) == pytest.approx(pca.score(values), abs=1e-4)


def test_factor_log_likelihood_is_the_density_at_the_maximum_and_no_smaller_nearby(rng):
    values, noise_variance, n_latent = rng.standard_normal((300, 6)) * [3, 2, 1.5, 1, 0.3, 0.2], 0.5, 2
    eigenvalues, vectors = np.linalg.eigh(np.cov(values.T, bias=True))
    w = vectors[:, -n_latent:] * np.sqrt(eigenvalues[-n_latent:] - noise_variance)

    def score(loadings, mean):
        covariance = loadings @ loadings.T + noise_variance * np.eye(6)
        return multivariate_normal(mean, covariance).logpdf(values).mean()

    best = factor_log_likelihood(values, n_latent, noise_variance)
    assert best == pytest.approx(score(w, values.mean(0)))
    for _ in range(20):
        assert best > score(w + 0.05 * rng.standard_normal(w.shape), values.mean(0))
        assert best > score(w, values.mean(0) + 0.05 * rng.standard_normal(6))


def test_factor_log_likelihood_uses_no_direction_with_less_variance_than_noise(rng):
    values = rng.standard_normal((500, 4)) * [3, 0.5, 0.4, 0.3]
    one, three = (factor_log_likelihood(values, n, 1.0) for n in (1, 3))
    assert one == three
    assert factor_log_likelihood(values, 0, 1.0) < one


def test_linear_gaussian_log_likelihood_is_that_of_the_joint_gaussian(rng):
    model = LinearGaussian.random((4, 3, 2), 2, (1, 0, 2), rng)
    values = model.draw(50, rng)
    expected = multivariate_normal(model.mean, model.covariance).logpdf(values).mean()
    found = linear_gaussian_log_likelihood(values, model.loadings, model.private_loadings, model.offset, model.noise)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("private", [True, False])
def test_no_linear_model_exceeds_the_maximum(private, rng):
    drawn = linear(1, private=private, n_obs=3000)
    values = stacked(drawn)
    best, truth = factor_log_likelihood(values, drawn.n_stacked, 1.0), exact(drawn, values)
    assert best > truth
    # so near to the truth that the gap of an encoder shows
    assert relative_gap(best, truth) < 0.01
    for _ in range(3):
        other = [w + 0.1 * rng.standard_normal(w.shape) for w in drawn.loadings]
        score = linear_gaussian_log_likelihood(values, other, drawn.private_loadings, drawn.offset, drawn.noise)
        assert score < truth


def test_relative_gap_is_positive_below_the_maximum_whatever_its_sign():
    assert relative_gap(-100.0, -103.0) == pytest.approx(0.03)
    assert relative_gap(100.0, 97.0) == pytest.approx(0.03)
    assert relative_gap(-100.0, -100.0) == 0
