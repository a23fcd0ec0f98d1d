"""Likelihoods of counts: Poisson, negative binomial, and the latter with more zeros."""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.likelihood import CenteredLikelihood, DataDistribution, ValueKind
from omixvae.likelihoods.one_pass import CompositionLogProb
from omixvae.likelihoods.ratios import STIRLING_FROM, log_binomial_ratio

__all__ = [
    "NegativeBinomial",
    "NegativeBinomialCounts",
    "Poisson",
    "PoissonCounts",
    "ZeroInflatedCounts",
    "ZeroInflatedNegativeBinomial",
]

LARGEST_DEVIATION = 8.0
"""Of a log count from its mean, where no total sets a limit: a factor of 3,000, which no cell needs, and beyond which
one odd cell would be predicted counts without end."""

LOG_THETA_LIMITS = (-7.0, 9.0)
"""Beyond these the distribution no longer changes (Poisson above), but lgamma loses its digits."""

UNIT_LIMITS = (0.1, 1.0)
"""Of the standard deviation of a feature's log fraction, beyond which the estimate is not believed."""

START_LOGIT = -2.2
"""One zero in ten is the assay's own at the start."""


def is_count(values: np.ndarray) -> np.ndarray:
    """Return for each value whether it is a whole number that is not negative."""
    return np.isfinite(values) & (values >= 0) & (values == np.round(values))


