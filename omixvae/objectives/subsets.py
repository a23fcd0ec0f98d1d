"""How the random subset S of the observed modalities is drawn."""

from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["draw_subset"]


def draw_subset(
    observed: Bool[Tensor, "n m"], law: Literal["uniform_size", "independent"], generator: torch.Generator
) -> Bool[Tensor, "n m"]:
    """Draw S ⊆ O for each observation; S may be empty and may be everything.

    Parameters
    ----------
    observed
        True for the modalities O that the observation has.
    law
        ``"uniform_size"``: one π ~ U(0, 1) per observation, then each modality with probability π, so that |S| is
        uniform on 0..|O| (the paper's text). ``"independent"``: each with probability 1/2 (the authors' scripts).
    generator
        Source of random numbers.

    Returns
    -------
    torch.Tensor
        Shape (n, m), true for the modalities of S.

    Examples
    --------
    >>> observed = torch.tensor([[True, False]])
    >>> draw_subset(observed, "uniform_size", torch.Generator().manual_seed(0))[0, 1].item()
    False
    """
    n, m = observed.shape
    device = observed.device
    if law == "uniform_size":
        probability = torch.rand(n, 1, generator=generator, device=device)
    else:
        probability = torch.full((n, 1), 0.5, device=device)
    return observed & (torch.rand(n, m, generator=generator, device=device) < probability)
