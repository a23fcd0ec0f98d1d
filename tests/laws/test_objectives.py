"""The bound equals closed forms where there are any, and a slow naive version everywhere."""

import itertools
from functools import partial

import numpy as np
import oracles
import pytest
import torch
from builders import all_rows, build_mdata, build_plan, plan_of, small_network
from linear_gaussian import draw_batch, linear_gaussian
from scipy import stats

from omixvae.data import from_mudata
from omixvae.data.masked import MaskedBatch, ModalityBatch
from omixvae.distributions import DiagonalGaussian
from omixvae.encoders.experts import product
from omixvae.objectives import OBJECTIVES, draw_subset
from omixvae.objectives.masked import masked_bound
from omixvae.objectives.mixture import mixture_bound
from omixvae.objectives.total_correlation import total_correlation_bound
from omixvae.plan import ModalityPlan
from omixvae.vae import MultimodalVAE

PRIVATE = (2, 1, 0)


def parts(terms, subset):
    r"""Give (L_S, L_\S) of each observation."""
    first = torch.where(subset, terms.reconstruction, 0.0).sum(-1) - terms.rate
    second = torch.where(subset, 0.0, terms.reconstruction).sum(-1) - terms.cross_rate
    return first.detach().numpy(), second.detach().numpy()


CASES = list(itertools.product([2, 3, 4, 5], [False, True], [0.0, 0.4]))


@pytest.mark.parametrize(("n_modalities", "private", "missing"), CASES)
def test_exact_posterior_gives_exact_likelihoods_for_every_subset(n_modalities, private, missing, generator):
    network, model = linear_gaussian(n_modalities, private=private)
    batch, x, measured = draw_batch(model, 6, missing=missing)
    sizes = [len(b) for b in model.offset]
    for chosen in itertools.product([False, True], repeat=n_modalities):
        subset = torch.tensor(chosen).expand(len(x), -1)
        # What is absent cannot be in S, even if a caller says so.
        terms = masked_bound(network, batch, subset, generator)
        first, second = parts(terms, subset)
        in_s = np.repeat(chosen, sizes)
        for i, row in enumerate(x):
            given, rest = measured[i] & in_s, measured[i] & ~in_s
            assert first[i] == pytest.approx(model.log_prob(row, given), abs=1e-5), ("B1", chosen, i)
            assert second[i] == pytest.approx(model.conditional_log_prob(row, rest, given), abs=1e-5), ("B2", chosen, i)
            whole = model.log_prob(row, measured[i])
            assert terms.bound[i].item() == pytest.approx(whole, abs=1e-5), ("B3", chosen, i)


def test_posterior_of_the_linear_model_is_the_oracles(float64):
    network, model = linear_gaussian(3, private=True)
    batch, x, measured = draw_batch(model, 20, missing=0.4)
    q = network.posterior(batch, network.features(batch), batch.presence)
    for i, row in enumerate(x):
        mean, covariance = model.posterior(row, measured[i])
        np.testing.assert_allclose(q.mean[i].detach(), mean, atol=1e-9)
        np.testing.assert_allclose(q.variance[i].detach(), np.diag(covariance), atol=1e-9)


@pytest.mark.parametrize("private", [False, True])
def test_everything_gives_the_elbo_and_nothing_gives_it_again(private, generator, float64):
    data = from_mudata(build_mdata())
    network = MultimodalVAE(plan_of(data, 2 if private else 0)).to(float64)
    batch = all_rows(data)
    nothing = torch.zeros_like(batch.presence)
    state = generator.get_state()
    everything = masked_bound(network, batch, batch.presence, generator)
    _, second = parts(everything, batch.presence)
    np.testing.assert_array_equal(second, 0)
    first, _ = parts(masked_bound(network, batch, nothing, generator), nothing)
    np.testing.assert_array_equal(first, 0)
    # Both estimate the same number, here averaged over many draws.
    generator.set_state(state)
    draws = [
        [masked_bound(network, batch, s, generator).bound.mean().item() for _ in range(100)]
        for s in (batch.presence, nothing)
    ]
    means, errors = np.mean(draws, axis=1), np.std(draws, axis=1) / 100**0.5
    assert abs(means[0] - means[1]) < 5 * np.hypot(*errors)


def arbitrary_network(data, dtype):
    """Make a network with arbitrary weights, private latents of different sizes and a mixture prior."""
    words = {"rna": "negative_binomial", "protein": "gaussian", "mutation": "bernoulli"}
    plans = [ModalityPlan(t.name, t.n_features, words[t.name], p) for t, p in zip(data.tables, (2, 1, 0), strict=True)]
    network = MultimodalVAE(build_plan(plans, prior="gaussian_mixture", decoder="mlp")).to(dtype)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(30, 2, generator=generator, dtype=dtype)
    network.prior.take_groups(z, torch.arange(30) % 3)
    return network


