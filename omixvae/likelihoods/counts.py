"""Likelihoods of counts: the negative binomial."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood

__all__ = ["NegativeBinomial", "NegativeBinomialCounts"]

STIRLING_FROM = 64.0
"""Counts from which log Γ ratios are taken by Stirling's series: at 10⁶ counts log Γ(x) itself is about 10⁷, whose last
float32 digit is a whole nat, while the series keeps the ratio's own digits (its error here is below 10⁻⁸)."""


def log_binomial_ratio(x: Tensor, theta: Tensor) -> Tensor:
    """Give log Γ(x + θ) - log Γ(θ) - log Γ(x + 1), accurate for counts of any size."""
    a, b = x + theta, x + 1
    series = (b - 0.5) * torch.log1p((theta - 1) / b) + (theta - 1) * (a.log() - 1) + (1 / a - 1 / b) / 12
    small = torch.where(x < STIRLING_FROM, x, 0.0)
    exact = torch.lgamma(small + theta) - torch.lgamma(small + 1)
    return torch.where(x < STIRLING_FROM, exact, series) - torch.lgamma(theta)


def plain_log_prob(x: Tensor, log_mu: Tensor, log_theta: Tensor) -> Tensor:
    """Give the log-probability of each count, entry by entry: what `SparseLogProb` must equal.

    With d = log μ - log θ the two powers are -x log(1 + e⁻ᵈ) - θ log(1 + eᵈ), which never overflow.
    """
    d = log_mu - log_theta
    theta = log_theta.exp()
    return log_binomial_ratio(x, theta) - x * functional.softplus(-d) - theta * functional.softplus(d)


class SparseLogProb(torch.autograd.Function):
    """The log-probability with its own gradient, and the Γ functions at non-zero counts only.

    Of the log-probability only -θ log(1 + eᵈ) is not zero at x = 0; counts of single cells are zero in nine of ten
    entries (section 4 of the method page). The gradients are x - (x + θ) σ(d) in log μ, and
    θ [ψ(x + θ) - ψ(θ)] - x σ(-d) + θ [σ(d) - log(1 + eᵈ)] in log θ.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, log_mu: Tensor, log_theta: Tensor) -> Tensor:
        """Compute the log-probability of counts (..., g) with log μ (..., g) and log θ (g,)."""
        theta = log_theta.exp()
        d = log_mu - log_theta
        softplus = functional.softplus(d)
        result = -theta * softplus
        flat = x.flatten().nonzero().squeeze(-1)
        column = flat % x.shape[-1]
        counts, theta_here, d_here = x.flatten()[flat], theta[column], d.flatten()[flat]
        result.view(-1)[flat] += log_binomial_ratio(counts, theta_here) - counts * functional.softplus(-d_here)
        ctx.save_for_backward(x, d, softplus, theta, flat, column)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:  # noqa: ANN401 (as PyTorch has it)
        """Compute the gradients in log μ and log θ."""
        x, d, softplus, theta, flat, column = ctx.saved_tensors
        sigmoid = torch.sigmoid(d)
        grad_log_mu = torch.addcmul(x, x + theta, sigmoid, value=-1).mul_(grad)
        grad_log_theta = sigmoid.sub_(softplus).mul_(grad).reshape(-1, x.shape[-1]).sum(0) * theta
        counts, theta_here = x.flatten()[flat], theta[column]
        gamma_part = theta_here * (torch.digamma(counts + theta_here) - torch.digamma(theta)[column])
        here = grad.flatten()[flat] * (gamma_part - counts * torch.sigmoid(-d.flatten()[flat]))
        return None, grad_log_mu, grad_log_theta.index_add_(0, column, here)


class NegativeBinomialCounts(DataDistribution):
    """Negative binomial with mean μ and variance μ + μ²/θ.

    Parameters
    ----------
    log_mu
        Shape (..., g).
    log_theta
        Shape (g,) or (..., g): θ is the inverse dispersion.
    """

    def __init__(self, log_mu: Tensor, log_theta: Tensor) -> None:
        self.log_mu, self.log_theta = log_mu, log_theta

    @property
    def mean(self) -> Tensor:
        """Expected count."""
        return self.log_mu.exp()

    @property
    def variance(self) -> Tensor:
        """Variance, μ + μ²/θ."""
        return self.mean + torch.exp(2 * self.log_mu - self.log_theta)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats."""
        # Finding the non-zeros makes a GPU wait for its host: there the plain form is the faster one.
        if self.log_mu.device.type == "cpu" and self.log_mu.shape == x.shape and self.log_theta.ndim == 1:
            result: Tensor = SparseLogProb.apply(x, self.log_mu, self.log_theta)  # type: ignore[no-untyped-call]
            return result
        return plain_log_prob(x, self.log_mu, self.log_theta)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one count of each entry: Poisson with a gamma-distributed rate."""
        theta = self.log_theta.exp().expand_as(self.log_mu)
        rate = torch._standard_gamma(theta, generator=generator) * torch.exp(self.log_mu - self.log_theta)
        return torch.poisson(rate, generator=generator)


class NegativeBinomial(Likelihood):
    """Counts with more variance than Poisson: x_g ~ NB(library × softmax(decoded)_g, θ_g).

    Notes
    -----
    Section 4 of the method page. The library is the observation's own total, so that the latent describes composition
    and not depth. θ is learned for each feature.

    Examples
    --------
    >>> NegativeBinomial(4)(torch.zeros(2, 4), torch.tensor([100.0, 200.0])).mean[:, 0].round().tolist()
    [25.0, 50.0]
    """

    needs: ClassVar[str] = "counts: whole numbers, zero or more"
    typical_library: Tensor

    def __init__(self, n_features: int, noise: float | None = None) -> None:
        super().__init__(n_features, noise)
        self.log_theta = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("typical_library", torch.ones(()))

    def forward(self, decoded: Float[Tensor, "*n g"], library: Float[Tensor, "*n"]) -> NegativeBinomialCounts:
        """Make the distribution of each count."""
        # NaN: no observation of these data has the modality. Then the typical total of the training data is expected.
        library = torch.where(library.isnan(), self.typical_library, library)
        log_mu = functional.log_softmax(decoded, dim=-1) + library.log().unsqueeze(-1)
        # Beyond these limits the distribution no longer changes (Poisson above), but lgamma loses its digits.
        return NegativeBinomialCounts(log_mu, self.log_theta.clamp(-7.0, 9.0))

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take whole numbers that are not negative."""
        return np.isfinite(values) & (values >= 0) & (values == np.round(values))

    def encoder_input(self, values: Float[Tensor, "n g"], library: Float[Tensor, " n"]) -> Float[Tensor, "n g"]:
        """Scale each observation to the typical total, then log(1 + x)."""
        return torch.log1p(values * (self.typical_library / library).unsqueeze(-1))

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean composition, and at the θ that fits the mean and variance of each feature."""
        mean, variance = (torch.as_tensor(m) for m in (moments.mean, moments.variance))
        theta = mean**2 / (variance - mean).clamp(min=1e-3)
        self.log_theta.copy_(theta.clamp(0.1, 100.0).log())
        self.typical_library.copy_(sample.library.median())
        floor = 0.1 * mean[mean > 0].min() if (mean > 0).any() else torch.tensor(1.0, dtype=mean.dtype)
        fraction = mean.clamp(min=float(floor))
        return (fraction / fraction.sum()).log().to(self.log_theta)
