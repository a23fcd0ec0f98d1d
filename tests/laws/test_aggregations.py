"""Every aggregation obeys the laws."""

import pytest
import torch

from omixvae.encoders import AGGREGATIONS
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


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (FirstWeighsMore, "The order of the modalities changes the belief"),
        (MultipliesTheMask, "An absent modality is not the same as one that does not exist"),
    ],
)
def test_a_broken_law_is_noticed(broken, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_aggregation(broken)
