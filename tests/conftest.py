"""What all tests share. The default number type of PyTorch stays float32: who needs float64 asks for it by name."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from jaxtyping import config, install_import_hook

SHAPED = ("distributions", "priors", "encoders", "likelihoods", "decoders", "vae", "objectives")
"""Modules whose annotations, shapes of tensors among them, are checked at each call of the laws; a training of small
networks takes twice as long with it. Users pay nothing."""

install_import_hook([f"omixvae.{name}" for name in SHAPED], "beartype.beartype")
config.update("jaxtyping_disable", value=True)  # but where the laws are
Sequence.register(torch.nn.ModuleList)  # it is one, and does not say so

DATA_VARIABLE = "OMIXVAE_TEST_DATA"


@pytest.fixture(autouse=True)
def shapes_are_checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check annotations where each member of each family is tried, and nowhere else."""
    config.update("jaxtyping_disable", request.path.parent.name != "laws")
    yield
    config.update("jaxtyping_disable", value=True)


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
