"""Every likelihood obeys the laws, and equals its twin in SciPy."""

import numpy as np
import pytest
import torch
from scipy import stats

from omixvae.data.masked import ModalityBatch, Moments, Nonzeros
from omixvae.likelihoods import LIKELIHOODS
from omixvae.likelihoods.categorical import Categorical
from omixvae.likelihoods.continuous import SMALLEST_SCALE, Gaussian, LogNormal, StudentT
from omixvae.likelihoods.counts import (
    NegativeBinomial,
    NegativeBinomialCounts,
    PoissonCounts,
    ZeroInflatedCounts,
    plain_log_prob,
)
from omixvae.likelihoods.fractions import EDGE, Bernoulli, Beta
from omixvae.likelihoods.likelihood import Likelihood
from omixvae.likelihoods.one_pass import MAX_PASS_VALUES
from omixvae.likelihoods.ratios import STIRLING_FROM
from omixvae.testing import check_likelihood

COUNTS = torch.arange(400.0)
BITS = torch.arange(2.0)
SUPPORTS = {
    "gaussian": (-np.inf, np.inf),
    "student_t": (-np.inf, np.inf),
    "laplace": (-np.inf, np.inf),
    "log_normal": (-1.0, np.inf),
    "poisson": torch.cartesian_prod(COUNTS, COUNTS),
    "negative_binomial": torch.cartesian_prod(COUNTS, COUNTS),
    "zero_inflated_negative_binomial": torch.cartesian_prod(COUNTS, COUNTS),
    "protein_mixture": torch.cartesian_prod(COUNTS, COUNTS),
    "bernoulli": torch.cartesian_prod(BITS, BITS, BITS),
    "beta": (0.0, 1.0),
    "binomial": torch.cartesian_prod(torch.arange(10.0), torch.arange(10.0)),
    "categorical": torch.eye(4),
}


@pytest.mark.parametrize("word", LIKELIHOODS)
def test_laws(word):
    assert word in SUPPORTS, f"Say in SUPPORTS of this file where the values of {word} lie."
    check_likelihood(LIKELIHOODS[word], SUPPORTS[word])


class UnnormalisedGaussian(Gaussian):
    """Breaks a law: its scale is forgotten in the density."""

    def forward(self, decoded, exposure):
        p = super().forward(decoded, exposure)
        p.log_prob = lambda x: -0.5 * ((x - p.loc) / p.scale) ** 2
        return p


class CountsBelowZero(Gaussian):
    """Breaks a law: what it takes is not of its kind."""

    kind = "counts"


class ForgottenZeros(NegativeBinomial):
    """Breaks a law: its input is centred, though zeros are not looked at."""

    def encoder_input(self, values, exposure):
        return super().encoder_input(values, exposure) - 1.0


class CarelessCounts(NegativeBinomial):
    """Breaks a law: takes fractions for counts."""

    @staticmethod
    def check(values):
        return values >= 0


