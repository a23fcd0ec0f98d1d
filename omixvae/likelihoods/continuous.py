"""Likelihoods of continuous values: Gaussian, Student's t, Laplace, and Gaussian after log(1 + x)."""

import math
from typing import ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.likelihood import CenteredLikelihood, DataDistribution, ValueKind

__all__ = [
    "DoubleExponential",
    "Gaussian",
    "Laplace",
    "LogNormal",
    "Normal",
    "ShiftedLogNormal",
    "StudentT",
    "StudentsT",
]

SMALLEST_SCALE = 0.05
"""Lower limit of a feature's noise, in units of its standard deviation: a feature that a small cohort fits exactly
would otherwise drive its density, and the bound, to infinity."""


class _Symmetric(DataDistribution):
    """What lies around its mean `loc`, shape (..., g), with standard deviation `scale`, shape (g,)."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale

    @property
    def mean(self) -> Tensor:
        """Expected value."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Variance."""
        return (self.scale**2).expand_as(self.loc)


class Normal(_Symmetric):
    """Independent Gaussians with density N(x | loc, scale²)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats."""
        return -0.5 * ((x - self.loc) / self.scale) ** 2 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value of each entry."""
        noise = torch.randn(self.loc.shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        return self.loc + self.scale * noise


class DoubleExponential(_Symmetric):
    """Independent Laplace distributions with density exp(-|x - loc| / b) / 2b; `scale` = b √2 is the deviation."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats."""
        b = self.scale / math.sqrt(2)
        return -(x - self.loc).abs() / b - torch.log(2 * b)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value of each entry: the difference of two exponentials."""
        u = torch.rand((2, *self.loc.shape), generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        first, second = -torch.log1p(-u)
        return self.loc + self.scale / math.sqrt(2) * (first - second)


class StudentsT(_Symmetric):
    """Independent t distributions around loc with standard deviation `scale` and `dof` > 2 degrees of freedom."""

    def __init__(self, loc: Tensor, scale: Tensor, dof: Tensor) -> None:
        super().__init__(loc, scale)
        self.dof = dof

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats."""
        half = 0.5 * self.dof
        # u is x in units of the t's own scale, which is smaller than its standard deviation, squared and divided by ν.
        u = ((x - self.loc) / self.scale) ** 2 / (self.dof - 2)
        norm = torch.lgamma(half + 0.5) - torch.lgamma(half) - 0.5 * torch.log(math.pi * (self.dof - 2))
        return norm - self.scale.log() - (half + 0.5) * torch.log1p(u)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value of each entry: a Gaussian whose precision is gamma-distributed."""
        noise = torch.randn(self.loc.shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        half = (0.5 * self.dof).expand_as(self.loc)
        precision = torch._standard_gamma(half.contiguous(), generator=generator) / (0.5 * (self.dof - 2))
        return self.loc + self.scale * noise * precision.rsqrt()


class ShiftedLogNormal(DataDistribution):
    """Values with log(1 + x) ~ N(loc, scale²), x > -1."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.log1p = Normal(loc, scale)

    @property
    def mean(self) -> Tensor:
        """Expected value, exp(loc + scale²/2) - 1."""
        return torch.expm1(self.log1p.loc + 0.5 * self.log1p.variance)

    @property
    def variance(self) -> Tensor:
        """Variance, (exp(scale²) - 1) exp(2 loc + scale²)."""
        variance = self.log1p.variance
        return torch.expm1(variance) * torch.exp(2 * self.log1p.loc + variance)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats, with the Jacobian of log(1 + x)."""
        y = torch.log1p(x)
        return self.log1p.log_prob(y) - y

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value of each entry."""
        return torch.expm1(self.log1p.sample(generator))


class _Standardised(CenteredLikelihood):
    """What these likelihoods share: the decoder works in standard units of each feature, the noise is known or learned.

    A known noise is in the data's units (of log(1 + x) for `LogNormal`).
    """

    takes_noise: ClassVar[bool] = True

    def __init__(self, n_features: int, noise: float | None = None) -> None:
        super().__init__(n_features)
        self.noise = noise
        self.log_scale = nn.Parameter(torch.zeros(n_features)) if noise is None else None

    def _location_and_scale(self, decoded: Tensor) -> tuple[Tensor, Tensor]:
        if self.log_scale is None:
            scale = torch.full_like(self.unit, cast("float", self.noise))
        else:
            scale = self.unit * (SMALLEST_SCALE + (1 - SMALLEST_SCALE) * self.log_scale.exp())
        return self.center + self.unit * decoded, scale

    def _start(self, mean: Tensor, variance: Tensor) -> Tensor:
        self.center.copy_(mean)
        # A feature that never varies has no unit of its own; 1 leaves it as it is.
        self.unit.copy_(torch.where(variance > 1e-12 * (1 + mean**2), variance, 1.0).sqrt())
        return torch.zeros_like(self.center)