def normal_log_prob(q, i, value):
    """Evaluate row i of independent Gaussians."""
    return stats.norm.logpdf(value[i].numpy(), q.loc[i].numpy(), q.scale[i].numpy()).sum(-1)


@pytest.mark.parametrize(("beta", "dropout"), [(1.0, 0.0), (0.3, 0.0), (1.0, 0.5), (1.0, 1.0)])
@torch.no_grad()
def test_masked_bound_equals_the_naive_loop(beta, dropout, float64):
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    n, m = batch.presence.shape
    subset = draw_subset(batch.presence, "uniform_size", torch.Generator().manual_seed(3))
    assert len(torch.unique(subset, dim=0)) == 2**m
    private = torch.rand(n, m, generator=torch.Generator().manual_seed(4)) >= dropout
    terms = masked_bound(
        network, batch, subset, torch.Generator().manual_seed(5), beta=beta, private=private if dropout else None
    )

    # The same samples: z_S, z_O, w_S, w_O in this order.
    generator = torch.Generator().manual_seed(5)
    h = network.features(batch)
    z_s = network.posterior(batch, h, subset).rsample(generator)
    z_o = network.posterior(batch, h, batch.presence).rsample(generator)
    w_s = network.private_posterior(h, subset, z_s).rsample(generator)
    w_o = network.private_posterior(h, batch.presence & (subset | private), z_o).rsample(generator)
    prior = [t.numpy() for t in (network.prior().log_weights.exp(), network.prior().loc, network.prior().scale)]

    def log_q(i, modalities, z):
        """Give log q(z | x_S) of one observation, from the features of S alone."""
        if not modalities:
            return oracles.mixture(*prior, z[i : i + 1].numpy())[0][0]
        q = network.aggregation(h[i : i + 1, modalities], torch.ones(1, len(modalities), dtype=torch.bool))
        return stats.norm.logpdf(z[i].numpy(), q.loc[0].numpy(), q.scale[0].numpy()).sum()

    def log_r(i, s, modalities, z, w):
        """Give log q(w_s | z, x_S) of one observation and modality; the prior's where s is not in S."""
        p = PRIVATE[s]
        if s not in modalities:
            return stats.norm.logpdf(w[i, s, :p].numpy()).sum()
        present = torch.zeros(1, m, dtype=torch.bool)
        present[:, modalities] = True
        r = network.private_encoder(network.private_encoder.embed(h[i : i + 1]), present, z[i : i + 1])
        return stats.norm.logpdf(w[i, s, :p].numpy(), r.loc[0, s, :p].numpy(), r.scale[0, s, :p].numpy()).sum()

    def log_p(i, s, z, w):
        """Give log p(x_s | z, w_s) of one observation and modality, over the measured entries."""
        one = data.rows(np.array([i]), torch.device("cpu"), float64)
        p = network.decode(s, z[i : i + 1], w[i : i + 1, s], one)
        entries = one.modalities[s].mask[0].expand(data.tables[s].n_features)
        return p.log_prob(one.modalities[s].filled)[0, entries].sum().item()

    for i in range(n):
        observed = batch.presence[i].nonzero()[:, 0].tolist()
        chosen = subset[i].nonzero()[:, 0].tolist()
        rest = [s for s in observed if s not in chosen]
        l_s = sum(log_p(i, s, z_s, w_s) for s in chosen)
        l_s -= beta * (log_q(i, chosen, z_s) - log_q(i, [], z_s))
        l_s -= beta * sum(log_r(i, s, chosen, z_s, w_s) - log_r(i, s, [], z_s, w_s) for s in chosen)
        l_rest = sum(log_p(i, s, z_o, w_o) for s in rest)
        if rest:  # for S = O the second part is zero
            l_rest -= beta * (log_q(i, observed, z_o) - log_q(i, chosen, z_o))
            believed = [s for s in observed if s in chosen or private[i, s]]
            l_rest -= beta * sum(log_r(i, s, believed, z_o, w_o) - log_r(i, s, chosen, z_o, w_o) for s in observed)
        if not chosen:
            assert l_s == 0
        assert terms.bound[i].item() == pytest.approx(l_s + l_rest, rel=1e-9, abs=1e-9), (i, chosen, observed)


