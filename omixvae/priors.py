"""p(z): what is believed about the shared latent before anything is seen."""

import itertools
import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from omixvae.distributions import DiagonalGaussian, GaussianMixture, LatentDistribution
from omixvae.encoders import Aggregation

__all__ = ["PRIORS", "GaussianMixturePrior", "Prior", "StandardNormal", "VampPrior"]


class Prior(nn.Module, ABC):
    """What every prior can do.

    To add one: subclass this here and name it in the table `PRIORS`.

    Parameters
    ----------
    n_latent
        Dimensions d of z.
    n_clusters
        Most components; priors without components ignore it.
    aggregation
        What gives q(z | x_S); most priors ignore it.
    """

    def __init__(self, n_latent: int, n_clusters: int, aggregation: Aggregation) -> None:
        super().__init__()
        self.n_latent, self.n_clusters = n_latent, n_clusters

    @abstractmethod
    def forward(self) -> LatentDistribution:
        """Give p(z), over points of shape (..., d)."""

    @abstractmethod
    def initialise(self, z: Float[Tensor, "n d"], groups: Int[Tensor, " n"]) -> None:
        """Start from samples of the latents of the data, once these mean something, and the group of each."""

    def penalty(self) -> Tensor:
        """Minus the log-density of the prior's own parameters, in nats; 0 where there is none."""
        return torch.zeros((), device=next(itertools.chain(self.buffers(), self.parameters())).device)


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Examples
    --------
    >>> from omixvae.encoders.pooling import SumPooling
    >>> StandardNormal(2, 1, SumPooling(4, 2, 8))().mean.tolist()
    [0.0, 0.0]
    """

    zero: Tensor

    def __init__(self, n_latent: int, n_clusters: int, aggregation: Aggregation) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.register_buffer("zero", torch.zeros(n_latent))

    def forward(self) -> DiagonalGaussian:
        """Give p(z)."""
        return DiagonalGaussian(self.zero, torch.ones_like(self.zero))

    def initialise(self, z: Float[Tensor, "n d"], groups: Int[Tensor, " n"]) -> None:
        """Start nothing: this prior has no parameters."""


class GaussianMixturePrior(Prior):
    """p(z) = Σ_c π_c N(z | m_c, diag v_c), everything learned (Eq. M2); its components are the clusters.

    Notes
    -----
    Until `initialise` all components are N(0, I) and are not trained, so the mixture is the standard normal. A weak
    Dirichlet prior on the weights keeps components from dying while they are still needed; a floor on the scales keeps
    one from collapsing onto a point. `prune` switches off the components that hardly any observation uses, and orders
    the rest by size.

    Examples
    --------
    >>> from omixvae.encoders.pooling import SumPooling
    >>> prior = GaussianMixturePrior(2, 3, SumPooling(4, 2, 8))
    >>> round(prior().log_prob(torch.zeros(2)).item(), 4)  # -log 2π
    -1.8379
    """

    SMALLEST_SCALE = 0.1
    CONCENTRATION = 2.0
    active: Tensor

    def __init__(self, n_latent: int, n_clusters: int, aggregation: Aggregation) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.loc = nn.Parameter(torch.zeros(n_clusters, n_latent))
        self.log_scale = nn.Parameter(torch.full((n_clusters, n_latent), math.log(1 - self.SMALLEST_SCALE)))
        self.register_buffer("active", torch.ones(n_clusters, dtype=torch.bool))
        self.requires_grad_(requires_grad=False)

    def forward(self) -> GaussianMixture:
        """Give p(z); components that are switched off have no weight."""
        logits = torch.where(self.active, self.logits, -torch.inf)
        return GaussianMixture(logits, self.loc, self.SMALLEST_SCALE + self.log_scale.exp())

    def penalty(self) -> Tensor:
        """Minus the log-density of a symmetric Dirichlet over the weights, up to its constant."""
        log_weights = self().log_weights
        return -(self.CONCENTRATION - 1) * torch.where(self.active, log_weights, 0.0).sum()

    @torch.no_grad()
    def initialise(self, z: Float[Tensor, "n d"], groups: Int[Tensor, " n"]) -> None:
        """Start each component at the weight, mean and scale of its group; those without a group are switched off."""
        shares = functional.one_hot(groups, self.n_clusters).to(z)
        size = shares.sum(0)
        shares = shares / size.clamp(min=1)
        mean = shares.T @ z
        variance = (shares.T @ z**2 - mean**2).clamp(min=0)
        self.active.copy_(size > 0)
        self.logits.copy_(size.clamp(min=1).log())
        self.loc.copy_(mean)
        self.log_scale.copy_((variance.sqrt() - self.SMALLEST_SCALE).clamp(min=1e-2).log())
        self.requires_grad_()

    @torch.no_grad()
    def prune(self, share: Float[Tensor, " k"], smallest: float) -> int:
        """Switch off the components that are hardly used, and put the others first, the largest leading.

        Parameters
        ----------
        share
            Shape (k,): the part of the observations that each component holds.
        smallest
            Components with a smaller share are switched off; the largest always stays.

        Returns
        -------
        int
            Number of components that stay.
        """
        order = torch.argsort(share, descending=True, stable=True)
        for parameter in (self.logits, self.loc, self.log_scale):
            parameter.copy_(parameter[order])
        self.active.copy_(self.active[order] & (share[order] >= smallest))
        self.active[0] = True
        return int(self.active.sum())


class VampPrior(Prior):
    """p(z) = (1/K) Σ_k q(z | u_k): the mixture of the beliefs about K learned pseudo-observations (Eq. M3).

    Notes
    -----
    Tomczak and Welling 2018. A pseudo-observation is one vector of features h, taken as a set of a single modality: it
    stands behind the encoders, so it costs little and serves counts and any other values alike. Its components are no
    clusters: several may describe one group.

    Examples
    --------
    >>> from omixvae.encoders.pooling import SumPooling
    >>> VampPrior(2, 3, SumPooling(4, 2, 8))().loc.shape
    torch.Size([3, 2])
    """

    def __init__(self, n_latent: int, n_clusters: int, aggregation: Aggregation) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.pseudo = nn.Parameter(torch.randn(n_clusters, aggregation.n_features))
        # In a tuple the weights stay the network's alone: as a submodule they would be saved twice.
        self._aggregation = (aggregation,)

    def forward(self) -> GaussianMixture:
        """Give p(z)."""
        h = self.pseudo.unsqueeze(1)
        q = self._aggregation[0](h, torch.ones(h.shape[:2], dtype=torch.bool, device=h.device))
        if isinstance(q, GaussianMixture):
            return GaussianMixture(q.log_weights.flatten(), q.loc.flatten(0, 1), q.scale.flatten(0, 1))
        return GaussianMixture(q.loc.new_zeros(len(q.loc)), q.loc, q.scale)

    def initialise(self, z: Float[Tensor, "n d"], groups: Int[Tensor, " n"]) -> None:
        """Start nothing: pseudo-observations are learned from the first step on."""


PRIORS: dict[str, type[Prior]] = {
    "gaussian_mixture": GaussianMixturePrior,
    "standard_normal": StandardNormal,
    "vamp": VampPrior,
}
