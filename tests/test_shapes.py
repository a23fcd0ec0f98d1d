"""Shapes in annotations are true: the laws hold while each call is checked against them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from omixvae.likelihoods import LIKELIHOODS
from tests.conftest import SHAPES_VARIABLE

LAWS = Path(__file__).parent / "laws"
checked = pytest.mark.skipif(not os.environ.get(SHAPES_VARIABLE), reason=f"needs {SHAPES_VARIABLE}=1")


@pytest.mark.slow
def test_the_laws_hold_with_every_annotation_checked():
    files = [str(LAWS / f"test_{name}.py") for name in ("aggregations", "priors", "likelihoods")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *files, __file__],
        env=os.environ | {SHAPES_VARIABLE: "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@checked
def test_a_tensor_of_another_shape_than_annotated_is_refused():
    from jaxtyping import TypeCheckError

    likelihood = LIKELIHOODS["gaussian"](3)
    likelihood(torch.zeros(2, 3), torch.ones(2, 1))
    with pytest.raises(TypeCheckError, match="exposure"):
        likelihood(torch.zeros(2, 3), torch.ones(2, 4))
