"""Densities over latents: exact samples, gradients through them, and divergences in closed form."""

import numpy as np
import oracles
import pytest
import torch
from scipy import optimize, stats

from omixvae.distributions import DiagonalGaussian, GaussianMixture, PriorWhere, gaussian_kl

N, K, D = 3, 4, 3


@pytest.fixture
def parameters(generator, float64):
    """Give logits (n, k), means and log-scales (n, k, d); one component is switched off."""
    logits = torch.randn(N, K, generator=generator, dtype=float64)
    logits[1, 2] = -torch.inf
    loc = 1.5 * torch.randn(N, K, D, generator=generator, dtype=float64)
    log_scale = 0.4 * torch.randn(N, K, D, generator=generator, dtype=float64)
    return tuple(p.requires_grad_() for p in (logits, loc, log_scale))


def mixture_of(parameters):
    logits, loc, log_scale = parameters
    return GaussianMixture(logits, loc, log_scale.exp())


@torch.no_grad()
def test_a_mixture_for_each_observation_equals_the_oracle(parameters, generator, float64):
    q = mixture_of(parameters)
    z = 2 * torch.randn(5, N, D, generator=generator, dtype=float64)
    for i in range(N):
        alone = (q.log_weights[i].exp().numpy(), q.loc[i].numpy(), q.scale[i].numpy())
        log_density, responsibilities = oracles.mixture(*alone, z[:, i].numpy())
        np.testing.assert_allclose(q.log_prob(z)[:, i], log_density, rtol=1e-10)
        np.testing.assert_allclose(q.responsibilities(z)[:, i], responsibilities, atol=1e-10)
        # One mixture for all points takes another path: matrix products.
        one = GaussianMixture(q.log_weights[i], q.loc[i], q.scale[i])
        np.testing.assert_allclose(one.log_prob(z[:, i]), log_density, rtol=1e-10)


def test_samples_of_a_mixture_have_its_moments(parameters, generator):
    q = mixture_of(parameters)
    n = 40_000
    z = q.rsample(generator, n).detach()
    error = (q.variance / n).sqrt()
    assert ((z.mean(0) - q.mean).abs() < 5 * error).all()
    squares = (z - q.mean) ** 2
    assert ((squares.mean(0) - q.variance).abs() < 5 * squares.std(0) / n**0.5).all()


def quantile_point(weights, loc, scale, u):
    """Invert the distributional transform of one mixture, one dimension after the other."""
    z = []
    for i, target in enumerate(u):
        joint = weights * np.prod([stats.norm.pdf(z[j], loc[:, j], scale[:, j]) for j in range(i)], axis=0)
        w = joint / joint.sum()

        def excess(x, w=w, i=i, target=target):
            return w @ stats.norm.cdf(x, loc[:, i], scale[:, i]) - target

        z.append(optimize.brentq(excess, -50, 50, xtol=1e-14, rtol=1e-14))
    return np.array(z)


def conditional_cdfs(weights, loc, scale, z):
    """Give F(z_i | z_1 .. z_{i-1}) of one mixture."""
    u = []
    for i in range(len(z)):
        joint = weights * np.prod([stats.norm.pdf(z[j], loc[:, j], scale[:, j]) for j in range(i)], axis=0)
        u.append(joint @ stats.norm.cdf(z[i], loc[:, i], scale[:, i]) / joint.sum())
    return np.array(u)


