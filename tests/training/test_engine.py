"""The loop: it reaches the optimum, is repeatable, disturbs nobody, and says what went wrong."""

import dataclasses
import random

import anndata
import mudata
import numpy as np
import oracles
import pandas as pd
import pytest
import torch
from builders import all_rows, build_mdata, build_plan, plan_of
from sklearn.decomposition import FactorAnalysis

from omixvae.config import Config
from omixvae.data import from_mudata
from omixvae.devices import kept_memory
from omixvae.objectives import OBJECTIVES
from omixvae.plan import ModalityPlan, make_plan
from omixvae.processes import OneProcess
from omixvae.training.engine import DivergedError, Trainer, train
from omixvae.training.initialise import initialise_network
from omixvae.vae import MultimodalVAE


def new_network(plan, data):
    """Start a network from the data, and the same one each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MultimodalVAE(plan)
    initialise_network(network, data, np.random.default_rng(0))
    return network


def factor_data(n=500, sizes=(12, 8), n_factors=3, seed=0):
    """Draw two modalities that read the same factors."""
    rng = np.random.default_rng(seed)
    model = oracles.LinearGaussian.random(sizes, n_factors, [0, 0], rng)
    x = model.draw(n, rng).astype(np.float32)
    names = [f"sample{i}" for i in range(n)]
    blocks = np.split(x, [sizes[0]], axis=1)
    parts = {
        f"m{s}": anndata.AnnData(
            block,
            obs=pd.DataFrame(index=names),
            var=pd.DataFrame(index=[f"m{s}_{j}" for j in range(block.shape[1])]),
        )
        for s, block in enumerate(blocks)
    }
    return from_mudata(mudata.MuData(parts)), x.astype(np.float64)


@pytest.mark.slow
def test_a_linear_model_reaches_the_likelihood_of_factor_analysis():
    data, x = factor_data()
    plans = [ModalityPlan(t.name, t.n_features, "gaussian", 0) for t in data.tables]
    plan = build_plan(plans, n_latent=3, max_epochs=60, warm_up_epochs=0, prior_epoch=0, batch_size=32)
    network = new_network(plan, data)
    train(network, data, plan)
    decoders, likelihoods = network.decoders, network.likelihoods
    with torch.no_grad():
        at_zero = [
            likelihood(decoder.offset, torch.ones(()))
            for decoder, likelihood in zip(decoders, likelihoods, strict=True)
        ]
        trained = oracles.LinearGaussian(
            [
                (likelihood.unit[:, None] * d.loadings).double().numpy()
                for d, likelihood in zip(decoders, likelihoods, strict=True)
            ],
            [np.zeros((t.n_features, 0)) for t in data.tables],
            [p.mean.double().numpy() for p in at_zero],
            [p.variance.sqrt().double().numpy() for p in at_zero],
        )
    reached = np.mean([trained.log_prob(row, np.isfinite(row)) for row in x])
    best = FactorAnalysis(3, tol=1e-6, max_iter=5000, svd_method="lapack").fit(x).score(x)
    untrained = np.mean(-0.5 * (np.log(2 * np.pi * x.var(0)) + 1).sum())
    assert untrained < best - 5, "independent features are no rival here"
    assert best - 0.01 * abs(best) < reached < best + 1e-3


def small_case(**changes):
    data = from_mudata(build_mdata(60))
    plan = plan_of(data, prior="gaussian_mixture", choose_clusters=True, held_out=0.2, **changes)
    return data, plan


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not():
    data, plan = small_case()
    weights = []
    for seed in (0, 0, 1):
        network = new_network(plan, data)
        train(network, data, dataclasses.replace(plan, seed=seed))
        weights.append(network.state_dict())
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(weights[0]["decoders.0.linear.weight"], weights[2]["decoders.0.linear.weight"])


def test_training_does_not_mind_that_the_caller_switched_gradients_off():
    data, plan = small_case()
    network = new_network(plan, data)
    before = network.decoders[0].linear.weight.clone()
    with torch.no_grad():
        train(network, data, plan)
        assert not torch.is_grad_enabled()
    assert not torch.equal(network.decoders[0].linear.weight, before)


def test_training_leaves_the_global_random_numbers_alone():
    data, plan = small_case()
    network = new_network(plan, data)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    train(network, data, plan)
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert [str(part) for part in before[1]] == [str(part) for part in after[1]]
    np.testing.assert_array_equal(before[1][1], after[1][1])
    assert before[2] == after[2]


def test_the_mixture_is_the_standard_normal_until_it_starts():
    data, plan = small_case(prior_epoch=4)
    rows = []
    network = new_network(plan, data)

    def note(row):
        rows.append((row.epoch, network.prior.loc.detach().clone()))

    train(network, data, plan, on_epoch=note)
    moved = {epoch: bool(loc.any()) for epoch, loc in rows}
    assert moved == {0: False, 1: False, 2: False, 3: False, 4: True, 5: True}


def test_the_weights_kept_are_those_of_the_best_held_out_epoch():
    data, plan = small_case(max_epochs=40, learning_rate=0.1, patience=3)
    network = new_network(plan, data)
    states = []
    history = train(network, data, plan, on_epoch=lambda _: states.append(network.decoders[0].linear.weight.clone()))
    best = max(history[plan.prior_epoch :], key=lambda row: row.held_out_bound).epoch
    assert torch.equal(network.decoders[0].linear.weight, states[best])
    assert best < len(history) - 1 < plan.max_epochs - 1, "this one stops early, after its best epoch"


def test_a_diverged_reconstruction_is_named_with_its_modality():
    data, plan = small_case()
    network = new_network(plan, data)
    with torch.no_grad():
        network.likelihoods[1].log_scale[2] = torch.nan
    with pytest.raises(
        DivergedError, match=r"reconstruction of 'protein' became infinite or NaN.*\nWhere: step 1 of the"
    ):
        train(network, data, plan)


@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_a_diverged_rate_is_named(value):
    data, plan = small_case()
    network = new_network(plan, data)
    with torch.no_grad():
        network.prior.loc[:, 0] = value
    with pytest.raises(DivergedError, match="Training stopped: the rate became infinite or NaN"):
        train(network, data, plan)


def test_no_step_is_taken_once_the_loss_has_diverged():
    data, plan = small_case()
    network = new_network(plan, data)
    with torch.no_grad():
        network.likelihoods[1].log_scale[2] = torch.nan
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(DivergedError):
        train(network, data, plan)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("aggregation", ["sum_pooling", "self_attention", "poe"])  # mixtures jump between components
def test_mixed_precision_moves_bound_and_gradient_by_rounding_alone(aggregation):
    data = from_mudata(build_mdata(n_obs=300))
    results = []
    for precision in ("float32", "mixed"):
        plan = dataclasses.replace(plan_of(data), aggregation=aggregation, precision=precision)
        network = new_network(plan, data)
        trainer = Trainer(
            network, data, plan, OneProcess(), OBJECTIVES["masked"], np.arange(300), data, on_epoch=None, stop=None
        )
        terms = trainer.evaluate(all_rows(data, torch.float32), torch.Generator().manual_seed(0), 1.0)
        assert terms.bound.dtype == torch.float32
        assert all(p.dtype == torch.float32 for p in network.parameters())
        terms.loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        results.append((terms.bound.detach(), gradient))
    (exact, slope), (bound, mixed_slope) = results
    assert not torch.equal(exact, bound), "bfloat16 is used"
    assert (bound - exact).abs().mean() < 0.01 * exact.abs().mean()
    assert torch.cosine_similarity(slope, mixed_slope, dim=0) > 0.99


@pytest.mark.parametrize(("options", "first"), [({}, None), ({"weights": {"protein": 3}}, [1.0, 3.0, 1.0])])
def test_weights_that_balance_shrink_to_one_and_those_asked_for_stay(options, first):
    data = from_mudata(build_mdata(n_obs=200))
    plan = make_plan(Config.from_options(**options), data)
    trainer = Trainer(
        new_network(plan, data), data, plan, OneProcess(), OBJECTIVES["masked"], np.arange(200), data,
        on_epoch=None, stop=None,
    )  # fmt: skip
    begin, middle, end = (trainer.weights_in(epoch).tolist() for epoch in (0, plan.max_epochs // 2, plan.max_epochs))
    if first is None:
        assert begin == pytest.approx([m.weight for m in plan.modalities])
        assert max(begin) > 1.2
        assert middle == pytest.approx(np.sqrt(begin))
        assert end == trainer.network.weights.tolist() == [1.0, 1.0, 1.0]
    else:
        assert begin == middle == end == trainer.network.weights.tolist() == first


def test_the_history_has_the_bound_itself_whatever_the_weights_of_an_epoch():
    data = from_mudata(build_mdata(n_obs=60))
    plan = dataclasses.replace(make_plan(Config.from_options(max_epochs=1), data), learning_rate=0.0)
    rows = []
    for loud in (False, True):
        modalities = tuple(dataclasses.replace(m, weight=5.0 if loud else 1.0) for m in plan.modalities)
        tried = dataclasses.replace(plan, modalities=modalities)
        torch.manual_seed(0)
        rows += train(new_network(tried, data), data, tried)
    assert rows[0].bound == pytest.approx(rows[1].bound)
    assert rows[0].bound == pytest.approx(rows[0].reconstruction - rows[0].rate - rows[0].cross_rate, rel=1e-6)


def test_memory_that_is_kept_changes_no_result():
    x = torch.ones(2_000_000)
    with kept_memory():
        inside = sum(float((x * i).sum()) for i in range(5))
    assert inside == sum(float((x * i).sum()) for i in range(5))
    with pytest.raises(RuntimeError, match="as it was"), kept_memory():
        raise RuntimeError("as it was")
