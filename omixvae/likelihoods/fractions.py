"""Likelihoods of fractions: Bernoulli, beta, and binomial for counts out of a coverage."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.counts import is_count
from omixvae.likelihoods.likelihood import CenteredLikelihood, DataDistribution, Likelihood, ValueKind
from omixvae.likelihoods.one_pass import TrialsLogProb
from omixvae.likelihoods.ratios import log_binomial_ratio

__all__ = ["Bernoulli", "BernoulliTrials", "Beta", "BetaFractions", "Binomial", "BinomialCounts"]

EDGE = 1e-4
"""Where an exact 0 or 1 is put: there the density itself is zero or infinite."""


class BernoulliTrials(DataDistribution):
    """Independent yes-or-no values with log-odds `logits`."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    @property
    def mean(self) -> Tensor:
        """Probability of a one."""
        return torch.sigmoid(self.logits)

    @property
    def variance(self) -> Tensor:
        """Variance, p (1 - p)."""
        return self.mean * torch.sigmoid(-self.logits)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats."""
        return -functional.binary_cross_entropy_with_logits(self.logits, x.expand_as(self.logits), reduction="none")

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw zeros and ones."""
        return torch.bernoulli(self.mean, generator=generator)


class BetaFractions(DataDistribution):
    """Beta distributions with mean m = sigmoid(logits) and a concentration c: Beta(m c, (1 - m) c).

    Parameters
    ----------
    logits
        Shape (..., g).
    concentration
        Shape (g,).
    """

    def __init__(self, logits: Tensor, concentration: Tensor) -> None:
        self.logits, self.concentration = logits, concentration

    @property
    def mean(self) -> Tensor:
        """Expected value."""
        return torch.sigmoid(self.logits)

    @property
    def variance(self) -> Tensor:
        """Variance, m (1 - m) / (1 + c)."""
        return self.mean * torch.sigmoid(-self.logits) / (1 + self.concentration)

    def _parameters(self) -> tuple[Tensor, Tensor]:
        """Return α and β, large enough for lgamma."""
        sides = (torch.sigmoid(side * self.logits) * self.concentration for side in (1, -1))
        alpha, beta = (side.clamp(min=1e-6) for side in sides)
        return alpha, beta

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats; an exact 0 or 1 counts as 0.0001 away from it."""
        alpha, beta = self._parameters()
        x = torch.where(x <= 0, EDGE, torch.where(x >= 1, 1 - EDGE, x))
        norm = torch.lgamma(alpha + beta) - torch.lgamma(alpha) - torch.lgamma(beta)
        return norm + (alpha - 1) * x.log() + (beta - 1) * torch.log1p(-x)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one fraction of each entry: the part that one gamma variable is of two."""
        one, other = (torch._standard_gamma(of, generator=generator) for of in self._parameters())
        smallest = torch.finfo(one.dtype).tiny
        return one.clamp(min=smallest) / (one.clamp(min=smallest) + other.clamp(min=smallest))


class BinomialCounts(DataDistribution):
    """Successes among independent trials with log-odds `logits`.

    Parameters
    ----------
    trials
        Shape (..., g), whole numbers.
    logits
        Shape (..., g).
    """

    def __init__(self, trials: Tensor, logits: Tensor) -> None:
        self.trials, self.logits = trials, logits

    @property
    def mean(self) -> Tensor:
        """Expected count, N p."""
        return self.trials * torch.sigmoid(self.logits)

    @property
    def variance(self) -> Tensor:
        """Variance, N p (1 - p)."""
        return self.mean * torch.sigmoid(-self.logits)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability in nats; minus infinity above the number of trials."""
        rest = self.trials - x
        # The larger side first: its Γ functions are those whose ratio keeps its digits.
        ways = log_binomial_ratio(torch.maximum(x, rest), torch.minimum(x, rest) + 1)
        return ways - x * functional.softplus(-self.logits) - rest * functional.softplus(self.logits)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one count of each entry."""
        return torch.binomial(self.trials.expand_as(self.logits), torch.sigmoid(self.logits), generator=generator)


