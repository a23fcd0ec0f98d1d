"""The laws are tried with annotations checked: a tensor of another shape than its annotation says is refused."""

import jaxtyping
import pytest
import torch

from omixvae.likelihoods import LIKELIHOODS


def test_a_tensor_of_another_shape_than_annotated_is_refused():
    likelihood = LIKELIHOODS["gaussian"](3)
    likelihood(torch.zeros(2, 3), torch.ones(2, 1))
    with pytest.raises(jaxtyping.TypeCheckError, match="exposure"):
        likelihood(torch.zeros(2, 3), torch.ones(2, 4))