def test_gradient_through_a_sample_is_that_of_the_inverted_distribution_function(generator, float64):
    """The point at fixed probabilities u moves with the parameters: implicit and numerical derivative agree."""
    logits = torch.randn(K, generator=generator, dtype=float64)
    loc = 1.5 * torch.randn(K, D, generator=generator, dtype=float64)
    scale = (0.4 * torch.randn(K, D, generator=generator, dtype=float64)).exp()
    inputs = [p.requires_grad_() for p in (logits, loc, scale)]
    z = GaussianMixture(*inputs).rsample(generator)
    softmax = torch.softmax(logits, -1).detach().numpy()
    u = conditional_cdfs(softmax, loc.detach().numpy(), scale.detach().numpy(), z.detach().numpy())
    step = 1e-5
    for which, parameter in enumerate(inputs):
        jacobian = torch.stack([torch.autograd.grad(z[i], parameter, retain_graph=True)[0] for i in range(D)])
        for index in np.ndindex(*parameter.shape):
            moved = []
            for sign in (1, -1):
                values = [p.detach().clone() for p in inputs]
                values[which][index] += sign * step
                weights = torch.softmax(values[0], -1).numpy()
                moved.append(quantile_point(weights, values[1].numpy(), values[2].numpy(), u))
            numerical = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(jacobian[(slice(None), *index)], numerical, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("fixed", [True, False])
def test_gradients_of_samples_average_to_those_of_an_expectation(fixed, generator, float64):
    """E (z · a)² = (m · a)² + Σ a² s² of each component, averaged over them; with fixed weights and with others."""
    logits = torch.randn(K, generator=generator, dtype=float64).requires_grad_(not fixed)
    loc = torch.randn(K, D, generator=generator, dtype=float64).requires_grad_()
    scale = (0.4 * torch.randn(K, D, generator=generator, dtype=float64)).exp().requires_grad_()
    a = torch.linspace(0.5, 1.5, D, dtype=float64)
    inputs = (loc, scale) if fixed else (loc, scale, logits)
    exact = (torch.softmax(logits, -1) * ((loc @ a) ** 2 + (a**2 * scale**2).sum(-1))).sum()
    runs = [
        torch.autograd.grad(((GaussianMixture(logits, loc, scale).rsample(generator, 400) @ a) ** 2).mean(), inputs)
        for _ in range(100)
    ]
    for estimates, expected in zip(zip(*runs, strict=True), torch.autograd.grad(exact, inputs), strict=True):
        error = torch.stack(estimates).mean(0) - expected
        assert (error.abs() < 5 * torch.stack(estimates).std(0) / 10).all()


@pytest.mark.parametrize("fixed", [True, False])
def test_one_component_is_reparameterised_as_a_gaussian_is(fixed, generator, float64):
    loc, scale = torch.randn(2, N, D, generator=generator, dtype=float64)
    loc, scale = loc.requires_grad_(), scale.exp().requires_grad_()
    logits = torch.zeros(N, 1).requires_grad_(not fixed)
    z = GaussianMixture(logits, loc.unsqueeze(1), scale.unsqueeze(1)).rsample(generator)
    in_loc, in_scale = torch.autograd.grad(z.sum(), (loc, scale))
    torch.testing.assert_close(in_loc, torch.ones_like(loc))
    torch.testing.assert_close(in_scale, ((z - loc) / scale).detach())


@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.5])
def test_gradients_of_narrow_components_in_float32_are_those_of_float64(scale, generator, float64):
    """Equal in the first dimension, apart in the second: what one dimension says must not swamp the other's weights."""
    loc = torch.tensor([[0.0, 0.0, 0.0], [0.0, 10.0, 1.0]], dtype=float64)
    gradients = []
    for dtype in (torch.float32, float64):
        inputs = [torch.zeros(2), loc, torch.full((2, 3), scale)]
        logits, mean, deviation = (p.to(dtype, copy=True).requires_grad_() for p in inputs)
        q = GaussianMixture(logits, mean, deviation)
        points = torch.tensor([[0.0, 0.0, 0.1 * scale], [scale, 10 + scale, 1.0]], dtype=float64)
        z = q._reparameterised(points.to(dtype).float().to(dtype))
        gradients.append(torch.autograd.grad(z.sum(), (logits, mean, deviation)))
    for single, double in zip(*gradients, strict=True):
        torch.testing.assert_close(single.to(float64), double, rtol=2e-3, atol=2e-3)


def test_gradients_stay_finite_where_components_are_far_apart_and_narrow(generator):
    """In float32, with scales at the lower limit: a density that underflows must not become a division by zero."""
    loc = torch.tensor([[[-30.0, 5.0], [30.0, -5.0], [0.0, 0.0]]]).requires_grad_()
    scale = torch.tensor([[[1e-3, 1e-3], [1e-3, 1.0], [5.0, 1e-3]]]).requires_grad_()
    logits = torch.zeros(1, 3).requires_grad_()
    z = GaussianMixture(logits, loc, scale).rsample(generator, 5000)
    for slope in torch.autograd.grad((z**2).mean(), (logits, loc, scale)):
        assert torch.isfinite(slope).all()


def test_divergence_of_gaussians_equals_the_oracle(generator, float64):
    loc, scale = 2 * torch.randn(2, 2, N, D, generator=generator, dtype=float64)
    (m_1, m_2), (s_1, s_2) = loc, scale.exp()
    expected, _ = oracles.gaussian_kl(m_1.numpy(), s_1.numpy(), m_2.numpy(), s_2.numpy())
    q, p = DiagonalGaussian(m_1, s_1), DiagonalGaussian(m_2, s_2)
    np.testing.assert_allclose(gaussian_kl(q, p)[0], expected)
    empty = torch.tensor([True, False, False])
    normal = DiagonalGaussian(torch.zeros(D, dtype=float64), torch.ones(D, dtype=float64))
    here = gaussian_kl(PriorWhere(empty, normal, q), PriorWhere(empty, normal, p))
    np.testing.assert_allclose(here[0], np.where(empty, 0, expected))
    assert here[1].all()
    mixture = GaussianMixture(torch.zeros(K), torch.zeros(K, D), torch.ones(K, D))
    assert gaussian_kl(q, mixture) is None
    values, holds = gaussian_kl(
        PriorWhere(empty, mixture, q), PriorWhere(torch.tensor([False, True, False]), mixture, p)
    )
    assert holds.tolist() == [False, False, True], "only where neither is the mixture"
    np.testing.assert_allclose(values[2], expected[2])
