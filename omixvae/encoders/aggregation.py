"""The contracts: features {h_s : s ∈ S} → a belief q(z | x_S), and → beliefs q(w_s | z, x_S)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from omixvae.distributions import DiagonalGaussian, GaussianMixture, LatentDistribution

__all__ = ["SMALLEST_SCALE", "Aggregation", "Head", "PrivateEncoder", "Variant", "gaussian_from", "mixture_from"]

SMALLEST_SCALE = 1e-3
"""Lower limit of an encoder's standard deviation: keeps densities finite (the paper's value)."""

LARGEST_LOG_SCALE = 5.0

COMPONENT_SPREAD = 0.1
"""How far the components of a belief are apart at the start, as a part of what a network's output would make it."""


class PrivateEncoder(nn.Module, ABC):
    """Beliefs about the private latents of all modalities at once, given the shared one.

    To add one: subclass this in `omixvae/encoders/private.py`, and name it in the aggregations that it goes with.

    Parameters
    ----------
    n_features
        Size e of the features h_s.
    n_latent
        Dimensions d of the shared z.
    n_private
        Dimensions of each modality's own w_s. The encoder works with the largest; a modality that has fewer keeps the
        prior N(0, 1) in the rest, which then costs nothing.
    hidden_size
        Width of the hidden layers.
    """

    used: Tensor

    def __init__(self, n_features: int, n_latent: int, n_private: Sequence[int], hidden_size: int) -> None:
        super().__init__()
        used = torch.arange(max(n_private)) < torch.tensor(list(n_private)).unsqueeze(-1)
        self.register_buffer("used", used, persistent=False)

    def forward(
        self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"], z: Float[Tensor, "n d"]
    ) -> DiagonalGaussian:
        """Return the beliefs about w, shape (n, m, p); the prior where a modality is absent (Eq. A10).

        Parameters
        ----------
        g
            From `embed`; whatever stands for an absent modality is not used.
        present
            True for the modalities of S.
        z
            A point of the shared latent for each observation.

        Returns
        -------
        DiagonalGaussian
            Shape (n, m, p).
        """
        q = gaussian_from(self._combine(g, present, z))
        known = present.unsqueeze(-1) & self.used
        return DiagonalGaussian(torch.where(known, q.loc, 0.0), torch.where(known, q.scale, 1.0))

    @abstractmethod
    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Do what concerns each modality by itself, whatever S and z are: the same for all of an observation.

        Parameters
        ----------
        h
            Features of each modality; finite, also where it is absent.

        Returns
        -------
        torch.Tensor
            Shape (n, m, any size).
        """

    @abstractmethod
    def _combine(self, g: Tensor, present: Tensor, z: Tensor) -> Tensor:
        """Return [μ_s, log σ_s], shape (n, m, 2 p); whatever is said of an absent modality is not used."""


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
    n_components
        Components of the belief, where it is a mixture of a given size; the others ignore it.
    """

    private_encoder: ClassVar[type[PrivateEncoder]]
    """What encodes private latents beside it."""

    most_modalities: ClassVar[int | None] = None
    """Most modalities that it can take."""

    def __init__(self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1) -> None:
        super().__init__()
        self.n_features, self.n_latent, self.hidden_size = n_features, n_latent, hidden_size
        self.n_components = n_components

    def forward(self, h: Float[Tensor, "n m e"], present: Bool[Tensor, "n m"]) -> LatentDistribution:
        """Return the belief about z from the present modalities.

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
        return self.combine(self.embed(torch.where(present.unsqueeze(-1), h, 0.0)), present)

    @abstractmethod
    def embed(self, h: Float[Tensor, "n m e"]) -> Float[Tensor, "n m c"]:
        """Do what concerns each modality by itself, whatever S is: the same for all sets of an observation.

        Parameters
        ----------
        h
            Features of each modality; finite, also where it is absent.

        Returns
        -------
        torch.Tensor
            Shape (n, m, any size).
        """

    @abstractmethod
    def combine(self, g: Float[Tensor, "n m c"], present: Bool[Tensor, "n m"]) -> LatentDistribution:
        """Put together what `embed` gave for the present modalities.

        Parameters
        ----------
        g
            From `embed`; whatever stands for an absent modality is not used.
        present
            True for the modalities of S.

        Returns
        -------
        LatentDistribution
            Shape (n, d).
        """


class Variant(NamedTuple):
    """What a word stands for: an aggregation, and how it differs from the plain one.

    Parameters
    ----------
    aggregation
        The class.
    settings
        Its arguments beside the sizes.
    """

    aggregation: type[Aggregation]
    settings: Mapping[str, bool] = MappingProxyType({})

    def __call__(self, n_features: int, n_latent: int, hidden_size: int, n_components: int = 1) -> Aggregation:
        """Make it."""
        return self.aggregation(n_features, n_latent, hidden_size, n_components, **self.settings)

    @property
    def most_modalities(self) -> int | None:
        """Most modalities that it can take."""
        return self.aggregation.most_modalities


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
    mean, log_scale = _full_precision(parameters).chunk(2, dim=-1)
    return DiagonalGaussian(mean, SMALLEST_SCALE + torch.exp(log_scale.clamp(max=LARGEST_LOG_SCALE)))


@dataclass(frozen=True)
class Head:
    """How the output of a network is read as a belief: one Gaussian, or a mixture of them.

    Parameters
    ----------
    n_latent
        Dimensions d of z.
    n_components
        Components k of a mixture; None for one Gaussian.

    Examples
    --------
    >>> Head(2).size, Head(2, n_components=3).size
    (4, 15)
    """

    n_latent: int
    n_components: int | None = None

    @property
    def size(self) -> int:
        """How many numbers are read: [μ, log σ], for a mixture of each component, and a logit."""
        return 2 * self.n_latent if self.n_components is None else self.n_components * (1 + 2 * self.n_latent)

    def __call__(self, parameters: Float[Tensor, "*n size"]) -> DiagonalGaussian | GaussianMixture:
        """Return the belief, shape (..., d)."""
        return gaussian_from(parameters) if self.n_components is None else mixture_from(parameters, self.n_components)


def mixture_from(parameters: Float[Tensor, "*n k_1_plus_2d"], n_components: int) -> GaussianMixture:
    """Read a mixture of Gaussians from a network's output: a logit, [μ, log σ] of each component (Eq. A3).

    Parameters
    ----------
    parameters
        Shape (..., k (1 + 2 d)).
    n_components
        Components k.

    Returns
    -------
    GaussianMixture
        Shape (..., d).

    Notes
    -----
    The components begin near their mean: almost one Gaussian, which parts where the data ask for it. From components
    that are apart, the samples tell little of x, and the decoder learns to do without the latents.
    """
    parameters = _full_precision(parameters)
    logits, rest = parameters[..., :n_components], parameters[..., n_components:]
    components = rest.reshape(*rest.shape[:-1], n_components, -1)
    q = gaussian_from(torch.lerp(components.mean(-2, keepdim=True), components, COMPONENT_SPREAD))
    return GaussianMixture(logits, q.loc, q.scale)


def _full_precision(parameters: Tensor) -> Tensor:
    """Widen what products in bfloat16 gave: a log-density takes differences, of which eight bits leave nothing."""
    return parameters.float() if parameters.dtype == torch.bfloat16 else parameters
