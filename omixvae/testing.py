"""The laws that a likelihood, an aggregation or a prior must obey, as plain functions.

The tests of this package run them over every member of its tables; whoever writes a member runs the same ones. Each
returns nothing when all is well and raises `AssertionError` with one sentence that says which law is broken.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.func import functional_call

from omixvae.data.masked import ModalityBatch
from omixvae.distributions import DiagonalGaussian, GaussianMixture, LatentDistribution
from omixvae.encoders.aggregation import Aggregation
from omixvae.encoders.pooling import SumPooling
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood, ValueKind
from omixvae.priors import Prior

__all__ = ["check_aggregation", "check_likelihood", "check_prior"]

N_SAMPLES = 200_000
STANDARD_ERRORS = 6.0
"""Distance from the truth at which a Monte-Carlo average is called wrong: chance gets there once in 10⁹ averages."""

LIBRARIES = (2.0, 5.0, 9.0)
ROUNDING = 1e-10
"""Largest difference between two float64 results that should be the same."""


OF_KIND: dict[ValueKind, Callable[[float], bool]] = {
    "counts": lambda x: x >= 0 and x.is_integer(),
    "covered_counts": lambda x: x >= 0 and x.is_integer(),
    "amounts": lambda x: x >= 0,
    "continuous": np.isfinite,
    "fractions": lambda x: 0 <= x <= 1,
    "binary": lambda x: x in (0, 1),
    "labels": lambda x: x in (0, 1),
}
"""Which values are of each kind."""


def check_likelihood(
    likelihood_class: Callable[[int], Likelihood], support: Tensor | tuple[float, float], *, seed: int = 0
) -> None:
    """Check the laws of a likelihood.

    Parameters
    ----------
    likelihood_class
        Makes the likelihood from a number of features.
    support
        Where its values lie. Discrete values: every row that can occur, shape (rows, g), up to where hardly any
        probability is left (library sizes and coverages here are below 10). Continuous values: the limits of one entry.
    seed
        Of all random numbers.

    Raises
    ------
    AssertionError
        If probabilities do not sum or integrate to one; mean or variance are not those of samples; a gradient is
        missing or wrong; a missing entry leaves a trace; or `check` takes what `log_prob` cannot, or what is not of
        the likelihood's kind.

    Examples
    --------
    >>> from omixvae.likelihoods.fractions import Bernoulli
    >>> check_likelihood(Bernoulli, torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0)))
    """
    generator = torch.Generator().manual_seed(seed)
    n_features = support.shape[-1] if isinstance(support, Tensor) else 3
    likelihood = likelihood_class(n_features).double()
    with torch.no_grad():
        for parameter in likelihood.parameters():
            # A little below the start values, where dispersions are so small that moments of samples settle.
            parameter.copy_(0.3 * _normal(parameter.shape, generator) - 0.7)
    decoded = 0.5 * _normal((len(LIBRARIES), likelihood.n_decoded * n_features), generator)
    exposure = torch.tensor(LIBRARIES, dtype=torch.float64).unsqueeze(-1)
    if likelihood.takes_coverage:
        exposure = torch.stack([exposure[:, 0].roll(j) for j in range(n_features)], dim=-1)
    for one, total in zip(decoded, exposure, strict=True):
        _check_normalised(likelihood, one, total, support)
        _check_moments(likelihood, one, total, generator)
    _check_gradients(likelihood, decoded, exposure, generator)
    _check_masked(likelihood, decoded, exposure, generator)
    _check_values(likelihood, decoded, exposure, support)
    if likelihood.keeps_zeros:
        _check_zeros(likelihood, decoded, exposure, generator)


def _normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


def _repeated(likelihood: Likelihood, one: Tensor, exposure: Tensor, n: int) -> DataDistribution:
    """Make the distribution of one observation, n times over."""
    p: DataDistribution = likelihood(one.expand(n, -1), exposure.expand(n, -1))
    return p


@torch.no_grad()
def _check_normalised(
    likelihood: Likelihood, one: Tensor, exposure: Tensor, support: Tensor | tuple[float, float]
) -> None:
    if isinstance(support, Tensor):
        total = _repeated(likelihood, one, exposure, len(support)).log_prob(support.double()).sum(-1).exp().sum()
    else:
        p = _repeated(likelihood, one, exposure, 1)
        x, weight = _quadrature(p.mean[0], p.variance[0].sqrt(), *support)
        total = (_repeated(likelihood, one, exposure, len(x)).log_prob(x).exp() * weight).sum(0)
    worst = float((total - 1).abs().max())
    assert worst < 1e-6, f"The probabilities of all values sum to something that differs from one by {worst:.2g}."


def _quadrature(mean: Tensor, scale: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Give points and weights, shape (points, g), that integrate over the open interval; wide tails included.

    So many points that a density with a kink (Laplace) integrates to one, too.
    """
    u = torch.linspace(-30.0, 30.0, 24_001, dtype=torch.float64).unsqueeze(-1)
    step = float(u[1] - u[0])
    if np.isfinite(low) and np.isfinite(high):
        x = low + (high - low) * torch.sigmoid(u).expand(-1, len(mean))
        return x, step * (x - low) * (high - x) / (high - low)
    if np.isfinite(low):
        return low + scale * u.exp(), step * scale * u.exp()
    return mean + scale * (u / 3).sinh(), step * scale * (u / 3).cosh() / 3


