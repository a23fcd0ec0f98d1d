"""What the laws have in common: how close is equal, for numbers and for averages."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["N_SAMPLES", "ROUNDING", "compare_moments", "draw_normal"]

N_SAMPLES = 200_000
STANDARD_ERRORS = 6.0
"""Distance from the truth at which a Monte-Carlo average is called wrong: chance gets there once in 10⁹ averages."""

ROUNDING = 1e-10
"""Largest difference between two float64 results that should be the same."""


def draw_normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw standard normal numbers in double precision."""
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


def compare_moments(x: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Compare samples (s, g) with the mean and variance (g,) that they should have."""
    squares = (x - mean) ** 2
    for name, values, expected in (("mean", x, mean), ("variance", squares, variance)):
        error = (values.mean(0) - expected).abs() / (values.std(0) / len(x) ** 0.5).clamp(min=1e-300)
        worst = int(error.argmax())
        assert error[worst] < STANDARD_ERRORS, (
            f"The {name} of {len(x):,} samples is {values.mean(0)[worst]:.5g}, but the distribution says that it is "
            f"{expected[worst]:.5g}."
        )
