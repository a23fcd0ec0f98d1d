"""What must not change the answer: orders, ways of storing, and whatever stands where nothing was measured."""

from dataclasses import replace

import mudata
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omixvae.config import Config
from omixvae.data import MaskedBatch, from_mudata
from omixvae.inference import cluster_probabilities, gather, make_private_moments, predict, shared_latent
from omixvae.objectives import draw_subset
from omixvae.objectives.masked import masked_bound
from omixvae.plan import make_plan
from omixvae.training.initialise import initialise_network
from omixvae.vae import MultimodalVAE
from tests.builders import MODALITIES, build_mdata

PER_MODALITY = ("encoders", "decoders", "likelihoods")
FEW = settings(max_examples=12, deadline=None, derandomize=True)
CPU = torch.device("cpu")
ORDERS = st.permutations(range(len(MODALITIES)))
SEEDS = st.integers(0, 1000)


def build_network(mdata: mudata.MuData, **options: object) -> MultimodalVAE:
    """Make a network in float64 with random weights in every part, the prior's components included."""
    data = from_mudata(mdata)
    plan = make_plan(Config.from_options(n_latent=3, n_private=2, n_clusters=3, precision="float64", **options), data)
    torch.manual_seed(0)
    network = MultimodalVAE(plan).double()
    initialise_network(network, data, np.random.default_rng(0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def with_order(network: MultimodalVAE, mdata: mudata.MuData, order: list[int]) -> MultimodalVAE:
    """Make the same network for modalities in another order."""
    other = build_network(mdata)
    weights = {}
    for name, value in network.state_dict().items():
        part, _, rest = name.partition(".")
        if part in PER_MODALITY:
            s, _, rest = rest.partition(".")
            name = f"{part}.{order.index(int(s))}.{rest}"
        weights[name] = value
    other.load_state_dict(weights)
    return other


def in_order(mdata: mudata.MuData, order: list[int]) -> mudata.MuData:
    names = [MODALITIES[s] for s in order]
    return mudata.MuData({name: mdata[name].copy() for name in names})


@FEW
@given(seed=SEEDS, order=ORDERS)
def test_the_order_of_modalities_changes_nothing(seed, order):
    mdata = build_mdata(15, seed)
    turned = in_order(mdata, order)
    network = build_network(mdata)
    other = with_order(network, turned, order)
    here, there = from_mudata(mdata), from_mudata(turned)
    rows = there.obs_names.tolist()
    back = [rows.index(name) for name in here.obs_names]  # mudata orders observations by its first modality
    for one, two in zip(shared_latent(network, here), shared_latent(other, there), strict=True):
        np.testing.assert_allclose(one, two[back], rtol=1e-5, atol=1e-6)


@FEW
@given(seed=SEEDS)
def test_the_order_of_observations_changes_nothing_but_theirs(seed):
    mdata = build_mdata(15, seed)
    network = build_network(mdata)
    shuffle = np.random.default_rng(seed).permutation(15)
    here, there = from_mudata(mdata), from_mudata(mdata[mdata.obs_names[shuffle]])
    for one, two in zip(shared_latent(network, here), shared_latent(network, there), strict=True):
        np.testing.assert_allclose(one[shuffle], two, rtol=1e-5, atol=1e-6)
    # Probabilities are averages over samples, which come in the order of the observations.
    one, two = cluster_probabilities(network, here, 4000, 0), cluster_probabilities(network, there, 4000, 1)
    np.testing.assert_allclose(one[shuffle], two, atol=0.06)


@FEW
@given(
    seed=SEEDS,
    store=st.sampled_from([sp.csr_matrix, sp.csc_matrix, np.asarray]),
    dtype=st.sampled_from([np.float32, np.float64, np.int32]),
)
def test_the_way_of_storing_changes_nothing(seed, store, dtype):
    mdata = build_mdata(15, seed, sparse=False)
    network = build_network(mdata)
    same = mdata.copy()
    same["rna"].X = store(mdata["rna"].X.astype(dtype))
    for function in (shared_latent, lambda n, d: (cluster_probabilities(n, d, 8, 0),)):
        for one, two in zip(function(network, from_mudata(mdata)), function(network, from_mudata(same)), strict=True):
            np.testing.assert_array_equal(one, two)


class Poisoned:
    """A source whose batches hold rubbish wherever nothing was measured."""

    def __init__(self, source, poison: float):
        self.source, self.poison = source, poison
        self.n_obs, self.presence = source.n_obs, source.presence

    def rows(self, index, device, dtype) -> MaskedBatch:
        batch = self.source.rows(index, device, dtype)
        return replace(
            batch,
            modalities=tuple(
                replace(m, values=torch.where(m.mask, m.values, self.poison), complete=False) for m in batch.modalities
            ),
        )


POISONS = st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -7.0])


@FEW
@given(seed=SEEDS, rubbish=POISONS, prior=st.sampled_from(["gaussian_mixture", "standard_normal"]))
def test_what_was_not_measured_cannot_reach_any_answer(seed, rubbish, prior):
    mdata = build_mdata(15, seed)
    network = build_network(mdata, prior=prior)
    clean = from_mudata(mdata)
    dirty = Poisoned(clean, rubbish)
    assert not torch.equal(
        clean.rows(np.arange(15), CPU, torch.float64).modalities[1].values,
        dirty.rows(np.arange(15), CPU, torch.float64).modalities[1].values,
    )
    answers = [
        [
            *shared_latent(network, source),
            *gather(network, source, make_private_moments(network, 0)),
            cluster_probabilities(network, source, 4, 0),
            *(part for s in range(3) for _, mean, sd in predict(network, source, s, 2, 0) for part in (mean, sd)),
        ]
        for source in (clean, dirty)
    ]
    for one, two in zip(*answers, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("decoder", ["linear", "mlp"])
@FEW
@given(seed=SEEDS, rubbish=POISONS)
def test_what_was_not_measured_cannot_reach_the_training(decoder, seed, rubbish):
    mdata = build_mdata(15, seed)
    network = build_network(mdata, decoder=decoder)
    clean = from_mudata(mdata)
    results = []
    for source in (clean, Poisoned(clean, rubbish)):
        batch = source.rows(np.arange(15), CPU, torch.float64)
        generator = torch.Generator().manual_seed(seed)
        subset = draw_subset(batch.presence, "uniform_size", generator)
        terms = masked_bound(network, batch, subset, generator)
        network.zero_grad(set_to_none=True)
        terms.loss.backward()
        gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in network.named_parameters()}
        results.append((terms.bound.detach(), gradients))
    (bound, gradients), (poisoned_bound, poisoned_gradients) = results
    assert torch.isfinite(bound).all()
    assert torch.equal(bound, poisoned_bound)
    for name, gradient in gradients.items():
        assert torch.isfinite(gradient).all(), name
        assert torch.equal(gradient, poisoned_gradients[name]), name


@FEW
@given(seed=SEEDS, modality=st.sampled_from(MODALITIES))
def test_a_modality_that_is_absent_is_a_modality_that_is_not_there(seed, modality):
    mdata = build_mdata(15, seed)
    network = build_network(mdata)
    data = from_mudata(mdata)
    others = [name for name in MODALITIES if name != modality]
    without = mudata.MuData({name: mdata[name].copy() for name in others})
    here = from_mudata(without, schema=data.schema)
    hidden = data.given(others)
    rows = [data.obs_names.tolist().index(name) for name in here.obs_names]
    for one, two in zip(shared_latent(network, hidden), shared_latent(network, here), strict=True):
        np.testing.assert_allclose(one[rows], two, rtol=1e-5, atol=1e-6)