@pytest.mark.parametrize(
    ("broken", "word", "sentence"),
    [
        (UnnormalisedGaussian, "gaussian", "The probabilities of all values sum to something that differs from one"),
        (CarelessCounts, "negative_binomial", "check takes inf, which the distribution cannot give"),
        (CountsBelowZero, "gaussian", "which is not of the kind .counts."),
        (ForgottenZeros, "negative_binomial", "It keeps_zeros, but the encoder's input of zero is not zero"),
    ],
)
def test_a_broken_law_is_noticed(broken, word, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_likelihood(broken, SUPPORTS[word])


def standardised(likelihood_class, generator, float64):
    """Make a likelihood with random centre, unit and noise; give also the noise in the data's units."""
    likelihood = likelihood_class(5).to(float64)
    with torch.no_grad():
        likelihood.center.copy_(torch.randn(5, generator=generator))
        likelihood.unit.copy_(torch.rand(5, generator=generator) + 0.5)
        likelihood.log_scale.copy_(torch.randn(5, generator=generator) - 1)
    relative = SMALLEST_SCALE + (1 - SMALLEST_SCALE) * np.exp(likelihood.log_scale.detach().numpy())
    return likelihood, likelihood.unit.numpy() * relative


def test_gaussian_equals_scipy(generator, float64):
    likelihood, scale = standardised(Gaussian, generator, float64)
    decoded, x = torch.randn(2, 7, 5, generator=generator, dtype=float64)
    expected = stats.norm(likelihood.center + likelihood.unit * decoded, scale)
    p = likelihood(decoded, torch.ones(7, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x).detach(), expected.logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(p.mean, expected.mean())
    np.testing.assert_allclose(p.variance.detach(), expected.var())


def test_student_t_equals_scipy(generator, float64):
    likelihood, deviation = standardised(StudentT, generator, float64)
    with torch.no_grad():
        likelihood.log_dof.fill_(-1.5)
    dof = 2 + 8 * np.exp(-1.5)
    decoded, x = 3 * torch.randn(2, 7, 5, generator=generator, dtype=float64)
    scale = deviation * np.sqrt((dof - 2) / dof)
    expected = stats.t(dof, likelihood.center + likelihood.unit * decoded, scale)
    p = likelihood(decoded, torch.ones(7, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x).detach(), expected.logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(p.mean, expected.mean())
    np.testing.assert_allclose(p.variance.detach(), expected.var())


def test_log_normal_equals_scipy(generator, float64):
    likelihood, scale = standardised(LogNormal, generator, float64)
    decoded = torch.randn(7, 5, generator=generator, dtype=float64)
    x = 1000 * torch.rand(7, 5, generator=generator, dtype=float64) ** 4
    x[0] = 0
    expected = stats.lognorm(scale, loc=-1, scale=(likelihood.center + likelihood.unit * decoded).exp().numpy())
    p = likelihood(decoded, torch.ones(7, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x).detach(), expected.logpdf(x), rtol=1e-9)
    np.testing.assert_allclose(p.mean.detach(), expected.mean())
    np.testing.assert_allclose(p.variance.detach(), expected.var())


def test_bernoulli_equals_scipy(generator, float64):
    decoded = 5 * torch.randn(7, 5, generator=generator, dtype=float64)
    x = torch.bernoulli(torch.full((7, 5), 0.5, dtype=float64), generator=generator)
    expected = stats.bernoulli(1 / (1 + np.exp(-decoded.numpy())))
    p = Bernoulli(5)(decoded, torch.ones(7, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x), expected.logpmf(x), rtol=1e-9)
    np.testing.assert_allclose(p.mean, expected.mean())
    np.testing.assert_allclose(p.variance, expected.var())


def test_beta_equals_scipy(generator, float64):
    likelihood = Beta(5).to(float64)
    with torch.no_grad():
        likelihood.log_excess.copy_(2 * torch.randn(5, generator=generator))
    decoded = 2 * torch.randn(7, 5, generator=generator, dtype=float64)
    x = torch.rand(7, 5, generator=generator, dtype=float64)
    mean, c = 1 / (1 + np.exp(-decoded.numpy())), 2 + likelihood.log_excess.detach().exp().numpy()
    expected = stats.beta(mean * c, (1 - mean) * c)
    p = likelihood(decoded, torch.ones(7, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x).detach(), expected.logpdf(x), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(p.mean, expected.mean())
    np.testing.assert_allclose(p.variance.detach(), expected.var())
    for edge, near in ((0.0, EDGE), (1.0, 1 - EDGE)):
        at_edge, beside = (p.log_prob(torch.full_like(x, value)).detach() for value in (edge, near))
        np.testing.assert_allclose(at_edge, beside)


def test_categorical_equals_scipy(generator, float64):
    decoded = 3 * torch.randn(4, generator=generator, dtype=float64)
    weights = np.exp(decoded.numpy()) / np.exp(decoded.numpy()).sum()
    x = torch.eye(4, dtype=float64)
    p = Categorical(4)(decoded.expand(4, 4), torch.ones(4, 1, dtype=float64))
    np.testing.assert_allclose(p.log_prob(x).sum(-1), stats.multinomial(1, weights).logpmf(x.numpy()), rtol=1e-10)


HUGE = [0.0, 1.0, 2.0, STIRLING_FROM - 1, STIRLING_FROM, STIRLING_FROM + 1, 1e3, 1e5, 1e6, 1e7]


@pytest.mark.parametrize("theta", [0.01, 0.7, 1.0, 30.0, 5000.0])
@pytest.mark.parametrize("mu", [1e-3, 1.0, 70.0, 1e6])
def test_negative_binomial_equals_scipy(mu, theta, float64):
    x = torch.tensor(HUGE, dtype=float64).unsqueeze(-1)
    log_mu = torch.full_like(x, np.log(mu))
    p = NegativeBinomialCounts(log_mu, torch.tensor([np.log(theta)], dtype=float64))
    expected = stats.nbinom(theta, theta / (theta + mu))
    np.testing.assert_allclose(p.log_prob(x), expected.logpmf(x.numpy()), rtol=1e-6, atol=2e-7)
    np.testing.assert_allclose(p.mean[0], expected.mean())
    np.testing.assert_allclose(p.variance[0], expected.var())


@pytest.mark.parametrize("mu", [1e-3, 1.0, 70.0, 1e6])
def test_poisson_equals_scipy(mu, float64):
    x = torch.tensor(HUGE, dtype=float64).unsqueeze(-1)
    p = PoissonCounts(torch.full_like(x, np.log(mu)))
    np.testing.assert_allclose(p.log_prob(x), stats.poisson(mu).logpmf(x.numpy()), rtol=1e-6, atol=2e-7)
    assert p.mean[0].item() == p.variance[0].item() == pytest.approx(mu)


def test_poisson_of_huge_counts_in_float32():
    x = torch.tensor([[1e5], [1e6], [3e6]])
    mu = x + 2 * x.sqrt()
    # log(μ / x) has seven digits, so that what is left over is a few hundredths here; with log Γ it would be nats.
    np.testing.assert_allclose(PoissonCounts(mu.log()).log_prob(x), stats.poisson.logpmf(x, mu), rtol=5e-3)


def test_zero_inflation_equals_its_definition(generator, float64):
    x = torch.arange(6.0, dtype=float64).unsqueeze(-1).expand(6, 3)
    log_mu, logit = torch.randn(2, 3, generator=generator, dtype=float64)
    counts = NegativeBinomialCounts(log_mu.expand(6, 3), torch.zeros(3, dtype=float64))
    pi = 1 / (1 + np.exp(-logit.numpy()))
    expected = pi * (x.numpy() == 0) + (1 - pi) * counts.log_prob(x).exp().numpy()
    np.testing.assert_allclose(ZeroInflatedCounts(counts, logit).log_prob(x).exp(), expected)


@pytest.mark.parametrize("theta", [0.3, 2.0, 40.0])
def test_negative_binomial_of_huge_counts_in_float32(theta):
    x = torch.tensor([[1e5], [1e6], [3e6]])
    mu = x * torch.tensor([[0.5], [1.0], [3.0]])
    p = NegativeBinomialCounts(mu.log(), torch.tensor([theta]).log())
    # Written with log Γ of the counts themselves, float32 is off by whole nats here.
    np.testing.assert_allclose(p.log_prob(x), stats.nbinom.logpmf(x, theta, theta / (theta + mu)), atol=2e-3)


def test_negative_binomial_takes_its_mean_from_the_library(generator, float64):
    likelihood = NegativeBinomial(5).to(float64)
    decoded = torch.randn(3, 5, generator=generator, dtype=float64)
    library = torch.tensor([[10.0], [1e4], [1e7]], dtype=float64)
    p = likelihood(decoded, library)
    composition = np.exp(decoded.numpy()) / np.exp(decoded.numpy()).sum(-1, keepdims=True)
    np.testing.assert_allclose(p.mean, library.numpy() * composition)


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("observations", [(40,), (3, 5)])
def test_fused_negative_binomial_equals_the_plain_one(observations, density, generator, float64):
    shape = (*observations, len(HUGE))
    measured = torch.rand(shape, generator=generator) < density
    x = torch.where(measured, torch.tensor(HUGE, dtype=float64), 0.0)
    log_mu = 6 * torch.randn(shape, generator=generator, dtype=float64)
    log_theta = 2 * torch.randn(shape[-1], generator=generator, dtype=float64)
    upstream = torch.randn(shape, generator=generator, dtype=float64)
    results = []
    for log_prob in (lambda x, m, t: NegativeBinomialCounts(m, t).log_prob(x), plain_log_prob):
        inputs = log_mu.clone().requires_grad_(), log_theta.clone().requires_grad_()
        value = log_prob(x, *inputs)
        results.append((value.detach(), *torch.autograd.grad(value, inputs, upstream)))
    assert "SparseLogProb" in type(NegativeBinomialCounts(*inputs).log_prob(x).grad_fn).__name__
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-7, atol=1e-6)


def values_in_parts(word, n, g, density, generator, dtype):
    """Values of which some observations have none, and a likelihood with parameters of its own for each feature."""
    x = torch.poisson(torch.full((n, g), 3.0, dtype=dtype), generator=generator)
    x = torch.where(torch.rand((n, g), generator=generator) < density, x, 0.0)
    x = torch.where(torch.rand((n, g), generator=generator) < 0.1, 40 * x, x)  # some beyond the table of ratios
    present = torch.rand(n, generator=generator) < 0.8
    values = torch.where(present.unsqueeze(-1), x, 0.0)
    values = (values > 0).to(dtype) if word == "bernoulli" else values
    row, column = values.nonzero(as_tuple=True)
    modality = ModalityBatch(
        values, present, None, values.sum(-1) + 5, stored=Nonzeros(values[row, column], row, column)
    )
    likelihood = LIKELIHOODS[word](g).to(dtype)
    with torch.no_grad():
        for name, low in (("log_theta", None), ("center", None), ("unit", 0.2)):
            if hasattr(likelihood, name):
                draw = torch.randn if low is None else torch.rand
                getattr(likelihood, name).copy_((low or 0.0) + draw(g, generator=generator, dtype=dtype))
    return modality, likelihood, 3 * torch.randn(n, g, generator=generator, dtype=dtype)


in_one_pass = pytest.mark.parametrize("word", ["negative_binomial", "bernoulli"])


@in_one_pass
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(("n", "g"), [(50, 7), (30, MAX_PASS_VALUES // 8), (2, 2 * MAX_PASS_VALUES)])
def test_values_scored_in_one_pass_score_as_entry_by_entry(word, n, g, density, generator, float64):
    modality, likelihood, decoded = values_in_parts(word, n, g, density, generator, float64)
    upstream = torch.randn(n, generator=generator, dtype=float64)
    results = []
    for score in (likelihood.score, lambda d, m: Likelihood.score(likelihood, d, m)):
        d = decoded.clone().requires_grad_()
        value = score(d, modality)
        nodes = [type(node).__name__ for node, _ in value.grad_fn.next_functions]
        assert any(name.endswith("LogProbBackward") for name in nodes) == (not results), nodes
        results.append((value.detach(), *torch.autograd.grad(value, (d, *likelihood.parameters()), upstream)))
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-8, atol=1e-8)
    assert (results[0][0][~modality.present] == 0).all()


def test_an_observation_without_any_count_has_no_gradient():
    x = torch.tensor([[0.0, 0.0], [1.0, 3.0]])
    decoded = torch.zeros(2, 2, requires_grad=True)
    score = NegativeBinomial(2).score(decoded, ModalityBatch(x, torch.ones(2, dtype=torch.bool), None, x.sum(-1)))
    score.sum().backward()
    assert score[0].abs() < 1e-30
    assert (decoded.grad[0].abs() < 1e-30).all()
    assert (decoded.grad[1] != 0).all()


@in_one_pass
def test_values_scored_in_one_pass_have_the_gradient_of_their_score(word, generator, float64):
    modality, likelihood, decoded = values_in_parts(word, 6, 5, 0.5, generator, float64)
    names = [f"parts.{name}" for name, _ in likelihood.named_parameters()]

    def score(decoded, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(_Scored(likelihood), given, (decoded, modality))

    inputs = [t.detach().clone().requires_grad_() for t in (decoded, *likelihood.parameters())]
    assert torch.autograd.gradcheck(score, inputs)


@in_one_pass
def test_values_scored_in_bfloat16_keep_the_precision_of_what_is_not_decoded(word, generator):
    modality, likelihood, decoded = values_in_parts(word, 20, 50, 0.3, generator, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        score = likelihood.score(decoded.bfloat16().requires_grad_(), modality)
    torch.testing.assert_close(score, likelihood.score(decoded.bfloat16().float(), modality), rtol=1e-5, atol=1e-3)


class _Scored(torch.nn.Module):
    def __init__(self, likelihood):
        super().__init__()
        self.parts = likelihood

    def forward(self, decoded, modality):
        return self.parts.score(decoded, modality)


@pytest.mark.parametrize("word", ["poisson", "negative_binomial", "zero_inflated_negative_binomial"])
def test_counts_are_decoded_in_units_of_what_varies_beyond_counting(word):
    """Three features whose log fraction varies by 0.6, by 0.3, and not at all; depths differ threefold."""
    rng = np.random.default_rng(0)
    n, deviation = 4000, np.array([0.6, 0.3, 0.0] + 40 * [0.0])
    depth = rng.uniform(5e3, 15e3, n)
    fractions = np.exp(deviation * rng.standard_normal((n, 43)) - deviation**2 / 2) / 43
    counts = torch.from_numpy(rng.poisson(depth[:, None] * fractions).astype(np.float64))
    counts[::7, 0] = torch.nan
    everyone = torch.ones(n, dtype=torch.bool)
    batch = ModalityBatch(counts, everyone, ~counts.isnan(), torch.from_numpy(depth))
    likelihood = LIKELIHOODS[word](43).double()
    moments = Moments(np.nanmean(counts.numpy(), axis=0), np.nanvar(counts.numpy(), axis=0))
    start = likelihood.initialise(moments, batch)
    assert (start == 0).all()
    np.testing.assert_allclose(likelihood.unit[:2], deviation[:2], rtol=0.05)
    np.testing.assert_allclose(likelihood.unit[2:], 0.1, atol=1e-6)
    one = torch.zeros(43, dtype=torch.float64)
    one[1] = 1.0
    counted = NegativeBinomial(43).double()
    counted.load_state_dict(likelihood.state_dict(), strict=False)
    means = [counted(decoded, torch.tensor([1e4], dtype=torch.float64)).mean for decoded in (start, one)]
    ratio = (means[1] / means[0])[1] / (means[1] / means[0])[0]
    np.testing.assert_allclose(ratio.log().item(), likelihood.unit[1].item(), rtol=1e-6)
