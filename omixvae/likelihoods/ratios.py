"""Ratios of Γ functions that keep their digits."""

import torch
from torch import Tensor

__all__ = ["STIRLING_FROM", "log_binomial_ratio"]

STIRLING_FROM = 64.0
"""Counts from which log Γ ratios are taken by Stirling's series: at 10⁶ counts log Γ(x) itself is about 10⁷, whose last
float32 digit is a whole nat, while the series keeps the ratio's own digits (its error here is below 10⁻⁸)."""


def log_binomial_ratio(x: Tensor, theta: Tensor) -> Tensor:
    """Return log Γ(x + θ) - log Γ(θ) - log Γ(x + 1), accurate for counts of any size."""
    a, b = x + theta, x + 1
    series = (b - 0.5) * torch.log1p((theta - 1) / b) + (theta - 1) * (a.log() - 1) + (1 / a - 1 / b) / 12
    small = torch.where(x < STIRLING_FROM, x, 0.0)
    exact = torch.lgamma(small + theta) - torch.lgamma(small + 1)
    return torch.where(x < STIRLING_FROM, exact, series) - torch.lgamma(theta)
