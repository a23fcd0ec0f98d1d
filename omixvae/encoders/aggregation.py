"""The contract of an aggregation: the features {h_s : s ∈ S} → a belief q(z | x_S)."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from omixvae.distributions import DiagonalGaussian, LatentDistribution

__all__ = ["SMALLEST_SCALE", "Aggregation", "gaussian_from"]

SMALLEST_SCALE = 1e-3
"""Lower limit of an encoder's standard deviation: keeps densities finite (the paper's value)."""


class Aggregation(nn.Module, ABC):
    """Put the features of any set of modalities together, whatever their order.

    To add one: subclass this in a file of `omixvae/encoders/`, and name it in the table `AGGREGATIONS`. The empty set
    is taken care of outside: there q(z | x_∅) = p(z).

    Parameters
    ----------
    n_features
        Size e of the features h_s.
    n_latent
        Dimensions d of z.
    hidden_size
        Width of the hidden layers.
    """

    def __init__(self, n_features: int, n_latent: int, hidden_size: int) -> None:
        super().__init__()
        self.n_features, self.n_latent, self.hidden_size = n_features, n_latent, hidden_size

    @abstractmethod
    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> LatentDistribution:
        """Give the belief about z from the present modalities.

        Parameters
        ----------
        h
            Features of each modality; whatever stands for an absent one is not used.
        present
            True for the modalities of S. A row without any may give any finite belief.

        Returns
        -------
        LatentDistribution
            Shape (n, d).
        """


def gaussian_from(parameters: Float[Tensor, "*n d2"]) -> DiagonalGaussian:
    """Read mean and scale from a network's output: [μ, log σ], with σ bounded from below.

    Parameters
    ----------
    parameters
        Shape (..., 2 d).

    Returns
    -------
    DiagonalGaussian
        Shape (..., d).
    """
    mean, log_scale = parameters.chunk(2, dim=-1)
    return DiagonalGaussian(mean, SMALLEST_SCALE + torch.exp(log_scale.clamp(max=5.0)))
