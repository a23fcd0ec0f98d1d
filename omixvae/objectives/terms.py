"""What a bound gives: its value and its parts, per observation, in nats."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from omixvae.distributions import LatentDistribution

__all__ = ["Terms", "own_log_prob"]


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


def own_log_prob(q: LatentDistribution, z: Tensor, *, stl: bool) -> Tensor:
    """Evaluate log q at a sample of q itself.

    Parameters
    ----------
    q
        Shape (..., d).
    z
        Shape (..., d), drawn from `q`.
    stl
        Sticking the landing (Roeder et al. 2017): the parameters of `q` get their gradient through the sample only.
        The part that is left out has expectation zero, and is pure noise where `q` is close to the posterior.

    Returns
    -------
    torch.Tensor
        Shape (...), in nats.

    Examples
    --------
    >>> import torch
    >>> from omixvae.distributions import DiagonalGaussian
    >>> mean = torch.zeros(1, requires_grad=True)
    >>> own_log_prob(DiagonalGaussian(mean, torch.ones(1)), torch.ones(1), stl=True).requires_grad
    False
    """
    return (q.detach() if stl else q).log_prob(z)