def plain_log_prob(x: Tensor, log_mu: Tensor, log_theta: Tensor) -> Tensor:
    """Return the log-probability of each count, entry by entry: what `SparseLogProb` must equal.

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


class PoissonCounts(DataDistribution):
    """Poisson with mean μ = exp(log_mu), shape (..., g)."""

    def __init__(self, log_mu: Tensor) -> None:
        self.log_mu = log_mu

    @property
    def mean(self) -> Tensor:
        """Expected count."""
        return self.log_mu.exp()

    @property
    def variance(self) -> Tensor:
        """Variance, the same as the mean."""
        return self.mean

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats, x log μ - μ - log x!, accurate for counts of any size."""
        small = torch.where(x < STIRLING_FROM, x, 0.0)
        exact = small * self.log_mu - self.log_mu.exp() - torch.lgamma(small + 1)
        # With d = log(μ / x) and Stirling's series for x!, no difference of large numbers is left.
        large = torch.where(x < STIRLING_FROM, STIRLING_FROM, x)
        d = self.log_mu - large.log()
        series = -large * (torch.expm1(d) - d) - 0.5 * torch.log(2 * math.pi * large) - 1 / (12 * large)
        return torch.where(x < STIRLING_FROM, exact, series)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one count of each entry."""
        return torch.poisson(self.mean, generator=generator)


class ZeroInflatedCounts(DataDistribution):
    """Zero with probability π = sigmoid(logit), else the counts of another distribution.

    Parameters
    ----------
    counts
        Shape (..., g).
    logit
        Shape (g,).
    """

    def __init__(self, counts: DataDistribution, logit: Tensor) -> None:
        self.counts, self.logit = counts, logit

    @property
    def mean(self) -> Tensor:
        """Expected count, (1 - π) μ."""
        return torch.sigmoid(-self.logit) * self.counts.mean

    @property
    def variance(self) -> Tensor:
        """Variance, (1 - π) (v + π μ²)."""
        inflation = torch.sigmoid(self.logit) * self.counts.mean**2
        return torch.sigmoid(-self.logit) * (self.counts.variance + inflation)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats."""
        counted = functional.logsigmoid(-self.logit) + self.counts.log_prob(x)
        either = torch.logaddexp(functional.logsigmoid(self.logit).expand_as(counted), counted)
        return torch.where(x == 0, either, counted)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one count of each entry."""
        counts = self.counts.sample(generator)
        kept = torch.rand(counts.shape, generator=generator, device=counts.device, dtype=counts.dtype)
        return torch.where(kept < torch.sigmoid(self.logit), 0.0, counts)


class _Composition(CenteredLikelihood):
    """What these likelihoods share: the decoder says how the total of an observation is divided among the features.

    Without a size factor it gives the logarithm of the expected counts themselves. It works in units of each feature:
    of the standard deviation of its log fraction (or count) beyond what counting brings.
    """

    takes_total: ClassVar[bool] = True
    keeps_zeros: ClassVar[bool] = True
    kind: ClassVar[ValueKind] = "counts"
    needs: ClassVar[str] = "counts: whole numbers, zero or more"
    check = staticmethod(is_count)
    typical_library: Tensor

    def __init__(self, n_features: int, *, by_total: bool = True, by_batch: bool = False) -> None:
        super().__init__(n_features, by_total=by_total, by_batch=by_batch)
        self.register_buffer("typical_library", torch.ones(()))

    def _log_mean(self, decoded: Tensor, exposure: Tensor) -> Tensor:
        """Return log(total × softmax(center + unit × decoded)); center + unit × decoded without a size factor."""
        deviation = self.unit * decoded
        if not self.by_total:
            return self.center + deviation.clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
        # NaN: no observation of these data has the modality. Then the typical total of the training data is expected.
        total = torch.where(exposure.isnan(), self.typical_library, exposure)
        return functional.log_softmax(self.center + deviation, dim=-1) + total.log()

    def composition(self) -> Float[Tensor, " g"] | None:
        """Return the composition of an average observation, if the total is the size factor."""
        return self.center.exp() if self.by_total else None

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Scale each observation to the typical total, if that is its size factor, then log(1 + x)."""
        return torch.log1p(values * self._to_typical(exposure))

    def _dispersed(self, decoded: Tensor, log_theta: Tensor) -> tuple[Tensor, Tensor]:
        """Take apart what is decoded: about the mean, and what the batch adds to log θ if dispersions differ by it."""
        if self.by_batch:
            decoded, added = decoded.chunk(2, dim=-1)
            log_theta = log_theta + added
        return decoded, log_theta.clamp(*LOG_THETA_LIMITS)

    def _to_typical(self, exposure: Tensor) -> Tensor:
        return self.typical_library / exposure if self.by_total else torch.ones_like(exposure)

    def _start_at_composition(self, mean: Tensor, sample: ModalityBatch) -> Tensor:
        """Start at the mean composition; a feature without any count at a tenth of the rarest."""
        self.typical_library.copy_(sample.library.median())
        floor = 0.1 * mean[mean > 0].min() if (mean > 0).any() else torch.tensor(1.0, dtype=mean.dtype)
        fraction = mean.clamp(min=float(floor))
        self.center.copy_((fraction / fraction.sum() if self.by_total else fraction).log())
        self.unit.copy_(self._log_deviation(sample))
        return torch.zeros_like(self.center)

    def _log_deviation(self, sample: ModalityBatch) -> Tensor:
        """Estimate the standard deviation of the log of each feature's fraction, from the moments of the fractions."""
        mask = sample.mask.expand_as(sample.filled)
        factor = self._to_typical(sample.exposure)
        counts = torch.where(mask, sample.filled * factor, 0.0)
        n = mask.sum(0).clamp(min=1)
        mean = counts.sum(0) / n
        variance = torch.where(mask, (counts - mean) ** 2, 0.0).sum(0) / n
        return log_deviation(mean, variance, (counts * factor).sum(0) / n)