@pytest.mark.parametrize("word", ["masked", "total_correlation"])
def test_what_is_predicted_without_its_private_latent_does_not_need_its_encoder(word, generator, float64):
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    nothing = torch.zeros_like(batch.presence)
    for private, moved in ((None, True), (nothing, False)):
        network.zero_grad()
        OBJECTIVES[word].evaluate(network, batch, nothing, generator, private=private).loss.backward()
        gradients = [p.grad for p in network.private_encoder.parameters() if p.grad is not None]
        assert any(bool(g.any()) for g in gradients) == moved


@torch.no_grad()
def test_what_is_absent_cannot_be_in_the_subset(float64):
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    everything = torch.ones_like(batch.presence)
    assert not batch.presence.all()
    a, b = (masked_bound(network, batch, s, torch.Generator().manual_seed(0)) for s in (everything, batch.presence))
    torch.testing.assert_close(a.bound, b.bound, rtol=0, atol=0)


def encoder_slopes(network, loss):
    parameters = [p for p in network.encoders.parameters() if p.requires_grad and not is_of_likelihood(network, p)]
    return torch.cat([slope.flatten() for slope in torch.autograd.grad(loss, parameters, allow_unused=False)])


def is_of_likelihood(network, parameter):
    return any(parameter is p for p in network.likelihoods.parameters())


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("everything", [True, False])
def test_sticking_the_landing_has_no_gradient_at_the_exact_posterior(everything, private):
    network, model = linear_gaussian(3, private=private)
    batch, _, _ = draw_batch(model, 10, missing=0.4)
    subset = batch.presence & everything
    slopes = [
        encoder_slopes(network, masked_bound(network, batch, subset, torch.Generator().manual_seed(2), kl=kl).loss)
        for kl in ("stl", "sample")
    ]
    assert slopes[0].abs().max() < 1e-9
    assert slopes[1].abs().max() > 1e-2, "without it the gradient is noise"


@pytest.mark.parametrize("n_modalities", [2, 3, 4, 5])
def test_product_of_experts_reaches_the_exact_posterior_where_loadings_are_orthogonal(n_modalities):
    """W_s' W_s / σ_s² diagonal: the expert N(P⁻¹ W_s' (x_s - b_s) / σ_s², P⁻¹) times N(0, I) is the posterior (O1)."""
    rng = np.random.default_rng(n_modalities)
    d, sizes = 3, rng.integers(4, 7, n_modalities)
    noise = [np.full(g, 0.3 + rng.random()) for g in sizes]
    loadings = [np.linalg.qr(rng.standard_normal((g, d)))[0] * (0.5 + rng.random(d)) for g in sizes]
    offset = [rng.standard_normal(g) for g in sizes]
    model = oracles.LinearGaussian(loadings, [np.zeros((g, 0)) for g in sizes], offset, noise)
    x = model.draw(10, rng)
    present = rng.random((10, n_modalities)) < 0.6
    precision = np.stack([np.diag(w.T @ w) / s[0] ** 2 for w, s in zip(loadings, noise, strict=True)])
    parts = zip(np.split(x, np.cumsum(sizes)[:-1], axis=1), offset, loadings, noise, precision, strict=True)
    mean = np.stack([(values - b) @ w / s[0] ** 2 / p for values, b, w, s, p in parts], axis=1)
    scale = torch.from_numpy(precision**-0.5).expand(10, -1, -1)
    q = product(DiagonalGaussian(torch.from_numpy(mean), scale), torch.from_numpy(present))
    for i in range(10):
        expected, covariance = model.posterior(x[i], np.repeat(present[i], sizes))
        np.testing.assert_allclose(q.mean[i], expected, atol=1e-9)
        np.testing.assert_allclose(np.diag(q.variance[i]), covariance, atol=1e-9)


@pytest.mark.parametrize("prior", ["standard_normal", "gaussian_mixture"])
@pytest.mark.parametrize("word", OBJECTIVES)
def test_all_ways_to_take_the_cost_have_the_same_expectation(word, prior, generator, float64):
    data = from_mudata(build_mdata(n_obs=8))
    network, batch = small_network(data, prior=prior), all_rows(data)
    subset = draw_subset(batch.presence, "independent", torch.Generator().manual_seed(1))
    averages = {
        kl: average(partial(OBJECTIVES[word].evaluate, kl=kl), network, batch, subset, generator)
        for kl in ("sample", "stl", "closed_form")
    }
    reference, error = averages.pop("sample")
    for kl, (mean, other) in averages.items():
        assert (np.abs(mean - reference) < 5 * np.hypot(error, other)).all(), kl
    assert averages["closed_form"][1].mean() < error.mean(), "and the closed form varies least"


