"""The likelihood of surface proteins counted by antibodies: a background that every cell has, and a foreground."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.counts import LOG_THETA_LIMITS, NegativeBinomialCounts, fitting_theta, is_count, log_deviation
from omixvae.likelihoods.likelihood import CenteredLikelihood, DataDistribution, ValueKind

__all__ = ["ProteinMixture", "TwoComponents"]

ROUNDS = 30
"""Of two-means in one dimension; it has settled long before."""

SMALLEST_COUNT = 0.1
"""Mean background of a protein whose lower cells have no count at all."""

SMALLEST_RATIO = 1.1
"""Of foreground to background at the start, where one value is all that was counted."""


class TwoComponents(DataDistribution):
    """Counts of the foreground with probability π = sigmoid(logit), else of the background.

    Parameters
    ----------
    foreground, background
        Shape (..., g).
    logit
        Shape (..., g).
    """

    def __init__(self, foreground: DataDistribution, background: DataDistribution, logit: Tensor) -> None:
        self.foreground, self.background, self.logit = foreground, background, logit

    @property
    def mean(self) -> Tensor:
        """Expected count, π μ₁ + (1 - π) μ₀."""
        return torch.lerp(self.background.mean, self.foreground.mean, torch.sigmoid(self.logit))

    @property
    def variance(self) -> Tensor:
        """Variance, π v₁ + (1 - π) v₀ + π (1 - π) (μ₁ - μ₀)²."""
        pi, rest = torch.sigmoid(self.logit), torch.sigmoid(-self.logit)
        within = torch.lerp(self.background.variance, self.foreground.variance, pi)
        return within + pi * rest * (self.foreground.mean - self.background.mean) ** 2

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats."""
        foreground = functional.logsigmoid(self.logit) + self.foreground.log_prob(x)
        return torch.logaddexp(foreground, functional.logsigmoid(-self.logit) + self.background.log_prob(x))

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one count of each entry."""
        chosen = torch.bernoulli(torch.sigmoid(self.logit), generator=generator).bool()
        return torch.where(chosen, self.foreground.sample(generator), self.background.sample(generator))


class ProteinMixture(CenteredLikelihood):
    """Surface proteins: x_g ~ π_g NB(β_g α_g, θ₁_g) + (1 - π_g) NB(β_g, θ₀_g), with α_g > 1.

    Antibodies that stick to nothing in particular are counted in every cell, so that a protein has a background β that
    says nothing about the cell. Above it stand the cells that carry the protein.

    Notes
    -----
    Section 4 of the method page; Gayoso et al., Nature Methods 2021 (totalVI). The decoder gives two numbers of each
    feature: first the foreground, log α = softplus(center + unit × decoded), then the logit of π. There is no library
    size: the total of a few dozen proteins says which of them a cell carries rather than how deeply it was read. Other
    than in totalVI β is one number per protein, not a latent of each cell, and so the background has a dispersion of
    its own.

    Examples
    --------
    >>> ProteinMixture(3)(torch.zeros(2, 6), torch.ones(2, 1)).mean.shape
    torch.Size([2, 3])
    """

    kind: ClassVar[ValueKind] = "counts"
    needs: ClassVar[str] = "counts: whole numbers, zero or more"
    check = staticmethod(is_count)
    n_decoded: ClassVar[int] = 2

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.log_background = nn.Parameter(torch.zeros(n_features))
        self.log_theta = nn.Parameter(torch.zeros(2, n_features))

    def forward(self, decoded: Float[Tensor, "*n two_g"], exposure: Float[Tensor, "*n 1"]) -> TwoComponents:
        """Make the distribution of each count; the exposure plays no part."""
        above, logit = decoded.chunk(2, dim=-1)
        background = self.log_background.expand_as(above)
        foreground = background + functional.softplus(self.center + self.unit * above)
        theta_0, theta_1 = self.log_theta.clamp(*LOG_THETA_LIMITS)
        return TwoComponents(
            NegativeBinomialCounts(foreground, theta_1), NegativeBinomialCounts(background, theta_0), logit
        )

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Take log(1 + x)."""
        return torch.log1p(values)

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " two_g"]:
        """Start at two groups of each feature's logged counts: their means, dispersions and sizes."""
        x, mask = sample.filled, sample.mask.expand_as(sample.filled)
        upper = _upper_group(torch.log1p(x), mask)
        (mean_0, variance_0, n_0), (mean_1, variance_1, n_1) = (_moments(x, part) for part in (mask & ~upper, upper))
        mean_0 = mean_0.clamp(min=SMALLEST_COUNT)
        ratio = (mean_1 / mean_0).clamp(min=SMALLEST_RATIO)
        # What softplus makes log α of: the inverse of log(1 + eᵗ) at log α is log(α - 1).
        self.center.copy_((ratio - 1).log())
        self.unit.copy_(log_deviation(mean_1, variance_1, mean_1))
        self.log_background.copy_(mean_0.log())
        self.log_theta.copy_(torch.stack([fitting_theta(mean_0, variance_0), fitting_theta(mean_1, variance_1)]).log())
        return torch.cat([torch.zeros_like(self.center), ((n_1 + 0.5) / (n_0 + 0.5)).log()])


def _upper_group(y: Float[Tensor, "n g"], mask: Bool[Tensor, "n g"]) -> Bool[Tensor, "n g"]:
    """Cut each feature in two by k-means: at the middle between the means of both sides."""
    low, high = torch.where(mask, y, torch.inf).amin(0), torch.where(mask, y, -torch.inf).amax(0)
    for _ in range(ROUNDS):
        upper = mask & (y > (low + high) / 2)
        low = _moments(y, mask & ~upper)[0]
        high = torch.maximum(low, _moments(y, upper)[0])  # nothing is above where all values are the same
    return upper


def _moments(x: Float[Tensor, "n g"], mask: Bool[Tensor, "n g"]) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and number of each feature's values within a mask; 0 where there is none."""
    n = mask.sum(0)
    mean = torch.where(mask, x, 0.0).sum(0) / n.clamp(min=1)
    return mean, torch.where(mask, (x - mean) ** 2, 0.0).sum(0) / n.clamp(min=1), n
