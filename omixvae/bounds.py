"""The contract of a bound: how it is evaluated, over which subsets it is averaged, and what it returns."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from omixvae.config import KLWord
from omixvae.data.batches import MaskedBatch

__all__ = ["Bound", "Objective", "SubsetSizes", "Terms"]

SubsetSizes: TypeAlias = Literal["any", "not_empty", "single"]
"""How many modalities a random subset S of those measured has: from none to all, from one on, or one."""


@dataclass(frozen=True, eq=False)
class Terms:
    """A bound and its parts.

    Parameters
    ----------
    reconstruction
        Shape (n, m): log p(x_s | z, w_s) of each modality, 0 where it is absent; not yet weighted.
    rate
        Shape (n,): cost of the latents of x_S under the prior (first Kullback-Leibler term).
    cross_rate
        Shape (n,): what the latents of x_O cost beyond those of x_S (second Kullback-Leibler term).
    beta
        Weight of both costs.
    weights
        Shape (m,): weight of each modality's reconstruction.

    All in nats.
    """

    reconstruction: Float[Tensor, "n m"]
    rate: Float[Tensor, " n"]
    cross_rate: Float[Tensor, " n"]
    beta: float
    weights: Float[Tensor, " m"]

    @property
    def bound(self) -> Float[Tensor, " n"]:
        """The value that is maximised, for each observation."""
        return (self.weights * self.reconstruction).sum(-1) - self.beta * (self.rate + self.cross_rate)

    @property
    def loss(self) -> Float[Tensor, ""]:
        """Minus the mean of the bound."""
        return -self.bound.mean()


class Objective(Protocol):
    """How a bound is evaluated."""

    def __call__(
        self,
        network: Any,  # noqa: ANN401 (a MultimodalVAE, which stands above this file)
        batch: MaskedBatch,
        subset: Bool[Tensor, "n m"],
        generator: torch.Generator,
        *,
        beta: float = 1.0,
        kl: KLWord = "stl",
        private: Bool[Tensor, "n m"] | None = None,
    ) -> Terms:
        """Evaluate the bound with one sample."""


@dataclass(frozen=True)
class Bound:
    """A bound, and what training must know of it.

    To add one: write the function in a file of `omixvae/objectives/`, and name the bound in the table `OBJECTIVES`. One
    of your own is given to `omixvae.fit` as ``objective=Bound(...)``.

    Parameters
    ----------
    evaluate
        Returns its terms for some observations, a random subset S of the modalities of each, and one sample.
    subset_sizes
        Which subsets it is averaged over (section 2 of the method page).
    trains_prior
        Whether p(z) has a part in it. If not, a prior that is fitted to the latents is fitted once more at the end.
    """

    evaluate: Objective
    subset_sizes: SubsetSizes = "any"
    trains_prior: bool = True
