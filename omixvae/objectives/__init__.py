"""What is maximised: one word, one function (network, batch, subset, generator) → Terms."""

from typing import Protocol

import torch
from torch import Tensor

from omixvae.data.masked import MaskedBatch
from omixvae.objectives.masked import masked_bound
from omixvae.objectives.subsets import draw_subset
from omixvae.objectives.terms import Terms
from omixvae.vae import MultimodalVAE

__all__ = ["OBJECTIVES", "Objective", "Terms", "draw_subset"]


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
        stl: bool = True,
    ) -> Terms:
        """Evaluate the bound with one sample."""


OBJECTIVES: dict[str, Objective] = {"masked": masked_bound}
