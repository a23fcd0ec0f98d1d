"""Densities over latents. The last axis is one point; the axes before it are independent points.

Unlike `torch.distributions` these draw from an explicit generator and can stop the gradient of their parameters.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["DiagonalGaussian", "GaussianMixture", "LatentDistribution", "PriorWhere", "gaussian_kl"]

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
        """Return the same distribution with the gradient of its parameters stopped (for sticking the landing)."""


class DiagonalGaussian(LatentDistribution):
    """Independent Gaussians.

    Parameters
    ----------
    mean, scale
        Shape (..., d); the scale is the standard deviation.
    stopped
        Makes what `detach` gives, for a Gaussian whose mean and scale depend on a sample as well as on parameters (that
        of w given z): only the parameters are to be stopped, not the sample. When not given all of it is.

    Examples
    --------
    >>> q = DiagonalGaussian(torch.zeros(2), torch.ones(2))
    >>> round(q.log_prob(torch.zeros(2)).item(), 4)
    -1.8379
    """

    def __init__(
        self,
        mean: Float[Tensor, "*n d"],
        scale: Float[Tensor, "*n d"],
        stopped: "Callable[[], DiagonalGaussian] | None" = None,
    ) -> None:
        self.loc, self.scale, self.stopped = mean, scale, stopped

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
        # Summed apart: of a mixture, scales have no axis of observations.
        log_scale = (self.scale.log() + 0.5 * LOG_2PI).sum(-1)
        return -0.5 * standardised.square().sum(-1) - log_scale

    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points by z = μ + σ ε."""
        shape = self.loc.shape if n_samples is None else (n_samples, *self.loc.shape)
        noise = torch.randn(shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        return self.loc + self.scale * noise

    def detach(self) -> "DiagonalGaussian":
        """Stop the gradient of mean and scale, or of the parameters that they depend on."""
        return DiagonalGaussian(self.loc.detach(), self.scale.detach()) if self.stopped is None else self.stopped()


class GaussianMixture(LatentDistribution):
    """Mixture of k Gaussians with diagonal covariance.

    Parameters
    ----------
    logits
        Shape (..., k): unnormalised log-weights; -inf switches a component off.
    mean, scale
        Shape (..., k, d): of each component.

    Notes
    -----
    Samples are exact. Where the weights are fixed (as those of experts are), a sample carries the gradient of the
    component that it was drawn from. Else it carries the gradient of all parameters, the weights' too, by implicit
    reparameterisation (Figurnov et al. 2018). With the distributional transform u_i = F(z_i | z_1 .. z_{i-1}) held
    fixed::

        dz = -(du/dz)⁻¹ du/dφ,   F(z_i | z_<i) = Σ_c w_c(z_<i) Φ((z_i - m_ci) / s_ci),   w_c(z_<i) ∝ π_c Π_{j<i} N(z_j)

    du/dz is lower triangular, so its inverse is one solve by substitution.

    Examples
    --------
    >>> p = GaussianMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1))
    >>> p.responsibilities(torch.zeros(1)).tolist()
    [0.5, 0.5]
    """

    def __init__(
        self, logits: Float[Tensor, "*n k"], mean: Float[Tensor, "*n k d"], scale: Float[Tensor, "*n k d"]
    ) -> None:
        self.log_weights = functional.log_softmax(logits, dim=-1)
        self.loc, self.scale = mean, scale

    @property
    def mean(self) -> Tensor:
        """Expected value, shape (..., d)."""
        return self._average(self.loc)

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension, shape (..., d): within the components and between them."""
        return self._average(self.scale**2 + (self.loc - self.mean.unsqueeze(-2)) ** 2)

    def _average(self, of: Tensor) -> Tensor:
        """Return the weighted average over the components."""
        return (self.log_weights.exp().unsqueeze(-1) * of).sum(-2)

    def _joint(self, z: Tensor) -> Tensor:
        """Return log π_c + log N(z | m_c, v_c), shape (..., k)."""
        # Matrix products would save the (n, k, d) array, but lose whole nats in float32 where components are narrow.
        return self.log_weights + DiagonalGaussian(self.loc, self.scale).log_prob(z.unsqueeze(-2))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, shape (...)."""
        return torch.logsumexp(self._joint(z), dim=-1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """Probability of each component given the point, shape (..., k): Bayes' rule."""
        return torch.softmax(self._joint(z), dim=-1)

    def rsample(self, generator: torch.Generator, n_samples: int | None = None) -> Tensor:
        """Draw points, from component c ~ π; gradients flow to weights (if they need any), means and scales."""
        n = 1 if n_samples is None else n_samples
        *batch, k, d = self.loc.shape
        # Where training diverges the weights are NaN, which must reach the bound and its message: not stop the draw.
        weights = self.log_weights.detach().exp().nan_to_num(1.0).reshape(-1, k)
        drawn = torch.multinomial(weights, n, replacement=True, generator=generator).T.reshape(n, *batch, 1, 1)
        chosen = drawn.expand(n, *batch, 1, d)
        loc, scale = (of.expand(n, *of.shape).gather(-2, chosen).squeeze(-2) for of in (self.loc, self.scale))
        z = DiagonalGaussian(loc, scale).rsample(generator)
        if self.log_weights.requires_grad:
            z = self._reparameterised(z.detach())
        return z[0] if n_samples is None else z

    def _reparameterised(self, z: Float[Tensor, "s *n d"]) -> Tensor:
        """Return the same points with the gradient of the parameters."""
        standardised = (z.unsqueeze(-2) - self.loc) / self.scale
        log_density = -0.5 * standardised**2 - self.scale.log()
        before = functional.pad(log_density[..., :-1].cumsum(-1), (1, 0))
        w = torch.softmax(self.log_weights.unsqueeze(-1) + before, dim=-2)
        below = torch.special.ndtr(standardised)
        u = (w * below).sum(-2)
        with torch.no_grad():
            slope = -standardised / self.scale
            own = (w * log_density.exp()).sum(-2) / math.sqrt(2 * math.pi)
            jacobian = torch.einsum("...ki,...kj->...ij", w * (below - u.unsqueeze(-2)), slope).tril(-1)
            # Rounding alone makes a density of 0 at a point that was drawn.
            jacobian = jacobian + torch.diag_embed(own.clamp(min=torch.finfo(own.dtype).tiny ** 0.5))
        shift = torch.linalg.solve_triangular(jacobian, (u - u.detach()).unsqueeze(-1), upper=False)
        return z - shift.squeeze(-1)

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
        """Draw points, shape (n, d) or (s, n, d); gradients flow to the belief alone (no bound uses the others)."""
        z = self.belief.rsample(generator, n_samples)
        with torch.no_grad():
            of_prior = self.prior.rsample(generator, len(self.empty) * (n_samples or 1)).reshape(z.shape)
        return torch.where(self.empty[:, None], of_prior, z)

    def detach(self) -> "PriorWhere":
        """Stop the gradient of both."""
        return PriorWhere(self.empty, self.prior.detach(), self.belief.detach())


def gaussian_kl(q: LatentDistribution, p: LatentDistribution) -> tuple[Tensor, Tensor] | None:
    """Return KL(q ‖ p) in closed form where both are Gaussian.

    Parameters
    ----------
    q, p
        Of shapes that broadcast, (..., d).

    Returns
    -------
    tuple of torch.Tensor, or None
        Values of shape (...), in nats, and where they hold; None if nowhere.

    Examples
    --------
    >>> gaussian_kl(DiagonalGaussian(torch.ones(1), torch.ones(1)), DiagonalGaussian(torch.zeros(1), torch.ones(1)))
    (tensor(0.5000), tensor(True))
    """
    q_gaussian, p_gaussian = _as_gaussian(q), _as_gaussian(p)
    if q_gaussian is None or p_gaussian is None:
        return None
    ratio = q_gaussian[0].scale / p_gaussian[0].scale
    shift = (q_gaussian[0].loc - p_gaussian[0].loc) / p_gaussian[0].scale
    return (0.5 * (ratio**2 + shift**2 - 1) - ratio.log()).sum(-1), q_gaussian[1] & p_gaussian[1]


def _as_gaussian(q: LatentDistribution) -> tuple[DiagonalGaussian, Tensor] | None:
    """Return the one Gaussian per observation that a distribution is, and where it is one."""
    if isinstance(q, PriorWhere):
        prior, belief = q.prior, q.belief
        if not isinstance(belief, DiagonalGaussian):
            return None
        if not isinstance(prior, DiagonalGaussian):
            return belief, ~q.empty
        empty = q.empty.unsqueeze(-1)
        both = torch.where(empty, prior.loc, belief.loc), torch.where(empty, prior.scale, belief.scale)
        return DiagonalGaussian(*both), torch.ones_like(q.empty)
    return (q, torch.ones((), dtype=torch.bool, device=q.loc.device)) if isinstance(q, DiagonalGaussian) else None
