"""How the random subset S of the observed modalities is drawn."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from omixvae.bounds import SubsetSizes
from omixvae.config import SubsetLawWord

__all__ = ["draw_subset"]


def draw_subset(
    observed: Bool[Tensor, "n m"],
    law: SubsetLawWord,
    generator: torch.Generator,
    *,
    sizes: SubsetSizes = "any",
) -> Bool[Tensor, "n m"]:
    """Draw S ⊆ O for each observation.

    Parameters
    ----------
    observed
        True for the modalities O that the observation has.
    law
        ``"uniform_size"``: every size of S has the same probability, and so has every set of that size (the paper's
        text: one π ~ U(0, 1) per observation, then each modality with probability π). ``"independent"``: each
        modality with probability 1/2, so every set has the same probability (the authors' scripts).
    generator
        Source of random numbers.
    sizes
        ``"any"``: from nothing to everything; ``"not_empty"``: from one modality on; ``"single"``: one modality.

    Returns
    -------
    torch.Tensor
        Shape (n, m), true for the modalities of S; all false where O is empty.

    Examples
    --------
    >>> observed = torch.tensor([[True, False]])
    >>> draw_subset(observed, "uniform_size", torch.Generator().manual_seed(0), sizes="single").tolist()
    [[True, False]]
    """
    n = len(observed)
    most = observed.sum(-1)
    least = 0 if sizes == "any" else 1
    u = torch.rand(n, generator=generator, device=observed.device, dtype=torch.float64)
    if sizes == "single":
        size = torch.ones_like(most)
    elif law == "uniform_size":
        size = least + (u * (most + 1 - least)).long()
    else:
        return _any_set(observed, least + (u * (2**most - least)).long())
    # The modalities of O in random order, those outside O last: S is the first of them.
    shuffled = torch.rand(observed.shape, generator=generator, device=observed.device) + (~observed).float()
    rank = shuffled.argsort(-1).argsort(-1)
    return observed & (rank < size.unsqueeze(-1))


def _any_set(observed: Bool[Tensor, "n m"], code: Int[Tensor, " n"]) -> Bool[Tensor, "n m"]:
    """Read the bits of a number as membership of the first, second, ... modality of O."""
    bit = observed.cumsum(-1) - 1
    return observed & (((code.unsqueeze(-1) >> bit.clamp(min=0)) & 1) == 1)
