"""What a bound gives: its value and its parts, per observation, in nats."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["Terms"]


@dataclass(frozen=True, eq=False)
class Terms:
    """A bound and its parts.

    Parameters
    ----------
    reconstruction
        Shape (n, m): log p(x_s | z, w_s) of each modality, 0 where it is absent.
    rate
        Shape (n,): cost of the latents of x_S under the prior (first Kullback-Leibler term).
    cross_rate
        Shape (n,): what the latents of x_O cost beyond those of x_S (second Kullback-Leibler term).
    beta
        Weight of both costs.

    All in nats.
    """

    reconstruction: Float[Tensor, "n m"]
    rate: Float[Tensor, " n"]
    cross_rate: Float[Tensor, " n"]
    beta: float

    @property
    def bound(self) -> Float[Tensor, " n"]:
        """The value that is maximised, for each observation."""
        return self.reconstruction.sum(-1) - self.beta * (self.rate + self.cross_rate)

    @property
    def loss(self) -> Float[Tensor, ""]:
        """Minus the mean of the bound."""
        return -self.bound.mean()