def test_sticking_the_landing_keeps_the_gradient_of_the_other_belief():
    r"""Between the extremes log q(z_O|x_S) is trained at samples of another belief: there nothing is stopped."""
    network, model = linear_gaussian(3, private=False)
    batch, _, _ = draw_batch(model, 10, missing=0.0)
    subset = torch.tensor([True, False, True]).expand(10, -1)
    got = encoder_slopes(network, masked_bound(network, batch, subset, torch.Generator().manual_seed(2)).loss)
    generator = torch.Generator().manual_seed(2)
    h = network.features(batch)
    network.posterior(batch, h, subset).rsample(generator)
    z_o = network.posterior(batch, h, batch.presence).rsample(generator).detach()
    expected = encoder_slopes(network, -network.posterior(batch, h, subset).log_prob(z_o).mean())
    assert expected.abs().max() > 1e-2
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("word", OBJECTIVES)
def test_beta_weighs_the_cost_of_the_latents_alone(word, float64):
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    subset = draw_subset(batch.presence, "independent", torch.Generator().manual_seed(0))
    terms = [
        OBJECTIVES[word].evaluate(network, batch, subset, torch.Generator().manual_seed(1), beta=beta)
        for beta in (0.0, 2.0)
    ]
    torch.testing.assert_close(terms[0].bound, terms[0].reconstruction.sum(-1))
    cost = terms[0].rate + terms[0].cross_rate
    torch.testing.assert_close(terms[1].bound, terms[0].bound - 2 * cost)
    assert cost.abs().max() > 0.1


@pytest.mark.parametrize("word", OBJECTIVES)
def test_a_weight_counts_a_modality_that_often(word, float64):
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    plain = OBJECTIVES[word].evaluate(network, batch, batch.presence, torch.Generator().manual_seed(1))
    network.weights = torch.tensor([1.0, 3.0, 1.0], dtype=float64)
    weighted = OBJECTIVES[word].evaluate(network, batch, batch.presence, torch.Generator().manual_seed(1))
    torch.testing.assert_close(weighted.bound, plain.bound + 2 * plain.reconstruction[:, 1])


def test_the_size_of_the_subset_is_uniform_or_binomial(generator):
    observed = torch.ones(30_000, 3, dtype=torch.bool)
    observed[:, 1] = False  # two of three are there
    for law, expected in (("uniform_size", [1 / 3, 1 / 3, 1 / 3]), ("independent", [1 / 4, 1 / 2, 1 / 4])):
        subset = draw_subset(observed, law, generator)
        assert not (subset & ~observed).any()
        counts = torch.bincount(subset.sum(-1), minlength=3).numpy()
        assert stats.chisquare(counts, 30_000 * np.array(expected)).pvalue > 1e-3


N_DRAWS = 400


def repeated(batch, times):
    """Give a batch in which each observation stands so many times, one after the other."""

    def repeat(x):
        return None if x is None else x.repeat_interleave(times, dim=0)

    modalities = tuple(
        ModalityBatch(repeat(m.values), repeat(m.present), repeat(m.observed), repeat(m.library))
        for m in batch.modalities
    )
    return MaskedBatch(modalities, repeat(batch.covariates), repeat(batch.index))


def average(bound, network, batch, subset, generator):
    """Give mean and standard error of a bound of each observation over many draws, all made in one batch."""
    many = subset.repeat_interleave(N_DRAWS, dim=0)
    with torch.no_grad():
        bounds = bound(network, repeated(batch, N_DRAWS), many, generator).bound
        draws = bounds.unflatten(0, (-1, N_DRAWS)).numpy()
    return draws.mean(1), draws.std(1) / N_DRAWS**0.5


@pytest.mark.parametrize("n_modalities", [2, 3, 4, 5])
def test_the_other_bounds_have_their_closed_forms_at_the_exact_posterior(n_modalities, generator):
    network, model = linear_gaussian(n_modalities, private=False)
    batch, x, measured = draw_batch(model, 6, missing=0.4)
    sizes = [len(b) for b in model.offset]
    for chosen in itertools.product([False, True], repeat=n_modalities):
        subset = torch.tensor(chosen).expand(len(x), -1)
        mixture, mixture_error = average(mixture_bound, network, batch, subset, generator)
        correlation, correlation_error = average(total_correlation_bound, network, batch, subset, generator)
        in_s = np.repeat(chosen, sizes)
        for i, row in enumerate(x):
            given, rest = measured[i] & in_s, measured[i] & ~in_s
            expected = model.log_prob(row, given) + model.expected_log_prob(row, rest, given)
            assert abs(mixture[i] - expected) < 5 * mixture_error[i] + 1e-9, ("B4", chosen, i)
            expected = model.conditional_log_prob(row, rest, given) + model.expected_log_prob(row, given, measured[i])
            assert abs(correlation[i] - expected) < 5 * correlation_error[i] + 1e-9, ("B5", chosen, i)


