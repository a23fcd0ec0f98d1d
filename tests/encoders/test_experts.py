"""Experts are put together by the rules of products and mixtures, over any set of modalities."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.experts import before_prior, mixture, mixture_of_products, product

M, D = 3, 2
SETS = [list(s) for s in itertools.product([False, True], repeat=M)]


@pytest.fixture
def experts(generator, float64):
    """Give one expert per modality, the same for every set."""
    loc = torch.randn(M, D, generator=generator, dtype=float64)
    scale = torch.rand(M, D, generator=generator, dtype=float64) + 0.3
    return DiagonalGaussian(loc.expand(len(SETS), M, D), scale.expand(len(SETS), M, D))


def product_density(experts, modalities, z):
    """Give the density of N(0, I) times the experts, normalised on a grid-free way: by completing the square."""
    precision, information = np.ones(D), np.zeros(D)
    for s in modalities:
        precision += experts.scale[0, s].numpy() ** -2
        information += experts.loc[0, s].numpy() * experts.scale[0, s].numpy() ** -2
    return stats.norm.pdf(z, information / precision, precision**-0.5).prod(-1)


def test_product_mixture_and_mixture_of_products_of_every_set(experts, generator, float64):
    present = torch.tensor(SETS)
    z = torch.randn(len(SETS), D, generator=generator, dtype=float64)
    densities = [q(experts, present).log_prob(z).exp().numpy() for q in (product, mixture, mixture_of_products)]
    for i, chosen in enumerate(SETS):
        there = [s for s in range(M) if chosen[s]]
        assert densities[0][i] == pytest.approx(product_density(experts, there, z[i].numpy()))
        if there:
            alone = [stats.norm.pdf(z[i], experts.loc[0, s], experts.scale[0, s]).prod() for s in there]
            assert densities[1][i] == pytest.approx(np.mean(alone))
            sets = [t for size in range(1, len(there) + 1) for t in itertools.combinations(there, size)]
            products = [product_density(experts, t, z[i].numpy()) for t in sets]
            assert densities[2][i] == pytest.approx(np.mean(products))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 150.0])
def test_the_gradient_of_the_mean_does_not_vanish_with_the_certainty_of_an_expert(scale, float64):
    alone = DiagonalGaussian(torch.full((1, 1, 1), 2.0, requires_grad=True), torch.full((1, 1, 1), scale))
    mean = product(before_prior(alone), torch.tensor([[True]])).mean
    assert mean.item() == pytest.approx(2)
    assert torch.autograd.grad(mean.sum(), alone.loc)[0].item() == pytest.approx(1)
