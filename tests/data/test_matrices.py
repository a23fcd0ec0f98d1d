"""Matrices as they come."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from omixvae.data.matrices import as_matrix
from omixvae.errors import InputError


@pytest.mark.parametrize("value", [1e300, -1e39])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix, lambda x: x.astype(object)])
def test_a_value_beyond_float32_is_named_itself(kind, value):
    x = kind(np.array([[0.0, 1.0], [value, 2.0]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            as_matrix(x, "protein")
    assert str(caught.value) == (
        f"Modality 'protein' holds {value:g}, which is beyond all numbers that are computed with here (up to "
        "3.4e+38).\n"
        "Where: mdata['protein']\n"
        "Fix: If it stands for what was not measured, write NaN in its place; else bring the values to another scale."
    )


def test_an_infinite_value_stays_one():
    assert as_matrix(np.array([[np.inf, 3e38]]), "rna").tolist()[0][0] == np.inf
