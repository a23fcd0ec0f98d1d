"""Numbers that stand for "not measured" are found at the ends of the values, and nothing else is."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from omixvae.data.stray import StrayValues, stray_numbers
from omixvae.data.tables import ModalityTable


def found(numbers):
    return [(stray.value, stray.n, stray.rest) for stray in stray_numbers(np.asarray(numbers, np.float32))]


@pytest.mark.parametrize(
    ("numbers", "stray"),
    [
        ([-999, 3.5, 0.25, -999], (-999.0, 2, (0.25, 3.5))),
        ([-9, 0, 14, 120, -9, -9], (-9.0, 3, (0.0, 120.0))),
        ([-99, -2.5, 2.5, -99], (-99.0, 2, (-2.5, 2.5))),
        ([9999, -4, 4, 9999], (9999.0, 2, (-4.0, 4.0))),
        ([999, 20, 80, 999], (999.0, 2, (20.0, 80.0))),
        ([-1, 0, 3, 52, -1], (-1.0, 2, (0.0, 52.0))),
        ([-2147483648, 253, 4673, -2147483648], (-2147483648.0, 2, (253.0, 4673.0))),
        ([1e30, 1, 5, 1e30], (float(np.float32(1e30)), 2, (1.0, 5.0))),
        ([-100, 0.5, 0.75, -100], (-100.0, 2, (0.5, 0.75))),
    ],
)
def test_a_number_far_from_all_others_that_repeats(numbers, stray):
    assert found(numbers) == [stray]


@pytest.mark.parametrize(
    "numbers",
    [
        [-999, 3.5, 0.25],  # once
        [-2, -1, 0, 1, 2, -2, -2],  # copies gained and lost
        [-1, 0, 1, 2, -1],
        [-1, 0, 25.5, -1],  # no counts
        [-9.965784, -3, 14, -9.965784],  # a logarithm of nearly zero
        [10, 10, 10, -2.5, 9.7],  # clipped, as scanpy.pp.scale does
        [-9, -8.5, 3, 12, -9],  # not far from the others
        [99, 99, 60, 0, 0],
        [9999, 9999, 0, 8000],
        [-999, -999, -999],  # nothing else to be far from
        [0, 0, 0],
        [],
    ],
)
def test_what_is_a_value_like_others(numbers):
    assert found(numbers) == []


def test_both_ends():
    assert found([-999, 999, -1, 2, -999, 999]) == []  # each is as far out as the other: nothing tells which
    assert found([-999999, 9999, 0, 1, -999999, 9999]) == [
        (-999999.0, 2, (0.0, 9999.0)),
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.booleans())
def test_blocks_of_rows_tell_the_same_as_all_rows_at_once(seed, n_rows, sparse):
    rng = np.random.default_rng(seed)
    values = rng.choice([-999.0, -99.0, 0.0, 2.0, 7.5], (n_rows, 4), p=[0.05, 0.02, 0.5, 0.23, 0.2]).astype(np.float32)
    n, held = int((values == values.min()).sum()), np.flatnonzero((values == values.min()).any(0))
    rest = values[values != values.min()]
    ends = StrayValues(4)
    for rows in np.array_split(np.arange(n_rows), rng.integers(1, n_rows + 1)):
        block = sp.csr_matrix(values[rows]) if sparse else values[rows]
        table = ModalityTable("x", tuple("abcd"), block, np.arange(len(rows)), None, np.ones(len(rows)))
        measured = table.measured()
        ends.add(block, measured, float(measured.min(initial=np.inf)), float(measured.max(initial=-np.inf)))
    expected = []
    if n > 1 and len(rest) and values.min() < -9 and (rest.min() >= 0 or rest.min() + 999 > rest.max() - rest.min()):
        expected = [(float(values.min()), n, (float(rest.min()), float(rest.max())), held.tolist())]
    assert [(s.value, s.n, s.rest, s.columns.tolist()) for s in ends.found(whole=False)] == expected
