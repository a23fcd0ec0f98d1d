"""Likelihoods of values between zero and one: Bernoulli."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood

__all__ = ["Bernoulli", "BernoulliTrials"]


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


class Bernoulli(Likelihood):
    """Zeros and ones (open chromatin, mutations, methylation of a site): x_g ~ Bernoulli(sigmoid(decoded_g)).

    Notes
    -----
    Section 4 of the method page.

    Examples
    --------
    >>> Bernoulli(3)(torch.zeros(1, 3), torch.ones(1)).mean.tolist()
    [[0.5, 0.5, 0.5]]
    """

    needs: ClassVar[str] = "zeros and ones"
    center: Tensor

    def __init__(self, n_features: int, noise: float | None = None) -> None:
        super().__init__(n_features, noise)
        self.register_buffer("center", torch.zeros(n_features))

    def forward(self, decoded: Float[Tensor, "*n g"], library: Float[Tensor, "*n"]) -> BernoulliTrials:
        """Make the distribution of each entry; the library size plays no part."""
        return BernoulliTrials(decoded)

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take zeros and ones."""
        return (values == 0) | (values == 1)

    def encoder_input(self, values: Float[Tensor, "n g"], library: Float[Tensor, " n"]) -> Float[Tensor, "n g"]:
        """Centre each feature."""
        return values - self.center

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the frequency of each feature."""
        frequency = torch.as_tensor(moments.mean).to(self.center)
        self.center.copy_(frequency)
        return torch.logit(frequency.clamp(1e-4, 1 - 1e-4))
