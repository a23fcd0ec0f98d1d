"""What is maximised: one word, one function (network, batch, subset, generator) → Terms."""

from typing import Literal, Protocol

import torch
from torch import Tensor

from omixvae.config import KLWord
from omixvae.data.masked import MaskedBatch
from omixvae.objectives.masked import masked_bound
from omixvae.objectives.mixture import mixture_bound
from omixvae.objectives.subsets import draw_subset
from omixvae.objectives.terms import Terms
from omixvae.objectives.total_correlation import total_correlation_bound
from omixvae.vae import MultimodalVAE

__all__ = ["OBJECTIVES", "SUBSET_SIZES", "TRAINS_PRIOR", "Objective", "Terms", "draw_subset"]


class Objective(Protocol):
    """The signature of a bound."""

    def __call__(
        self,
        network: MultimodalVAE,
        batch: MaskedBatch,
        subset: Tensor,
        generator: torch.Generator,
        *,
        beta: float = 1.0,
        kl: KLWord = "stl",
        private: Tensor | None = None,
    ) -> Terms:
        """Evaluate the bound with one sample."""


OBJECTIVES: dict[str, Objective] = {
    "masked": masked_bound,
    "mixture": mixture_bound,
    "total_correlation": total_correlation_bound,
}

SUBSET_SIZES: dict[str, Literal["any", "not_empty", "single"]] = {
    "masked": "any",
    "mixture": "not_empty",
    "total_correlation": "single",
}
"""Which subsets each bound is averaged over (section 2 of the method page)."""

TRAINS_PRIOR: dict[str, bool] = {"masked": True, "mixture": True, "total_correlation": False}
"""Whether p(z) has a part in the bound."""
