"""The few blocks that the networks share."""

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear layers with layer normalisation and leaky ReLU between them.

    Layer normalisation (not batch normalisation) keeps each observation independent of the others of its batch, so
    that results do not depend on who else is in it.

    Parameters
    ----------
    n_in
        Size of the input.
    hidden
        Size of each hidden layer; none makes the block one linear map.
    n_out
        Size of the output.
    """

    def __init__(self, n_in: int, hidden: Sequence[int], n_out: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for size in hidden:
            blocks += [nn.Linear(n_in, size), nn.LayerNorm(size), nn.LeakyReLU(0.1)]
            n_in = size
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(n_in, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        y: Tensor = self.last(self.blocks(x))
        return y