def test_all_bounds_meet_in_the_elbo(generator, float64):
    """From everything, or from nothing in (B5), each is the ordinary bound, private latents included."""
    data = from_mudata(build_mdata())
    network, batch = arbitrary_network(data, float64), all_rows(data)
    nothing = torch.zeros_like(batch.presence)
    elbo, error = average(masked_bound, network, batch, batch.presence, generator)
    for bound, subset in ((mixture_bound, batch.presence), (total_correlation_bound, nothing)):
        other, other_error = average(bound, network, batch, subset, generator)
        assert (np.abs(elbo - other) < 5 * np.hypot(error, other_error)).all(), bound.__name__


@pytest.mark.parametrize("law", ["uniform_size", "independent"])
@pytest.mark.parametrize("sizes", ["any", "not_empty", "single"])
def test_subsets_are_drawn_by_their_law(law, sizes, generator):
    n = 20_000
    observed = torch.tensor([True, False, True, True]).expand(n, -1)
    drawn = draw_subset(observed, law, generator, sizes=sizes)
    assert not drawn[:, 1].any()
    sets, counts = torch.unique(drawn[:, [0, 2, 3]], dim=0, return_counts=True)
    size = sets.sum(1)
    allowed = {"any": [0, 1, 2, 3], "not_empty": [1, 2, 3], "single": [1]}[sizes]
    ways = torch.tensor([1, 3, 3, 1])
    if law == "uniform_size" or sizes == "single":
        expected = 1 / (len(allowed) * ways[size])
    else:
        expected = torch.full((len(sets),), 1 / float(ways[allowed].sum()))
    assert set(size.tolist()) == set(allowed)
    assert len(sets) == ways[allowed].sum()
    error = (expected * (1 - expected) / n).sqrt()
    assert ((counts / n - expected).abs() < 5 * error).all()


def test_nothing_is_drawn_where_nothing_is_measured(generator):
    observed = torch.zeros(5, 3, dtype=torch.bool)
    for law, sizes in itertools.product(["uniform_size", "independent"], ["any", "not_empty", "single"]):
        assert not draw_subset(observed, law, generator, sizes=sizes).any()


def slopes_of(bound, network, batch, subset, parameters, kl, seed):
    loss = bound(network, batch, subset, torch.Generator().manual_seed(seed), kl=kl).loss
    return torch.cat([slope.flatten() for slope in torch.autograd.grad(loss, parameters)])


@pytest.mark.slow
@pytest.mark.parametrize("aggregation", ["sum_pooling", "moe", "mopoe", "sum_pooling_mixture"])
@pytest.mark.parametrize("prior", ["gaussian_mixture", "vamp"])
def test_sticking_the_landing_changes_each_gradient_but_not_its_expectation(aggregation, prior):
    """For the belief about z, mixtures included, and for the encoder of private latents, which sees z itself."""
    data = from_mudata(build_mdata(n_obs=10))
    network = small_network(data, aggregation=aggregation, prior=prior)
    batch = repeated(all_rows(data), 40)
    subset = draw_subset(batch.presence, "uniform_size", torch.Generator().manual_seed(0))
    last = [p for name, p in network.aggregation.named_parameters() if name.endswith("bias")][-1]
    private = [p for name, p in network.private_encoder.named_parameters() if name.endswith("bias")][-1]
    stopped, plain = (
        torch.stack([slopes_of(masked_bound, network, batch, subset, (last, private), kl, seed) for seed in range(60)])
        for kl in ("stl", "sample")
    )
    for difference in (stopped - plain).split([last.numel(), private.numel()], dim=-1):
        assert difference.abs().max() > 1e-4, "something is stopped"
        error = difference.std(0) / len(difference) ** 0.5
        assert (difference.mean(0).abs() < 5 * error + 1e-9).all(), "and it has expectation zero"


def test_the_prior_of_pseudo_observations_trains_the_aggregation():
    data = from_mudata(build_mdata(n_obs=10))
    network = small_network(data, prior="vamp")
    parameters = list(network.aggregation.parameters())
    z = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = torch.autograd.grad(network.prior().log_prob(z).sum(), parameters)
    assert all((slope != 0).any() for slope in slopes)
