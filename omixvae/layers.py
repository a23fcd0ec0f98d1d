"""The few blocks that the networks share."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

__all__ = ["MLP"]


class MLP(nn.Module):
    """A linear map in, hidden layers, a linear map out, and a linear shortcut around the hidden layers.

    Layer normalisation (not batch normalisation) keeps each observation independent of the others of its batch, so
    that results do not depend on who else is in it. The shortcut lets a signal pass a stack of such blocks from the
    first step on: without it two thirds of the latent dimensions stayed unused on 11,000 cells. It starts behind the
    first normalisation: before it, 50,000 inputs that move together in one step of Adam would throw the output far out.

    Parameters
    ----------
    n_in
        Size of the input.
    hidden
        Size of each hidden layer, at least one.
    n_out
        Size of the output.
    """

    def __init__(self, n_in: int, hidden: Sequence[int], n_out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(n_in, hidden[0]), nn.LayerNorm(hidden[0]))
        blocks: list[nn.Module] = [nn.LeakyReLU(0.1)]
        for before, size in pairwise(hidden):
            blocks += [nn.Linear(before, size), nn.LayerNorm(size), nn.LeakyReLU(0.1)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(hidden[-1], n_out)
        self.shortcut = nn.Linear(hidden[0], n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        x = self.first(x)
        y: Tensor = self.last(self.blocks(x)) + self.shortcut(x)
        return y
