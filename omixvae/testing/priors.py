"""The laws of a prior."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.func import functional_call

from omixvae.distributions import DiagonalGaussian, GaussianMixture, LatentDistribution
from omixvae.encoders.aggregation import Aggregation
from omixvae.encoders.pooling import SumPooling
from omixvae.priors import Prior
from omixvae.testing.common import N_SAMPLES, ROUNDING, compare_moments, draw_normal

__all__ = ["check_prior"]


def check_prior(prior_class: Callable[[int, int, Aggregation], Prior], *, seed: int = 0) -> None:
    """Check the laws of a prior: as it is made, after `start`, and after `finish`.

    Parameters
    ----------
    prior_class
        Makes the prior from the dimensions of the latent, the number of clusters, and an aggregation.
    seed
        Of all random numbers.

    Raises
    ------
    AssertionError
        If the density does not integrate to one; its mean and variance are not those that the prior claims, or that
        its samples have; before its start it is not N(0, I), or trained; clusters have no probabilities, or components
        no responsibilities after Bayes' rule; or a gradient is missing, wrong or not finite.

    Examples
    --------
    >>> from omixvae.priors import GaussianMixturePrior
    >>> check_prior(GaussianMixturePrior)
    """
    generator = torch.Generator().manual_seed(seed)
    for n_latent in (1, 2):
        with torch.random.fork_rng(devices=[]):  # start values may come from PyTorch's own random numbers
            torch.manual_seed(seed)
            prior = prior_class(n_latent, 3, SumPooling(4, n_latent, 8).double()).double()
        # Of three possible groups one stays empty, and the others differ in size.
        center = 2.0 * torch.tensor([0, 0, 0, 2]).repeat_interleave(10).unsqueeze(-1) - 2
        loc = center + 0.5 * draw_normal((len(center), n_latent), generator)
        _check_density(prior(), generator)
        if prior.starts_after(cohort=True) or prior.starts_after(cohort=False):
            _check_not_started(prior, loc)
        beliefs = (DiagonalGaussian(part, torch.full_like(part, 0.5)) for part in loc.chunk(2))
        prior.start(beliefs, np.full(len(center), 2), choose=True, seed=seed)
        _check_density(prior(), generator)
        trained = [parameter for parameter in prior.parameters() if parameter.requires_grad]
        if trained:
            # At points other than those it started from, where the best parameters lie and slopes are zero.
            for slope in torch.autograd.grad(prior().log_prob(1 - loc).sum() + prior.penalty(), trained):
                assert bool((slope != 0).any()), "No gradient reaches some parameter of the prior."
                assert bool(torch.isfinite(slope).all()), "A gradient is not finite where a component is unused."
            _check_prior_gradient(prior, 1 - loc)
        sizes = _cluster_sizes(prior, loc)
        if sizes is not None:
            prior.finish(sizes)
            _check_density(prior(), generator)
            left = _cluster_sizes(prior, loc)
            assert left is not None
            assert len(left) <= len(sizes), "More clusters are left at the end than there were before."


def _check_not_started(prior: Prior, z: Tensor) -> None:
    standard = DiagonalGaussian(torch.zeros_like(z[0]), torch.ones_like(z[0]))
    same = torch.allclose(prior().log_prob(z), standard.log_prob(z), rtol=0, atol=1e-6)
    assert same, "Before its start, which is not at the first step, the prior is not N(0, I)."
    fixed = not any(parameter.requires_grad for parameter in prior.parameters())
    assert fixed, "Parameters of the prior are trained before its start, which is not at the first step."


@torch.no_grad()
def _cluster_sizes(prior: Prior, z: Tensor) -> Tensor | None:
    """Count the points of each cluster, and check that each has probabilities."""
    shares = prior.clusters(prior(), z)
    if shares is None:
        return None
    one = torch.allclose(shares.sum(-1), torch.ones(len(z)).to(shares), rtol=0, atol=1e-6)
    assert one, "The probabilities of the clusters do not sum to one."
    return torch.bincount(shares.argmax(-1), minlength=shares.shape[-1])


def _check_prior_gradient(prior: Prior, z: Tensor) -> None:
    names = [name for name, parameter in prior.named_parameters() if parameter.requires_grad]

    def log_prob(z: Tensor, *values: Tensor) -> Tensor:
        p: LatentDistribution = functional_call(prior, dict(zip(names, values, strict=True)), ())
        return p.log_prob(z)

    inputs = tuple(t.detach().clone().requires_grad_() for t in (z, *map(prior.get_parameter, names)))
    assert torch.autograd.gradcheck(log_prob, inputs, raise_exception=False), (
        "The gradient of the density differs from finite differences."
    )


@torch.no_grad()
def _check_density(p: LatentDistribution, generator: torch.Generator) -> None:
    """Compare density, moments and samples over one or two dimensions."""
    axes = [
        torch.linspace(float(m - 12 * s), float(m + 12 * s), 801, dtype=torch.float64)
        for m, s in zip(p.mean, p.variance.sqrt(), strict=True)
    ]
    points = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    mass = p.log_prob(points).exp() * float(np.prod([axis[1] - axis[0] for axis in axes]))
    total = float(mass.sum())
    assert abs(total - 1) < 1e-6, f"The density integrates to {total:.8g}, not to one."
    mean = mass @ points
    variance = mass @ (points - mean) ** 2
    assert torch.allclose(p.mean, mean, atol=1e-6), f"The mean is said to be {p.mean}, but is {mean}."
    assert torch.allclose(p.variance, variance, atol=1e-6), (
        f"The variance is said to be {p.variance}, but is {variance}."
    )
    compare_moments(p.rsample(generator, N_SAMPLES), mean, variance)
    if isinstance(p, GaussianMixture):
        _check_responsibilities(p, points[:: max(1, len(points) // 500)])


def _check_responsibilities(p: GaussianMixture, z: Tensor) -> None:
    got = p.responsibilities(z).numpy()
    assert np.allclose(got.sum(-1), 1, atol=ROUNDING), "Responsibilities do not sum to one."
    densities = stats.norm.logpdf(z.numpy()[:, None], p.loc.numpy(), p.scale.numpy()).sum(-1)
    joint = p.log_weights.numpy() + densities
    bayes = np.exp(joint - joint.max(axis=-1, keepdims=True))
    bayes /= bayes.sum(axis=-1, keepdims=True)
    assert np.allclose(got, bayes, atol=1e-9), "Responsibilities are not those of Bayes' rule."
