"""Every prior obeys the laws; the mixture's components follow Bayes' rule and the groups that they start from."""

import numpy as np
import oracles
import pytest
import torch

from omixvae.distributions import GaussianMixture
from omixvae.priors import PRIORS, GaussianMixturePrior
from omixvae.testing import check_prior


@pytest.mark.parametrize("word", PRIORS)
def test_laws(word):
    check_prior(PRIORS[word])


class HalfMixture(GaussianMixturePrior):
    """Breaks a law: weights that do not sum to one."""

    def forward(self):
        p = super().forward()
        p.log_weights = p.log_weights - np.log(2)
        return p


class TrainedFromTheFirstStep(GaussianMixturePrior):
    """Breaks a law: it is to start later."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.requires_grad_()


class Unnormalised(GaussianMixturePrior):
    """Breaks a law: probabilities of clusters that do not sum to one."""

    def clusters(self, p, z):
        return 0.5 * super().clusters(p, z)


class Wide(GaussianMixturePrior):
    """Breaks a law: it is another Gaussian before its start."""

    def forward(self):
        p = super().forward()
        return p if self.loc.requires_grad else GaussianMixture(p.log_weights, p.loc, 2 * p.scale)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (HalfMixture, r"The density integrates to 0\.5, not to one"),
        (TrainedFromTheFirstStep, "Parameters of the prior are trained before its start"),
        (Unnormalised, "The probabilities of the clusters do not sum to one"),
        (Wide, r"the prior is not N\(0, I\)"),
    ],
)
def test_a_broken_law_is_noticed(broken, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_prior(broken)


def test_mixture_in_many_dimensions_equals_the_oracle(generator, float64):
    k, d = 4, 12
    logits = torch.randn(k, generator=generator, dtype=float64)
    logits[1] = -torch.inf
    loc = 3 * torch.randn(k, d, generator=generator, dtype=float64)
    scale = torch.rand(k, d, generator=generator, dtype=float64) + 0.2
    z = 3 * torch.randn(50, d, generator=generator, dtype=float64)
    p = GaussianMixture(logits, loc, scale)
    weights = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum()
    log_density, responsibilities = oracles.mixture(weights, loc.numpy(), scale.numpy(), z.numpy())
    np.testing.assert_allclose(p.log_prob(z), log_density, rtol=1e-10)
    np.testing.assert_allclose(p.responsibilities(z), responsibilities, atol=1e-10)


def test_mixture_starts_at_weight_mean_and_scale_of_each_group(generator):
    groups = torch.tensor([0] * 300 + [2] * 100)
    z = torch.randn(400, 3, generator=generator) * torch.tensor([0.5, 1.0, 2.0]) + 4.0 * groups.unsqueeze(-1)
    prior = GaussianMixturePrior(3, 4)
    prior.take_groups(z, groups)
    p = prior()
    np.testing.assert_allclose(p.log_weights.exp().detach(), [0.75, 0, 0.25, 0], atol=1e-6)
    for c in (0, 2):
        np.testing.assert_allclose(p.loc[c].detach(), z[groups == c].mean(0), atol=1e-4)
        np.testing.assert_allclose(p.scale[c].detach(), z[groups == c].std(0, correction=0), atol=1e-3)


def test_the_used_components_stay_largest_first():
    prior = GaussianMixturePrior(1, 5)
    with torch.no_grad():
        prior.loc.copy_(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]]))
        prior.active[3] = False
    prior.finish(torch.tensor([30, 4, 60, 9]))  # of the first three and the last: the other has no group
    p = prior()
    assert p.loc[:, 0].tolist() == [2, 0, 4, 1, 3]
    assert torch.isfinite(p.log_weights).tolist() == [True, True, True, False, False]
    assert prior.clusters(p, torch.zeros(7, 1)).shape == (7, 3)
    prior.finish(torch.zeros(3, dtype=torch.int64))
    assert prior.active.tolist() == [True, *[False] * 4], "the largest always stays"
