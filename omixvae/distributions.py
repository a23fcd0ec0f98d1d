"""Densities over latents. The last axis is one point; the axes before it are independent points.

Unlike `torch.distributions` these draw from an explicit generator and can stop the gradient of their parameters.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["DiagonalGaussian", "GaussianMixture", "LatentDistribution", "PriorWhere"]

LOG_2PI = math.log(2 * math.pi)


class LatentDistribution(ABC):
    """What every belief about a latent can do."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Expected value, shape (..., d)."""

    @property
    @abstractmethod
    def variance(self) -> Tensor:
        """Variance of each dimension, shape (..., d)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats at points of shape (..., d); shape (...)."""

    @abstractmethod
    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points, shape (..., d), or (s, ..., d) when `n_samples` is given; gradients flow to the parameters."""

    @abstractmethod
    def detach(self) -> "LatentDistribution":
        """Give the same distribution with the gradient of its parameters stopped (for sticking the landing)."""


class DiagonalGaussian(LatentDistribution):
    """Independent Gaussians.

    Parameters
    ----------
    mean, scale
        Shape (..., d); the scale is the standard deviation.

    Examples
    --------
    >>> q = DiagonalGaussian(torch.zeros(2), torch.ones(2))
    >>> round(q.log_prob(torch.zeros(2)).item(), 4)
    -1.8379
    """

    def __init__(self, mean: Float[Tensor, "*n d"], scale: Float[Tensor, "*n d"]) -> None:
        self.loc, self.scale = mean, scale

    @property
    def mean(self) -> Tensor:
        """Expected value, shape (..., d)."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension, shape (..., d)."""
        return self.scale**2

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, shape (...)."""
        standardised = (z - self.loc) / self.scale
        return -(0.5 * standardised**2 + self.scale.log() + 0.5 * LOG_2PI).sum(-1)

    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points by z = μ + σ ε."""
        shape = self.loc.shape if n_samples is None else (n_samples, *self.loc.shape)
        noise = torch.randn(shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        return self.loc + self.scale * noise

    def detach(self) -> "DiagonalGaussian":
        """Stop the gradient of mean and scale."""
        return DiagonalGaussian(self.loc.detach(), self.scale.detach())


class GaussianMixture(LatentDistribution):
    """Mixture of k Gaussians with diagonal covariance.

    Parameters
    ----------
    logits
        Shape (k,): unnormalised log-weights; -inf switches a component off.
    mean, scale
        Shape (k, d): of each component.

    Examples
    --------
    >>> p = GaussianMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1))
    >>> p.responsibilities(torch.zeros(1)).tolist()
    [0.5, 0.5]
    """

    def __init__(self, logits: Float[Tensor, " k"], mean: Float[Tensor, "k d"], scale: Float[Tensor, "k d"]) -> None:
        self.log_weights = functional.log_softmax(logits, dim=-1)
        self.loc, self.scale = mean, scale

    @property
    def mean(self) -> Tensor:
        """Expected value, shape (d,)."""
        return self.log_weights.exp() @ self.loc

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension, shape (d,): within the components and between them."""
        weights = self.log_weights.exp()
        return weights @ (self.scale**2 + self.loc**2) - (weights @ self.loc) ** 2

    def _joint(self, z: Tensor) -> Tensor:
        """Give log π_c + log N(z | m_c, v_c), shape (..., k), by matrix products: no (n, k, d) array is made."""
        precision = self.scale**-2
        quadratic = (z**2) @ precision.T - 2 * z @ (self.loc * precision).T + (self.loc**2 * precision).sum(-1)
        return self.log_weights - 0.5 * (quadratic + LOG_2PI * z.shape[-1]) - self.scale.log().sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, shape (...)."""
        return torch.logsumexp(self._joint(z), dim=-1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """Probability of each component given the point, shape (..., k): Bayes' rule."""
        return torch.softmax(self._joint(z), dim=-1)

    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points from component c ~ π. Gradients flow to means and scales, not to the weights."""
        n = 1 if n_samples is None else n_samples
        component = torch.multinomial(self.log_weights.exp().detach(), n, replacement=True, generator=generator)
        z = DiagonalGaussian(self.loc[component], self.scale[component]).rsample(generator)
        return z[0] if n_samples is None else z

    def detach(self) -> "GaussianMixture":
        """Stop the gradient of weights, means and scales."""
        return GaussianMixture(self.log_weights.detach(), self.loc.detach(), self.scale.detach())


class PriorWhere(LatentDistribution):
    """The belief q where something was seen, and the prior p where nothing was: q(z | x_∅) = p(z).

    Parameters
    ----------
    empty
        Shape (n,), true where the prior holds.
    prior
        One distribution over (d,), the same for all observations.
    belief
        Distributions of shape (n, d).

    Examples
    --------
    >>> p, q = (DiagonalGaussian(torch.zeros(*shape, 1), torch.ones(*shape, 1)) for shape in ((), (2,)))
    >>> PriorWhere(torch.tensor([True, False]), p, q).log_prob(torch.zeros(2, 1)).shape
    torch.Size([2])
    """

    def __init__(self, empty: Bool[Tensor, " n"], prior: LatentDistribution, belief: LatentDistribution) -> None:
        self.empty, self.prior, self.belief = empty, prior, belief

    @property
    def mean(self) -> Tensor:
        """Expected value, shape (n, d)."""
        return torch.where(self.empty[:, None], self.prior.mean, self.belief.mean)

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension, shape (n, d)."""
        return torch.where(self.empty[:, None], self.prior.variance, self.belief.variance)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, shape (..., n)."""
        return torch.where(self.empty, self.prior.log_prob(z), self.belief.log_prob(z))

    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points, shape (n, d) or (s, n, d)."""
        z = self.belief.rsample(generator, n_samples)
        n = len(self.empty) * (n_samples or 1)
        return torch.where(self.empty[:, None], self.prior.rsample(generator, n).reshape(z.shape), z)

    def detach(self) -> "PriorWhere":
        """Stop the gradient of both."""
        return PriorWhere(self.empty, self.prior.detach(), self.belief.detach())
