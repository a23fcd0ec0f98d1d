"""What a method gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["COVERAGES", "Outcome"]

COVERAGES = (0.5, 0.8, 0.95)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Results for the observations that were seen, in their order.

    Parameters
    ----------
    values
        For each modality, shape (n, features): predictions on the scale of the comparison.
    limits
        For each modality, shape (2 × coverages, n, features): lower and upper limit for each of `COVERAGES`, where the
        method gives any.
    latent
        Shape (n, d), where there is one.
    draw
        Shape (n, d): one draw from the belief about the latent, where there is one. Where less is known, means lie
        closer together, which tells what is missing; draws need not.
    clusters
        Shape (n,), where the method has its own.
    """

    values: Mapping[str, np.ndarray]
    limits: Mapping[str, np.ndarray] = field(default_factory=dict)
    latent: np.ndarray | None = None
    draw: np.ndarray | None = None
    clusters: np.ndarray | None = None
