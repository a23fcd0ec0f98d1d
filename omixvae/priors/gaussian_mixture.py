"""The mixture prior, whose components are the clusters."""

import math
from collections.abc import Iterable
from typing import ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from omixvae.distributions import GaussianMixture, LatentDistribution
from omixvae.encoders import Aggregation
from omixvae.priors.groups import group_latents
from omixvae.priors.prior import Prior

__all__ = ["GaussianMixturePrior"]

SMALLEST_CLUSTER = 5
"""A component that leads for fewer observations is no cluster but a leftover, and is switched off at the end."""


class GaussianMixturePrior(Prior):
    """p(z) = Σ_c π_c N(z | m_c, diag v_c), everything learned (Eq. M2); its components are the clusters.

    Notes
    -----
    Until `start` all components are N(0, I) and are not trained, so the mixture is the standard normal; then each
    starts from a group of the latents. A weak Dirichlet prior on the weights keeps components from dying while they are
    still needed; a floor on the scales keeps one from collapsing onto a point. `finish` switches off the components
    that hardly any observation uses, and orders the rest by size.

    Examples
    --------
    >>> prior = GaussianMixturePrior(2, 3)
    >>> round(prior().log_prob(torch.zeros(2)).item(), 4)  # -log 2π
    -1.8379
    """

    about_n_clusters: ClassVar[str] = (
        "the most that are allowed for {n:,} observations; chosen from the neighbour graph: groups that it keeps apart"
    )
    SMALLEST_SCALE = 0.1
    CONCENTRATION = 2.0
    active: Tensor

    def __init__(self, n_latent: int, n_clusters: int = 1, aggregation: Aggregation | None = None) -> None:
        super().__init__(n_latent, n_clusters, aggregation)
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.loc = nn.Parameter(torch.zeros(n_clusters, n_latent))
        self.log_scale = nn.Parameter(torch.full((n_clusters, n_latent), math.log(1 - self.SMALLEST_SCALE)))
        self.register_buffer("active", torch.ones(n_clusters, dtype=torch.bool))
        self.requires_grad_(requires_grad=False)

    def forward(self) -> GaussianMixture:
        """Return p(z); components that are switched off have no weight."""
        logits = torch.where(self.active, self.logits, -torch.inf)
        return GaussianMixture(logits, self.loc, self.SMALLEST_SCALE + self.log_scale.exp())

    def penalty(self) -> Tensor:
        """Minus the log-density of a symmetric Dirichlet over the weights, up to its constant."""
        log_weights = self().log_weights
        return -(self.CONCENTRATION - 1) * torch.where(self.active, log_weights, 0.0).sum()

    @staticmethod
    def starts_after(*, cohort: bool) -> float:
        """Wait until there are groups: cells are seen in fewer epochs, and need a larger part of them."""
        return 1 / 3 if cohort else 2 / 3

    @torch.no_grad()
    def start(
        self, beliefs: Iterable[LatentDistribution], n_measured: Int[np.ndarray, " n"], *, choose: bool, seed: int
    ) -> None:
        """Start each component from a group of the latents, as many as there are or as are asked for."""
        beliefs = list(beliefs)
        latent = torch.cat([q.mean for q in beliefs]).cpu().double().numpy()
        groups = group_latents(latent, n_measured, self.n_clusters, choose=choose, seed=seed)
        # Scales come from samples, which spread as the posteriors do: those of the means alone would be too narrow.
        generator = torch.Generator(self.loc.device).manual_seed(seed)
        z = torch.cat([q.rsample(generator) for q in beliefs])
        self.take_groups(z, torch.from_numpy(groups).long().to(z.device))

    @torch.no_grad()
    def take_groups(self, z: Float[Tensor, "n d"], groups: Int[Tensor, " n"]) -> None:
        """Give each component weight, mean and scale of its group, and train them from now on.

        Parameters
        ----------
        z
            Shape (n, d): samples of the latents.
        groups
            Shape (n,): the group of each, 0 to k - 1. Components without a group are switched off.
        """
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

    def clusters(self, p: LatentDistribution, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        """Return the responsibilities of the components that are switched on."""
        return cast("GaussianMixture", p).responsibilities(z)[..., self.active]

    @torch.no_grad()
    def finish(self, sizes: Int[Tensor, " k"]) -> None:
        """Switch off the components that lead for hardly any observation, but the largest, and sort the others."""
        size = torch.zeros_like(self.active, dtype=sizes.dtype).masked_scatter(self.active, sizes)
        order = torch.argsort(size, descending=True, stable=True)
        for parameter in (self.logits, self.loc, self.log_scale):
            parameter.copy_(parameter[order])
        self.active.copy_(self.active[order] & (size[order] >= SMALLEST_CLUSTER))
        self.active[0] = True
