"""Importance-sampled likelihoods: joint, marginal and conditional, against closed forms."""

import numpy as np
import pytest
import torch
from builders import all_rows, build_mdata, small_network
from linear_gaussian import draw_batch, linear_gaussian

from omixvae import InputError, OmixVAE
from omixvae.data import from_mudata
from omixvae.distributions import DiagonalGaussian
from omixvae.encoders import Aggregation
from omixvae.inference import log_likelihood


class OneBatch:
    """Observations whose rows are those of one batch."""

    def __init__(self, batch):
        self.batch = batch

    @property
    def n_obs(self):
        return len(self.batch.index)

    @property
    def presence(self):
        return self.batch.presence.numpy()

    def rows(self, index, device, dtype):
        assert len(index) == self.n_obs
        return self.batch


class Wider(Aggregation):
    """A belief with the exact mean, but without correlations and too wide: weights differ between samples."""

    def __init__(self, exact):
        super().__init__(0, exact.n_latent, 0)
        self.exact = exact

    def embed(self, h):
        return self.exact.embed(h)

    def combine(self, g, present):
        q = self.exact.combine(g, present)
        return DiagonalGaussian(q.mean, 1.5 * q.variance.sqrt())


@pytest.mark.slow
@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("n_modalities", [2, 3, 4, 5])
def test_estimates_equal_the_closed_form_within_their_standard_error(n_modalities, private):
    network, model = linear_gaussian(n_modalities, private=private)
    network.aggregation = Wider(network.aggregation)
    batch, x, measured = draw_batch(model, 5, missing=0.3)
    sizes = [len(b) for b in model.offset]
    rng = np.random.default_rng(0)
    whole, nothing = np.ones(n_modalities, bool), np.zeros(n_modalities, bool)
    half = rng.random(n_modalities) < 0.5
    for of, given in ((whole, nothing), (half, nothing), (~half, half)):
        repeats = [log_likelihood(network, OneBatch(batch), of, given, 100, seed) for seed in range(12)]
        mean, error = np.mean(repeats, axis=0), np.std(repeats, axis=0, ddof=1) / len(repeats) ** 0.5
        for i, row in enumerate(x):
            in_of, in_given = (measured[i] & np.repeat(s, sizes) for s in (of, given))
            expected = model.conditional_log_prob(row, in_of, in_given)
            # The logarithm of a mean is a little low: by half its squared relative error.
            assert abs(mean[i] - expected) < 6 * error[i] + 6 * error[i] ** 2 + 1e-9, (of, given, i)


def test_more_samples_come_closer_from_below():
    network, model = linear_gaussian(3, private=False)
    network.aggregation = Wider(network.aggregation)
    batch, x, measured = draw_batch(model, 30, missing=0.0)
    exact = np.mean([model.log_prob(row, m) for row, m in zip(x, measured, strict=True)])
    everything, nothing = np.ones(3, bool), np.zeros(3, bool)
    gaps = [
        exact - np.mean([log_likelihood(network, OneBatch(batch), everything, nothing, n, s).mean() for s in range(10)])
        for n in (1, 10, 200)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -0.01
    assert gaps[0] > 0.2


@pytest.mark.slow
@torch.no_grad()
def test_estimates_equal_the_integral_over_a_grid_with_any_likelihoods_and_a_mixture_prior(float64):
    data = from_mudata(build_mdata(n_obs=12))
    network, batch = small_network(data, n_private=0, prior="gaussian_mixture"), all_rows(data)
    axis = torch.linspace(-7, 8, 151, dtype=float64)
    grid = torch.cartesian_prod(axis, axis)
    log_p = network.prior().log_prob(grid)
    log_area = 2 * np.log(15 / 150)
    z = grid.unsqueeze(1).expand(-1, 12, -1)
    each = torch.stack(
        [
            m.only_measured(network.decode(s, z, z[..., :0], batch).log_prob(m.filled), 0.0).sum(-1)
            for s, m in enumerate(batch.modalities)
        ],
        dim=-1,
    )

    def integral(of):
        return torch.logsumexp(each[..., torch.from_numpy(of)].sum(-1) + log_p[:, None] + log_area, 0).numpy()

    everything, nothing, first = np.ones(3, bool), np.zeros(3, bool), np.array([True, False, False])
    for of, given in ((everything, nothing), (first, nothing), (~first, first)):
        error = (
            log_likelihood(network, OneBatch(batch), of, given, 600, seed=0) - integral(of | given) + integral(given)
        )
        assert np.abs(error).max() < 1.2, "arbitrary encoders need many samples"
        assert abs(error.mean()) < 0.25
    lacks = ~data.presence[:, 0]
    assert lacks.any()
    for given in (nothing, ~first):
        assert (log_likelihood(network, OneBatch(batch), first, given, 5, seed=0)[lacks] == 0).all()


def test_a_user_can_ask_for_it_by_name():
    mdata = build_mdata()
    model = OmixVAE(max_epochs=2, progress=False, seed=1).fit(mdata)
    joint = model.log_likelihood(mdata, n_samples=20)
    assert (joint.index == mdata.obs_names).all()
    assert (joint < 0).all()
    both = model.log_likelihood(mdata, of=["rna"], given=["protein"], n_samples=20)
    assert both.mean() > joint.mean(), "a part is more probable than the whole"
    with pytest.raises(InputError, match=r"Modality 'rna' is in both `of` and `given`\."):
        model.log_likelihood(mdata, of=["rna"], given=["rna"])
    with pytest.raises(InputError, match=r"n_samples must be at least 1, not 0\."):
        model.log_likelihood(mdata, n_samples=0)
    with pytest.raises(InputError, match="knows no modality 'rnb'"):
        model.log_likelihood(mdata, given=["rnb"])
