"""The contract of a likelihood p(x_s | z, w_s), and of the distribution that it makes."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from omixvae.data.masked import ModalityBatch, Moments

__all__ = ["CenteredLikelihood", "DataDistribution", "Likelihood", "ValueKind"]

ValueKind: TypeAlias = Literal["counts", "covered_counts", "amounts", "continuous", "fractions", "binary", "labels"]
"""What values are: counts; counts out of a coverage; amounts, zero or more; any numbers; fractions from 0 to 1; zeros
and ones; indicator columns of one label."""


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

    To add one: subclass this in a file of `omixvae/likelihoods/`, and name it in the table `LIKELIHOODS`. One of your
    own is given to `omixvae.fit` as ``likelihoods={"rna": MyLikelihood}``, or as an instance. A class is made with the
    number of features and, by name, what its class variables say that it takes: `noise`, `by_total`, `by_batch`.
    Nothing is set from outside afterwards.

    Parameters
    ----------
    n_features
        Number of features g of the modality.
    by_total
        Whether the total of an observation is its size factor.
    by_batch
        Whether the dispersion differs between batches.
    """

    needs: ClassVar[str]
    """What values it takes, for messages: "counts: whole numbers, zero or more"."""

    kind: ClassVar[ValueKind] = "continuous"
    """What kind of values these are."""

    takes_noise: ClassVar[bool] = False
    """Whether the standard deviation of the measurement can be known (option `noise`): it is made with ``noise=``, a
    number, or None where it is to be learned."""

    takes_coverage: ClassVar[bool] = False
    """Whether each value is out of a number of its own, from the option `coverage_layers`. Its buffer
    `typical_coverage`, shape (g,), then says what is expected where nothing was looked at."""

    n_decoded: ClassVar[int] = 1
    """How many numbers r of each feature the decoder gives. The first g of its r g outputs are those that the loadings
    belong to: they say where the mean is."""

    takes_total: ClassVar[bool] = False
    """Whether the total of an observation can be its size factor (option `size_factors`): it is made with
    ``by_total=``."""

    keeps_zeros: ClassVar[bool] = False
    """Whether `encoder_input` takes each value by itself, whatever feature it is of, and gives 0 for 0. Then zeros of
    sparse tables are not looked at."""

    takes_dispersion: ClassVar[bool] = False
    """Whether its dispersion can differ between batches (option `dispersion`): it is made with ``by_batch=``. If true,
    `decoded` has one more number of each feature, from the covariates alone, to be added to the logarithm of the
    inverse dispersion."""

    def __init__(self, n_features: int, *, by_total: bool = False, by_batch: bool = False) -> None:
        super().__init__()
        self.n_features, self.by_total, self.by_batch = n_features, by_total, by_batch

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
        """Return the log-probability of what was measured of each observation, in nats; 0 where it lacks the modality.

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

    def composition(self) -> Float[Tensor, " g"] | None:
        """Return what part of the total of an average observation each feature makes up; None where it plays no part.

        With it the totals of new data that lack some features are estimated; override it if `by_total` may be true.
        """
        return None

    @staticmethod
    @abstractmethod
    def check(values: np.ndarray) -> np.ndarray:
        """Return for each value whether `log_prob` can take it."""

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


class CenteredLikelihood(Likelihood):
    """What those likelihoods share that know the center and the unit of each feature, both found when they start."""

    center: Tensor
    unit: Tensor

    def __init__(self, n_features: int, *, by_total: bool = False, by_batch: bool = False) -> None:
        super().__init__(n_features, by_total=by_total, by_batch=by_batch)
        self.register_buffer("center", torch.zeros(n_features))
        self.register_buffer("unit", torch.ones(n_features))
