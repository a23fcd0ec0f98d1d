"""What all tests share. The default number type of PyTorch stays float32: who needs float64 asks for it by name."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # numba would set the threads of PyTorch too, in the midst of the tests

SHAPES_VARIABLE = "OMIXVAE_CHECK_SHAPES"
"""Where it is set, annotations are checked at each call, shapes of tensors among them. All takes two to five times as
long then, so `tests/test_shapes.py` does it for the laws alone; users pay nothing."""

SHAPED = ("distributions", "priors", "encoders", "likelihoods", "decoders", "vae", "objectives")

if os.environ.get(SHAPES_VARIABLE):
    from jaxtyping import install_import_hook

    install_import_hook([f"omixvae.{name}" for name in SHAPED], "beartype.beartype")
    Sequence.register(torch.nn.ModuleList)  # it is one, and does not say so

DATA_VARIABLE = "OMIXVAE_TEST_DATA"


@pytest.fixture
def generator() -> torch.Generator:
    """Give a source of random numbers of the test's own."""
    return torch.Generator().manual_seed(20240917)


@pytest.fixture
def float64() -> torch.dtype:
    """Give double precision, for tests that compare with closed forms."""
    return torch.float64


@pytest.fixture
def data_folder() -> Path:
    """Give the folder of the public data sets, or skip the test where there is none."""
    folder = os.environ.get(DATA_VARIABLE)
    if folder is None:
        pytest.skip(f"needs public data sets: set {DATA_VARIABLE} to their folder")
    return Path(folder)
