"""The contract of a likelihood p(x_s | z, w_s), and of the distribution that it makes."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from omixvae.data.masked import ModalityBatch, Moments

__all__ = ["DataDistribution", "Likelihood"]


class DataDistribution(ABC):
    """Independent distributions of the entries of a modality, shape (..., g), in the data's own units."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Expected value of each entry, shape (..., g)."""

    @property
    @abstractmethod
    def variance(self) -> Tensor:
        """Variance of each entry, shape (..., g)."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability or log-density of each entry in nats, shape (..., g)."""

    @abstractmethod
    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one value of each entry, shape (..., g)."""


class Likelihood(nn.Module, ABC):
    """How the values of one modality are distributed, given what the decoder says.

    To add one: subclass this in a file of `omixvae/likelihoods/`, and name it in the table `LIKELIHOODS`.

    Parameters
    ----------
    n_features
        Number of features g of the modality.
    noise
        Known standard deviation of the measurement, where it `takes_noise`; learned when not given.
    """

    needs: ClassVar[str]
    """What values it takes, for messages: "counts: whole numbers, zero or more"."""

    takes_noise: ClassVar[bool] = False

    takes_coverage: ClassVar[bool] = False
    """Whether each value is out of a number of its own, from the option `coverage_layers`. Its buffer
    `typical_coverage`, shape (g,), then says what is expected where nothing was looked at."""

    n_decoded: ClassVar[int] = 1
    """How many numbers r of each feature the decoder gives. The first g of its r g outputs are those that the loadings
    belong to: they say where the mean is."""

    takes_total: ClassVar[bool] = False
    """Whether the total of an observation can be its size factor (option `size_factors`)."""

    keeps_zeros: ClassVar[bool] = False
    """Whether `encoder_input` takes each value by itself, whatever feature it is of, and gives 0 for 0. Then zeros of
    sparse tables are not looked at."""

    takes_dispersion: ClassVar[bool] = False
    """Whether its dispersion can differ between batches (option `dispersion`). Then `decoded` has one more number of
    each feature, from the covariates alone, to be added to the logarithm of the inverse dispersion."""

    def __init__(self, n_features: int, noise: float | None = None) -> None:
        super().__init__()
        self.n_features, self.noise = n_features, noise
        self.by_batch = False
        """Whether the dispersion differs between batches; set by whoever makes the likelihood."""
        self.by_total = self.takes_total
        """Whether the total is the size factor; set by whoever makes the likelihood, before it is initialised."""

    @abstractmethod
    def forward(self, decoded: Float[Tensor, "*n rg"], exposure: Float[Tensor, "*n g_or_1"]) -> DataDistribution:
        """Make the distribution of each entry.

        Parameters
        ----------
        decoded
            What the decoder gives, shape (..., r g), unbounded: `n_decoded` blocks of g numbers.
        exposure
            How much was looked at: the total of each observation, shape (..., 1); or the coverage of each entry, shape
            (..., g), 0 where nothing was (see `takes_coverage`). NaN where no observation of these data has the
            modality.

        Returns
        -------
        DataDistribution
            Shape (..., g).
        """

    def score(self, decoded: Float[Tensor, "n rg"], modality: ModalityBatch) -> Float[Tensor, " n"]:
        """Give the log-probability of what was measured of each observation, in nats; 0 where it lacks the modality.

        Parameters
        ----------
        decoded
            What the decoder gives, shape (n, r g).
        modality
            The values, and what else is known of the observations.

        Returns
        -------
        torch.Tensor
            Shape (n,): summed over the measured entries.
        """
        p: DataDistribution = self(decoded, modality.exposure)
        return modality.only_measured(p.log_prob(modality.filled), 0.0).sum(-1)

    @staticmethod
    @abstractmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Tell for each value whether `log_prob` can take it."""

    @abstractmethod
    def encoder_input(self, values: Float[Tensor, "n g"], exposure: Float[Tensor, "n g_or_1"]) -> Float[Tensor, "n g"]:
        """Bring values into a range that a network likes, about centred and of unit size."""

    @abstractmethod
    def initialise(self, moments: Moments, sample: ModalityBatch) -> Float[Tensor, " rg"]:
        """Start the own parameters from the data, and say where the decoder should start.

        Parameters
        ----------
        moments
            Mean and variance of each feature over all measured entries.
        sample
            Some observations.

        Returns
        -------
        torch.Tensor
            Shape (r g,): the `decoded` of an average observation.
        """