class Poisson(_Composition):
    """Counts with no more variance than counting brings: x_g ~ Poisson(library × softmax(decoded)_g).

    Notes
    -----
    Section 4 of the method page.

    Examples
    --------
    >>> Poisson(4)(torch.zeros(2, 4), torch.tensor([[100.0], [200.0]])).mean[:, 0].round().tolist()
    [25.0, 50.0]
    """

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> PoissonCounts:
        """Make the distribution of each count."""
        return PoissonCounts(self._log_mean(decoded, exposure))

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean composition."""
        return self._start_at_composition(torch.as_tensor(moments.mean), sample)


class NegativeBinomial(_Composition):
    """Counts with more variance than Poisson: x_g ~ NB(library × softmax(decoded)_g, θ_g).

    Notes
    -----
    Section 4 of the method page. The library is the observation's own total, so that the latent describes composition
    and not depth. The total of a small panel says what the observation is rather than how deeply it was read; without
    it as size factor x_g ~ NB(exp(decoded)_g, θ_g). θ is learned for each feature, or each feature and batch.

    Examples
    --------
    >>> NegativeBinomial(4)(torch.zeros(2, 4), torch.tensor([[100.0], [200.0]])).mean[:, 0].round().tolist()
    [25.0, 50.0]
    """

    takes_dispersion: ClassVar[bool] = True

    def __init__(self, n_features: int, *, by_total: bool = True, by_batch: bool = False) -> None:
        super().__init__(n_features, by_total=by_total, by_batch=by_batch)
        self.log_theta = nn.Parameter(torch.zeros(n_features))

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> NegativeBinomialCounts:
        """Make the distribution of each count."""
        decoded, log_theta = self._dispersed(decoded, self.log_theta)
        return NegativeBinomialCounts(self._log_mean(decoded, exposure), log_theta)

    def score(self, decoded: Float[Tensor, "n g"], modality: ModalityBatch) -> Float[Tensor, " n"]:
        """Sum the log-probabilities of each observation in one pass over the counts, where that can be done."""
        stored = modality.nonzeros
        if self.by_batch or not self.by_total or modality.observed is not None or stored is None:
            return super().score(decoded, modality)
        total = torch.where(modality.present, modality.library, 1.0)
        total = total.clamp(min=torch.finfo(total.dtype).tiny)  # nothing was counted: its gradient is 0, not 0 / 0
        log_theta = self.log_theta.clamp(*LOG_THETA_LIMITS)
        with torch.autocast(decoded.device.type, enabled=False):
            result: Tensor = CompositionLogProb.apply(  # type: ignore[no-untyped-call]
                decoded, log_theta, self.center, self.unit, total, *stored
            )
        return torch.where(modality.present, result, 0.0)

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean composition, and at the θ that fits the mean and variance of each feature."""
        mean, variance = (torch.as_tensor(m) for m in (moments.mean, moments.variance))
        self.log_theta.copy_(fitting_theta(mean, variance).log())
        return self._start_at_composition(mean, sample)


class ZeroInflatedNegativeBinomial(_Composition):
    """Counts with more zeros than the negative binomial has: with probability π_g an entry is 0, whatever its mean.

    Notes
    -----
    Section 4 of the method page. π is learned for each feature, so that a zero is never blamed on the assay in one
    observation and on the cell in another of the same kind. Counts of unique molecules hardly ever need it (Svensson,
    Nature Biotechnology 2020); reads without such identifiers, and fragments over peaks, may.

    Examples
    --------
    >>> p = ZeroInflatedNegativeBinomial(4)(torch.zeros(2, 4), torch.tensor([[100.0], [200.0]]))
    >>> p.mean[:, 0].round().tolist()
    [23.0, 45.0]
    """

    takes_dispersion: ClassVar[bool] = True

    def __init__(self, n_features: int, *, by_total: bool = True, by_batch: bool = False) -> None:
        super().__init__(n_features, by_total=by_total, by_batch=by_batch)
        self.log_theta = nn.Parameter(torch.zeros(n_features))
        self.logit = nn.Parameter(torch.full((n_features,), START_LOGIT))

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> ZeroInflatedCounts:
        """Make the distribution of each count."""
        decoded, log_theta = self._dispersed(decoded, self.log_theta)
        return ZeroInflatedCounts(NegativeBinomialCounts(self._log_mean(decoded, exposure), log_theta), self.logit)

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean composition, at the θ that fits the moments, and with few zeros of the assay's own."""
        mean, variance = (torch.as_tensor(m) for m in (moments.mean, moments.variance))
        self.log_theta.copy_(fitting_theta(mean, variance).log())
        self.logit.fill_(START_LOGIT)
        return self._start_at_composition(mean, sample)


def log_deviation(mean: Tensor, variance: Tensor, counting: Tensor) -> Tensor:
    """Return the standard deviation of log μ with these moments of the counts, `counting` being what chance adds."""
    return ((variance - counting) / mean.square().clamp(min=1e-12)).clamp(min=0).log1p().sqrt().clamp(*UNIT_LIMITS)


def fitting_theta(mean: Tensor, variance: Tensor) -> Tensor:
    """Return the inverse dispersion with these moments, within limits."""
    return (mean**2 / (variance - mean).clamp(min=1e-3)).clamp(0.1, 100.0)
