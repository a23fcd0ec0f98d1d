"""What Hirt et al. 2024 measure in their simulations: latents against the truth, labels, and exact likelihoods."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = [
    "coherence",
    "factor_log_likelihood",
    "linear_gaussian_log_likelihood",
    "linear_probe",
    "mcc",
    "relative_gap",
]


def mcc(true: np.ndarray, inferred: np.ndarray, *, weak: bool, rng: np.random.Generator) -> float:
    """Give the mean absolute correlation of the true latents with the inferred ones that match them best.

    Parameters
    ----------
    true, inferred
        Latent states of the same observations, shapes (n, d) and (n, e). The paper's figures are of one sample of the
        posterior per observation.
    weak
        Whether any invertible linear map between the two is allowed, by aligning them with canonical correlation
        analysis, or only a permutation.
    rng
        Splits the observations into two halves: alignment and matching are found in one, and measured in the other.

    Returns
    -------
    float
        From 0 to 1; the mean is over min(d, e) pairs, and a constant latent correlates with nothing.

    Notes
    -----
    A sample of the exact posterior does not reach 1. With five modalities with orthonormal loadings and noise variance
    1, the posterior of z ~ N(0, I) has covariance I / 6, and a sample of it correlates with z by 5/6 = 0.83.
    """
    fitted, tested = np.array_split(rng.permutation(len(true)), 2)
    true, inferred = np.asarray(true, np.float64), np.asarray(inferred, np.float64)
    if weak:
        to_true, to_inferred = _canonical_directions(true[fitted], inferred[fitted])
        true, inferred = true @ to_true, inferred @ to_inferred
    rows, columns = linear_sum_assignment(_correlations(true[fitted], inferred[fitted]), maximize=True)
    return float(_correlations(true[tested], inferred[tested])[rows, columns].mean())


def linear_probe(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """Give the accuracy on the test set of a multinomial logistic regression of the labels on latents.

    Parameters
    ----------
    train, train_labels
        Latent states, shape (n, d), and their labels, shape (n,).
    test, test_labels
        The same of other observations.

    Returns
    -------
    float
        Share of right labels.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(probe.fit(train, train_labels).score(test, test_labels))


def coherence(generated: np.ndarray, labels: np.ndarray, classifier: Callable[[np.ndarray], np.ndarray]) -> float:
    """Give the share of generated samples that a classifier of real data takes for what they should be.

    Parameters
    ----------
    generated
        Samples of a modality, the first axis are the observations.
    labels
        What the observations are, shape (n,).
    classifier
        Gives labels of samples; trained on real data of this modality.

    Returns
    -------
    float
        From 0 to 1.
    """
    return float(np.mean(classifier(generated) == labels))


def factor_log_likelihood(values: np.ndarray, n_latent: int, noise_variance: float) -> float:
    """Give the highest log-likelihood that probabilistic PCA with a known noise variance σ² can reach.

    Parameters
    ----------
    values
        Features of all modalities, one after the other, shape (n, g).
    n_latent
        Latent dimensions L.
    noise_variance
        σ², the same for all features.

    Returns
    -------
    float
        Nats per observation, at W = U (Λ − σ² I)^½ with the L largest eigenvalues of the covariance; those below σ²
        are not used.
    """
    values = np.asarray(values, np.float64)
    eigenvalues = np.linalg.eigvalsh(np.cov(values, rowvar=False, bias=True))
    of_model = np.full_like(eigenvalues, noise_variance)
    largest = slice(len(eigenvalues) - n_latent, None)  # they come in ascending order
    of_model[largest] = np.maximum(eigenvalues[largest], noise_variance)
    return float(-0.5 * np.sum(np.log(2 * np.pi * of_model) + eigenvalues / of_model))


def linear_gaussian_log_likelihood(
    values: np.ndarray,
    loadings: Sequence[np.ndarray],
    private_loadings: Sequence[np.ndarray],
    offset: Sequence[np.ndarray],
    noise: Sequence[np.ndarray],
) -> float:
    """Give the exact log-likelihood of x_s = W_s z + V_s w_s + b_s + ε_s, with z, w_s ~ N(0, I), ε_s ~ N(0, diag σ_s²).

    Parameters
    ----------
    values
        Features of all modalities, one after the other, shape (n, g).
    loadings, private_loadings
        W_s and V_s of each modality, in the order of the features; V_s may have no column.
    offset, noise
        b_s and σ_s, the standard deviations of the noise, of each modality.

    Returns
    -------
    float
        Nats per observation.
    """
    shared = np.concatenate(loadings)
    covariance = shared @ shared.T + block_diag(*(v @ v.T for v in private_loadings))
    covariance += np.diag(np.concatenate(noise) ** 2)
    centred = np.asarray(values, np.float64) - np.concatenate(offset)
    _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    quadratic = np.trace(np.linalg.solve(covariance, centred.T @ centred / len(centred)))
    return float(-0.5 * (log_determinant + quadratic))


def relative_gap(ml: float, model: float) -> float:
    """Give by what part of its size the maximum log-likelihood `ml` is above that of a model."""
    return (ml - model) / abs(ml)


def _canonical_directions(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the directions, as columns, along which two sets of variables correlate most."""
    white_first, white_second = _whitening(first), _whitening(second)
    cross = (first - first.mean(0)) @ white_first
    u, _, vt = np.linalg.svd(cross.T @ (second - second.mean(0)) @ white_second, full_matrices=False)
    return white_first @ u, white_second @ vt.T


def _whitening(x: np.ndarray) -> np.ndarray:
    """Give the map to uncorrelated variables of one scale; directions without any variance go to 0."""
    _, scale, vt = np.linalg.svd(x - x.mean(0), full_matrices=False)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 1e-10 * scale[0])
    return vt.T * inverse


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the absolute correlation of each column of one with each of the other."""
    return np.abs(_standardise(first).T @ _standardise(second))


def _standardise(x: np.ndarray) -> np.ndarray:
    """Centre columns and bring them to length 1; constant ones become 0."""
    centred = x - x.mean(0)
    length = np.linalg.norm(centred, axis=0)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-10 * np.abs(x).max(0))