@torch.no_grad()
def _check_moments(likelihood: Likelihood, one: Tensor, exposure: Tensor, generator: torch.Generator) -> None:
    p = _repeated(likelihood, one, exposure, 1)
    x = _repeated(likelihood, one, exposure, N_SAMPLES).sample(generator)
    _compare_moments(x, p.mean[0], p.variance[0])


def _compare_moments(x: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Compare samples (s, g) with the mean and variance (g,) that they should have."""
    squares = (x - mean) ** 2
    for name, values, expected in (("mean", x, mean), ("variance", squares, variance)):
        error = (values.mean(0) - expected).abs() / (values.std(0) / len(x) ** 0.5).clamp(min=1e-300)
        worst = int(error.argmax())
        assert error[worst] < STANDARD_ERRORS, (
            f"The {name} of {len(x):,} samples is {values.mean(0)[worst]:.5g}, but the distribution says that it is "
            f"{expected[worst]:.5g}."
        )


def _check_gradients(likelihood: Likelihood, decoded: Tensor, exposure: Tensor, generator: torch.Generator) -> None:
    names = [name for name, _ in likelihood.named_parameters()]
    x = likelihood(decoded, exposure).sample(generator).detach()

    def log_prob(decoded: Tensor, *values: Tensor) -> Tensor:
        p: DataDistribution = functional_call(likelihood, dict(zip(names, values, strict=True)), (decoded, exposure))
        return p.log_prob(x)

    inputs = tuple(t.detach().clone().requires_grad_() for t in (decoded, *likelihood.parameters()))
    slopes = torch.autograd.grad(log_prob(*inputs).sum(), inputs, allow_unused=True)
    for name, slope in zip(("decoded", *names), slopes, strict=True):
        reached = slope is not None and bool((slope != 0).any())
        assert reached, f"No gradient of log_prob reaches {name}."
    assert torch.autograd.gradcheck(log_prob, inputs, raise_exception=False), (
        "The gradient of log_prob differs from finite differences."
    )


def _check_masked(likelihood: Likelihood, decoded: Tensor, exposure: Tensor, generator: torch.Generator) -> None:
    x = likelihood(decoded, exposure).sample(generator).detach()
    observed = torch.ones_like(x, dtype=torch.bool)
    observed[0, 0] = observed[-1, -1] = False
    present = torch.ones(len(x), dtype=torch.bool)
    poisoned = ModalityBatch(torch.where(observed, x, torch.nan), present, observed, torch.ones(len(x)))

    def evaluate(log_prob: Callable[[DataDistribution], Tensor]) -> tuple[Tensor, ...]:
        inputs = (decoded.clone().requires_grad_(), *likelihood.parameters())
        entries = log_prob(likelihood(inputs[0], exposure))
        return entries.detach(), *torch.autograd.grad(entries.sum(), inputs)

    masked = evaluate(lambda p: poisoned.only_measured(p.log_prob(poisoned.filled), 0.0))
    complete = evaluate(lambda p: torch.where(observed, p.log_prob(x), 0.0))
    for got, expected in zip(masked, complete, strict=True):
        assert torch.allclose(got, expected, rtol=0, atol=ROUNDING), (
            "A missing entry changes the log-probability, or the gradient, of the measured ones."
        )
    seen = likelihood.encoder_input(poisoned.filled, exposure)
    assert bool(torch.isfinite(seen).all()), "The encoder's input is not finite where an entry is missing."


@torch.no_grad()
def _check_zeros(likelihood: Likelihood, decoded: Tensor, exposure: Tensor, generator: torch.Generator) -> None:
    x = likelihood(decoded, exposure).sample(generator)
    together = likelihood.encoder_input(x, exposure)
    alone = torch.cat([likelihood.encoder_input(x[:, [j]], exposure) for j in range(x.shape[1])], dim=1)
    nothing = likelihood.encoder_input(torch.zeros_like(x), exposure)
    holds = torch.allclose(alone, together) and not bool(nothing.any())
    assert holds, "It keeps_zeros, but the encoder's input of zero is not zero, or depends on which feature it is of."


@torch.no_grad()
def _check_values(
    likelihood: Likelihood, decoded: Tensor, exposure: Tensor, support: Tensor | tuple[float, float]
) -> None:
    for value in (np.nan, np.inf, -np.inf, -1e6, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 1e6):
        accepted = bool(likelihood.check(np.array([value]))[0])
        possible = value in support if isinstance(support, Tensor) else support[0] <= value <= support[1]
        if isinstance(support, Tensor) and value > float(support.max()) and value.is_integer():
            possible = possible or float(support.max()) > 1  # counts have no upper limit
        assert possible or not accepted, f"check takes {value}, which the distribution cannot give."
        of_kind = OF_KIND[likelihood.kind](value)
        assert of_kind or not accepted, f"check takes {value}, which is not of the kind {likelihood.kind!r}."
        if accepted:
            # No count is above its coverage, and whoever reads the data sees to it.
            p = likelihood(decoded[:1], exposure[:1].clamp(min=value) if likelihood.takes_coverage else exposure[:1])
            finite = bool(torch.isfinite(p.log_prob(torch.full_like(p.mean, value))).all())
            assert finite, f"check takes {value}, but its log-probability is not finite."
    if isinstance(support, Tensor):
        assert likelihood.check(support.numpy()).all(), "check refuses values that the distribution can give."


def check_aggregation(aggregation_class: Callable[[int, int, int], Aggregation], *, seed: int = 0) -> None:
    """Check the laws of an aggregation.

    Parameters
    ----------
    aggregation_class
        Makes the aggregation from the sizes of features, latent and hidden layers.
    seed
        Of all random numbers.

    Raises
    ------
    AssertionError
        If the order of the modalities matters; if an absent modality is not the same as one that does not exist, or
        its features, embedded or not, leave a trace; or if no gradient reaches the features of a present one, or a
        wrong one.

    Examples
    --------
    >>> from omixvae.encoders.pooling import SumPooling
    >>> check_aggregation(SumPooling)
    """
    generator = torch.Generator().manual_seed(seed)
    n_features, n_latent, n_modalities = 6, 3, 4
    with torch.random.fork_rng(devices=[]):  # start weights come from PyTorch's own random numbers
        torch.manual_seed(seed)
        aggregation = aggregation_class(n_features, n_latent, 8).double()
    present = torch.tensor(list(itertools.product([False, True], repeat=n_modalities)))
    h = _normal((len(present), n_modalities, n_features), generator)
    z = _normal((len(present), n_latent), generator)
    whole = _describe(aggregation(h, present), z)
    assert bool(torch.isfinite(whole).all()), "The belief is not finite for some set of modalities."
    order = torch.randperm(n_modalities, generator=generator)
    assert _same(_describe(aggregation(h[:, order], present[:, order]), z), whole), (
        "The order of the modalities changes the belief."
    )
    for i in range(1, len(present)):
        alone = aggregation(h[i : i + 1, present[i]], torch.ones(1, int(present[i].sum()), dtype=torch.bool))
        assert _same(_describe(alone, z[i : i + 1]), whole[i : i + 1]), (
            "An absent modality is not the same as one that does not exist."
        )
    clean = _slopes(aggregation, h, present, z)
    for poison in (torch.nan, torch.inf):
        for got, expected in zip(
            _slopes(aggregation, torch.where(present.unsqueeze(-1), h, poison), present, z), clean, strict=True
        ):
            assert _same(got, expected), f"A {poison} in an absent modality changes the belief or its gradient."
    reached = (clean[0] != 0).any(-1)
    assert bool((reached | ~present).all()), "No gradient reaches the features of some present modality."
    together = aggregation.combine(aggregation.embed(h), present)
    assert _same(_describe(together, z)[1:], whole[1:]), "What was embedded of an absent modality changes the belief."
    _check_aggregation_gradient(aggregation, h[1:], present[1:], z[1:])


def _check_aggregation_gradient(aggregation: Aggregation, h: Tensor, present: Tensor, z: Tensor) -> None:
    names = [name for name, _ in aggregation.named_parameters()]

    def describe(h: Tensor, *values: Tensor) -> Tensor:
        return _describe(functional_call(aggregation, dict(zip(names, values, strict=True)), (h, present)), z)

    inputs = tuple(t.detach().clone().requires_grad_() for t in (h, *aggregation.parameters()))
    assert torch.autograd.gradcheck(describe, inputs, fast_mode=True, raise_exception=False), (
        "The gradient of the belief differs from finite differences."
    )


def _describe(q: LatentDistribution, z: Tensor) -> Tensor:
    """Put mean, variance and log-density at z side by side."""
    return torch.cat([q.mean, q.variance, q.log_prob(z).unsqueeze(-1)], dim=-1)


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=ROUNDING, atol=ROUNDING)


def _slopes(aggregation: Aggregation, h: Tensor, present: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    """Give the gradients of a smooth function of the belief in the features and the parameters; last, its values."""
    h = h.clone().requires_grad_()
    # Rows without any modality may give whatever they like.
    values = _describe(aggregation(h, present), z)[present.any(-1)].sum(-1)
    return *torch.autograd.grad(values.sum(), (h, *aggregation.parameters())), values.detach()


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
        loc = center + 0.5 * _normal((len(center), n_latent), generator)
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
    _compare_moments(p.rsample(generator, N_SAMPLES), mean, variance)
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
