"""The likelihood of a label, given as indicator columns."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from omixvae.data.masked import ModalityBatch, Moments
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood, ValueKind

__all__ = ["Categorical", "Indicators"]


class Indicators(DataDistribution):
    """One category out of g, as g indicator columns of which one is 1; `log_prob` sums to that of the category."""

    def __init__(self, logits: Tensor) -> None:
        self.log_p = functional.log_softmax(logits, dim=-1)

    @property
    def mean(self) -> Tensor:
        """Probability of each category."""
        return self.log_p.exp()

    @property
    def variance(self) -> Tensor:
        """Variance of each indicator, p (1 - p)."""
        return self.mean * (1 - self.mean)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability of the category, in its own column; 0 in the others."""
        return x * self.log_p

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one category."""
        p = self.mean.reshape(-1, self.log_p.shape[-1])
        drawn = torch.multinomial(p, 1, generator=generator)
        return torch.zeros_like(p).scatter_(1, drawn, 1.0).reshape(self.log_p.shape)


class Categorical(Likelihood):
    """A label as a modality: one of g categories with probabilities softmax(decoded).

    Notes
    -----
    Section 4 of the method page; experiment E2 of the paper uses labels in this way.

    Examples
    --------
    >>> Categorical(4)(torch.zeros(1, 4), torch.ones(1, 1)).mean.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    kind: ClassVar[ValueKind] = "labels"
    needs: ClassVar[str] = "indicator columns of zeros and ones"

    def forward(self, decoded: Float[Tensor, "*n g"], exposure: Float[Tensor, "*n 1"]) -> Indicators:
        """Make the distribution of the label; the exposure plays no part."""
        return Indicators(decoded)

    @staticmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Take zeros and ones."""
        return (values == 0) | (values == 1)

    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n 1"]) -> Float[Tensor, "n g"]:
        """Return the indicators as they are."""
        return values

    @torch.no_grad()
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " g"]:
        """Start at the frequency of each category."""
        return torch.as_tensor(moments.mean).to(sample.values).clamp(min=1e-3).log()
