"""Threads: one for small layers, and afterwards as many as before."""

import pytest
import torch

from omixvae.devices import SMALL_LAYER, few_threads


@pytest.mark.parametrize(("layer", "inside"), [(SMALL_LAYER - 1, 1), (SMALL_LAYER, 2)])
def test_small_layers_get_one_thread_and_the_caller_gets_his_back(layer, inside):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with few_threads(layer):
            assert torch.get_num_threads() == inside
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