class _Unbounded(_Standardised):
    """What those of any numbers share."""

    needs: ClassVar[str] = "any finite numbers"

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take any finite number."""
        return np.isfinite(values)

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean and standard deviation of each feature."""
        return self._start(*(torch.as_tensor(m).to(self.center) for m in (moments.mean, moments.variance)))


class Gaussian(_Unbounded):
    """Continuous values: x_g ~ N(μ_g, σ_g²), the noise σ_g learned for each feature.

    Notes
    -----
    Section 4 of the method page. The decoder gives μ in units of the feature's standard deviation around its mean.

    Examples
    --------
    >>> Gaussian(3)(torch.zeros(2, 3), torch.ones(2, 1)).mean.shape
    torch.Size([2, 3])
    """

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> Normal:
        """Make the distribution of each entry; the exposure plays no part."""
        return Normal(*self._location_and_scale(decoded))

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Standardise each feature."""
        return (values - self.center) / self.unit


class Laplace(_Unbounded):
    """Continuous values with heavier tails: x_g ~ Laplace(μ_g, b_g), the noise learned for each feature.

    Notes
    -----
    Section 4 of the method page; the paper's likelihood of images.

    Examples
    --------
    >>> Laplace(3)(torch.zeros(2, 3), torch.ones(2, 1)).mean.shape
    torch.Size([2, 3])
    """

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> DoubleExponential:
        """Make the distribution of each entry; the exposure plays no part."""
        return DoubleExponential(*self._location_and_scale(decoded))

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Standardise each feature."""
        return (values - self.center) / self.unit


class StudentT(_Unbounded):
    """Continuous values with outliers: Student's t around μ_g, its deviation and degrees of freedom learned.

    Notes
    -----
    Section 4 of the method page. The degrees of freedom are one number for the modality, above 2 so that the standard
    deviation σ_g exists: 10 at the start, and many where there are no outliers.

    Examples
    --------
    >>> StudentT(3)(torch.zeros(2, 3), torch.ones(2, 1)).mean.shape
    torch.Size([2, 3])
    """

    def __init__(self, n_features: int, noise: float | None = None) -> None:
        super().__init__(n_features, noise)
        self.log_dof = nn.Parameter(torch.zeros(()))

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> StudentsT:
        """Make the distribution of each entry; the exposure plays no part."""
        return StudentsT(*self._location_and_scale(decoded), 2 + 8 * self.log_dof.clamp(max=6.0).exp())

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Standardise each feature, and pull outliers in."""
        return torch.asinh((values - self.center) / self.unit)


class LogNormal(_Standardised):
    """Positive values over orders of magnitude (RSEM, TPM, intensities): log(1 + x_g) ~ N(μ_g, σ_g²).

    Notes
    -----
    A Gaussian on the log scale, as a density of x itself: its likelihood can be compared with those of the others, and
    imputed values come back in the data's own units.

    Examples
    --------
    >>> LogNormal(3)(torch.zeros(2, 3), torch.ones(2, 1)).log_prob(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    kind: ClassVar[ValueKind] = "amounts"
    needs: ClassVar[str] = "numbers not below zero"

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> ShiftedLogNormal:
        """Make the distribution of each entry; the exposure plays no part."""
        return ShiftedLogNormal(*self._location_and_scale(decoded))

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take finite numbers that are not negative."""
        return np.isfinite(values) & (values >= 0)

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Standardise log(1 + x) of each feature."""
        return (torch.log1p(values) - self.center) / self.unit

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean and standard deviation of log(1 + x) in the sample."""
        mask = sample.mask.expand_as(sample.filled)
        y = torch.log1p(sample.filled)
        n = mask.sum(0).clamp(min=1)
        mean = torch.where(mask, y, 0.0).sum(0) / n
        variance = torch.where(mask, (y - mean) ** 2, 0.0).sum(0) / n
        return self._start(mean, variance)
