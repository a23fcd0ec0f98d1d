"""The laws of a likelihood."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from omixvae.data.masked import ModalityBatch
from omixvae.likelihoods.likelihood import DataDistribution, Likelihood, ValueKind
from omixvae.testing.common import N_SAMPLES, ROUNDING, compare_moments, draw_normal

__all__ = ["check_likelihood"]

LIBRARIES = (2.0, 5.0, 9.0)
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
            parameter.copy_(0.3 * draw_normal(parameter.shape, generator) - 0.7)
    decoded = 0.5 * draw_normal((len(LIBRARIES), likelihood.n_decoded * n_features), generator)
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
    """Return points and weights, shape (points, g), that integrate over the open interval; wide tails included.

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
    compare_moments(x, p.mean[0], p.variance[0])


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
