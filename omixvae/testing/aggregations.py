"""The laws of an aggregation."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call

from omixvae.distributions import LatentDistribution
from omixvae.encoders.aggregation import Aggregation
from omixvae.testing.common import ROUNDING, draw_normal

__all__ = ["check_aggregation"]


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
    h = draw_normal((len(present), n_modalities, n_features), generator)
    z = draw_normal((len(present), n_latent), generator)
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
    """Return the gradients of a smooth function of the belief in the features and the parameters; last, its values."""
    h = h.clone().requires_grad_()
    # Rows without any modality may give whatever they like.
    values = _describe(aggregation(h, present), z)[present.any(-1)].sum(-1)
    return *torch.autograd.grad(values.sum(), (h, *aggregation.parameters())), values.detach()
