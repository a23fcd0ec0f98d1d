"""Closed forms, written naively in NumPy: what the code under test is compared with, and never imports."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearGaussian:
    """x_s = W_s z + V_s w_s + b_s + ε_s, with z ~ N(0, I), w_s ~ N(0, I), ε_s ~ N(0, diag σ_s²) (Eq. O1).

    Every field has one entry per modality: W_s (g, d), V_s (g, p), b_s (g,), σ_s (g,).
    """

    loadings: list[np.ndarray]
    private_loadings: list[np.ndarray]
    offset: list[np.ndarray]
    noise: list[np.ndarray]

    @classmethod
    def random(cls, n_features, n_latent, n_private, rng):
        """Make a model; `n_private` has one number per modality."""
        return cls(
            [rng.standard_normal((g, n_latent)) for g in n_features],
            [rng.standard_normal((g, p)) for g, p in zip(n_features, n_private, strict=True)],
            [rng.standard_normal(g) for g in n_features],
            [0.3 + rng.random(g) for g in n_features],
        )

    @property
    def mean(self):
        """Mean of the features of all modalities, one after the other."""
        return np.concatenate(self.offset)

    @property
    def covariance(self):
        """Their covariance: what is shared, then what each modality has for itself."""
        w = np.concatenate(self.loadings)
        covariance = w @ w.T
        first = 0
        for v, sigma in zip(self.private_loadings, self.noise, strict=True):
            own = slice(first, first + len(sigma))
            covariance[own, own] += v @ v.T + np.diag(sigma**2)
            first += len(sigma)
        return covariance

    def draw(self, n, rng):
        """Draw observations, shape (n, all features)."""
        return rng.multivariate_normal(self.mean, self.covariance, size=n)

    def log_prob(self, x, of):
        """Give log p(x_of) of one observation; `of` is true for the features meant."""
        return gaussian_log_prob(x[of], self.mean[of], self.covariance[np.ix_(of, of)])

    def conditional_log_prob(self, x, of, given):
        """Give log p(x_of | x_given) of one observation by conditioning the joint Gaussian."""
        covariance = self.covariance
        gain = covariance[np.ix_(of, given)] @ np.linalg.inv(covariance[np.ix_(given, given)])
        mean = self.mean[of] + gain @ (x - self.mean)[given]
        return gaussian_log_prob(x[of], mean, covariance[np.ix_(of, of)] - gain @ covariance[np.ix_(given, of)])

    def posterior(self, x, given):
        """Give mean and covariance of z given some features of one observation."""
        w = np.concatenate(self.loadings)[given]
        gain = w.T @ np.linalg.inv(self.covariance[np.ix_(given, given)])
        return gain @ (x - self.mean)[given], np.eye(w.shape[1]) - gain @ w

    def expected_log_prob(self, x, of, given):
        """Give E log p(x_of | z) under p(z | x_given) of one observation; for models without private latents."""
        mean, covariance = self.posterior(x, given)
        w, sigma = np.concatenate(self.loadings)[of], np.concatenate(self.noise)[of]
        at_mean = gaussian_log_prob(x[of], self.mean[of] + w @ mean, np.diag(sigma**2))
        return at_mean - 0.5 * np.trace((w / sigma[:, None] ** 2).T @ w @ covariance)


def gaussian_log_prob(x, mean, covariance):
    """Give the log-density of a multivariate Gaussian; 0 in no dimension at all."""
    _, log_determinant = np.linalg.slogdet(covariance)
    quadratic = (x - mean) @ np.linalg.solve(covariance, x - mean)
    return -0.5 * (quadratic + log_determinant + len(x) * np.log(2 * np.pi))


def gaussian_kl(mean_1, scale_1, mean_2, scale_2):
    """Give KL(N(mean_1, scale_1²) ‖ N(mean_2, scale_2²)), and the variance of its estimate from one sample, summed."""
    ratio, shift = scale_1 / scale_2, (mean_1 - mean_2) / scale_2
    divergence = 0.5 * (ratio**2 + shift**2 - 1) - np.log(ratio)
    variance = 0.5 * (ratio**2 - 1) ** 2 + (ratio * shift) ** 2
    return divergence.sum(-1), variance.sum(-1)


def mixture(weights, means, scales, z):
    """Give log-density (n,) and responsibilities (n, k) of a mixture of diagonal Gaussians, one number at a time."""
    log_density, responsibilities = np.zeros(len(z)), np.zeros((len(z), len(weights)))
    for i, point in enumerate(z):
        joint = np.full(len(weights), -np.inf)
        for c, weight in enumerate(weights):
            if weight > 0:
                joint[c] = np.log(weight) + gaussian_log_prob(point, means[c], np.diag(scales[c] ** 2))
        log_density[i] = np.log(np.exp(joint - joint.max()).sum()) + joint.max()
        responsibilities[i] = np.exp(joint - log_density[i])
    return log_density, responsibilities