class Bernoulli(Likelihood):
    """Zeros and ones (open chromatin, mutations, methylation of a site): x_g ~ Bernoulli(sigmoid(decoded_g)).

    Notes
    -----
    Section 4 of the method page.

    Examples
    --------
    >>> Bernoulli(3)(torch.zeros(1, 3), torch.ones(1, 1)).mean.tolist()
    [[0.5, 0.5, 0.5]]
    """

    kind: ClassVar[ValueKind] = "binary"
    needs: ClassVar[str] = "zeros and ones"
    keeps_zeros: ClassVar[bool] = True

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> BernoulliTrials:
        """Make the distribution of each entry; the exposure plays no part."""
        return BernoulliTrials(decoded)

    def score(self, decoded: Float[Tensor, "n g"], modality: ModalityBatch) -> Float[Tensor, " n"]:
        """Sum the log-probabilities of each observation in one pass over the values, where that can be done."""
        stored = modality.nonzeros
        if modality.observed is not None or stored is None:
            return super().score(decoded, modality)
        result: Tensor = TrialsLogProb.apply(decoded, *stored)  # type: ignore[no-untyped-call]
        return torch.where(modality.present, result, 0.0)

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take zeros and ones."""
        return (values == 0) | (values == 1)

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Take them as they are."""
        return values

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the frequency of each feature."""
        frequency = torch.as_tensor(moments.mean).to(sample.values)
        return torch.logit(frequency.clamp(1e-4, 1 - 1e-4))


class Beta(CenteredLikelihood):
    """Fractions (methylation of a CpG site, inclusion of an exon): x_g ~ Beta with mean sigmoid(decoded_g).

    Notes
    -----
    Section 4 of the method page. The concentration is learned for each feature, above 2, so that no density has two
    peaks: a feature that is nearly 0 in some observations and nearly 1 in others is for the latents to explain. The
    density is that of an open interval: where many values are exactly 0 or 1, because few reads stand behind them,
    counts tell more than their fractions.

    Examples
    --------
    >>> Beta(3)(torch.zeros(1, 3), torch.ones(1, 1)).mean.tolist()
    [[0.5, 0.5, 0.5]]
    """

    kind: ClassVar[ValueKind] = "fractions"
    needs: ClassVar[str] = "fractions from 0 to 1"

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.log_excess = nn.Parameter(torch.zeros(n_features))

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> BetaFractions:
        """Make the distribution of each entry; the exposure plays no part."""
        return BetaFractions(decoded, 2 + self.log_excess.clamp(max=9.0).exp())

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take numbers from zero to one."""
        return (values >= 0) & (values <= 1)

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Standardise each feature."""
        return (values - self.center) / self.unit

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the mean and the concentration that fit the moments of each feature."""
        mean, variance = (torch.as_tensor(m).to(self.center) for m in (moments.mean, moments.variance))
        self.center.copy_(mean)
        self.unit.copy_(torch.where(variance > 1e-12, variance, 1.0).sqrt())
        mean = mean.clamp(EDGE, 1 - EDGE)
        excess = mean * (1 - mean) / variance.clamp(min=1e-6) - 3
        self.log_excess.copy_(excess.clamp(0.1, 1000.0).log())
        return torch.logit(mean)


class Binomial(Likelihood):
    """Counts out of a coverage (methylated reads, reads of one allele): x_g ~ Binomial(coverage_g, sigmoid(decoded_g)).

    Notes
    -----
    Section 4 of the method page. One read of one says less than ten of ten: unlike `Beta` this takes it into account.
    An entry that nothing covers is missing; it is predicted at the median coverage of its feature in the training data,
    so that it can stand beside measured counts.

    Examples
    --------
    >>> Binomial(3)(torch.zeros(1, 3), torch.tensor([[2.0, 8.0, 20.0]])).mean.tolist()
    [[1.0, 4.0, 10.0]]
    """

    kind: ClassVar[ValueKind] = "covered_counts"
    needs: ClassVar[str] = "counts out of a coverage: whole numbers, zero or more"
    takes_coverage: ClassVar[bool] = True
    typical_coverage: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features)
        self.register_buffer("typical_coverage", torch.ones(n_features))

    def _trials(self, exposure: Tensor) -> Tensor:
        return torch.where(exposure > 0, exposure, self.typical_coverage)

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n g"]) -> BinomialCounts:
        """Make the distribution of each count."""
        return BinomialCounts(self._trials(exposure), decoded)

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take whole numbers that are not negative; that none is above its coverage is seen to where data are read."""
        return is_count(values)

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n g"]) -> Float[Tensor, "n g"]:
        """Take log-odds with half a read added to both sides: the fewer reads, the closer to zero."""
        return torch.log((values + 0.5) / (self._trials(exposure) - values + 0.5))

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the fraction of each feature's reads, all observations together."""
        coverage = torch.where(sample.mask, sample.exposure, torch.nan)
        self.typical_coverage.copy_(coverage.nanmedian(dim=0).values.nan_to_num(1.0))
        counted = sample.filled.sum(0)
        return torch.log((counted + 0.5) / (coverage.nansum(0) - counted + 0.5))
