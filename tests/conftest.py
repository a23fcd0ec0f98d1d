"""What all tests share. The default number type of PyTorch stays float32: who needs float64 asks for it by name."""

import os
from pathlib import Path

import pytest
import torch

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
