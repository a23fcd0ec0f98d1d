"""Every aggregation obeys the laws."""

import pytest
import torch

from omixvae.distributions import DiagonalGaussian
from omixvae.encoders import AGGREGATIONS
from omixvae.encoders.aggregation import gaussian_from
from omixvae.encoders.pooling import SumPooling
from omixvae.testing import check_aggregation


@pytest.mark.parametrize("word", AGGREGATIONS)
def test_laws(word):
    check_aggregation(AGGREGATIONS[word])


class FirstWeighsMore(SumPooling):
    """Breaks a law: the order of the modalities matters."""

    def forward(self, h, present):
        weight = torch.linspace(2, 1, h.shape[1]).unsqueeze(-1)
        return super().forward(h * weight, present)


class MultipliesTheMask(SumPooling):
    """Breaks a law: NaN times zero is NaN."""

    def forward(self, h, present):
        return super().forward(h * present.unsqueeze(-1), torch.ones_like(present))


class ForgetsTheMask(SumPooling):
    """Breaks a law: right as long as absent modalities were embedded as zeros."""

    def combine(self, g, present):
        return super().combine(g, torch.ones_like(present))

    def forward(self, h, present):
        return SumPooling.combine(self, self.embed(torch.where(present.unsqueeze(-1), h, 0.0)), present)


class ForgetsItsScale(SumPooling):
    """Breaks a law: the gradient of the scale is cut off, the value is not."""

    def forward(self, h, present):
        q = super().forward(h, present)
        return DiagonalGaussian(q.loc, q.scale.detach())


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (ForgetsItsScale, "The gradient of the belief differs from finite differences"),
        (FirstWeighsMore, "The order of the modalities changes the belief"),
        (ForgetsTheMask, "What was embedded of an absent modality changes the belief"),
        (MultipliesTheMask, "An absent modality is not the same as one that does not exist"),
    ],
)
def test_a_broken_law_is_noticed(broken, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_aggregation(broken)


@pytest.mark.parametrize("word", ["poe", "moe", "mopoe"])
def test_experts_of_one_modality_are_what_the_modality_says_alone(word):
    """With N(0, I) among the experts of products, and without it in the mixture; the network gives the mean itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        aggregation = AGGREGATIONS[word](4, 2, 8)
    h = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    q = aggregation(h, torch.tensor([[False, True, False]] * 5))
    expert = gaussian_from(aggregation.embed(h))
    torch.testing.assert_close(q.mean, expert.loc[:, 1])
    added = 0 if word == "moe" else 1
    torch.testing.assert_close(q.variance, 1 / (expert.scale[:, 1] ** -2 + added))
